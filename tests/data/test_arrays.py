"""Arrays that a caller hands over: each usual mistake is refused with the line that corrects it."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelwise.data.arrays import to_array, to_images, to_samples, to_targets
from pixelwise.errors import ArrayError

GREY = np.zeros((2, 6, 8, 1), np.float32)  # two images, 6 rows, 8 columns
IMAGES = to_images(GREY, 1)  # (2, 1, 6, 8)
INDEX = np.random.default_rng(0).integers(0, 3, (2, 6, 8))  # three classes
ONE_HOT = np.eye(3)[INDEX]
BINARY = (INDEX > 0).astype(np.uint8)


@contextmanager
def refuses(*words):
    """Expect an ArrayError whose text holds the words."""
    with pytest.raises(ArrayError) as info:
        yield
    for word in words:
        assert word in str(info.value)


# --- images: what is refused ------------------------------------------------------------------


def test_a_missing_channel_axis_is_named_with_its_fix():
    with refuses("(2, 6, 8)", "(N, height, width, 1)", "x[..., np.newaxis]"):
        to_images(np.zeros((2, 6, 8)), 1)


def test_grey_images_without_channels_for_a_colour_model_are_told_to_repeat():
    with refuses("channel axis is missing", "np.repeat(x, 3, -1)"):
        to_images(np.zeros((2, 6, 8)), 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_one_image_without_the_axis_of_images_is_not_taken_for_a_missing_channel(channels):
    with refuses("first axis, of images", "x[np.newaxis]"):
        to_images(np.zeros((6, 8, channels)), channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_first_are_told_to_move(channels):
    with refuses("Channels come first", "np.moveaxis(x, 1, -1)"):
        to_images(np.zeros((2, channels, 6, 8)), channels)


def test_other_channels_name_both_numbers():
    with refuses("(2, 6, 8, 3)", "(N, height, width, 1)", "input_shape=(..., 3)"):
        to_images(np.zeros((2, 6, 8, 3)), 1)


@pytest.mark.parametrize("shape", [(), (5,), (6, 8), (2, 3, 6, 8, 1)])
def test_other_numbers_of_axes_are_refused(shape):
    with refuses(f"shape {shape}", "Add or remove axes"):
        to_images(np.zeros(shape), 1)


@pytest.mark.parametrize("empty", [[], np.zeros((0, 6, 8, 1))])
def test_an_empty_training_set_is_said(empty):
    with refuses("x has no images", "N at least 1"):
        to_images(empty, 1)


@pytest.mark.parametrize("shape", [(2, 0, 8, 1), (2, 6, 0, 1)])
def test_images_without_pixels_are_said(shape):
    with refuses("images without pixels", str(shape)):
        to_images(np.zeros(shape), 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_counted_and_placed(bad):
    images = GREY.copy()
    images[1, 2:4, 5] = bad
    with refuses("x has 2 NaN or infinite values", "in item 1", "np.nan_to_num(x)"):
        to_images(images, 1)


def ragged_objects():
    items = np.empty(2, object)
    items[:] = [np.zeros((6, 8, 1)), np.zeros((7, 8, 1))]
    return items


@pytest.mark.parametrize(
    "ragged", [[np.zeros((6, 8, 1)), np.zeros((7, 9, 1))], [[[1, 2]], [[1]]], ragged_objects()]
)
def test_images_of_different_sizes_say_where_such_images_can_go(ragged):
    with refuses("different sizes", "Pad", "pixelwise.train"):
        to_images(ragged, 1)


@pytest.mark.parametrize("values", ["abc", ["a", "b"], np.zeros((2, 6, 8, 1), complex)])
def test_what_is_no_number_names_its_dtype(values):
    with refuses("x has dtype", "expected integers or floats", "x.astype(np.float32)"):
        to_images(values, 1)


@pytest.mark.parametrize("values", [None, {"a": 1}, [None, 1]])
def test_objects_are_refused(values):
    with refuses("dtype object"):
        to_array("x", values)


# --- images: what is taken --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.uint16, np.float16, np.float64])
def test_images_of_any_number_type_keep_it(dtype):
    assert to_images(GREY.astype(dtype), 1).dtype == dtype


def test_lists_are_taken_and_channels_move_to_the_front():
    images = to_images([[[[1, 2, 3], [4, 5, 6]]]], 3)  # one image of 1 x 2 pixels
    assert images.tolist() == [[[[1, 4]], [[2, 5]], [[3, 6]]]]


def test_volumes_have_one_axis_more():
    assert to_images(np.zeros((2, 4, 6, 8, 1)), 1, spatial_dims=3).shape == (2, 1, 4, 6, 8)
    with refuses("(N, depth, height, width, 1)", "x[..., np.newaxis]"):
        to_images(np.zeros((2, 4, 6, 8)), 1, spatial_dims=3)


def test_big_arrays_are_not_copied():
    x, y = np.zeros((3, 64, 64, 1), np.float32), np.zeros((3, 64, 64, 1), np.uint8)
    images = to_images(x, 1)
    targets = to_targets(y, images, "binary", 2)
    samples = to_samples(images, targets)
    assert np.shares_memory(images, x)
    assert np.shares_memory(targets, y)
    assert all(np.shares_memory(sample.image, x) for sample in samples)
    assert all(np.shares_memory(sample.mask, y) for sample in samples)


def test_samples_come_in_order_with_their_masks():
    x = np.arange(2 * 6 * 8, dtype=np.float32).reshape(GREY.shape)
    samples = to_samples(to_images(x, 1), to_targets(BINARY, IMAGES, "binary", 2))
    assert [sample.name for sample in samples] == ["array 0", "array 1"]
    assert samples[1].image[0, 0, 0] == 48
    np.testing.assert_array_equal(samples[1].mask, BINARY[1])


# --- masks: counts and shapes -----------------------------------------------------------------


@pytest.mark.parametrize("masks", [BINARY[:1], [], BINARY[0, 0, 0]])
def test_other_numbers_of_masks_are_counted(masks):
    with refuses("x has 2 images but y has", "one mask for every image"):
        to_targets(masks, IMAGES, "binary", 2)


@pytest.mark.parametrize(("form", "planes"), [("binary", 1), ("index", 1), ("one_hot", 3)])
def test_masks_of_another_size_name_both_sizes(form, planes):
    with refuses("images of 6x8", "masks of 3x4", "pixel for pixel", "resize"):
        to_targets(np.zeros((2, 3, 4, planes)), IMAGES, form, 3)


def test_masks_without_channel_of_another_size_name_both_sizes():
    with refuses("images of 6x8", "masks of 8x6"):
        to_targets(np.zeros((2, 8, 6)), IMAGES, "binary", 2)


@pytest.mark.parametrize(
    ("form", "planes"), [("binary", 1), ("index", 1), ("one_hot", 3), ("multilabel", 3)]
)
def test_masks_with_planes_first_are_told_to_move(form, planes):
    with refuses("planes come first", "np.moveaxis(y, 1, -1)"):
        to_targets(np.zeros((2, planes, 6, 8)), IMAGES, form, 3)


def test_several_planes_for_one_probability_say_how_to_build_the_model():
    with refuses("2 planes", "num_classes=2", "masks of one plane"):
        to_targets(np.eye(2)[BINARY], IMAGES, "binary", 2)


def test_one_hot_masks_for_an_index_loss_name_the_other_loss():
    with refuses("3 planes", "one-hot", 'loss="categorical_crossentropy"', "np.argmax(y, -1)"):
        to_targets(ONE_HOT, IMAGES, "index", 3)


@pytest.mark.parametrize("masks", [INDEX, INDEX[..., np.newaxis]])
def test_index_masks_for_a_one_hot_loss_name_the_other_loss(masks):
    with refuses("class indices", 'loss="sparse_categorical_crossentropy"', "np.eye(3)[y]"):
        to_targets(masks, IMAGES, "one_hot", 3)


@pytest.mark.parametrize("form", ["one_hot", "multilabel"])
def test_another_number_of_planes_is_refused(form):
    with refuses("(2, 6, 8, 3)", "expected (N, height, width, 4)", "another number of classes"):
        to_targets(ONE_HOT, IMAGES, form, 4)


def test_ragged_masks_are_refused():
    with refuses("y is not an array", "different sizes"):
        to_targets([np.zeros((6, 8)), np.zeros((6, 9))], IMAGES, "binary", 2)


# --- masks: values ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("form", ["binary", "index", "multilabel"])
def test_masks_of_0_and_255_are_refused_because_255_means_ignore(dtype, form):
    masks = BINARY.astype(dtype) * 255
    masks = np.stack([masks, masks], -1) if form == "multilabel" else masks
    with refuses("0 and 255", "0 and 1", "255 to ignore", "y > 0", "y / 255"):
        to_targets(masks, IMAGES, form, 2)


def test_one_hot_masks_of_0_and_255_are_refused():
    with refuses("0 and 255", "expected 0 and 1.", "y / 255"):
        to_targets(ONE_HOT * 255, IMAGES, "one_hot", 3)


def test_masks_of_255_alone_are_refused():
    with refuses("y has the values 255;"):
        to_targets(np.full((2, 6, 8), 255), IMAGES, "binary", 2)


def test_0_and_1_beside_255_ignore_it():
    masks = BINARY.copy()
    masks[:, 0] = 255
    np.testing.assert_array_equal(to_targets(masks, IMAGES, "binary", 2), masks)


def test_fractions_are_counted_with_an_example():
    masks = BINARY.astype(float)
    masks[0, 0, :3] = 0.25
    with refuses("3 values that are not whole numbers", "0.25", "y > 0.5"):
        to_targets(masks, IMAGES, "binary", 2)
    with refuses("np.rint(y)"):
        to_targets(masks, IMAGES, "index", 3)


@pytest.mark.parametrize("form", ["binary", "index"])
def test_negative_values_name_the_range(form):
    with refuses("values from -1 to 1", "from 0"):
        to_targets(BINARY.astype(int) * 2 - 1, IMAGES, form, 3)


def test_values_above_255_do_not_wrap_around():
    with refuses("values from 0 to 256"):
        to_targets(BINARY.astype(int) * 256, IMAGES, "binary", 2)


def test_classes_beyond_the_last_are_listed():
    with refuses("[3, 4]", "class indices from 0 to 2", "more classes"):
        to_targets(INDEX + 2, IMAGES, "index", 3)


def test_many_unknown_classes_are_cut_short():
    with refuses("[3, 4, 5, 6, 7] ..."):
        to_targets(np.arange(96).reshape(2, 6, 8), IMAGES, "index", 3)


@pytest.mark.parametrize("form", ["binary", "multilabel"])
def test_classes_in_masks_of_0_and_1_are_listed(form):
    masks = INDEX if form == "binary" else np.stack([INDEX, INDEX], -1)
    with refuses("[2]", "expected 0 and 1", "y > 0"):
        to_targets(masks, IMAGES, form, 2)


@pytest.mark.parametrize("value", [0, 2])
def test_one_hot_pixels_need_exactly_one_class(value):
    masks = ONE_HOT.copy()
    masks[0, 0, 0] = 0 if value == 0 else [1, 1, 0]
    with refuses("1 pixels with none or several", "multilabel=True"):
        to_targets(masks, IMAGES, "one_hot", 3)


def test_masks_that_are_no_numbers_are_refused():
    masks = BINARY.astype(float)
    masks[1, 0, 0] = np.nan
    with refuses("y has 1 NaN", "item 1"):
        to_targets(masks, IMAGES, "binary", 2)


def test_multilabel_masks_become_planes():
    masks = np.stack([BINARY, 1 - BINARY], -1)
    targets = to_targets(masks, IMAGES, "multilabel", 2)
    assert targets.shape == (2, 2, 6, 8)
    np.testing.assert_array_equal(targets[:, 1], 1 - BINARY)


# --- every form of the same masks gives the same targets --------------------------------------

DTYPES = [np.uint8, np.int8, np.int32, np.int64, np.uint16, np.float16, np.float32, np.float64]


@st.composite
def index_masks(draw, num_classes):
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    return draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, num_classes - 1)))


@settings(max_examples=50, deadline=None)
@given(index_masks(2), st.sampled_from([*DTYPES, bool]), st.booleans(), st.booleans())
def test_binary_masks_in_every_form_are_the_same(masks, dtype, has_channel, as_list):
    images = to_images(np.zeros((*masks.shape, 1)), 1)
    given_form = masks.astype(dtype)[..., np.newaxis] if has_channel else masks.astype(dtype)
    targets = to_targets(given_form.tolist() if as_list else given_form, images, "binary", 2)
    assert targets.dtype == np.uint8
    np.testing.assert_array_equal(targets, masks)


@settings(max_examples=50, deadline=None)
@given(index_masks(4), st.sampled_from(DTYPES), st.booleans())
def test_index_and_one_hot_masks_are_the_same(masks, dtype, has_channel):
    images = to_images(np.zeros((*masks.shape, 1)), 1)
    index = masks.astype(dtype)[..., np.newaxis] if has_channel else masks.astype(dtype)
    np.testing.assert_array_equal(to_targets(index, images, "index", 4), masks)
    one_hot = np.eye(4, dtype=dtype)[masks]
    np.testing.assert_array_equal(to_targets(one_hot, images, "one_hot", 4), masks)
    planes = to_targets(one_hot, images, "multilabel", 4)
    np.testing.assert_array_equal(planes.argmax(1), masks)


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.int16, (1, 3, 3), elements=st.integers(-300, 300)))
def test_any_integers_are_taken_as_they_are_or_refused(masks):
    images = to_images(np.zeros((1, 3, 3, 1)), 1)
    try:
        targets = to_targets(masks, images, "index", 3)
    except ArrayError:
        assert ((masks < 0) | (masks > 2)).any()
    else:
        np.testing.assert_array_equal(targets, masks)
