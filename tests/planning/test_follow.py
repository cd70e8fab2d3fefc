"""Plans of trainings that start from an earlier model."""

import pytest

from pixelwise.network import IntensityScaling, ModelConfig, UNetConfig
from pixelwise.planning import make_plan
from pixelwise.planning.follow import KEPT, follow_model
from pixelwise.task import Task

BINARY = Task.BINARY


@pytest.fixture
def config():
    return ModelConfig(
        network=UNetConfig(
            in_channels=3, out_channels=1, widths=(4, 8, 12), normalization="batch",
            upsampling="transposed",
        ),
        scaling=IntensityScaling(scheme="percentiles", low=2, high=98),
        working_scale=0.5,
        task=BINARY,
        class_names=("background", "cell"),
        class_colors=("#000000", "#ffffff"),
    )  # fmt: skip


def test_the_network_and_the_working_scale_are_those_of_the_model(config, make_fingerprint):
    kept = follow_model(config, make_fingerprint())
    assert kept["widths"] == ((4, 8, 12), KEPT)
    assert kept["normalization"] == ("batch", KEPT)
    assert kept["upsampling"] == ("transposed", KEPT)
    assert kept["working_scale"] == (0.5, KEPT)
    assert "in_channels" not in kept


def test_percentiles_stay_what_they_were(config, make_fingerprint):
    assert follow_model(config, make_fingerprint())["scaling"][0] == config.scaling


def test_statistics_are_taken_from_the_new_data(config, make_fingerprint):
    old = IntensityScaling(scheme="statistics", mean=(9.0,) * 3, std=(3.0,) * 3)
    new = make_fingerprint(intensity_mean=(70.0,), intensity_std=(20.0,))
    scaling, reason = follow_model(config.model_copy(update={"scaling": old}), new)["scaling"]
    assert (scaling.scheme, scaling.mean, scaling.std) == ("statistics", (70.0,), (20.0,))
    assert "statistics: of these data" in reason


def test_a_model_of_arrays_leaves_the_scaling_to_the_plan(config, make_fingerprint):
    arrays = config.model_copy(update={"scaling": IntensityScaling()})
    assert "scaling" not in follow_model(arrays, make_fingerprint())


def test_the_plan_measures_the_network_of_the_model_and_says_so(
    config, make_fingerprint, make_machine
):
    plan = make_plan(
        make_fingerprint(),
        BINARY,
        make_machine(),
        budget=None,
        epochs=1,
        start=("old", config),
    )
    assert plan.start == "old"
    assert plan.widths == (4, 8, 12)
    assert {timing.widths for timing in plan.calibration.timings} == {(4, 8, 12)}
    assert plan.reasons["widths"] == plan.reasons["upsampling"] == KEPT
    assert plan.calibration.seconds_per_step > 0


def test_without_a_start_the_plan_says_so(make_fingerprint, make_machine):
    plan = make_plan(make_fingerprint(), BINARY, make_machine(), budget=None, epochs=1)
    assert plan.start is None
    assert ("start", "fresh weights", "none was given") in plan.to_rows()
