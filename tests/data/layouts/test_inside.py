"""Masks whose name is a part of their image's long name, as microscopes write it."""

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pixelwise.data.layouts.inside import (
    pair_inside,
    rest_of_mask,
    split_at_borders,
    split_at_signs,
)
from pixelwise.data.layouts.pairing import pair_names
from pixelwise.errors import LayoutError


def names(*stems):
    return [("", stem) for stem in stems]


def pair(images, masks, **options):
    found = pair_inside(names(*images), names(*masks), **options)
    return {mask: image for (_, mask), (_, image) in found.items()}


def test_a_well_stands_in_one_image():
    images = ["1649_Amp5-1_B_A01_w2_9F3C", "1649_Amp5-1_B_A02_w2_77D1", "1649_Amp5-1_B_B01_w2_0AA3"]
    assert pair(images, ["A01_binary", "A02_binary", "B01_binary"]) == {
        "A01_binary": images[0], "A02_binary": images[1], "B01_binary": images[2],
    }  # fmt: skip
    assert pair(images, ["mask b01", "mask a02"]) == {"mask b01": images[2], "mask a02": images[1]}


def test_the_image_may_have_the_short_name():
    masks = ["run7_A01_9F3C", "run7_A02_77D1"]
    assert pair(["A01", "A02"], masks) == {masks[0]: "A01", masks[1]: "A02"}


def test_a_place_is_counted_from_either_end():
    images = ["long name A01_w2", "name_A02_w2", "a-very-long-name-A03-w2"]
    assert pair(images, ["A01_x", "A02_x", "A03_x"])["A03_x"] == images[2]


def test_plate_well_and_site_together():
    images = [f"exp_P{p}_x_{w}_s{s}_{p}{w}{s}f" for p in (1, 2) for w in ("A01", "B07")
              for s in (1, 2)]  # fmt: skip
    masks = [f"P{p}_{w}_s{s}_label" for p in (1, 2) for w in ("A01", "B07") for s in (1, 2)]
    assert pair(images, masks) == dict(zip(masks, images, strict=True))
    assert pair(images, ["A01_label", "B07_label"]) == {}  # each stands in four


def test_parts_without_signs_between():
    images = ["r01c02f03-ch1sk9fk1", "r01c04f03-ch1sk8fk1", "r02c02f03-ch1sk5fk1"]
    masks = ["r01c02_seg", "r01c04_seg", "r02c02_seg"]
    assert pair(images, masks) == dict(zip(masks, images, strict=True))
    assert split_at_borders("wellA01_r01c02") == ("well", "a01", "r01", "c02")
    assert split_at_signs("Amp5-1 B.x") == ("amp5", "1", "b", "x")


def test_several_masks_an_image_only_where_they_are_wanted():
    images = ["x_A01_q", "x_A02_w"]
    masks = [f"{well}_{n:02}_gt" for well in ("A01", "A02") for n in (1, 2, 3)]
    assert pair(images, masks) == {}
    assert set(pair(images, masks, are_many=True)) == set(masks)
    assert rest_of_mask("A01_03_ground_truth", "x_A01_q") == "03"
    assert rest_of_mask("A01_circle_3", "x_A01_q") == "circle_3"


def test_two_places_that_would_do_are_shown():
    images = ["A01_002_x", "A02_001_y", "A03_003_z"]
    masks = ["A01_001_m", "A02_002_m", "A03_003_m"]
    message = r"the mask A0\d_00\d_m by 'a0\d' with A0\d_00\d_\w, or by '00\d' with A0\d_00\d_\w\."
    with pytest.raises(LayoutError, match=message):
        pair(images, masks)


def test_a_part_that_denies_the_pairing_is_shown():
    images = [f"{well}_s{s}_{n}" for n, (well, s) in enumerate(
        [("A01", 1), ("A02", 2), ("A03", 1), ("A04", 2)])]  # fmt: skip
    with pytest.raises(LayoutError, match="the mask A01_s2_m by 'a01' with A01_s1_0, or by 's2'"):
        pair(images, ["A01_s2_m", "A02_s1_m", "A03_s1_m", "A04_s2_m"])


def test_nothing_is_guessed_from_one_pair_or_few():
    assert pair(["x_A01_y"], ["A01_m"]) == {}
    assert pair(["x_A01_y", "x_A02_y"], ["B01_m", "A02_m"]) == {}
    assert pair_inside([("a", "x_A01_y"), ("b", "x_A02_z")], [("b", "A01_m"), ("a", "A02_m")]) == {}


FIELDS = ("prefix", "plate", "well", "site", "channel", "hash", "number")


@st.composite
def schemes(draw):
    """Images and masks named by a random scheme, and which belong together."""
    places = draw(
        st.lists(
            st.tuples(st.integers(1, 2), st.integers(0, 7), st.integers(1, 3)),
            min_size=2, max_size=14, unique=True,
        )
    )  # fmt: skip
    order = draw(st.permutations(FIELDS).map(lambda o: o[: draw(st.integers(2, 7))]))
    telling = [field for field in FIELDS[1:5] if field in order]
    assume(telling)  # masks named by what no image has are nobody's; 1 and 2 pair them by chance
    mask_fields = draw(st.lists(st.sampled_from(telling), min_size=1, max_size=3, unique=True))
    signs = draw(st.tuples(*[st.sampled_from("_- .")] * 2))
    extra = draw(st.sampled_from(["binary", "gt", "GroundTruth", "m1", "1", ""]))
    numbers = draw(st.permutations(range(1, len(places) + 1)))
    images, masks = [], []
    for (plate, well, site), number in zip(places, numbers, strict=True):
        values = {
            "prefix": draw(st.sampled_from(["exp", "20070424"])) if draw(st.booleans()) else "exp",
            "plate": f"P{'XYZ'[plate]}",
            "well": f"{'AB'[well // 4]}{well % 4 + 1:02}",
            "site": f"s{site}",
            "channel": "w1",
            "hash": f"{draw(st.integers(0, 16**6 - 1)):06X}",
            "number": f"{100 + 37 * number}",
        }
        image = signs[0].join(values[field] for field in order)
        parts = [values[field] for field in mask_fields] + [extra]
        mask = signs[1].join(part for part in parts if part)
        if image not in images and mask not in masks:
            images.append(image)
            masks.append(mask)
    return images, masks


@given(schemes())
@settings(max_examples=100, deadline=None)
def test_any_scheme_is_paired_rightly_or_not_at_all(scheme):
    images, masks = scheme
    truth = dict(zip(masks, images, strict=True))
    try:
        found = pair_names(
            {("", stem): Path(stem) for stem in images}, {("", stem): Path(stem) for stem in masks}
        )
    except LayoutError:
        return
    assert {mask[1]: image[1] for mask, image in found.pairs.items()}.items() <= truth.items()


def test_a_part_that_stands_in_two_images_pairs_neither():
    images = ["000000_A01", "000000_A02", "00000A_A01"]  # 00000A is two parts: its A01 is the third
    masks = [f"{plate}_{n}" for plate in ("PY_A01", "PY_A02", "PZ_A01") for n in (1, 2, 3)]
    assert pair(images, masks, are_many=True) == {}
