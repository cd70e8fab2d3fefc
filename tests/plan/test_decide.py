"""Decisions: properties that hold however the numbers are tuned."""

import pytest
import torch

from pixelwise.plan import Plan, calibration, decide, make_plan, network_config, parse_plan

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Small candidates and patches, so that measuring takes milliseconds."""
    monkeypatch.setattr(decide, "WIDTHS", ((4, 8), (6, 12)))
    monkeypatch.setattr(decide, "MAX_PATCH", {2: 16, 3: 8})


@pytest.fixture
def plan_for(make_fingerprint):
    def make(budget=600.0, epochs=None, task="binary", seed=0, num_ranks=1, **changes):
        return make_plan(
            make_fingerprint(**changes), task, device=CPU, budget=budget, epochs=epochs, seed=seed,
            num_ranks=num_ranks,
        )  # fmt: skip

    return make


class TestReasons:
    @pytest.mark.parametrize("options", [{"budget": 600.0}, {"budget": None, "epochs": 3}])
    def test_every_decision_has_one(self, plan_for, options):
        plan = plan_for(**options)
        not_decided = {"fingerprint", "calibration", "reasons"}
        assert set(Plan.model_fields) - not_decided == set(plan.reasons)
        assert all(len(reason) > 5 for reason in plan.reasons.values())

    def test_a_plan_comes_back_from_its_yaml(self, plan_for):
        plan = plan_for()
        assert parse_plan(plan.to_yaml()) == plan


class TestUpAndSide:
    def test_scenes_with_an_up_are_not_turned_upside_down(self, plan_for):
        augmentation = plan_for(vertical_order=0.8).augmentation
        assert not augmentation.flip_vertical
        assert not augmentation.right_angles
        assert augmentation.rotation_degrees < 45
        assert augmentation.flip_horizontal

    def test_images_with_a_left_are_not_mirrored(self, plan_for):
        augmentation = plan_for(horizontal_order=0.8).augmentation
        assert not augmentation.flip_horizontal
        assert not augmentation.right_angles
        assert augmentation.flip_vertical

    def test_classes_anywhere_are_turned_every_way(self, plan_for):
        augmentation = plan_for(vertical_order=0, horizontal_order=0).augmentation
        assert augmentation.flip_vertical
        assert augmentation.flip_horizontal
        assert augmentation.right_angles


class TestScaling:
    def test_alike_images_by_the_statistics_of_the_training_set(self, plan_for):
        scaling = plan_for(image_contrast_ratio=1.0).scaling
        assert (scaling.scheme, scaling.mean, scaling.std) == ("statistics", (100,), (20,))

    def test_mixed_images_each_by_itself(self, plan_for):
        assert plan_for(image_contrast_ratio=100.0).scaling.scheme == "percentiles"


class TestSizes:
    @pytest.mark.parametrize("size", [(3, 5), (40, 56), (16, 1000), (9, 9, 9), (2, 30, 50)])
    def test_patches_suit_the_network_and_the_limit(self, plan_for, size):
        plan = plan_for(median_size=size)
        assert len(plan.patch_size) == len(size)
        for side in plan.patch_size:
            assert side % 2 == 0  # two levels: one halving
            assert 2 <= side <= decide.MAX_PATCH[len(size)]

    def test_batches_of_two_or_more_for_few_samples(self, plan_for):
        assert plan_for(num_train=1).batch_size >= 2

    def test_colour_changes_only_where_there_is_colour(self, plan_for):
        three = {
            "in_channels": 3,
            "intensity_mean": (1.0, 2.0, 3.0),
            "intensity_std": (1.0, 1.0, 1.0),
        }
        assert plan_for(**three).augmentation.color > 0
        assert plan_for().augmentation.color == 0


class TestTime:
    def test_more_budget_more_steps(self, plan_for, monkeypatch):
        self.let_steps_take(monkeypatch, 0.1)
        short, long = plan_for(budget=60.0), plan_for(budget=600.0)
        assert long.num_steps > 5 * short.num_steps
        assert short.budget_seconds == 60

    def test_steps_fit_the_budget(self, plan_for, monkeypatch):
        self.let_steps_take(monkeypatch, 0.5)
        plan = plan_for(budget=1000.0)
        assert 0.5 * 1000 <= plan.num_steps * 0.5 <= 1000

    def test_the_cheapest_network_where_time_is_short(self, plan_for, monkeypatch):
        self.let_steps_take(monkeypatch, 10)
        assert plan_for(budget=60.0).widths == (4, 8)

    def test_the_widest_where_there_is_time(self, plan_for, monkeypatch):
        self.let_steps_take(monkeypatch, 1e-4)
        assert plan_for(budget=3600.0).widths == (6, 12)

    def test_epochs_count_passes_over_the_samples(self, plan_for):
        plan = plan_for(budget=None, epochs=3, num_train=20)
        assert plan.num_steps == 3 * -(-20 // plan.batch_size)
        assert plan.budget_seconds is None

    def test_it_validates_more_than_once_and_not_at_every_step(self, plan_for, monkeypatch):
        self.let_steps_take(monkeypatch, 0.01)
        plan = plan_for(budget=600.0)
        assert 1 < plan.validate_every <= plan.num_steps / 2

    def test_a_huge_validation_set_is_sampled(self, plan_for, monkeypatch):
        self.let_steps_take(monkeypatch, 1.0)
        plan = plan_for(budget=60.0, num_val=10_000, mean_pixels=10**6)
        assert 1 <= plan.num_val_images < 10_000
        assert plan_for(budget=None, epochs=1, num_val=10_000).num_val_images is None

    def test_epochs_alone_choose_the_network_by_what_it_gets_to_see(self, plan_for):
        assert plan_for(budget=None, epochs=1, num_train=20).widths == (4, 8)
        assert plan_for(budget=None, epochs=10_000, num_train=20).widths == (6, 12)

    def test_rare_classes_weigh_more_where_there_are_several(self, plan_for):
        assert plan_for(budget=None, epochs=1).class_weights is None
        shares = (0.64, 0.32, 0.04)
        plan = plan_for(
            budget=None, epochs=1, task="multiclass", num_classes=3, class_shares=shares
        )
        weights = plan.class_weights
        assert weights[2] == pytest.approx(4 * weights[0], rel=0.01)  # the root of 16
        total = sum(weight * share for weight, share in zip(weights, shares, strict=True))
        assert total == pytest.approx(1, rel=0.01)

    def test_the_speed_is_measured(self, plan_for):
        measured = plan_for(budget=None, epochs=1).calibration
        assert measured.device == "cpu"
        assert measured.seconds_per_step > 0
        assert len(measured.timings) >= 2

    def test_processes_that_share_batches_measure_their_share(self, plan_for):
        one, three, twelve = (
            plan_for(budget=None, epochs=1, num_ranks=number) for number in (1, 3, 12)
        )
        assert (one.batch_size, three.batch_size, twelve.batch_size) == (8, 8, 12)
        sizes = [plan.calibration.timings[-1].batch_size for plan in (one, three, twelve)]
        assert sizes == [8, 3, 1]

    def let_steps_take(self, monkeypatch, seconds):
        monkeypatch.setattr(calibration, "_timed", lambda step, device: seconds)


def test_the_seed_is_the_one_asked_for(plan_for):
    assert plan_for(seed=41).seed == 41


class TestNetwork:
    @pytest.mark.parametrize(
        ("task", "out_channels"), [("binary", 1), ("multiclass", 5), ("multilabel", 5)]
    )
    def test_logits_follow_from_the_task(self, make_small_plan, task, out_channels):
        config = network_config(make_small_plan(), in_channels=3, task=task, num_classes=5)
        assert (config.in_channels, config.out_channels) == (3, out_channels)
        assert config.widths == (4, 8)

    def test_spatial_dims_follow_from_the_patch(self, make_small_plan):
        plan = make_small_plan(patch_size=(4, 8, 8))
        assert network_config(plan, in_channels=1, task="binary", num_classes=2).spatial_dims == 3
