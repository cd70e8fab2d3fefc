"""nnU-Net raw folders: both forms of dataset.json, files of channels, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from pixelwise.data.layouts.find import find_layout
from pixelwise.data.layouts.found import LayoutOptions
from pixelwise.data.layouts.nnunet import find_nnunet
from pixelwise.errors import LayoutError

NEW = {
    "channel_names": {"0": "T1", "1": "T2"},
    "labels": {"background": 0, "liver": 1, "tumour": 2, "ignore": 3},
    "file_ending": ".png",
}
OLD = {
    "modality": {"0": "T1", "1": "T2"},
    "labels": {"0": "background", "1": "liver", "2": "tumour"},
    "training": [{"image": "./imagesTr/a.png", "label": "./labelsTr/a.png"}],
}


def write(root: Path, content: object, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "dataset.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def channels_of(root: Path) -> dict[str, list[str]]:
    return {s.name: [path.name for path in s.images] for s in find_layout(root).samples}


PAIR = ("imagesTr/a_0000.png", "imagesTr/a_0001.png", "labelsTr/a.png")


@pytest.mark.parametrize(("content", "ignore"), [(NEW, (3,)), (OLD, ())])
def test_both_forms_of_the_labels(tmp_path, content, ignore):
    declaration = find_layout(write(tmp_path, content, *PAIR)).declaration
    assert [(c.name, c.value) for c in declaration.classes] == [
        ("background", 0), ("liver", 1), ("tumour", 2)
    ]  # fmt: skip
    assert declaration.ignore == ignore


@pytest.mark.parametrize("content", [NEW, OLD])
def test_files_of_channels_are_joined_in_their_order(tmp_path, content):
    write(tmp_path, content, *PAIR, "imagesTr/b_0001.png", "imagesTr/b_0000.png", "labelsTr/b.png")
    assert channels_of(tmp_path) == {
        "a": ["a_0000.png", "a_0001.png"],
        "b": ["b_0000.png", "b_0001.png"],
    }


def test_missing_channels_are_an_error_that_names_the_file(tmp_path):
    write(tmp_path, NEW, *PAIR, "imagesTr/b_0000.png", "labelsTr/b.png")
    with pytest.raises(
        LayoutError, match=r"b_0001\.png is missing.*dataset\.json names 2 channels"
    ):
        find_layout(tmp_path)


def test_channels_that_are_not_declared_are_an_error(tmp_path):
    write(tmp_path, NEW, *PAIR, "imagesTr/a_0002.png")
    with pytest.raises(LayoutError, match=r"a_0002\.png .*dataset\.json names 2 channels"):
        find_layout(tmp_path)


def test_without_names_of_channels_all_images_must_have_as_many(tmp_path):
    content = {"labels": NEW["labels"]}
    write(tmp_path, content, *PAIR, "imagesTr/b_0000.png", "labelsTr/b.png")
    with pytest.raises(LayoutError, match=r"b_0001\.png is missing"):
        find_layout(tmp_path)


def test_a_name_that_ends_in_a_number_is_no_channel(tmp_path):
    content = {**NEW, "channel_names": {"0": "T1"}}
    write(tmp_path, content, "imagesTr/case_2021_0000.png", "labelsTr/case_2021.png")
    (sample,) = find_layout(tmp_path).samples
    assert sample.name == "case_2021" and sample.mask.path.name == "case_2021.png"


def test_the_oldest_form_has_no_number_behind_the_name(tmp_path):
    write(tmp_path, {**OLD, "modality": {"0": "T1"}}, "imagesTr/a.png", "labelsTr/a.png")
    assert channels_of(tmp_path) == {"a": ["a.png"]}


def test_only_files_of_the_declared_ending_are_taken(tmp_path):
    content = {**NEW, "channel_names": {"0": "T1"}, "file_ending": ".tif"}
    write(tmp_path, content, "imagesTr/a_0000.tif", "imagesTr/a_0000.png", "labelsTr/a.tif")
    assert channels_of(tmp_path) == {"a": ["a_0000.tif"]}


@pytest.mark.parametrize("with_labels", [True, False])
def test_images_for_testing(tmp_path, with_labels):
    write(tmp_path, NEW, *PAIR, "imagesTs/b_0000.png", "imagesTs/b_0001.png")
    if with_labels:
        write(tmp_path, NEW, "labelsTs/b.png")
    a, b = sorted(find_layout(tmp_path).samples, key=lambda sample: sample.name)
    assert (a.split, b.split) == (("train", "test") if with_labels else (None, None))
    assert (b.mask is not None) == with_labels


def test_masks_without_an_image_are_kept_apart(tmp_path):
    write(tmp_path, NEW, *PAIR, "labelsTr/b.png")
    assert [path.name for path in find_layout(tmp_path).lone_masks] == ["b.png"]


@pytest.mark.parametrize(
    "content",
    ["{", "[]", {"labels": ["a"]}, {"numTraining": 3}, {"labels": {"liver": [1, 2]}}, "null"],
)
def test_a_file_that_is_not_understood_is_an_error_that_shows_the_form(tmp_path, content: Any):
    write(tmp_path, content, *PAIR)
    with pytest.raises(LayoutError, match=r"dataset\.json is not understood.*labels such as"):
        find_nnunet(tmp_path, LayoutOptions())


def test_without_the_file_or_its_folder_it_is_another_layout(tmp_path):
    write(tmp_path, NEW, "images/a.png", "masks/a.png")
    assert find_nnunet(tmp_path, LayoutOptions()) is None
    assert find_layout(tmp_path).description == "images/ + masks/"
