"""What does not compute what the model does is refused, and the figures are right."""

import numpy as np
import pytest
from tests.export.models import make_model

from pixelwise.errors import ExportError
from pixelwise.export.verify import (
    DARK_SIZE,
    TRIAL_SIZES,
    exact_predictor,
    intensity_range,
    trials,
    verify,
)
from pixelwise.network import IntensityScaling
from pixelwise.task import Task

SIZES = (*TRIAL_SIZES, DARK_SIZE)
NUM_PIXELS = sum(height * width for height, width in SIZES)


def runner(model, change=lambda probabilities: probabilities):
    """Run the model itself, and change what it gives."""
    predictor = exact_predictor(model)
    return lambda batch: change(np.stack([predictor.probabilities(image) for image in batch]))


def test_the_model_agrees_with_itself():
    model = make_model()
    agreement = verify(runner(model), model, "x")
    assert agreement.max_difference == 0
    assert agreement.equal_share == 1
    assert (agreement.num_pictures, agreement.num_pixels) == (len(SIZES), NUM_PIXELS)
    assert agreement.describe() == (
        f"{len(SIZES)} pictures ({NUM_PIXELS:,} pixels): probabilities within 0.0e+00, "
        "classes equal in 100 % of pixels"
    )


def test_given_pictures_are_compared_too():
    model, image = make_model(), np.full((2, 10, 20), 90, np.float32)
    agreement = verify(runner(model), model, "x", {"a.png": image})
    assert (agreement.num_given, agreement.num_pixels) == (1, NUM_PIXELS + 200)
    assert "1 of them given" in agreement.describe()


def flip_classes(probabilities):
    return probabilities[:, ::-1]


def shift(probabilities):
    return probabilities + 0.002


def crop(probabilities):
    return probabilities[:, :, 1:]


def lose(probabilities):
    return probabilities * np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (flip_classes, "classes equal in"),
        (shift, r"probabilities within 2.0e-03.*at most 0.001"),
        (crop, r"gives \(3, 63, 64\) probabilities, not \(3, 64, 64\)"),
        (lose, "differs by inf"),
    ],
)
def test_other_answers_are_refused(change, message):
    model = make_model()
    with pytest.raises(ExportError, match=f"^a.onnx was not written.*{message}"):
        verify(runner(model, change), model, "a.onnx")


def test_a_runtime_that_fails_is_named_with_the_picture():
    def fail(batch):
        raise RuntimeError("no such kernel\nsecond line")

    with pytest.raises(
        ExportError, match=r"random picture of \(64, 64\) pixels \(no such kernel\)"
    ):
        verify(fail, make_model(), "a.onnx")


def test_a_batch_must_be_what_its_pictures_are_alone():
    def mix(probabilities):
        return probabilities[::-1]

    model = make_model()
    with pytest.raises(ExportError, match="a picture in a batch of 3 differs"):
        verify(runner(model, mix), model, "a.onnx")


@pytest.mark.parametrize(
    ("options", "low", "high"),
    [
        ({}, [20, 60], [180, 180]),
        ({"scaling": IntensityScaling()}, [0, 0], [255, 255]),
        ({"scaling": IntensityScaling(), "float_images": True}, [0, 0], [1, 1]),
    ],
)
def test_random_pictures_have_the_intensities_of_training(options, low, high):
    config = make_model(task=Task.BINARY, **options).config
    assert [each.ravel().tolist() for each in intensity_range(config)] == [low, high]
    for image, size in zip(trials(config), SIZES, strict=True):
        assert image.shape == (2, *size)
        assert image.dtype == np.float32
        assert (image.min((1, 2)) >= low).all()
        assert (image.max((1, 2)) <= high).all()
        assert config.float_images or (image == image.round()).all()
