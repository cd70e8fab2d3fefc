"""Every kind of finding, with every severity it may have: planted in a clean set, and found.

PLANTS has a function for each (code, severity) of the table KINDS. It spoils a clean set and
returns the names of the files that the finding must list: those, and no others.
"""

import json
import shutil
import unicodedata
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import label
from tests.doctor.conftest import PlantedSet, draw_pair
from tests.reading import check_dataset

from pixelwise.data.findings import KINDS

Plant = Callable[[PlantedSet], list[str]]
PLANTS: dict[tuple[str, str], Plant] = {}


def plants(code: str, severity: str | None = None) -> Callable[[Plant], Plant]:
    """Enter a function into PLANTS, under the usual severity of the code where none is given."""

    def enter(plant: Plant) -> Plant:
        key = code, severity or KINDS[code].severity
        assert key not in PLANTS
        PLANTS[key] = plant
        return plant

    return enter


# --- other forms of the clean set -------------------------------------------------------------


def merge_splits(planted: PlantedSet) -> None:
    """Move everything into images/ and masks/, without splits."""
    for number in range(16):
        for kind, path in (("images", planted.image(number)), ("masks", planted.mask(number))):
            (planted.root / kind).mkdir(exist_ok=True)
            path.rename(planted.root / kind / path.name)
    for split in ("train", "val", "test"):
        shutil.rmtree(planted.root / split)


def to_coco(planted: PlantedSet) -> dict[str, list]:
    """Replace the masks by run lengths, one object an image; write it with `write_coco`."""
    merge_splits(planted)
    content: dict[str, list] = {"images": [], "annotations": []}
    content["categories"] = [{"id": 1, "name": "cell"}]
    for number in range(16):
        mask = planted.read(planted.root / "masks" / f"{number:02}.png").ravel(order="F") > 0
        ends = np.flatnonzero(np.diff(np.concatenate([[0], mask, [1 - mask[-1]]])))
        starts = [0, *ends.tolist()]
        counts = np.diff([*starts, mask.size] if starts[-1] != mask.size else starts).tolist()
        name = f"{number:02}.png"
        entry = {"id": number, "file_name": name, "height": 72, "width": 96}
        content["images"].append(entry)
        content["annotations"].append(annotation(number, {"size": [72, 96], "counts": counts}))
    shutil.rmtree(planted.root / "masks")
    return content


def annotation(image: int, segmentation: object) -> dict[str, object]:
    """One object of an image."""
    return {
        "id": image + 1, "image_id": image, "category_id": 1, "iscrowd": 0,
        "segmentation": segmentation, "bbox": [10, 10, 20, 20],
    }  # fmt: skip


def write_coco(planted: PlantedSet, content: dict[str, list]) -> list[str]:
    """Write the annotation file; findings about its content name this file."""
    (planted.root / "annotations.json").write_text(json.dumps(content))
    return ["annotations.json"]


def write_classes(planted: PlantedSet, *names: str) -> None:
    """Name the classes, and write the masks as 0 and 1."""
    (planted.root / "classes.json").write_text(json.dumps({"classes": names}))
    planted.change_masks(lambda mask: (mask > 0) * np.uint8(1))


# --- files and names --------------------------------------------------------------------------


@plants("layout")
def _no_images(planted):
    shutil.rmtree(planted.root)
    planted.root.mkdir()
    return []


@plants("class-file")
def _class_file_cut_off(planted):
    (planted.root / "classes.json").write_text('{"classes": [')
    return ["classes.json"]


@plants("unreadable")
def _truncated_and_empty(planted):
    planted.image(3).write_bytes(planted.image(3).read_bytes()[:-200])
    planted.mask(5).write_bytes(b"")
    buffer = BytesIO()
    Image.fromarray(planted.read(planted.image(7))).save(buffer, "JPEG")
    planted.image(7).unlink()
    planted.image(7).with_suffix(".jpg").write_bytes(buffer.getvalue()[:600])
    return ["03.png", "05.png", "07.jpg"]


