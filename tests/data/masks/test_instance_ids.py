"""Object ids told from class indices by evidence."""

import numpy as np
import pytest

from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.facts import describe_mask
from pixelwise.data.masks.instance_ids import weigh_instance_ids
from pixelwise.data.masks.learn import understand_masks
from pixelwise.data.masks.sources import MaskFile
from pixelwise.data.masks.stored import to_stored
from pixelwise.errors import MaskError


@pytest.fixture
def facts_of(tmp_path):
    """Facts of masks of 4 x 4 squares on a grid, one for each value given."""

    def describe(*masks):
        facts = []
        for values in masks:
            mask = np.zeros((48, 48), np.uint16)
            for place, value in enumerate(values):
                row, column = divmod(place, 8)
                mask[row * 6 : row * 6 + 4, column * 6 : column * 6 + 4] = value
            facts.append(describe_mask(to_stored(mask, tmp_path), MaskFile(tmp_path / "a.png")))
        return facts

    return describe


@pytest.mark.parametrize(
    ("masks", "verdict", "differs"),
    [
        ([range(1, 41), range(1, 38)], "ids", False),  # more than 32 values, each one region
        ([range(1, 10), range(1, 13)], "ids", False),  # 1..9 and 1..12: numbered to another end
        ([range(1, 10), range(1, 10)], "either", False),  # the same nine values in both
        ([[1, 2, 3], [1, 2]], "either", True),
        ([[1, 1, 2, 2], [1, 2, 1, 2]], "classes", False),  # two regions a value
        ([[1], [1]], "classes", False),  # one value
        ([[], []], "classes", False),
    ],
)
def test_what_the_values_speak_for(facts_of, masks, verdict, differs):
    evidence = weigh_instance_ids(facts_of(*masks))
    assert (evidence.verdict, evidence.differs) == (verdict, differs)


def test_few_objects_that_are_cut_in_two_stay_objects(facts_of):
    assert weigh_instance_ids(facts_of([*range(1, 41), 5, 9])).verdict == "ids"  # 42 regions of 40
    assert weigh_instance_ids(facts_of([*range(1, 41), *range(1, 11)])).verdict == "classes"  # 50


def test_ignored_values_are_no_ids(facts_of):
    facts = facts_of([*range(1, 34)], [*range(1, 30)])
    assert weigh_instance_ids(facts).verdict == "ids"
    assert weigh_instance_ids(facts, ignored=range(2, 34)).verdict == "classes"


def test_where_both_are_possible_classes_are_taken_and_it_is_said(facts_of):
    same = understand_masks(facts_of([1, 2, 3], [1, 2, 3]))
    other = understand_masks(facts_of([1, 2, 3], [1, 2]))
    for reading, severity in ((same, "note"), (other, "warning")):
        assert reading.encoding.task == "multiclass"
        assert [(r.code, r.severity) for r in reading.remarks] == [
            ("object-ids-or-classes", severity)
        ]
        assert '{"instances": true}' in reading.remarks[0].fix


def test_a_person_has_the_word(facts_of):
    ids, few = facts_of(range(1, 41)), facts_of([1, 2, 3])
    assert understand_masks(few, ClassDeclaration(instances=True)).encoding.task == "instances"
    named = ClassDeclaration.model_validate({"instances": True, "classes": ["nucleus"]})
    assert understand_masks(few, named).encoding.class_names == ("background", "nucleus")
    with pytest.raises(MaskError, match=r"40 values|41 values"):
        understand_masks(ids, ClassDeclaration(instances=False))
    three = ClassDeclaration.model_validate({"instances": True, "classes": ["a", "b", "c"]})
    with pytest.raises(MaskError, match="names 3 classes"):
        understand_masks(few, three)


def test_two_names_fit_object_ids(facts_of):
    declared = ClassDeclaration.model_validate({"classes": ["ground", "grain"]})
    reading = understand_masks(facts_of(range(1, 41), range(1, 36)), declared)
    assert reading.encoding.task == "instances"
    assert reading.encoding.class_names == ("ground", "grain")
    assert [remark.code for remark in reading.remarks] == ["object-ids"]
