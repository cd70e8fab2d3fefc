"""Masks of one plane a class: one class a pixel, or several."""

import numpy as np
import pytest

from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.facts import describe_mask
from pixelwise.data.masks.learn_layers import learn_layers
from pixelwise.data.masks.sources import MaskFile
from pixelwise.data.masks.stored import StoredMask
from pixelwise.errors import MaskError


@pytest.fixture
def facts_of(tmp_path):
    """Facts of one mask (10, 10) whose planes cover the columns given."""

    def describe(*columns):
        layers = np.zeros((10, 10, len(columns)), bool)
        for layer, (start, stop) in enumerate(columns):
            layers[:, start:stop, layer] = True
        overlap = int((layers.sum(axis=-1) > 1).sum())
        stored = StoredMask(layers, "layers", num_overlap=overlap)
        return [describe_mask(stored, MaskFile(tmp_path / "a.tif"))]

    return describe


def declare(**content):
    return ClassDeclaration.model_validate(content)


def test_planes_that_cover_everything_are_classes_without_background(facts_of):
    reading = learn_layers(facts_of((0, 4), (4, 10)), None)
    assert reading.encoding.class_names == ("class 0", "class 1")
    assert [entry.value for entry in reading.encoding.classes] == [1, 2]
    assert [remark.code for remark in reading.remarks] == ["one-hot"]
    assert "class 0 (layer 1), class 1 (layer 2)" in reading.remarks[0].message


def test_where_no_plane_is_set_is_background(facts_of):
    reading = learn_layers(facts_of((0, 4), (4, 8)), None)
    assert reading.encoding.class_names == ("background", "class 1", "class 2")
    assert learn_layers(facts_of((0, 4)), None).encoding.class_names == ("background", "foreground")


def test_overlap_by_intent_is_a_task_of_its_own(facts_of):
    reading = learn_layers(facts_of((0, 6), (4, 10)), None)  # 20 of 100 pixels
    assert reading.encoding.task == "multilabel"
    assert [remark.code for remark in reading.remarks] == ["one-hot", "multilabel"]
    assert "20 % of the labelled pixels" in reading.remarks[1].message


def test_a_person_says_whether_classes_overlap(facts_of):
    facts = facts_of((0, 6), (4, 10))
    denied = learn_layers(facts, declare(classes=["a", "b"], multilabel=False))
    assert denied.encoding.task != "multilabel"
    stated = learn_layers(facts_of((0, 4), (4, 8)), declare(classes=["a", "b"], multilabel=True))
    assert stated.encoding.task == "multilabel"
    assert stated.encoding.class_names == ("a", "b")
    assert not stated.remarks


def test_names_stand_for_the_planes_in_order(facts_of):
    names = learn_layers(facts_of((0, 4), (4, 8)), declare(classes=["a", "b"])).encoding
    assert [(c.name, c.value) for c in names.classes] == [("background", 0), ("a", 1), ("b", 2)]
    three = learn_layers(facts_of((0, 4), (4, 8)), declare(classes=["bg", "a", "b"])).encoding
    assert [(c.name, c.value) for c in three.classes] == [("bg", 0), ("a", 1), ("b", 2)]


def test_a_plane_can_be_left_out(facts_of):
    encoding = learn_layers(facts_of((0, 4), (4, 8), (8, 9)), None, ignore=(3,)).encoding
    assert encoding.class_names == ("background", "class 1", "class 2")
    assert encoding.ignore == (3,)


def test_more_planes_than_names_are_refused(facts_of):
    with pytest.raises(MaskError, match="3 planes, but 1 classes are declared"):
        learn_layers(facts_of((0, 4), (4, 8), (8, 9)), declare(classes=["a"]))


def test_numbers_among_planes_are_refused_unless_they_are_empty(facts_of, tmp_path):
    def numbers(value):
        stored = StoredMask(np.full((10, 10), value, np.uint8))
        return describe_mask(stored, MaskFile(tmp_path / "b.png"))

    planes = facts_of((0, 4), (4, 8))
    assert len(learn_layers([*planes, numbers(0)], None).encoding.classes) == 3
    with pytest.raises(MaskError, match="1 of 2 masks hold one number a pixel"):
        learn_layers([*planes, numbers(2)], None)


def test_an_empty_mask_without_planes_is_refused_where_every_pixel_has_one(facts_of, tmp_path):
    """A plane for background, too: zeros alone may mean background or nothing labelled."""
    empty = describe_mask(StoredMask(np.zeros((10, 10), np.uint8)), MaskFile(tmp_path / "b.png"))
    with pytest.raises(MaskError, match="1 of 2 masks are zero everywhere and have no planes"):
        learn_layers([*facts_of((0, 4), (4, 10)), empty], None)
