"""Mask encodings: stored values to class indices; random masks through every way to store them."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pydantic import ValidationError

from pixelwise.data import MaskClass, MaskEncoding
from pixelwise.data.masks.stored import to_stored
from pixelwise.errors import MaskError
from pixelwise.io.image_files import decode_mask
from pixelwise.task import IGNORE_INDEX

PATH = Path("masks/a.png")


def encoding_of(*values: int, ignore: tuple[int, ...] = (), snap: bool = False) -> MaskEncoding:
    classes = tuple(
        MaskClass(index=index, name=f"c{index}", value=value, color="#102030")
        for index, value in enumerate(values)
    )
    return MaskEncoding(classes=classes, ignore=ignore, snap=snap)


def test_values_become_indices_and_ignored_becomes_255():
    values = np.array([[0, 7], [200, 9]], dtype=np.uint8)
    mask = encoding_of(0, 7, 200, ignore=(9,)).decode(to_stored(values, PATH), PATH)
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[0, 1], [2, IGNORE_INDEX]]


def test_unknown_values_are_named():
    values = np.array([[0, 3], [5, 1]], dtype=np.uint8)
    with pytest.raises(MaskError, match=r"masks/a.png holds the values 3, 5, .*classes 0, 1"):
        encoding_of(0, 1).decode(to_stored(values, PATH), PATH)


def test_snap_moves_to_the_nearer_tone():
    values = np.array([[0, 30, 127, 128, 254]], dtype=np.uint8)
    mask = encoding_of(0, 255, snap=True).decode(to_stored(values, PATH), PATH)
    assert mask.tolist() == [[0, 0, 0, 1, 1]]


def test_snap_leaves_ignored_values_ignored():
    values = np.array([[0, 100, 255]], dtype=np.uint8)
    mask = encoding_of(0, 255, ignore=(100,), snap=True).decode(to_stored(values, PATH), PATH)
    assert mask.tolist() == [[0, IGNORE_INDEX, 1]]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "int64", "float32", "bool"])
def test_every_number_type_decodes_alike(dtype):
    values = np.array([[0, 1], [1, 0]]).astype(dtype)
    assert encoding_of(0, 1).decode(to_stored(values, PATH), PATH).tolist() == [[0, 1], [1, 0]]


def test_negative_and_large_values():
    values = np.array([[-1, 0], [70000, -9999]], dtype=np.int64)
    mask = encoding_of(0, 70000, ignore=(-1, -9999)).decode(to_stored(values, PATH), PATH)
    assert mask.tolist() == [[255, 0], [1, 255]]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_grey_stored_as_colour_is_grey(channels, alpha):
    grey = np.array([[0, 1], [1, 0]], dtype=np.uint8)
    layers = [grey] * channels + [np.full_like(grey, 255)] * alpha
    assert (
        encoding_of(0, 1).decode(to_stored(np.stack(layers, axis=2), PATH), PATH).tolist()
        == grey.tolist()
    )


def test_fractions_and_nan_are_refused():
    with pytest.raises(MaskError, match=r"fractions such as 0.25"):
        to_stored(np.array([[0, 0.25]]), PATH)
    with pytest.raises(MaskError, match="NaN"):
        to_stored(np.array([[0, np.nan]]), PATH)


@pytest.mark.parametrize(
    ("classes", "ignore", "message"),
    [
        ((), (), "at least 1"),
        ((("a", 0, 0), ("b", 2, 1)), (), "order of their indices"),
        ((("a", 0, 5), ("b", 1, 5)), (), "one class only"),
        ((("a", 0, 0), ("b", 1, 1)), (1,), "or be ignored"),
        ((("a", 0, 0), ("a", 1, 1)), (), "same name"),
    ],
)
def test_impossible_encodings_cannot_be_made(classes, ignore, message):
    entries = [
        {"name": name, "index": index, "value": value, "color": "#000000"}
        for name, index, value in classes
    ]
    with pytest.raises(ValidationError, match=message):
        MaskEncoding.model_validate({"classes": entries, "ignore": ignore})


def test_encoding_survives_json():
    encoding = encoding_of(0, 255, ignore=(7,), snap=True)
    assert MaskEncoding.model_validate_json(encoding.model_dump_json()) == encoding
    assert encoding.class_names == ("c0", "c1")
    assert encoding.class_colors == ("#102030", "#102030")


def png_bytes(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()


masks = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)
)
distinct_bytes = st.lists(st.integers(0, 255), min_size=5, max_size=5, unique=True)


@settings(max_examples=60, deadline=None)
@given(mask=masks, values=distinct_bytes, form=st.sampled_from(["L", "RGB", "RGBA", "LA", "P"]))
def test_random_masks_come_back_from_every_8_bit_form(mask, values, form):
    encoding = encoding_of(*values[:3], ignore=(values[4],))
    stored = np.array([*values[:3], values[4]], dtype=np.uint8)[mask]
    if form == "P":
        picture = Image.fromarray(stored, mode="P")
        picture.putpalette(list(range(256)) * 3)
    else:
        picture = Image.fromarray(stored).convert(form)
    decoded = encoding.decode(to_stored(decode_mask(png_bytes(picture), PATH).values, PATH), PATH)
    expected = np.where(mask == 3, IGNORE_INDEX, mask)
    np.testing.assert_array_equal(decoded, expected)


@settings(max_examples=60, deadline=None)
@given(
    mask=masks,
    values=st.lists(st.integers(-(2**31), 2**31 - 1), min_size=4, max_size=4, unique=True),
    dtype=st.sampled_from(["int32", "int64", "float64"]),
)
def test_random_masks_come_back_from_any_whole_numbers(mask, values, dtype):
    stored = np.array(values, dtype=dtype)[mask]
    np.testing.assert_array_equal(encoding_of(*values).decode(to_stored(stored, PATH), PATH), mask)


@settings(max_examples=60, deadline=None)
@given(stored=arrays(np.uint8, (3, 4)), values=distinct_bytes)
def test_any_bytes_are_decoded_or_refused_never_mixed_up(stored, values):
    encoding = encoding_of(*values[:4], ignore=(values[4],))
    known = dict(zip(values, [0, 1, 2, 3, IGNORE_INDEX], strict=True))
    if set(stored.ravel().tolist()) <= set(values):
        expected = [[known[value] for value in row] for row in stored.tolist()]
        assert encoding.decode(to_stored(stored, PATH), PATH).tolist() == expected
    else:
        with pytest.raises(MaskError):
            encoding.decode(to_stored(stored, PATH), PATH)
