"""Every kind of finding: the fault is planted in a clean set, and found with its files."""

import json
import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import label
from tests.doctor.conftest import draw_pair
from tests.reading import check_dataset

from pixelwise.data.findings import KINDS
from pixelwise.data.layouts.found import FoundSample
from pixelwise.data.masks.encoding import MaskClass, MaskEncoding
from pixelwise.data.masks.sources import MaskShapes, Shape
from pixelwise.data.survey.sample_facts import survey_samples
from pixelwise.doctor.check_objects import check_objects


def test_nothing_is_found_in_a_clean_set(planted):
    assert planted.found() == {}


def test_files_that_cannot_be_read(planted):
    planted.image(3).write_bytes(planted.image(3).read_bytes()[:-200])
    planted.mask(5).write_bytes(b"")
    planted.image(9).write_text("no picture")
    assert planted.found() == {
        "unreadable": ("error", ["03.png", "05.png"]),
        "not-an-image": ("error", ["09.png"]),
    }


def test_files_without_partners(planted):
    planted.mask(2).unlink()
    planted.image(12).unlink()
    assert planted.found() == {
        "missing-mask": ("warning", ["02.png"]),
        "missing-image": ("warning", ["12.png"]),
    }


class TestSizeMismatch:
    def test_another_size(self, planted):
        planted.write(planted.mask(4), planted.read(planted.mask(4))[:-8])
        assert planted.found() == {"size-mismatch": ("error", ["04.png"])}
        assert "04.png is 64x96 but" in planted.messages()["size-mismatch"]

    @pytest.mark.parametrize(
        ("spoil", "mend"),
        [
            (lambda mask: np.rot90(mask), "turned by 90 degrees to the right"),
            (lambda mask: np.rot90(mask, 3), "turned by 90 degrees to the left"),
            (lambda mask: mask.T, "transposed it would fit"),
        ],
    )
    def test_a_turn_that_would_mend_it(self, planted, spoil, mend):
        planted.write(planted.mask(4), spoil(planted.read(planted.mask(4))))
        assert planted.found() == {"size-mismatch": ("error", ["04.png"])}
        assert mend in planted.messages()["size-mismatch"]

    def test_a_turn_that_cannot_be_told(self, planted):
        planted.write(planted.mask(4), np.zeros((96, 72), np.uint8))
        assert "a quarter turn or a transpose" in planted.messages()["size-mismatch"]

    def test_the_turn_of_exif(self, planted):
        exif = Image.Exif()
        exif[0x0112] = 6
        planted.write(planted.image(4), planted.read(planted.image(4)), exif=exif)
        assert "is turned by its EXIF data" in planted.messages()["size-mismatch"]


def test_exif_turn(planted):
    exif = Image.Exif()
    exif[0x0112] = 3
    upright = planted.read(planted.image(4))
    planted.write(planted.image(4), upright[::-1, ::-1], exif=exif)
    assert planted.found() == {"exif-turned": ("note", ["04.png"])}


