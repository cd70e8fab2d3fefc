"""The order of the layouts, and what a person may say about them."""

import json
from pathlib import Path

import pytest

from pixelwise.data.layouts.find import LAYOUT_NAMES, find_layout
from pixelwise.data.layouts.found import LayoutOptions
from pixelwise.data.layouts.names import near_key, stem_of, suffix_of
from pixelwise.data.masks.sources import MaskFile, MaskParts
from pixelwise.errors import LayoutError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def masks_of(root: Path, **options: object) -> dict[str, object]:
    """Names of the mask files of every sample; of parts, with their values."""
    masks: dict[str, object] = {}
    for sample in find_layout(root, LayoutOptions(**options)).samples:
        mask = sample.mask
        if isinstance(mask, MaskParts):
            masks[sample.name] = [(p.name, v) for p, v in zip(mask.paths, mask.values, strict=True)]
        else:
            masks[sample.name] = mask and mask.path.relative_to(root).as_posix()
    return masks


def classes_of(root: Path) -> list[tuple[str, int | None]]:
    declaration = find_layout(root).declaration
    assert declaration is not None
    return [(entry.name, entry.value) for entry in declaration.classes]


def test_one_folder_an_image_one_file_an_object(tmp_path):
    touch(tmp_path, "a/images/a.png", "a/masks/1.png", "a/masks/2.png", "b/images/b.png")
    assert masks_of(tmp_path) == {"a": [("1.png", 1), ("2.png", 1)], "b": None}


def test_objects_named_by_class_and_number(tmp_path):
    touch(tmp_path, "images/7.jpg", "masks_per_object/7_square_0.png")
    touch(tmp_path, "masks_per_object/7_circle_1.png", "masks_per_object/7_circle_2.png")
    assert masks_of(tmp_path) == {
        "7": [("7_circle_1.png", 1), ("7_circle_2.png", 1), ("7_square_0.png", 2)]
    }
    assert classes_of(tmp_path) == [("background", 0), ("circle", 1), ("square", 2)]


def test_objects_named_by_number_alone(tmp_path):
    touch(tmp_path, "images/a.png", "masks/a_1.png", "masks/a_2.png")
    assert masks_of(tmp_path) == {"a": [("a_1.png", 1), ("a_2.png", 1)]}


@pytest.mark.parametrize("form", ["masks/{c}/{i}.png", "masks/{i}_{c}.png"])
def test_one_file_a_class(tmp_path, form):
    for image in ("a", "b"):
        touch(tmp_path, f"images/{image}.jpg")
        touch(tmp_path, *(form.format(i=image, c=c) for c in ("cell", "edge")))
    layout = find_layout(tmp_path)
    masks = [sample.mask for sample in layout.samples]
    assert all(isinstance(mask, MaskParts) and not mask.are_objects for mask in masks)
    assert [mask.values for mask in masks if isinstance(mask, MaskParts)] == [(1, 2), (1, 2)]
    assert classes_of(tmp_path) == [("background", 0), ("cell", 1), ("edge", 2)]


def test_a_suffix_for_masks_is_no_class(tmp_path):
    touch(tmp_path, "images/a.png", "images/b.png", "masks/a_mask.png", "masks/b_mask.png")
    assert masks_of(tmp_path) == {"a": "masks/a_mask.png", "b": "masks/b_mask.png"}


def test_voc_with_lists_and_names(tmp_path):
    for name in ("a", "b", "c"):
        touch(tmp_path, f"JPEGImages/{name}.jpg", f"SegmentationClass/{name}.png")
    touch(tmp_path, "JPEGImages/boxes_only.jpg", "SegmentationObject/a.png")
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nb\n")
    (lists / "val.txt").write_text("c\n")
    (tmp_path / "class_names.txt").write_text("_background_\ncat\n")
    layout = find_layout(tmp_path)
    assert [(s.name, s.split) for s in layout.samples] == [
        ("a", "train"), ("b", "train"), ("c", "val")
    ]  # fmt: skip
    assert layout.declaration is not None
    assert layout.declaration.ignore == (255,)


