"""Learning how masks are named: never a wrong pair, whatever the names and their order."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pixelwise.data.layouts.pairing import pair_names
from pixelwise.data.layouts.renaming import Renaming, learn_renamings
from pixelwise.errors import LayoutError

# What stands around the shared part: letters, signs and digits, as people write them.
ends = st.text("abMx_- .01", max_size=6)
cores = st.one_of(
    st.sets(st.text("ab01_", min_size=1, max_size=5), min_size=1, max_size=10),
    st.sets(st.integers(0, 120), min_size=1, max_size=12).map(lambda n: {f"{i:03}" for i in n}),
    st.sets(st.integers(0, 120), min_size=1, max_size=12).map(lambda n: {f"{i}" for i in n}),
    st.sets(st.tuples(st.integers(1, 3), st.integers(1, 12)), min_size=1, max_size=10).map(
        lambda pairs: {f"s{scene}_{tile}" for scene, tile in pairs}
    ),
)


def named(stems):
    return {("", stem): Path(f"{stem}.png") for stem in stems}


def pair(images, masks):
    """{mask: image} by stems; None where the names are refused."""
    try:
        pairs = pair_names(named(images), named(masks)).pairs
    except LayoutError:
        return None
    return {mask[1]: image[1] for mask, image in pairs.items()}


@settings(max_examples=400, deadline=None)
@given(cores, ends, ends, ends, ends)
@example({"0a_", "0"}, "", "", "", "a")
@example({"0", "0a1"}, "", "", "", "a")
@example({"0", "01a"}, "", "", "", "1")
@example({"0", "01_"}, "", "", "", "1")
def test_a_consistent_renaming_pairs_all_or_is_refused_and_never_pairs_wrongly(
    cores, before, after, new_before, new_after
):
    truth = {f"{new_before}{c}{new_after}": f"{before}{c}{after}" for c in cores}
    pairs = pair(truth.values(), truth)
    if pairs is None:
        return
    wrong = {mask: image for mask, image in pairs.items() if truth[mask] != image}
    assert not wrong
    if len(cores) >= 2:
        assert pairs == truth


@settings(max_examples=200, deadline=None)
@given(cores, ends, ends, st.randoms())
def test_the_order_of_files_does_not_matter(cores, after, new_after, random):
    images, masks = [f"{c}{after}" for c in cores], [f"{c}{new_after}" for c in cores]
    expected = pair(images, masks)
    random.shuffle(images)
    random.shuffle(masks)
    assert pair(images, masks) == expected


@settings(max_examples=200, deadline=None)
@given(
    st.sets(st.integers(0, 99), min_size=4, max_size=20),
    st.sets(st.integers(100, 999), max_size=6),
    st.sampled_from(["", "_img", "_sat", "-in"]),
    st.sampled_from(["_mask", "_L", "-out", "_lesion"]),
)
def test_images_without_a_mask_change_no_pair(numbers, more, after, new_after):
    images, masks = [f"a{n:03}{after}" for n in numbers], [f"a{n:03}{new_after}" for n in numbers]
    pairs = pair(images, masks)
    assert pairs == dict(zip(masks, images, strict=True))
    assert pair([*images, *(f"a{n:03}{after}" for n in more)], masks) == pairs


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, 99), min_size=12, max_size=30), st.integers(100, 999))
def test_one_lone_mask_changes_no_pair(numbers, lone):
    images, masks = [f"image_{n:03}" for n in numbers], [f"mask_{n:03}" for n in numbers]
    assert pair(images, [*masks, f"mask_{lone}"]) == dict(zip(masks, images, strict=True))


@pytest.mark.parametrize(
    ("renaming", "mask", "image"),
    [
        (Renaming(("image_", ""), ("mask_", "")), "mask_1", "image_1"),
        (Renaming(("", ".raw"), ("", "_gt")), "a_gt", "a.raw"),
        (Renaming(), "a", "a"),
        (Renaming(("", ""), ("mask_", "")), "image_1", None),
        (Renaming(("", ""), ("ab", "bc")), "abc", None),  # the two ends would share the b
    ],
)
def test_a_renaming_gives_the_image_of_a_mask(renaming, mask, image):
    assert renaming.image_stem(mask) == image


def test_a_mask_pairs_with_images_of_its_own_folder_alone():
    renaming = Renaming(("i", ""), ("m", ""))
    images = {("x", "i1"), ("y", "i2")}
    assert renaming.pair(images, {("x", "m1"), ("x", "m2")}) == {("x", "m1"): ("x", "i1")}


def test_it_is_shown_with_the_sign_beside_it():
    images, masks = {("", f"image_{n}") for n in (1, 2)}, {("", f"mask_{n}") for n in (1, 2)}
    ((renaming, pairs),) = learn_renamings(images, masks)
    assert str(renaming) == "image_X -> mask_X" and len(pairs) == 2


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["img_01", "img_02", "img_11"], ["m_1", "m_2"]),  # would cut 01 in two
        (["a", "b", "c"], ["x", "y", "z"]),
        (["only"], ["lonely"]),
        ([], ["a", "b"]),
    ],
)
def test_nothing_is_learned_where_nothing_holds(images, masks):
    assert learn_renamings(named(images).keys(), named(masks).keys()) == []
