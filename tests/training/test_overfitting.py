"""Over-fitting, by hand-made histories."""

import pytest

from pixelwise.training import find_overfitting

FALLING = (0.9, 0.7, 0.5, 0.4, 0.3, 0.2)


def history(val, train=FALLING):
    return [
        {"step": 10 * (index + 1), "train_loss": a, "val_loss": b}
        for index, (a, b) in enumerate(zip(train, val, strict=False))
    ]


def test_validation_loss_that_rises_while_training_loss_falls_is_said_with_what_to_do():
    text = find_overfitting(history([0.8, 0.6, 0.7, 0.8, 0.9]))
    assert "validation loss rose from 0.6000 (step 20) to 0.9000 (step 50)" in text
    assert "training loss fell from 0.7000 to 0.3000" in text
    assert "More images, stronger augmentation, a smaller network" in text


@pytest.mark.parametrize(
    "val",
    [
        [],
        [0.6],
        [0.6, 0.9, 1.2],  # too early to say
        [0.9, 0.8, 0.7, 0.6, 0.5],  # it falls
        [0.8, 0.6, 0.61, 0.62, 0.63],  # it hardly rises
        [0.9, 0.8, 0.7, 0.9, 1.2],  # it rises for two validations only
        [0.9, 0.6, 0.9, 1.2, 0.5],  # it came back
    ],
)
def test_what_is_no_over_fitting(val):
    assert find_overfitting(history(val)) is None


def test_a_training_loss_that_rises_too_is_another_illness():
    assert find_overfitting(history([0.8, 0.6, 0.7, 0.8, 0.9], (0.5, 0.5, 0.6, 0.7, 0.8))) is None


def test_rows_without_a_validation_or_training_loss_do_not_count():
    rows = history([0.8, 0.6, 0.7, 0.8, 0.9])
    assert find_overfitting([{"step": 0, "val_loss": 0.1}, *rows]) is not None
    assert find_overfitting([{"step": row["step"], "train_loss": 1.0} for row in rows]) is None


def test_nan_is_no_rise():
    assert find_overfitting(history([0.6, 0.7, 0.8, 0.9, float("nan")])) is None