@pytest.mark.parametrize(
    "labels", [{"background": 0, "tumour": 1, "ignore": 2}, {"0": "background", "1": "tumour"}]
)
def test_nnunet_with_a_file_a_channel(tmp_path, labels):
    touch(tmp_path, "imagesTr/a_0000.png", "imagesTr/a_0001.png", "labelsTr/a.png")
    touch(tmp_path, "imagesTs/b_0000.png", "imagesTs/b_0001.png")
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    assert masks_of(tmp_path) == {"a": "labelsTr/a.png", "b": None}
    layout = find_layout(tmp_path)
    assert [path.name for path in layout.samples[0].images] == ["a_0000.png", "a_0001.png"]
    assert classes_of(tmp_path) == [("background", 0), ("tumour", 1)]
    assert layout.declaration is not None
    assert layout.declaration.ignore == ((2,) if "ignore" in labels else ())


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("as_file", [True, False])
def test_manifest(tmp_path, delimiter, as_file):
    touch(tmp_path, "x/a.png", "y/a.png", "x/b.png")
    rows = ["image,mask,split,group", "x/a.png,y/a.png,train,p1", "x/b.png,,test,"]
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(rows).replace(",", delimiter), encoding="utf-8-sig")
    layout = find_layout(path if as_file else tmp_path)
    a, b = sorted(layout.samples, key=lambda sample: sample.name)
    assert (a.split, a.group, a.mask) == ("train", "p1", MaskFile(tmp_path / "y" / "a.png"))
    assert (b.split, b.group, b.mask) == ("test", None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture,mask\na,b", "has the columns picture, mask. It needs image and mask"),
        ("image,mask,split\na.png,a.png,night", "line 2: 'night' is not a split"),
        ("image,mask\nnone.png,", "lists no image that exists"),
        ("image,mask\na.png,\na.png,", "two samples have the name"),
    ],
)
def test_manifest_errors(tmp_path, text, message):
    touch(tmp_path, "a.png")
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(LayoutError, match=message):
        find_layout(tmp_path)


def test_missing_files_of_a_manifest_are_found(tmp_path):
    touch(tmp_path, "a.png")
    (tmp_path / "manifest.csv").write_text("image,mask\na.png,m.png\nb.png,\n")
    (finding,) = find_layout(tmp_path).findings
    assert finding.code == "missing-file"
    assert [path.name for path in finding.files] == ["m.png", "b.png"]


def test_a_person_names_the_folders(tmp_path):
    for split in ("train", "test"):
        touch(tmp_path, f"{split}/images/{split}.png", f"{split}/masks/{split}.png")
        touch(tmp_path, f"{split}/instances/{split}.png")
    masks = masks_of(tmp_path, masks=Path("instances"))
    assert masks == {"test": "test/instances/test.png", "train": "train/instances/train.png"}


def test_a_layout_can_be_forced(tmp_path):
    touch(tmp_path, "images/a.png", "masks/a.png")
    assert masks_of(tmp_path, layout="folders") == {"a": "masks/a.png"}
    with pytest.raises(LayoutError, match=r"not arranged as voc\. Leave out --layout"):
        find_layout(tmp_path, LayoutOptions(layout="voc"))
    with pytest.raises(LayoutError, match=r"'vok' is not a layout. The layouts are manifest"):
        find_layout(tmp_path, LayoutOptions(layout="vok"))
    assert len(LAYOUT_NAMES) == 11


def test_masks_in_pixels_win_over_annotations_that_label_as_much(tmp_path):
    touch(tmp_path, "images/a.png", "masks/a.png")
    shape = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4]]}
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "height": 8, "width": 8}],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [shape],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(coco))
    layout = find_layout(tmp_path)
    assert layout.description == "images/ + masks/"
    assert [finding.code for finding in layout.findings] == ["left-aside"]
    assert "COCO" in find_layout(tmp_path, LayoutOptions(layout="coco")).description


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("a.b.png", "a.b", ".png"),
        ("a.nii.gz", "a", ".nii.gz"),
        ("a.OME.TIF", "a", ".OME.TIF"),
        ("a.ome.zarr", "a", ".ome.zarr"),
        (".nii.gz", ".nii", ".gz"),
    ],
)
def test_stem_and_suffix(name, stem, suffix):
    assert (stem_of(Path(name)), suffix_of(Path(name))) == (stem, suffix)


