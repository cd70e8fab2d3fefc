"""Channels: what may be dropped or repeated, and what must be refused."""

import numpy as np
import pytest
from tests.reading import read_dataset, survey_image

from pixelwise.data import to_channels
from pixelwise.data.channel_choice import choose_channels
from pixelwise.errors import DataError

GREY = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8)[:, :, None]
OPAQUE = np.full_like(GREY, 255)
COLOR = np.concatenate([GREY, GREY + 1, GREY + 2], axis=2)
VARYING = np.concatenate([COLOR, GREY], axis=2)


def repeat(image: np.ndarray) -> np.ndarray:
    return np.repeat(image, 3, axis=2)


@pytest.mark.parametrize(
    ("image", "in_channels", "expected"),
    [
        (GREY, 1, GREY),
        (GREY, 3, repeat(GREY)),
        (repeat(GREY), 1, GREY),
        (np.concatenate([repeat(GREY), OPAQUE], axis=2), 1, GREY),
        (np.concatenate([repeat(GREY), OPAQUE], axis=2), 3, repeat(GREY)),
        (np.concatenate([GREY, OPAQUE], axis=2), 1, GREY),
        (np.concatenate([GREY, OPAQUE], axis=2), 3, repeat(GREY)),
        (COLOR, 3, COLOR),
        (np.concatenate([COLOR, OPAQUE], axis=2), 3, COLOR),
        (np.concatenate([COLOR, OPAQUE], axis=2), 4, np.concatenate([COLOR, OPAQUE], axis=2)),
        (VARYING, 4, VARYING),
    ],
)
def test_harmless_conversions(image, in_channels, expected):
    converted = to_channels(image, in_channels, "a.png")
    assert converted.shape == (in_channels, 2, 3)
    assert converted.flags.c_contiguous
    np.testing.assert_array_equal(converted, np.moveaxis(expected, 2, 0))


@pytest.mark.parametrize(
    ("image", "in_channels", "message"),
    [
        (COLOR, 1, "a.png is a colour image"),
        (VARYING, 3, "alpha channel is not constant"),
        (COLOR, 4, "has 3 channels, but 4 are expected"),
        (GREY, 2, "has 1 channels, but 2"),
        (GREY[:, :, 0], 1, r"shape \(2, 3\)"),
    ],
)
def test_what_would_lose_something_is_refused(image, in_channels, message):
    with pytest.raises(DataError, match=message):
        to_channels(image, in_channels, "a.png")


def choice(save, *images):
    return choose_channels(
        [survey_image([save(f"{i}.png", np.squeeze(image))]) for i, image in enumerate(images)]
    )


def test_grey_however_it_is_stored_is_one_channel(save):
    rgba = np.concatenate([repeat(GREY), OPAQUE], axis=2)
    assert choice(save, GREY, GREY) == (1, "grey")
    assert choice(save, rgba, rgba) == (1, "grey stored as RGBA")
    assert choice(save, GREY, repeat(GREY)) == (1, "grey stored as grey and RGB")


def test_colour_is_three_channels(save):
    assert choice(save, COLOR) == (3, "RGB")
    assert choice(save, np.concatenate([COLOR, OPAQUE], axis=2)) == (3, "RGB stored as RGBA")
    assert choice(save, GREY, repeat(GREY), COLOR) == (
        3,
        "2 grey and 1 colour images, read as RGB",
    )


def test_alpha_with_data_is_a_channel(save):
    opaque = np.concatenate([COLOR, OPAQUE], axis=2)
    assert choice(save, VARYING, opaque) == (4, "4 channels (alpha is not constant and kept)")
    with pytest.raises(DataError, match="1 with 3, 1 with 4"):
        choice(save, VARYING, COLOR)


def test_many_channels(save, disc, tmp_path):
    for number in range(3):
        bands = np.random.default_rng(number).random((10, 32, 32), dtype=np.float32)
        save(f"images/{number}.tif", bands, metadata={"axes": "CYX"}, photometric="minisblack")
        save(f"masks/{number}.png", disc)
    dataset = read_dataset(tmp_path)
    assert (dataset.in_channels, dataset.channel_note) == (10, "10 channels")
    assert dataset.describe().endswith("10 channels; float32")
    assert dataset.samples("train")[0].image.shape == (10, 32, 32)
