"""What masks are taken to mean when nothing is declared, and what is said about it."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from tests.reading import survey_mask

from pixelwise.data import MaskClass, MaskEncoding
from pixelwise.data.masks.learn_numbers import apply_known, apply_names, learn_encoding
from pixelwise.data.masks.sources import MaskFile
from pixelwise.data.masks.stored import to_stored
from pixelwise.data.masks.value_counts import add_counts
from pixelwise.errors import MaskError

NAMES = ("background", "foreground")


@pytest.fixture
def counts_of(save):
    """Counts of masks written to files, as a data set gives them."""

    def count(*masks, suffix=".png"):
        paths = [save(f"m{i}{suffix}", mask) for i, mask in enumerate(masks)]
        return add_counts([survey_mask(MaskFile(path), None) for path in paths])

    return count


def stripes(*values: int, dtype=np.uint8) -> np.ndarray:
    """Rows of 6 pixels of each value, 20 wide: every value has an interior."""
    return np.repeat(np.array(values, dtype=dtype), 6)[:, None] * np.ones((1, 20), dtype=dtype)


def codes(reading) -> list[str]:
    return [remark.code for remark in reading.remarks]


@pytest.mark.parametrize("foreground", [1, 2, 128, 255])
def test_zero_and_another_value_are_background_and_foreground(counts_of, foreground):
    reading = learn_encoding(counts_of(stripes(0, foreground)))
    assert [(c.name, c.value) for c in reading.encoding.classes] == [
        ("background", 0),
        ("foreground", foreground),
    ]
    assert not reading.remarks
    assert not reading.encoding.snap


def test_class_index(counts_of):
    reading = learn_encoding(counts_of(stripes(0, 1, 2, 3)))
    assert reading.encoding.class_names == ("background", "class 1", "class 2", "class 3")
    assert not reading.remarks


def test_values_with_gaps_are_mapped_and_said(counts_of):
    reading = learn_encoding(counts_of(stripes(0, 128), stripes(0, 255)))
    assert [c.value for c in reading.encoding.classes] == [0, 128, 255]
    assert codes(reading) == ["mapped-values"]
    assert "0, 128, 255 became the class indices 0 to 2" in reading.remarks[0].message


def test_255_beside_low_indices_is_ignored_and_said(counts_of):
    reading = learn_encoding(counts_of(stripes(0, 1, 2, 255)))
    assert reading.encoding.ignore == (255,)
    assert [c.value for c in reading.encoding.classes] == [0, 1, 2]
    assert codes(reading) == ["ignored-values"]


def test_255_beside_0_and_1_leaves_two_classes(counts_of):
    reading = learn_encoding(counts_of(stripes(0, 1, 255)))
    assert reading.encoding.class_names == NAMES
    assert reading.encoding.ignore == (255,)


def test_one_negative_value_is_ignored(counts_of):
    reading = learn_encoding(counts_of(stripes(-1, 0, 1, dtype=np.int64), suffix=".tif"))
    assert reading.encoding.ignore == (-1,)
    assert [c.value for c in reading.encoding.classes] == [0, 1]


def test_a_value_far_below_0_is_ignored_and_the_classes_stay_apart(counts_of):
    lines = stripes(-9999, 0, 0, dtype=np.float32)
    lines[8:18:4], lines[10:18:4] = 1, 2  # no pixel of them among equals, as in damage
    reading = learn_encoding(counts_of(lines, suffix=".tif"))
    assert reading.encoding.ignore == (-9999,)
    assert [c.value for c in reading.encoding.classes] == [0, 1, 2]
    assert not reading.encoding.snap


def test_without_a_0_no_class_is_called_background(counts_of):
    reading = learn_encoding(counts_of(stripes(1, 2, 3)))
    assert reading.encoding.class_names == ("class 1", "class 2", "class 3")
    assert "none is taken for background" in reading.remarks[0].message


def test_a_jpeg_without_an_exact_0_has_a_dark_background(counts_of):
    assert learn_encoding(counts_of(stripes(1, 255), suffix=".jpg")).encoding.snap is True


def test_a_person_says_what_is_ignored_and_what_is_foreground(counts_of):
    reading = learn_encoding(counts_of(stripes(0, 7, 255)), ignore=(7,))
    assert [c.value for c in reading.encoding.classes] == [0, 255]
    assert reading.encoding.ignore == (7,)
    inverted = learn_encoding(counts_of(stripes(0, 255)), foreground=0)
    assert [c.value for c in inverted.encoding.classes] == [255, 0]
    assert inverted.encoding.class_names == NAMES


def test_smoothed_edges_are_snapped_and_the_share_is_said(counts_of, disc):
    smooth = (ndimage.zoom(disc.astype(float), 4, order=1) * 255).round().astype(np.uint8)
    reading = learn_encoding(counts_of(smooth))
    assert reading.encoding.snap
    assert [c.value for c in reading.encoding.classes] == [0, 255]
    moved = 100 * ((smooth != 0) & (smooth != 255)).mean()
    assert f"{moved:.2g} % of their pixels" in reading.remarks[0].message


def test_edges_of_few_greys_are_edges_too(counts_of, disc):
    double = np.kron(disc, np.ones((8, 8)))
    shifted = (np.roll(double, 1, (0, 1)).reshape(128, 2, 128, 2).mean(axis=(1, 3)) * 255).round()
    assert 2 < len(np.unique(shifted)) < 6
    assert learn_encoding(counts_of(shifted.astype(np.uint8))).encoding.snap


def test_two_tones_below_255_are_found(counts_of, disc):
    smooth = (ndimage.gaussian_filter(np.kron(disc, np.ones((4, 4))), 1.0) * 200).astype(np.uint8)
    reading = learn_encoding(counts_of(smooth))
    assert [c.value for c in reading.encoding.classes] == [0, 200]


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_jpeg_damage_is_snapped_back_to_the_true_mask(counts_of, disc, quality, tmp_path):
    true = np.kron(disc, np.ones((6, 6), dtype=np.uint8))
    file = io.BytesIO()
    Image.fromarray(true * 255).save(file, format="JPEG", quality=quality)
    damaged = np.asarray(Image.open(file))
    for name, counts in {
        "kept as JPEG": counts_of(damaged, suffix=".jpg"),
        "converted to PNG": counts_of(damaged, suffix=".png"),
    }.items():
        reading = learn_encoding(counts)
        assert reading.encoding.snap, name
        decoded = reading.encoding.decode(to_stored(damaged, tmp_path), tmp_path)
        assert (decoded != true).mean() < 0.002, name


def test_thin_classes_are_not_taken_for_edges_of_two_tones(counts_of):
    with_three = stripes(0, 128, 255)
    assert not learn_encoding(counts_of(with_three)).encoding.snap
    one_each = counts_of(stripes(0, 255), stripes(0, 128), stripes(0, 200))
    assert [c.value for c in learn_encoding(one_each).encoding.classes] == [0, 128, 200, 255]


def test_classes_of_thin_lines_beside_ignore_are_not_snapped(counts_of):
    void = stripes(0, 1, 2, 15, 20, 255)
    reading = learn_encoding(counts_of(void, stripes(0, 255), stripes(0, 255)))
    assert reading.encoding.ignore == (255,)
    assert not reading.encoding.snap


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ((0,), {}, "only the value 0: there is nothing to learn"),
        ((255,), {}, "only the value 255"),
        ((1, 2), {}, "--foreground 1 or --foreground 2"),
        ((1, 255), {}, "no 0"),
        ((0, 255), {"foreground": 3}, "foreground=3, but the masks hold 0 and 255"),
        ((0, 1, 2), {"foreground": 1}, "fits masks of two values"),
        (tuple(range(40)), {}, "40 values .* object ids"),
    ],
)
def test_what_is_unclear_is_an_error_with_the_fix(counts_of, values, options, message):
    with pytest.raises(MaskError, match=message):
        learn_encoding(counts_of(stripes(*values)), **options)


def test_jpeg_masks_of_classes_are_refused(counts_of):
    with pytest.raises(MaskError, match="Export them again as PNG"):
        learn_encoding(counts_of(stripes(0, 40, 80, 120, 160), suffix=".jpg"))


def known(*values: int, ignore=()) -> MaskEncoding:
    classes = [
        MaskClass(index=i, name=f"c{i}", value=v, color="#000000") for i, v in enumerate(values)
    ]
    return MaskEncoding(classes=tuple(classes), ignore=ignore)


def test_known_classes_are_kept_where_their_values_fit(counts_of):
    assert apply_known(known(0, 1, 2), counts_of(stripes(0, 2))).encoding == known(0, 1, 2)


def test_two_known_classes_also_stand_for_0_and_255(counts_of):
    reading = apply_known(known(0, 1), counts_of(stripes(0, 255)))
    assert reading.encoding.class_names == ("c0", "c1")
    assert [c.value for c in reading.encoding.classes] == [0, 255]
    assert codes(reading) == ["mapped-values"]
    back = apply_known(known(0, 255), counts_of(stripes(0, 1)))
    assert [c.value for c in back.encoding.classes] == [0, 1]


def test_known_classes_are_never_guessed_into_other_classes(counts_of):
    for values in [(0, 1, 3), (0, 1), (1, 2, 3)]:
        reading = apply_known(known(0, 1, 2), counts_of(stripes(*values)))
        assert [c.value for c in reading.encoding.classes] == [0, 1, 2]
    exact = apply_known(known(0, 1), counts_of(stripes(0, 255)), exact=True)
    assert [c.value for c in exact.encoding.classes] == [0, 1]
    inverted = apply_known(known(255, 0), counts_of(stripes(0, 1)))
    assert [c.value for c in inverted.encoding.classes] == [255, 0]


def test_known_two_tones_are_snapped_where_damaged(counts_of, disc):
    smooth = (ndimage.gaussian_filter(np.kron(disc, np.ones((4, 4))), 1) * 255).round()
    counts = counts_of(smooth.astype(np.uint8))
    for encoding, expected in [
        (known(0, 255), [0, 255]),
        (known(0, 1), [0, 255]),
        (known(255, 0), [255, 0]),
    ]:
        reading = apply_known(encoding, counts)
        assert reading.encoding.snap
        assert [c.value for c in reading.encoding.classes] == expected


@pytest.mark.parametrize("ignored", [255, -1])
def test_what_lies_beside_classes_that_are_only_named_is_ignored(counts_of, ignored):
    dtype = np.uint8 if ignored > 0 else np.int64
    counts = counts_of(stripes(0, 2, ignored, dtype=dtype), suffix=".tif")
    reading = apply_names(known(0, 1, 2), counts)
    assert reading.encoding.ignore == (ignored,)
    assert codes(reading) == ["ignored-values"]


def test_other_values_beside_names_stay_unknown(counts_of):
    reading = apply_names(known(0, 1, 2), counts_of(stripes(0, 1, 7, 255)))
    assert reading.encoding.ignore == ()
    assert reading.encoding.unknown_values(np.array([7, 255])).tolist() == [7, 255]