@plants("not-an-image")
def _text_and_web_pages(planted):
    planted.image(3).write_text("no picture")
    planted.image(9).unlink()
    planted.image(9).with_suffix(".jpg").write_text("<!doctype html><title>404</title>")
    planted.mask(12).write_bytes(b"%PDF-1.7\n")
    return ["03.png", "09.jpg", "12.png"]


@plants("missing-mask")
def _no_mask(planted):
    planted.mask(2).unlink()
    return ["02.png"]


@plants("missing-image")
def _no_image(planted):
    planted.image(12).unlink()
    return ["12.png"]


@plants("near-miss-name")
def _case_blanks_and_unicode(planted):
    names = {
        2: ("Zelle 2.png", "zelle_2.PNG"),
        3: (unicodedata.normalize("NFC", "zürich.png"), unicodedata.normalize("NFD", "zürich.png")),
        9: ("CELL9.png", "cell9.png"),
    }
    for number, (image, mask) in names.items():
        planted.image(number).rename(planted.image(number).with_name(image))
        planted.mask(number).rename(planted.mask(number).with_name(mask))
    return [mask for _, mask in names.values()]


@plants("missing-file")
def _manifest_of_more_than_there_is(planted):
    rows = [
        f"{planted.image(n).relative_to(planted.root)},{planted.mask(n).relative_to(planted.root)}"
        for n in range(16)
    ]
    text = "\n".join(["image,mask", *rows, "images/gone.png,masks/gone.png"])
    (planted.root / "manifest.csv").write_text(text)
    return ["gone.png", "gone.png"]


@plants("stray-file")
def _picture_beside_the_folders(planted):
    merge_splits(planted)
    planted.write(planted.root / "overview.png", draw_pair(50)[0])
    return ["overview.png"]


@plants("few-images")
def _three_images(planted):
    for number in range(3, 8):
        planted.image(number).unlink()
        planted.mask(number).unlink()
    shutil.rmtree(planted.root / "val")
    return []


@plants("exif-turned")
def _exif(planted):
    exif = Image.Exif()
    exif[0x0112] = 3
    upright = planted.read(planted.image(4))
    planted.write(planted.image(4), upright[::-1, ::-1], exif=exif)
    return ["04.png"]


@plants("size-mismatch")
def _other_sizes(planted):
    planted.write(planted.mask(4), planted.read(planted.mask(4))[:-8])
    planted.write(planted.mask(9), planted.read(planted.mask(9)).T)
    return ["04.png", "09.png"]


# --- annotation files -------------------------------------------------------------------------


@plants("broken-shape")
def _two_corners(planted):
    content = to_coco(planted)
    content["annotations"].append(annotation(3, [[1, 1, 9, 9]]))
    return write_coco(planted, content)


@plants("broken-shape", "error")
def _run_lengths_of_another_size(planted):
    content = to_coco(planted)
    content["annotations"].append(annotation(3, {"size": [5, 5], "counts": [25]}))
    return write_coco(planted, content)


@plants("lost-shapes")
def _shapes_of_no_image(planted):
    content = to_coco(planted)
    content["annotations"].append(annotation(99, [[20, 20, 40, 20, 40, 40]]))
    return write_coco(planted, content)


@plants("lost-shapes", "error")
def _every_shape_of_no_image(planted):
    content = to_coco(planted)
    for entry in content["annotations"]:
        entry["image_id"] = f"picture {entry['image_id']}"
    return write_coco(planted, content)


@plants("missing-image", "error")
def _names_of_another_server(planted):
    content = to_coco(planted)
    for number, entry in enumerate(content["images"]):
        entry["file_name"] = f"/data/upload/{number:08x}-{entry['file_name']}"
    return write_coco(planted, content)