def test_near_key():
    assert near_key("My  Cell-1") == near_key("my_cell_1 ")
    assert near_key("cell1") != near_key("cell2")


@pytest.mark.parametrize(
    ("folder", "description", "number"),
    [
        ("formats/one_file_per_object", "one folder an image, one file an object", 12),
        ("formats/object_files_rgba", "images/ + masks_per_object/, one file an object", 2),
        ("formats/labelme_and_voc/data_dataset_voc", "VOC: JPEGImages/ + SegmentationClass/", 3),
        ("formats/labelme_and_voc/data_annotated", "LabelMe: one JSON file beside each image", 3),
        ("formats/instance_ids", "images/ + masks/ (imgX -> maskX)", 2),
        ("formats/odd_files/multiband_tiff", "images/ + masks/ (X_input -> X_label)", 2),
        ("formats/odd_files/bbbc039_onehot", "images/ + masks/", 1),
        ("nuclei/val", "images/ + masks/", 67),
    ],
)
def test_real_folders(shared_data, folder, description, number):
    layout = find_layout(shared_data / folder)
    assert layout.description == description
    assert sum(sample.mask is not None for sample in layout.samples) == number


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": Path("imgs")}, r"no imgs in .*holds images/, masks/\. .* with --images"),
        ({"masks": Path("gt")}, r"no gt in .*holds images/, masks/\. .* with --masks"),
        ({"masks": Path("notes.json")}, "no notes.json in"),
        ({"layout": "coco"}, "not arranged as coco. Leave out --layout, or choose one of manifest"),
    ],
)
def test_wrong_values_are_said_with_what_is_there(tmp_path, options, message):
    touch(tmp_path, "images/a.png", "masks/a.png")
    with pytest.raises(LayoutError, match=message):
        find_layout(tmp_path, LayoutOptions(**options))


@pytest.mark.parametrize(
    "options",
    [
        {"masks": Path("instances")},
        {"images": Path("other"), "masks": Path("instances")},
        {"masks": Path("instances"), "layout": "folders"},
    ],
)
def test_options_hold_in_split_folders_and_below(tmp_path, options):
    kinds = ("images", "masks", "instances", "other")
    touch(tmp_path, *(f"{s}/x/{k}/{s}.png" for s in ("train", "test") for k in kinds))
    images = options.get("images", Path("images"))
    samples = find_layout(tmp_path, LayoutOptions(**options)).samples
    assert [(s.split, s.image.parent.name, s.mask.path.parent.name) for s in samples] == [
        ("test", images.name, "instances"), ("train", images.name, "instances")
    ]  # fmt: skip


def test_folders_outside_of_the_data_may_be_named(tmp_path):
    touch(tmp_path, "data/images/a.png", "elsewhere/a.png")
    masks = find_layout(tmp_path / "data", LayoutOptions(masks=tmp_path / "elsewhere")).samples
    assert [sample.mask.path for sample in masks] == [tmp_path / "elsewhere" / "a.png"]


def test_two_kinds_of_annotations_are_an_error_that_names_the_option(tmp_path):
    touch(tmp_path, "images/a.png")
    shape = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4]]}
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "height": 8, "width": 8}],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [shape],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(coco))
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.1 0.1 0.9 0.1 0.5 0.9\n")
    with pytest.raises(LayoutError, match=r"as coco \(.*\), or as yolo \(.*--layout coco or yolo"):
        find_layout(tmp_path)
    for name, words in (("coco", "COCO"), ("yolo", "YOLO")):
        assert words in find_layout(tmp_path, LayoutOptions(layout=name)).description


def test_instances_beside_masks_are_left_aside_and_can_be_taken(shared_data):
    layout = find_layout(shared_data / "nuclei" / "val")
    (finding,) = layout.findings
    assert finding.code == "left-aside" and finding.fix == "Take them with --masks instances."
    taken = find_layout(shared_data / "nuclei" / "val", LayoutOptions(masks=Path("instances")))
    assert taken.description == "images/ + instances/" and not taken.findings
