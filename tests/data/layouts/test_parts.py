"""Masks in several files: one an object, or one a class."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.layouts.find import find_layout
from pixelwise.data.layouts.found import Layout, LayoutOptions
from pixelwise.data.layouts.parts import find_class_files, find_objects
from pixelwise.data.masks.sources import MaskFile, MaskParts
from pixelwise.doctor import examine_dataset


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def parts_of(layout: Layout) -> dict[str, list[tuple[str, int]] | None]:
    """File names and values of the parts of each sample."""
    found: dict[str, list[tuple[str, int]] | None] = {}
    for sample in layout.samples:
        mask = sample.mask
        assert mask is None or isinstance(mask, MaskParts)
        found[sample.name] = mask and [
            (path.name, value) for path, value in zip(mask.paths, mask.values, strict=True)
        ]
    return found


def names_of(layout: Layout) -> list[str]:
    assert layout.declaration is not None
    return [entry.name for entry in layout.declaration.classes]


def test_one_folder_an_image(tmp_path):
    touch(tmp_path, "a/images/a.png", "a/masks/1.png", "a/masks/2.png")
    touch(tmp_path, "b/images/b.png", "b/masks/1.png", "c/images/c.png")
    layout = find_layout(tmp_path)
    assert parts_of(layout) == {"a": [("1.png", 1), ("2.png", 1)], "b": [("1.png", 1)], "c": None}
    assert layout.description == "one folder an image, one file an object"


@pytest.mark.parametrize("form", ["{s}", "stage1_{s}"])
def test_one_folder_an_image_below_splits(tmp_path, form):
    for split, name in (("train", "a"), ("test", "b")):
        folder = f"{form.format(s=split)}/{name}"
        touch(tmp_path, f"{folder}/images/{name}.png", f"{folder}/masks/1.png")
        touch(tmp_path, f"{folder}/masks/2.png")
    samples = find_layout(tmp_path).samples
    assert [(sample.name, sample.split) for sample in samples] == [("b", "test"), ("a", "train")]


def test_one_mask_for_every_folder_is_no_file_an_object(tmp_path):
    touch(tmp_path, "a/images/a.png", "a/masks/a.png", "b/images/b.png", "b/masks/b.png")
    assert find_objects(tmp_path, LayoutOptions()) is None
    assert all(isinstance(sample.mask, MaskFile) for sample in find_layout(tmp_path).samples)


def test_several_images_in_a_folder_are_no_file_an_object(tmp_path):
    touch(tmp_path, "a/images/1.png", "a/images/2.png", "a/masks/1.png", "a/masks/2.png")
    touch(tmp_path, "b/images/1.png", "b/masks/1.png")
    assert {s.name: s.mask.path.parts[-3:] for s in find_layout(tmp_path).samples} == {
        "a/1": ("a", "masks", "1.png"),
        "a/2": ("a", "masks", "2.png"),
        "b/1": ("b", "masks", "1.png"),
    }


@pytest.mark.parametrize("masks", ["masks", "masks_per_object", "object_masks", "instances"])
def test_files_named_by_class_and_number(tmp_path, masks):
    touch(tmp_path, "images/7.jpg", "images/8.jpg", "images/9.jpg")
    touch(tmp_path, f"{masks}/7_square_0.png", f"{masks}/7_circle_1.png", f"{masks}/7_circle_2.png")
    touch(tmp_path, f"{masks}/8_square_0.png")
    layout = find_layout(tmp_path)
    assert parts_of(layout) == {
        "7": [("7_circle_1.png", 1), ("7_circle_2.png", 1), ("7_square_0.png", 2)],
        "8": [("8_square_0.png", 2)],
        "9": None,
    }
    assert names_of(layout) == ["background", "circle", "square"]
    assert layout.description == f"images/ + {masks}/, one file an object"


def test_files_named_by_number_alone_have_no_classes(tmp_path):
    layout = find_layout(touch(tmp_path, "images/a.png", "masks/a_1.png", "masks/a_2.png"))
    assert parts_of(layout) == {"a": [("a_1.png", 1), ("a_2.png", 1)]}
    assert layout.declaration is None


def test_the_longest_name_of_an_image_wins(tmp_path):
    touch(tmp_path, "images/a.png", "images/a_1.png")
    touch(tmp_path, "masks/a_1_1.png", "masks/a_1_2.png", "masks/a_2.png")
    assert parts_of(find_layout(tmp_path)) == {
        "a": [("a_2.png", 1)],
        "a_1": [("a_1_1.png", 1), ("a_1_2.png", 1)],
    }


def test_lone_parts_are_kept_apart_while_they_are_few(tmp_path):
    touch(tmp_path, "images/a.png", *(f"masks/a_{n}.png" for n in range(20)), "masks/b_1.png")
    layout = find_objects(tmp_path, LayoutOptions())
    assert layout is not None and [path.name for path in layout.lone_masks] == ["b_1.png"]
    touch(tmp_path, "masks/c_1.png", "masks/d_1.png")
    assert find_objects(tmp_path, LayoutOptions()) is None


@pytest.mark.parametrize("form", ["masks/{c}/{i}.png", "masks/{i}_{c}.png"])
def test_one_file_a_class(tmp_path, form):
    for image in ("a", "b", "c"):
        touch(tmp_path, f"images/{image}.jpg")
    for image in ("a", "b"):
        touch(tmp_path, *(form.format(i=image, c=c) for c in ("wood", "metal")))
    layout = find_layout(tmp_path)
    assert names_of(layout) == ["background", "metal", "wood"]
    masks = {sample.name: sample.mask for sample in layout.samples}
    assert masks["a"].values == (1, 2) and not masks["a"].are_objects and masks["c"] is None


@pytest.mark.parametrize("form", ["{s}/masks/{c}/{i}.png", "{s}/masks/{i}_{c}.png"])
def test_one_file_a_class_below_splits(tmp_path, form):
    for split, image in (("train", "a"), ("train", "b"), ("val", "c"), ("val", "d")):
        touch(tmp_path, f"{split}/images/{image}.jpg")
        touch(tmp_path, *(form.format(s=split, i=image, c=c) for c in ("wood", "metal")))
    samples = find_layout(tmp_path).samples
    assert [(s.name, s.split, s.mask.values) for s in samples] == [
        ("a", "train", (1, 2)), ("b", "train", (1, 2)), ("c", "val", (1, 2)), ("d", "val", (1, 2))
    ]  # fmt: skip


def test_a_class_called_background_is_the_background(tmp_path):
    for image in ("a", "b"):
        touch(tmp_path, f"images/{image}.jpg", f"masks/background/{image}.png")
        touch(tmp_path, f"masks/wood/{image}.png", f"masks/metal/{image}.png")
    layout = find_layout(tmp_path)
    assert names_of(layout) == ["background", "metal", "wood"]
    assert parts_of(layout)["a"] == [("a.png", 1), ("a.png", 2)]


@pytest.mark.parametrize(
    "names",
    [
        ["masks/a_mask.png", "masks/b_mask.png"],  # a word for masks is no class
        ["masks/a_ids.png", "masks/a_color.png", "masks/b_ids.png", "masks/b_color.png"],
        [
            "masks/trimaps/a.png",
            "masks/trimaps/b.png",
            "masks/xmls/a.xml",
        ],  # one folder of pictures
        ["masks/train/a.png", "masks/test/b.png"],  # splits are no classes
    ],
)
def test_what_is_no_file_a_class(tmp_path, names):
    touch(tmp_path, "images/a.jpg", "images/b.jpg", *names)
    assert find_class_files(tmp_path, LayoutOptions()) is None


def test_parts_are_painted_with_the_values_of_their_classes(tmp_path):
    for number, image in enumerate("abcd"):
        values = np.random.default_rng(number).integers(0, 255, (8, 8), dtype=np.uint8)
        for folder in ("images", "masks/metal", "masks/wood"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(tmp_path / f"images/{image}.png")
        for name, rows in (("metal", slice(0, 2)), ("wood", slice(5, 8))):
            mask = np.zeros((8, 8), np.uint8)
            mask[rows] = 255
            Image.fromarray(mask).save(tmp_path / f"masks/{name}/{image}.png")
    dataset = examine_dataset(tmp_path).dataset
    assert dataset.encoding.class_names == ("background", "metal", "wood")
    assert dataset.samples("train")[0].mask[:, 0].tolist() == [1, 1, 0, 0, 0, 2, 2, 2]


def test_objects_whose_names_begin_with_a_part_of_their_image(tmp_path):
    for well, uid in (("A01", "9F3C"), ("A02", "77D1")):
        touch(tmp_path, f"images/1649_{well}_w2_{uid}.tif")
        touch(tmp_path, *(f"masks/{well}_{n:02}_ground_truth.png" for n in (1, 2, 3)))
    layout = find_layout(tmp_path)
    masks = [(f"A01_{n:02}_ground_truth.png", 1) for n in (1, 2, 3)]
    assert parts_of(layout)["1649_A01_w2_9F3C"] == masks
    assert layout.description == "images/ + masks/, one file an object"


def test_classes_whose_names_begin_with_a_part_of_their_image(tmp_path):
    for well, uid in (("A01", "9F3C"), ("A02", "77D1")):
        touch(tmp_path, f"images/1649_{well}_w2_{uid}.tif")
        touch(tmp_path, *(f"masks/{well}_{name}.png" for name in ("cell", "dirt")))
    layout = find_layout(tmp_path)
    assert parts_of(layout)["1649_A02_w2_77D1"] == [("A02_cell.png", 1), ("A02_dirt.png", 2)]
    assert layout.description == "images/ + masks/, one file a class"
