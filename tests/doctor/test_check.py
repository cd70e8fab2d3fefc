"""check_dataset: a fault is planted in a clean set, and found with its files."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from tests.reading import check_dataset

from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.doctor import ReadOptions, examine_dataset


@pytest.fixture
def clean(save_pairs, disc):
    """Twelve pairs on which nothing is found."""
    return save_pairs([disc * 255] * 12)


def found(root) -> dict[str, tuple[str, list[str]]]:
    """Severity and file names of every finding, by code."""
    return {f.code: (f.severity, [p.name for p in f.files]) for f in check_dataset(root)}


def test_a_clean_set_has_no_findings(clean):
    assert check_dataset(clean) == []


def test_unreadable(clean):
    (clean / "images/003.png").write_bytes(b"")
    (clean / "masks/007.png").write_bytes(b"text")
    assert found(clean) == {
        "unreadable": ("error", ["003.png"]),
        "not-an-image": ("error", ["007.png"]),
    }


def test_missing_mask_and_missing_image(clean):
    (clean / "masks/003.png").unlink()
    (clean / "images/007.png").unlink()
    assert found(clean) == {
        "missing-mask": ("warning", ["003.png"]),
        "missing-image": ("warning", ["007.png"]),
    }


def test_size_mismatch(clean):
    for name in ("002.png", "005.png"):
        Image.new("L", (10, 10)).save(clean / "masks" / name)
    findings = check_dataset(clean)
    mismatch = next(finding for finding in findings if finding.code == "size-mismatch")
    assert mismatch.count == 2
    assert "002.png is 10x10" in mismatch.message
    assert "1 more file." in mismatch.message
    assert "export the mask again" in mismatch.fix


def test_unknown_value(clean, save, disc):
    (clean / "classes.json").write_text(
        '{"classes": [{"name": "none", "value": 0}, {"name": "cell", "value": 255}]}'
    )
    save("masks/004.png", disc * 40)
    assert found(clean) == {"unknown-value": ("error", ["004.png"])}


def test_empty_mask(clean, save, disc):
    save("masks/004.png", disc * 0)
    assert found(clean) == {"empty-mask": ("note", ["004.png"])}


def test_duplicate_within_and_across_splits(save_pairs, disc):
    root = save_pairs([disc] * 6, folder="train")
    save_pairs([disc] * 6, folder="val", start=6)
    shutil.copy(root / "train/images/000.png", root / "train/images/001.png")
    shutil.copy(root / "train/images/002.png", root / "val/images/007.png")
    assert found(root) == {
        "split-leak": ("error", ["002.png", "007.png"]),
        "duplicate": ("warning", ["000.png", "001.png"]),
    }


def test_a_made_split_never_leaks(clean):
    for number in range(1, 12):
        shutil.copy(clean / "images/000.png", clean / f"images/{number:03}.png")
    assert "split-leak" not in found(clean)


def test_absent_class(save_pairs, disc):
    root = save_pairs([disc * 2, disc] * 5, folder="train")
    save_pairs([disc] * 5, folder="val", start=10)
    findings = check_dataset(root)
    assert [(f.code, f.message) for f in findings] == [
        ("absent-class", "class 2 never appears in the val split.")
    ]


def test_declared_class_that_never_appears(clean):
    (clean / "classes.json").write_text(
        '{"classes": [{"name": "none", "value": 0}, {"name": "cell", "value": 255},'
        ' {"name": "dust", "value": 9}]}'
    )
    messages = [finding.message for finding in check_dataset(clean)]
    assert "dust never appears in any mask." in messages


def test_constant_image(clean):
    Image.new("L", (32, 32), 7).save(clean / "images/004.png")
    assert found(clean) == {"constant-image": ("warning", ["004.png"])}


def test_non_finite(clean, save, disc):
    values = np.random.default_rng(0).random((32, 32), dtype=np.float32)
    values[3, 4] = np.inf
    save("images/x.tif", values)
    save("masks/x.png", disc * 255)
    assert found(clean)["non-finite"] == ("error", ["x.tif"])


def test_mixed_depth(clean, save, disc):
    save("images/x.tif", np.random.default_rng(0).integers(0, 999, (32, 32), dtype=np.uint16))
    save("masks/x.png", disc * 255)
    assert found(clean) == {"mixed-depth": ("warning", ["x.tif"])}


def test_mixed_channels(clean, save, disc):
    bands = np.random.default_rng(0).integers(0, 255, (5, 32, 32), dtype=np.uint8)
    save("images/x.tif", bands, metadata={"axes": "CYX"}, photometric="minisblack")
    save("masks/x.png", disc * 255)
    assert found(clean) == {"mixed-channels": ("error", ["x.tif"])}


def test_assumed_axes(clean, save, disc):
    bands = np.random.default_rng(0).integers(0, 255, (3, 32, 32), dtype=np.uint8)
    save("images/x.tif", bands, metadata=None, photometric="minisblack")
    save("masks/x.png", disc * 255)
    assert found(clean) == {"assumed-axes": ("note", ["x.tif"])}


def test_exif_turned(clean, save, disc):
    exif = Image.Exif()
    exif[0x0112] = 3
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    save("images/x.jpg", pixels, exif=exif)
    save("masks/x.png", disc * 255)
    assert found(clean) == {"exif-turned": ("note", ["x.jpg"])}


def test_snapped_ignored_and_mapped_values(save_pairs, disc, tmp_path):
    soft = disc * 255
    soft[0, :8] = np.arange(80, 160, 10)
    assert found(save_pairs([soft] * 10)) == {"snapped-values": ("warning", [])}
    void = disc * 2
    void[0, :8] = 255
    void[1, :8] = 1
    assert found(save_pairs([void] * 10))["ignored-values"] == ("note", [])
    gaps = disc * 5
    gaps[:3] = 2
    assert found(save_pairs([gaps] * 10))["mapped-values"] == ("note", [])


def test_mask_values_without_a_meaning(save_pairs, disc):
    root = save_pairs([disc + 1] * 10)
    findings = check_dataset(root)
    assert [(f.code, f.severity) for f in findings] == [("mask-values", "error")]
    assert "--foreground 1 or --foreground 2" in findings[0].fix


def test_few_images(save_pairs, disc):
    assert found(save_pairs([disc] * 4)) == {"few-images": ("warning", [])}


def test_layout_and_class_file(clean, tmp_path):
    assert found(tmp_path / "none") == {"layout": ("error", [])}
    (clean / "classes.json").write_text("{")
    assert found(clean) == {"class-file": ("error", ["classes.json"])}


def test_errors_come_first_and_every_finding_has_a_fix(clean, disc):
    (clean / "masks/003.png").unlink()
    (clean / "images/005.png").write_bytes(b"")
    findings = check_dataset(clean)
    assert [finding.severity for finding in findings] == ["error", "warning"]
    for finding in findings:
        assert finding.message.endswith((".", ")"))
        assert finding.fix.endswith((".", ")"))


# --- what cannot be trained on is an error, whatever the layout -------------------------------


def test_arrays_without_any_foreground_are_an_error():
    random = np.random.default_rng(0)
    pairs = [(random.integers(0, 255, (24, 24, 3), np.uint8), np.zeros((24, 24), np.uint8))] * 4
    assert "error" in {finding.severity for finding in check_dataset(pairs)}


def test_images_without_any_foreground_may_be_scored_where_the_classes_are_known(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        for number in range(3):
            values = np.random.default_rng(number).integers(0, 255, (24, 24), np.uint8)
            values = values if kind == "images" else np.zeros_like(values)
            Image.fromarray(values).save(tmp_path / kind / f"{number}.png")
    classes = ClassDeclaration.model_validate({"classes": ["background", "cell"]})
    (tmp_path / "classes.json").write_text(classes.model_dump_json(include={"classes"}))
    assert [f.code for f in examine_dataset(tmp_path).errors] == ["no-foreground"]
    known = examine_dataset(tmp_path, ReadOptions(encoding=classes.encoding()))
    assert known.errors == [] and known.dataset.encoding == classes.encoding()


def test_images_without_any_mask_are_an_error(tmp_path):
    """COCO that lists two images and annotates none of the others, which is what is left."""
    content = {"images": [{"id": 1, "file_name": "gone.png"}], "annotations": [], "categories": []}
    content["categories"] = [{"id": 1, "name": "cell"}]
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    examination = examine_dataset(tmp_path)
    assert [finding.code for finding in examination.errors] == ["missing-image"]


def test_shapes_in_other_units_are_an_error_that_shows_both_sides(tmp_path):
    """Corners in shares of the image: three of four shapes cover no pixel."""
    shares, pixels = [[0.1, 0.2, 0.4, 0.2, 0.4, 0.45]], [[1, 1, 6, 1, 6, 6, 1, 6]]
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cell"}]}
    for number, ring in enumerate([shares, shares, shares, pixels]):
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (8, 10), np.uint8)).save(
            tmp_path / f"{number}.png"
        )
        content["images"].append({"id": number, "file_name": f"{number}.png"})
        content["annotations"].append({"image_id": number, "category_id": 1, "segmentation": ring})
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    (finding,) = (f for f in check_dataset(tmp_path) if f.code == "broken-shape")
    assert finding.severity == "error"
    assert (
        "that cover no pixel, 3 of 4: those of the first lie in rows 0.2 to 0.45" in finding.message
    )
    assert "its image has 8x10 pixels" in finding.message