class TestPixels:
    def test_constant(self, planted):
        planted.write(planted.image(4), np.full((72, 96), 9, np.uint8))
        assert planted.found() == {"constant-image": ("warning", ["04.png"])}

    def test_saturated(self, planted):
        image = planted.read(planted.image(4)).astype(int)
        planted.write(planted.image(4), np.clip(image * 4, 0, 255).astype(np.uint8))
        assert planted.found() == {"saturated": ("note", ["04.png"])}

    def test_white_backgrounds_are_usual(self, planted):
        for number in range(16):
            image = planted.read(planted.image(number)).astype(int)
            planted.write(planted.image(number), np.clip(400 - 2 * image, 0, 255).astype(np.uint8))
        assert "saturated" not in planted.found()

    def test_not_finite_and_of_another_type(self, planted):
        image = planted.read(planted.image(4)).astype(np.float32)
        image[3, 3] = np.nan
        planted.image(4).unlink()
        tifffile.imwrite(planted.image(4).with_suffix(".tif"), image)
        assert planted.found() == {
            "non-finite": ("error", ["04.tif"]),
            "mixed-depth": ("warning", ["04.tif"]),
        }

    def test_channels_that_do_not_go_together(self, planted):
        image = planted.read(planted.image(4))
        planted.image(4).unlink()
        bands = np.stack([image, image // 2, image // 3, image, image // 5])
        axes = {"axes": "CYX"}
        tifffile.imwrite(
            planted.image(4).with_suffix(".tif"), bands, metadata=axes, photometric="minisblack"
        )
        assert planted.found() == {"mixed-channels": ("error", ["04.tif"])}

    def test_alpha_that_carries_data(self, planted):
        for number in range(16):
            image = planted.read(planted.image(number))
            alpha = image if number in (3, 5) else np.full_like(image, 255)
            planted.write(planted.image(number), np.dstack([image, image, image, alpha]))
        assert planted.found() == {"alpha-data": ("warning", ["03.png", "05.png"])}

    def test_an_image_of_another_range(self, planted):
        for number in range(16):
            image = planted.read(planted.image(number)).astype(np.uint16)
            planted.write(planted.image(number), image * (1 if number == 6 else 200))
        assert planted.found() == {"intensity-range": ("warning", ["06.png"])}

    def test_a_split_of_another_range(self, planted):
        for number in range(8, 16):
            image = planted.read(planted.image(number))
            planted.image(number).unlink()
            planted.mask(number).rename(planted.root / "train/masks" / f"{number:02}.png")
            planted.write(planted.root / "train/images" / f"{number:02}.png", image)
        for number in range(8):
            image = planted.read(planted.image(number)) // 4
            planted.image(number).unlink()
            planted.mask(number).rename(planted.root / "test/masks" / f"{number:02}.png")
            planted.write(planted.root / "test/images" / f"{number:02}.png", image)
        assert planted.found() == {"intensity-range": ("warning", [])}
        assert "the test split are darker" in planted.messages()["intensity-range"]

    def test_sizes(self, planted):
        planted.write(
            planted.image(4), np.kron(planted.read(planted.image(4)), np.ones((3, 3), np.uint8))
        )
        planted.write(
            planted.mask(4), np.kron(planted.read(planted.mask(4)), np.ones((3, 3), np.uint8))
        )
        assert planted.found() == {"mixed-sizes": ("note", [])}
        assert "from 72x96 to 216x288" in planted.messages()["mixed-sizes"]

    def test_axes_without_names(self, planted):
        image = planted.read(planted.image(4))
        planted.image(4).unlink()
        tifffile.imwrite(
            planted.image(4).with_suffix(".tif"),
            np.stack([image, image, image]),
            metadata=None,
            photometric="minisblack",
        )
        assert planted.found() == {"assumed-axes": ("note", ["04.tif"])}


class TestClasses:
    def test_unknown_value(self, planted):
        (planted.root / "classes.json").write_text(
            '{"classes": [{"name": "background", "value": 0}, {"name": "cell", "value": 255}]}'
        )
        planted.change_masks(lambda mask: mask // 5, range(7, 8))
        assert planted.found() == {"unknown-value": ("error", ["07.png"])}

    def test_empty(self, planted):
        planted.change_masks(np.zeros_like, range(2, 4))
        assert planted.found() == {"empty-mask": ("note", ["02.png", "03.png"])}
        assert "(2 of 16 masks)" in planted.messages()["empty-mask"]

    def test_more_than_half_are_empty(self, planted):
        planted.change_masks(np.zeros_like, range(1, 11))
        severity, files = planted.found()["empty-mask"]
        assert (severity, len(files)) == ("warning", 10)

    def test_a_class_that_is_nowhere_and_one_that_a_split_lacks(self, planted):
        names = ["background", "cell", "dust", "none"]
        (planted.root / "classes.json").write_text(json.dumps({"classes": names}))
        planted.change_masks(lambda mask: (mask > 0) * np.uint8(1))

        def add_dust(mask):
            mask[:10, :10] = 2
            return mask

        planted.change_masks(add_dust, range(12))
        findings = [f for f in check_dataset(planted.root) if f.code == "absent-class"]
        assert [f.message for f in findings] == [
            "none never appears in any mask.",
            "dust never appears in the test split.",
        ]

    def test_rare_class(self, planted):
        names = ["background", "cell", "dust"]
        (planted.root / "classes.json").write_text(json.dumps({"classes": names}))
        planted.change_masks(lambda mask: (mask > 0) * np.uint8(1))

        def add_dust(mask):
            mask[:1, :2] = 2
            return mask

        planted.change_masks(add_dust)
        assert planted.found() == {"class-imbalance": ("warning", [])}
        assert "dust (0.029 %) have less than 0.1 %" in planted.messages()["class-imbalance"]

    def test_one_mask_inverted(self, planted):
        planted.change_masks(lambda mask: 255 - mask, range(6, 7))
        assert planted.found() == {"inverted-mask": ("warning", ["06.png"])}

    def test_all_masks_inverted(self, planted):
        planted.change_masks(lambda mask: 255 - mask)
        severity, files = planted.found()["inverted-mask"]
        assert (severity, len(files)) == ("warning", 16)
        assert "the masks look inverted" in planted.messages()["inverted-mask"]

    def test_object_ids(self, planted):
        for number in range(16):
            ids, _ = label(planted.read(planted.mask(number)))
            planted.write(planted.mask(number), (ids + 7 * number * (ids > 0)).astype(np.uint16))
        assert planted.found() == {"object-ids": ("note", [])}

    def test_numbers_that_may_be_ids_or_classes(self, planted):
        planted.change_masks(lambda mask: label(mask)[0].astype(np.uint8))
        assert "object-ids-or-classes" in planted.found()


class TestObjects:
    @pytest.mark.parametrize("shift", [(0, 9), (7, -6), (-12, 0)])
    def test_shifted(self, planted, shift):
        planted.change_masks(lambda mask: np.roll(mask, shift, (0, 1)), range(6, 7))
        assert planted.found() == {"shifted-mask": ("warning", ["06.png"])}
        rows, columns = -shift[0], -shift[1]
        assert f"moved by {rows} rows and {columns} columns" in planted.messages()["shifted-mask"]

    @pytest.mark.parametrize(
        ("spoil", "mend"),
        [
            (lambda mask: mask[:, ::-1], "mirrored left to right"),
            (lambda mask: mask[::-1], "mirrored top to bottom"),
            (lambda mask: mask[::-1, ::-1], "turned by 180 degrees"),
        ],
    )
    def test_turned(self, planted, spoil, mend):
        planted.change_masks(spoil, range(6, 7))
        assert planted.found() == {"turned-mask": ("warning", ["06.png"])}
        assert mend in planted.messages()["turned-mask"]

    def test_tiny(self, planted):
        def specks(mask):
            mask[:] = 0
            mask[4::16, 4::16] = 255
            return mask

        planted.change_masks(specks, range(6, 7))
        assert planted.found() == {"tiny-objects": ("warning", ["06.png"])}
        assert "30 objects of at most 9 pixels" in planted.messages()["tiny-objects"]

    def test_a_speck_beside_objects_is_no_fault(self, planted):
        def speck(mask):
            mask[-4, -4] = 255
            return mask

        planted.change_masks(speck)
        assert planted.found() == {}


class TestShapes:
    """Shapes as annotation files give them, as corners (row, column)."""

    square = ((20, 20), (20, 40), (40, 40), (40, 20))

    def check(self, folder, corners):
        """Findings about four images with a square each, of which the second also has `corners`."""
        encoding = MaskEncoding(
            classes=tuple(
                MaskClass(index=k, name=name, value=k, color="#000000")
                for k, name in enumerate(("background", "cell"))
            )
        )
        samples = []
        for number in range(4):
            image = folder / f"{number}.png"
            Image.fromarray(draw_pair(number)[0]).save(image)
            shapes = (self.square, corners) if number == 1 else (self.square,)
            painted = tuple(Shape(1, polygons=(np.array(c, np.float64),)) for c in shapes)
            mask = MaskShapes(folder / "annotations.json", painted)
            samples.append(FoundSample(str(number), (image,), mask))
        findings = check_objects(survey_samples(samples), encoding)
        return {f.code: f for f in findings if f.code != "shifted-mask"}

    def test_shapes_that_reach_beyond_the_image(self, tmp_path):
        found = self.check(tmp_path, ((50, 80), (50, 120), (70, 120), (70, 80)))
        assert list(found) == ["out-of-bounds"]
        assert [path.name for path in found["out-of-bounds"].files] == ["1.png"]
        assert found["out-of-bounds"].severity == "warning"

    def test_objects_that_overlap(self, tmp_path):
        found = self.check(tmp_path, ((30, 30), (30, 60), (60, 60), (60, 30)))
        assert list(found) == ["overlapping-objects"]
        assert [path.name for path in found["overlapping-objects"].files] == ["1.png"]
        assert "in 100 pixels" in found["overlapping-objects"].message


def test_few_images(planted):
    for number in range(3, 8):
        planted.image(number).unlink()
        planted.mask(number).unlink()
    shutil.rmtree(planted.root / "val")
    assert set(planted.found()) == {"few-images"}


def test_severities_are_those_of_the_table(planted):
    planted.image(3).write_bytes(b"")
    planted.mask(5).unlink()
    planted.change_masks(np.zeros_like, range(7, 8))
    findings = check_dataset(planted.root)
    assert [f.code for f in findings] == ["unreadable", "missing-mask", "empty-mask"]
    assert [f.severity for f in findings] == [KINDS[f.code].severity for f in findings]