@plants("boxes-only", "error")
def _mostly_boxes(planted):
    content = to_coco(planted)
    content["annotations"] += [annotation(number % 16, []) for number in range(17)]
    return write_coco(planted, content)


@plants("absent-class", "error")
def _shapes_in_shares_of_the_image(planted):
    content = to_coco(planted)
    content["categories"].append({"id": 2, "name": "nucleus"})
    shape = annotation(3, [[0.1, 0.1, 0.4, 0.1, 0.4, 0.4]])
    content["annotations"].append({**shape, "category_id": 2})
    return write_coco(planted, content)


@plants("boxes-only")
def _box(planted):
    content = to_coco(planted)
    content["annotations"].append(annotation(3, []))
    return write_coco(planted, content)


@plants("duplicate-entry")
def _image_listed_twice(planted):
    content = to_coco(planted)
    content["images"].append({**content["images"][3], "id": 99})
    return write_coco(planted, content)


@plants("near-name")
def _other_endings(planted):
    content = to_coco(planted)
    content["images"][3]["file_name"] = "03.jpg"
    return write_coco(planted, content)


def to_labelme(planted: PlantedSet, num_points: dict[int, int]) -> list[str]:
    """Replace the masks by a square each, and points beside it; the files that have points."""
    merge_splits(planted)
    for number in range(16):
        square = {"label": "cell", "points": [[20, 20], [40, 40]], "shape_type": "rectangle"}
        point = {"label": "cell", "points": [[5, 5]], "shape_type": "point"}
        shapes = [square, *[point] * num_points.get(number, 0)]
        content = {"imagePath": f"{number:02}.png", "imageHeight": 72, "imageWidth": 96}
        path = planted.root / "images" / f"{number:02}.json"
        path.write_text(json.dumps({**content, "shapes": shapes}))
    shutil.rmtree(planted.root / "masks")
    return [f"{number:02}.json" for number in num_points]


@plants("not-an-area")
def _a_point(planted):
    return to_labelme(planted, {3: 1})


@plants("not-an-area", "error")
def _mostly_points(planted):
    return to_labelme(planted, dict.fromkeys(range(5, 14), 2))


@plants("left-aside")
def _annotations_beside_masks(planted):
    shutil.copytree(planted.root, planted.root.with_name("copy"))
    content = to_coco(planted)
    shutil.rmtree(planted.root)
    planted.root.with_name("copy").rename(planted.root)
    merge_splits(planted)
    write_coco(planted, content)
    return []


@plants("out-of-bounds")
def _shape_beyond_the_image(planted):
    content = to_coco(planted)
    content["annotations"].append(annotation(3, [[80, 50, 120, 50, 120, 70, 80, 70]]))
    write_coco(planted, content)
    return ["03.png"]


@plants("overlapping-objects")
def _shapes_on_each_other(planted):
    content = to_coco(planted)
    shapes = ([[10, 10, 30, 10, 30, 30, 10, 30]], [[20, 20, 40, 20, 40, 40, 20, 40]])
    content["annotations"] += [annotation(3, shape) for shape in shapes]
    write_coco(planted, content)
    return ["03.png"]


# --- pixels -----------------------------------------------------------------------------------


