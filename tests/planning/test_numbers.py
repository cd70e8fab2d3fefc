"""Seeds and other whole numbers: one check for all who take them."""

import numpy as np
import pytest
import torch

import pixelwise as pw
from pixelwise import PlanError
from pixelwise.planning import check_number, check_seed

NO_SEEDS = [-1, 2**32, 10**400, 1.5, 2.0, "7", None, True, float("nan"), np.array([1, 2]), [1]]


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, np.int64(3), np.uint8(200)])
def test_whole_numbers_that_numpy_and_torch_take(seed):
    assert check_seed(seed) == seed


@pytest.mark.parametrize("seed", NO_SEEDS, ids=str)
def test_others_are_no_seeds(seed):
    with pytest.raises(PlanError, match=r"seed=.*whole number, from 0 to 4294967295"):
        check_seed(seed)


def test_counts_have_a_least_and_maybe_a_most():
    assert check_number("epochs", 3) == 3
    with pytest.raises(PlanError, match="epochs=0 must be a whole number, 1 or more"):
        check_number("epochs", 0)
    with pytest.raises(PlanError, match="batch_size=9 must be a whole number, from 1 to 8"):
        check_number("batch_size", 9, most=8)


PIXELS = np.random.default_rng(0).integers(0, 255, (12, 16, 16), dtype=np.uint8)
PAIRS = [(image, (image > 120).astype(np.uint8)) for image in PIXELS]


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "7", True])
def test_everyone_who_takes_a_seed_refuses_these(seed, tmp_path):
    """`code_group_leak_message`, `code_small_api`: a ValueError of NumPy's own."""
    model = pw.unet((16, 16, 1), widths=(2, 4))
    with pytest.raises(PlanError, match="seed="):
        pw.unet((16, 16, 1), widths=(2, 4), seed=seed)
    with pytest.raises(PlanError, match="seed="):
        model.fit(PIXELS[..., None], PIXELS > 120, seed=seed, verbose=False)
    with pytest.raises(PlanError, match="seed="):
        pw.train(PAIRS, tmp_path / "run", epochs=1, seed=seed)
    with pytest.raises(PlanError, match="seed="):
        pw.train(PAIRS, tmp_path / "run", epochs=1, folds=2, seed=seed)


def test_the_largest_seed_trains():
    model = pw.unet((16, 16, 1), widths=(2, 4), seed=2**32 - 1)
    model.compile(precision="float32")
    assert model.fit(PIXELS[..., None], PIXELS > 120, seed=2**32 - 1, verbose=False).history["loss"]


# --- what a caller gives never comes back as an error of NumPy, torch or pydantic -------------

ODD = [None, -1, 0, 2.5, float("nan"), float("inf"), 10**400, "", "a", "\x00", b"x", [], ["a", 1],
       {}, {"a": 1}, np.array([1, 2]), object(), lambda x: x]  # fmt: skip


@pytest.mark.parametrize("name", ["epochs", "batch_size", "validation_data", "validation_split"])
def test_odd_values_of_fit(name):
    model = pw.unet((16, 16, 1), widths=(2, 4), seed=0)
    for value in ODD:
        attempt(
            lambda v: model.fit(PIXELS[..., None], PIXELS > 9, verbose=False, **{name: v}), value
        )


@pytest.mark.parametrize("name", ["optimizer", "loss", "metrics", "precision"])
def test_odd_values_of_compile(name):
    model = pw.unet((16, 16, 1), widths=(2, 4), seed=0)
    for value in ODD:
        attempt(lambda v: model.compile(**{name: v}), value)


@pytest.mark.parametrize(
    "name", ["input_shape", "num_classes", "widths", "normalization", "class_names", "device"]
)
def test_odd_values_of_unet(name):
    for value in ODD:
        given = {"input_shape": (16, 16, 1), "widths": (2, 4)} | {name: value}
        attempt(lambda given: pw.unet(**given).predict(np.zeros((1, 8, 8, 1))), given)


def test_odd_images_and_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = pw.unet((16, 16, 1), widths=(2, 4), seed=0)
    for value in ODD:
        for call in (model.predict, model.segment, pw.load, model.save):
            attempt(call, value)


@pytest.mark.parametrize("rate", [-1, 0, float("nan"), float("inf")])
def test_learning_rates_that_learn_nothing(rate):
    model = pw.unet((16, 16, 1), widths=(2, 4), seed=0)
    model.compile(optimizer=lambda parameters: torch.optim.Adam(parameters, lr=rate))
    with pytest.raises(PlanError, match=r"learning rate|optimizer cannot be made"):
        model.fit(PIXELS[..., None], PIXELS > 120, verbose=False)


def attempt(call, value):
    """Call; what is raised is ours, or the TypeError of plain misuse."""
    try:
        call(value)
    except (pw.PixelwiseError, TypeError):
        return
