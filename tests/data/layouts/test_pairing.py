"""Pairing names: usual suffixes, near misses, renamings learned from the folder, ties."""

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pixelwise.data.layouts.find import find_layout
from pixelwise.data.layouts.pairing import pair_names
from pixelwise.data.layouts.renaming import Renaming, learn_renamings
from pixelwise.errors import LayoutError


def named(*stems: str) -> dict[tuple[str, str], Path]:
    return {("", stem): Path(f"{stem}.png") for stem in stems}


def pairs_of(images: list[str], masks: list[str]) -> dict[str, str]:
    pairs = pair_names(named(*images), named(*masks)).pairs
    return {image[1]: mask[1] for mask, image in pairs.items()}


@pytest.mark.parametrize(
    ("images", "masks", "renaming"),
    [
        (["image_001", "image_002"], ["mask_001", "mask_002"], "image_X -> mask_X"),
        (["1_sat", "2_sat", "3_sat"], ["1_mask", "3_mask"], "X_sat -> X_mask"),
        (["a", "b", "c"], ["a_lesion", "b_lesion", "c_lesion"], "X -> X_lesion"),
        (["21_training", "22_training"], ["21_manual1", "22_manual1"], "X_training -> X_manual1"),
        (["img2d", "img3d"], ["mask2d", "mask3d"], "imgX -> maskX"),
        (["s-a-in", "s-b-in"], ["t-a-out", "t-b-out"], "s-X-in -> t-X-out"),
        (["frame1", "frame2", "frame12"], ["1", "2"], "frameX -> X"),
    ],
)
def test_the_renaming_is_learned(images, masks, renaming):
    pairing = pair_names(named(*images), named(*masks))
    assert str(pairing.renaming) == renaming
    assert len(pairing.pairs) == min(len(images), len(masks))


@pytest.mark.parametrize(
    ("images", "masks", "pairs"),
    [
        (["a", "b_seg"], ["a_mask", "b_seg"], {"a": "a_mask", "b_seg": "b_seg"}),
        (["image"], ["label"], {"image": "label"}),
        (["t2", "t2s", "t2s_un"], ["t2_x", "t2s_y", "t2s_un_x"],
         {"t2": "t2_x", "t2s": "t2s_y", "t2s_un": "t2s_un_x"}),
        (["test_0_input", "r_test_input_0", "r_test_0_input"], ["test_0_label", "r_test_0_label"],
         {"test_0_input": "test_0_label", "r_test_0_input": "r_test_0_label"}),
        (["a"], ["b"], {}),
        (["img_1", "img_12", "img_22"], ["mask_1", "mask_2"], {}),
    ],
)  # fmt: skip
def test_pairs(images, masks, pairs):
    assert pairs_of(images, masks) == pairs


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("Cell 1", "cell_1"),
        (unicodedata.normalize("NFC", "zéro"), unicodedata.normalize("NFD", "zéro")),
        ("a", "a "),
        ("Scan 7", "scan 7_mask"),
    ],
)
def test_near_misses_are_paired_and_said(tmp_path, image, mask):
    for name in (f"images/{image}.png", f"masks/{mask}.png", "images/z.png", "masks/z.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    layout = find_layout(tmp_path)
    assert all(sample.mask for sample in layout.samples)
    (finding,) = layout.findings
    assert finding.code == "near-miss-name"
    assert [path.name for path in finding.files] == [f"{mask}.png"]


def test_two_renamings_that_pair_as_well_are_an_error_that_shows_both():
    with pytest.raises(LayoutError, match=r"2 ways: a_X -> m_X .* or b_X -> m_X"):
        pairs_of(["a_x", "b_x", "a_y", "b_y"], ["m_x", "m_y"])


def test_two_masks_for_one_image_are_an_error():
    with pytest.raises(LayoutError, match="both masks of a"):
        pairs_of(["a", "b"], ["a_mask", "a_gt"])


def test_a_few_mistyped_names_do_not_hide_the_renaming():
    images = [f"scan{n:03}" for n in range(100)]
    masks = [f"lesion{n:03}" for n in range(98)] + ["leson098", "x"]
    assert len(pairs_of(images, masks)) == 98


def test_ten_thousand_names_take_less_than_a_second():
    images = [f"image_{n}" for n in range(10_000)]
    start = time.perf_counter()
    assert len(pairs_of(images, [f"mask_{n}" for n in range(10_000)])) == 10_000
    assert time.perf_counter() - start < 2


texts = st.text("ab1_-", max_size=4)


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.text("abc12_", min_size=1, max_size=6), min_size=2, max_size=8),
    texts, texts, texts, texts,
)  # fmt: skip
@example({"1", "112"}, "", "", "", "1")
def test_any_renaming_that_pairs_everything_is_found_back(cores, a, b, c, d):
    images = {("", f"{a}{core}{b}") for core in cores}
    masks = {("", f"{c}{core}{d}") for core in cores}
    learned = learn_renamings(images, masks)
    expected = Renaming((a, b), (c, d)).pair(images, masks)
    assert [pairs for _, pairs in learned] == [expected]