@plants("mixed-channels")
def _five_bands(planted):
    image = planted.read(planted.image(4))
    planted.image(4).unlink()
    bands = np.stack([image, image // 2, image // 3, image, image // 5])
    path = planted.image(4).with_suffix(".tif")
    tifffile.imwrite(path, bands, metadata={"axes": "CYX"}, photometric="minisblack")
    return ["04.tif"]


@plants("non-finite")
def _nan_and_infinity(planted):
    for number in range(16):
        image = planted.read(planted.image(number)).astype(np.float32)
        image[3, 3] = {4: np.nan, 11: np.inf}.get(number, 1)
        planted.image(number).unlink()
        tifffile.imwrite(planted.image(number).with_suffix(".tif"), image)
    return ["04.tif", "11.tif"]


@plants("constant-image")
def _one_grey(planted):
    planted.write(planted.image(4), np.full((72, 96), 9, np.uint8))
    return ["04.png"]


@plants("saturated")
def _overexposed(planted):
    image = planted.read(planted.image(4)).astype(int)
    planted.write(planted.image(4), np.clip(image * 4, 0, 255).astype(np.uint8))
    return ["04.png"]


@plants("mixed-depth")
def _16_bits_among_8(planted):
    image = planted.read(planted.image(4)).astype(np.uint16)
    planted.write(planted.image(4), image * 200)
    return ["04.png"]


@plants("alpha-data")
def _varying_alpha(planted):
    for number in range(16):
        image = planted.read(planted.image(number))
        alpha = image if number in (3, 5) else np.full_like(image, 255)
        planted.write(planted.image(number), np.dstack([image, image, image, alpha]))
    return ["03.png", "05.png"]


@plants("intensity-range")
def _one_in_another_unit(planted):
    for number in range(16):
        image = planted.read(planted.image(number)).astype(np.uint16)
        planted.write(planted.image(number), image * (1 if number == 6 else 200))
    return ["06.png"]


@plants("mixed-sizes")
def _nine_times_as_large(planted):
    for path in (planted.image(4), planted.mask(4)):
        planted.write(path, np.kron(planted.read(path), np.ones((3, 3), np.uint8)))
    return []


@plants("mixed-sizes", "warning")
def _a_volume_among_pictures(planted):
    for path in (planted.image(4), planted.mask(4)):
        volume = np.stack([planted.read(path)] * 5)
        path.unlink()
        tifffile.imwrite(path.with_suffix(".tif"), volume, metadata={"axes": "ZYX"})
    return ["04.tif"]


def give_spacing(planted: PlantedSet, per_um: dict[int, float]) -> list[str]:
    """Write the images as ImageJ does, with 2 pixels a micrometre but for those given."""
    for number in range(16):
        image = planted.read(planted.image(number))
        planted.image(number).unlink()
        resolution = (per_um.get(number, 2.0),) * 2
        path = planted.image(number).with_suffix(".tif")
        tifffile.imwrite(path, image, imagej=True, resolution=resolution, metadata={"unit": "um"})
    return [f"{number:02}.tif" for number in per_um]


@plants("mixed-spacing")
def _pixels_half_as_large(planted):
    return give_spacing(planted, {3: 4.0, 7: 4.0})


@plants("mixed-spacing", "note")
def _pixels_a_little_larger(planted):
    return give_spacing(planted, {3: 1.8})


@plants("assumed-axes")
def _axes_without_names(planted):
    image = planted.read(planted.image(4))
    planted.image(4).unlink()
    planes = np.stack([image, image, image])
    path = planted.image(4).with_suffix(".tif")
    tifffile.imwrite(path, planes, metadata=None, photometric="minisblack")
    return ["04.tif"]


# --- copies and groups ------------------------------------------------------------------------


@plants("duplicate")
def _copy_in_train(planted):
    planted.write(planted.image(5), planted.read(planted.image(2)))
    planted.write(planted.mask(5), planted.read(planted.mask(2)))
    return ["02.png", "05.png"]


@plants("split-leak")
def _copy_in_test_under_another_name(planted):
    planted.image(13).unlink()
    image = planted.read(planted.image(2))
    tifffile.imwrite(planted.image(13).with_suffix(".tif"), image)
    planted.write(planted.mask(13), planted.read(planted.mask(2)))
    return ["02.png", "13.tif"]


def saved_again(planted: PlantedSet, number: int, other: int, change) -> list[str]:
    """Put what a function makes of an image, and of its mask, in the place of another pair."""
    image, mask = (Image.open(path(number)) for path in (planted.image, planted.mask))
    planted.image(other).unlink()
    change(image).save(planted.image(other).with_suffix(".jpg"), quality=60)
    change(mask).point(lambda value: 255 * (value > 127)).save(planted.mask(other))
    return [f"{number:02}.png", f"{other:02}.jpg"]


@plants("split-leak", "warning")
def _copy_in_another_size_and_quality(planted):
    return saved_again(planted, 2, 13, lambda picture: picture.resize((144, 108)))


@plants("near-duplicate")
def _copy_cut_at_the_edges(planted):
    return saved_again(planted, 2, 5, lambda picture: picture.crop((1, 1, 95, 71)))


@plants("group-leak")
def _a_patient_in_two_splits(planted):
    names = {n: f"patient{n // 4:02}_slice{n % 4}.png" for n in range(16)}
    names[9] = "patient00_slice4.png"
    for number, name in names.items():
        for path in (planted.image(number), planted.mask(number)):
            path.rename(path.with_name(name))
    return [names[number] for number in (0, 1, 2, 3, 9)]


# --- what the masks mean ----------------------------------------------------------------------


@plants("mask-values")
def _two_values_and_no_zero(planted):
    planted.change_masks(lambda mask: np.where(mask > 0, 200, 100).astype(np.uint8))
    return []


@plants("no-foreground")
def _classes_of_which_none_is_there(planted):
    write_classes(planted, "background", "cell")
    planted.change_masks(np.zeros_like)
    return []


@plants("no-training-images")
def _test_images_alone(planted):
    shutil.rmtree(planted.root / "train")
    shutil.rmtree(planted.root / "val")
    return []


@plants("unknown-value")
def _value_of_no_class(planted):
    write_classes(planted, "background", "cell")
    planted.change_masks(lambda mask: mask * 7, range(7, 8))
    return ["07.png"]


@plants("empty-mask")
def _two_empty(planted):
    planted.change_masks(np.zeros_like, range(2, 4))
    return ["02.png", "03.png"]


@plants("empty-mask", "warning")
def _most_are_empty(planted):
    planted.change_masks(np.zeros_like, range(1, 11))
    return [f"{number:02}.png" for number in range(1, 11)]


@plants("absent-class")
def _class_that_test_lacks(planted):
    write_classes(planted, "background", "cell", "dust")

    def add_dust(mask):
        mask[:10, :10] = 2
        return mask

    planted.change_masks(add_dust, range(12))
    return []


@plants("class-imbalance")
def _two_pixels_of_a_class(planted):
    write_classes(planted, "background", "cell", "dust")

    def add_dust(mask):
        mask[:1, :2] = 2
        return mask

    planted.change_masks(add_dust)
    return []


@plants("inverted-mask")
def _one_inverted(planted):
    planted.change_masks(lambda mask: 255 - mask, range(6, 7))
    return ["06.png"]


@plants("shifted-mask")
def _moved(planted):
    planted.change_masks(lambda mask: np.roll(mask, (7, -6), (0, 1)), range(6, 7))
    return ["06.png"]


@plants("turned-mask")
def _mirrored(planted):
    planted.change_masks(lambda mask: mask[:, ::-1], range(6, 7))
    return ["06.png"]


@plants("tiny-objects")
def _specks(planted):
    def specks(mask):
        mask[:] = 0
        mask[4::16, 4::16] = 255
        return mask

    planted.change_masks(specks, range(6, 7))
    return ["06.png"]


@plants("snapped-values")
def _jpeg_masks(planted):
    for number in range(16):
        Image.open(planted.mask(number)).save(planted.mask(number).with_suffix(".jpg"), quality=70)
        planted.mask(number).unlink()
    return []


@plants("ignored-values")
def _255_beside_indices(planted):
    def add_void(mask):
        mask = (mask > 0) * np.uint8(1)
        mask[:10, :10], mask[10:20, :10] = 2, 255
        return mask

    planted.change_masks(add_void)
    return []


@plants("ignored-values", "warning")
def _255_that_outweighs_the_indices(planted):
    def shrink(mask):
        mask = (mask > 0) * np.uint8(255)
        mask[:5, :5] = 1
        return mask

    planted.change_masks(shrink)
    return []


@plants("mixed-tones")
def _a_mask_of_0_and_1(planted):
    planted.change_masks(lambda mask: (mask > 0) * np.uint8(1), range(3, 4))
    return ["03.png"]


@plants("mixed-tones", "warning")
def _a_mask_of_another_maximum(planted):
    planted.change_masks(lambda mask: (mask > 0) * np.uint8(128), range(3, 4))
    return ["03.png"]


@plants("mapped-values")
def _numbers_with_gaps(planted):
    def spread(mask):
        mask = (mask > 0) * np.uint8(10)
        mask[:10, :10] = 30
        return mask

    planted.change_masks(spread)
    return []


@plants("object-ids")
def _ids(planted):
    for number in range(16):
        ids, _ = label(planted.read(planted.mask(number)))
        planted.write(planted.mask(number), (ids + 7 * number * (ids > 0)).astype(np.uint16))
    return []


@plants("object-ids-or-classes")
def _as_many_ids_as_classes(planted):
    write_ids(planted, [3] * 16)
    return []


@plants("object-ids-or-classes", "warning")
def _ids_of_different_numbers(planted):
    write_ids(planted, [2 + number % 4 for number in range(16)])
    return []


def write_ids(planted: PlantedSet, counts: list[int]) -> None:
    """Masks of so many discs, numbered from 1, and images to go with them."""
    rows, columns = np.mgrid[:72, :96]
    for number, count in enumerate(counts):
        random = np.random.default_rng(number)
        ids = np.zeros((72, 96), np.uint8)
        for index in range(count):
            row, column = random.integers(14, 58), 10 + 19 * index
            ids[(rows - row) ** 2 + (columns - column) ** 2 < random.integers(40, 70)] = index + 1
        image = 60 + 80 * (ids > 0) + random.normal(0, 8, ids.shape)
        planted.write(planted.image(number), image.astype(np.uint8))
        planted.write(planted.mask(number), ids)


def write_planes(planted: PlantedSet, num_shared: int) -> None:
    """Masks of two planes, cells and the rows from the 60th; the first pixels are in both."""
    for number in range(16):
        cells = planted.read(planted.mask(number)) > 0
        ground = np.zeros_like(cells)
        ground[60:] = ~cells[60:]
        ground[:num_shared] = True
        planes = np.zeros((5, *cells.shape), np.uint8)
        planes[0], planes[1] = cells, ground
        planted.mask(number).unlink()
        path = planted.mask(number).with_suffix(".tif")
        tifffile.imwrite(path, planes, metadata={"axes": "CYX"}, photometric="minisblack")


@plants("multilabel")
def _planes_that_overlap(planted):
    write_planes(planted, num_shared=50)
    return []


@plants("one-hot")
def _planes_apart(planted):
    write_planes(planted, num_shared=0)
    return []


@plants("name-groups")
def _patients_in_names(planted):
    merge_splits(planted)
    for path in planted.root.glob("*/*.png"):
        number = int(path.stem)
        path.rename(path.with_stem(f"patient_{number // 2}_slice_{number}"))
    return []


# --- the test ---------------------------------------------------------------------------------

SEVERITIES = sorted(
    {(code, s) for code, kind in KINDS.items() for s in (kind.severity, kind.also) if s is not None}
)


@pytest.mark.parametrize(("code", "severity"), SEVERITIES)
def test_it_is_found_with_its_files_and_its_severity(code, severity, planted):
    files = PLANTS[code, severity](planted)
    found = [finding for finding in check_dataset(planted.root) if finding.code == code]
    assert {finding.severity for finding in found} == {severity}
    assert sorted(path.name for finding in found for path in finding.files) == sorted(files)
    assert all(finding.message and finding.fix for finding in found)


def test_every_kind_is_planted():
    assert sorted(PLANTS) == SEVERITIES
