"""Decisions: properties that hold however the numbers are tuned."""

import math

import pytest

from pixelwise.planning import (
    Encoder,
    Plan,
    choices,
    closing_seconds,
    decide,
    make_plan,
    network_config,
    parse_plan,
    sizes,
)
from pixelwise.planning.choices import find_sided_names
from pixelwise.task import Task

BINARY, MULTICLASS, MULTILABEL = Task.BINARY, Task.MULTICLASS, Task.MULTILABEL

NARROWEST, *_, WIDEST = sizes.WIDTHS


@pytest.fixture
def plan_for(make_fingerprint, make_machine):
    """Return a maker of plans for a fingerprint with changes and a machine of some speed."""

    def make(
        budget=600.0,
        epochs=None,
        task=BINARY,
        seed=0,
        num_ranks=1,
        machine=None,
        class_names=(),
        **changes,
    ):
        return make_plan(
            make_fingerprint(**changes), task, machine or make_machine(), budget=budget,
            epochs=epochs, seed=seed, num_ranks=num_ranks, class_names=class_names,
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


def test_two_lower_levels_are_supervised(plan_for):
    assert plan_for().deep_supervision == 2


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

    def test_names_that_tell_left_from_right_are_not_mirrored(self, plan_for):
        names = ("hood", "front_left_light", "front_right_light")
        plan = plan_for(class_names=names)
        assert not plan.augmentation.flip_horizontal
        assert not plan.augmentation.right_angles
        assert "front_left_light and front_right_light" in plan.reasons["augmentation"]
        assert "turned or mirrored sideways" in plan.reasons["augmentation"]
        assert plan_for(class_names=("hood", "left_light")).augmentation.flip_horizontal

    @pytest.mark.parametrize(
        ("names", "found"),
        [
            (("Left", "Right"), ("Left", "Right")),
            (("lung right", "lung LEFT"), ("lung LEFT", "lung right")),
            (("left-lung-left", "right-lung-right"), ("left-lung-left", "right-lung-right")),
            (("cleft", "cright"), None),
            (("lefty", "righty"), None),
            (("left",), None),
            ((), None),
        ],
    )
    def test_which_names_do(self, names, found):
        assert find_sided_names(names) == found

    def test_classes_anywhere_are_turned_every_way(self, plan_for):
        augmentation = plan_for(vertical_order=0, horizontal_order=0).augmentation
        assert augmentation.flip_vertical
        assert augmentation.flip_horizontal
        assert augmentation.right_angles


class TestLength:
    """How much augmentation a training wants."""

    FREE = ("rotation_degrees", "elastic_px", "noise", "blur_px")

    def test_few_passes_leave_patches_as_they_are(self, plan_for):
        plan = plan_for(budget=None, epochs=choices.LIGHT_PASSES - 1)
        assert all(getattr(plan.augmentation, name) == 0 for name in self.FREE)
        assert (plan.augmentation.scale, plan.augmentation.gamma) == (1, 1)
        assert plan.augmentation.flip_vertical
        assert plan.augmentation.brightness > 0
        assert "about 59 passes over the images" in plan.reasons["augmentation"]

    def test_many_passes_move_a_share_of_them(self, plan_for):
        plan = plan_for(budget=None, epochs=choices.LIGHT_PASSES)
        assert all(getattr(plan.augmentation, name) > 0 for name in self.FREE)
        assert 0 < plan.augmentation.moved_share < 1
        assert "passes" not in plan.reasons["augmentation"]

    def test_the_time_there_is_says_how_many_passes(self, plan_for, make_machine):
        machine = make_machine(lambda plan: 0.1 * math.prod(plan.patch_size) / 40**2)
        many, few = ({"num_train": number, "machine": machine} for number in (5, 50_000))
        assert plan_for(**many).augmentation.rotation_degrees > 0
        assert plan_for(**few).augmentation.rotation_degrees == 0

    def test_what_is_measured_is_what_is_chosen(self, plan_for, make_machine):
        machine = make_machine()
        plan = plan_for(budget=None, epochs=2, machine=machine)
        assert machine.plans[-1].augmentation == plan.augmentation

    def test_without_a_time_limit_there_are_many(self, plan_for):
        assert plan_for(budget=None).augmentation.rotation_degrees > 0


class TestEncoder:
    def test_its_rate_optimizer_and_decoder(self, make_fingerprint, make_machine):
        plan = make_plan(
            make_fingerprint(), BINARY, make_machine(), budget=60.0,
            encoder=Encoder("resnet18", "weights.pth"),
        )  # fmt: skip
        assert (plan.encoder, plan.encoder_weights) == ("resnet18", "weights.pth")
        assert plan.optimizer == "adamw"
        assert plan.learning_rate < plan_rate(make_fingerprint, make_machine)
        config = network_config(plan, in_channels=3, task=BINARY, num_classes=2)
        assert (config.encoder, config.depth) == ("resnet18", 5)

    def test_none_is_the_default(self, plan_for):
        plan = plan_for()
        assert (plan.encoder, plan.encoder_weights) == (None, None)


def plan_rate(make_fingerprint, make_machine):
    """The learning rate of fresh weights."""
    return make_plan(make_fingerprint(), BINARY, make_machine(), budget=60.0).learning_rate


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
        divisor = 2 ** (len(plan.widths) - 1)
        for side in plan.patch_size:
            assert side % divisor == 0
            assert divisor <= side <= sizes.MAX_PATCH[len(size)]

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
    @pytest.mark.parametrize("budget", [60, 120, 600, 3600])
    @pytest.mark.parametrize("seconds", [0.05, 0.4, 2.0])
    def test_steps_and_validations_fill_the_budget(self, plan_for, make_machine, budget, seconds):
        machine = make_machine(lambda plan: seconds * math.prod(plan.patch_size) / 40**2)
        plan = plan_for(budget=float(budget), machine=machine)
        measured = plan.calibration
        validations = -(-plan.num_steps // plan.validate_every)
        took = plan.num_steps * measured.seconds_per_step + validations * 0.5
        assert plan.num_steps == measured.num_steps
        if plan.num_steps > decide.MIN_STEPS:
            assert 0.85 * budget - 5 <= took <= budget - 3

    def test_more_budget_more_steps(self, plan_for):
        short, long = plan_for(budget=60.0), plan_for(budget=3600.0)
        assert long.num_steps > 5 * short.num_steps
        assert short.budget_seconds == 60

    def test_the_cheapest_network_where_time_is_short(self, plan_for, make_machine):
        plan = plan_for(budget=60.0, machine=make_machine(10))
        assert plan.widths == NARROWEST

    def test_the_widest_where_there_is_time(self, plan_for, make_machine):
        plan = plan_for(budget=3600.0, machine=make_machine(1e-4))
        assert plan.widths == WIDEST

    @pytest.mark.parametrize(("budget", "batch_size"), [(60, 2), (100, 4), (3600, 8)])
    def test_few_steps_are_made_more_by_smaller_batches(
        self, plan_for, make_machine, budget, batch_size
    ):
        """The time of an image grows with the width of the network."""
        machine = make_machine(lambda plan: plan.batch_size * plan.widths[0] / 128)
        assert plan_for(budget=float(budget), machine=machine).batch_size == batch_size

    def test_where_steps_are_mostly_fixed_cost_batches_are_large(self, plan_for, make_machine):
        """Eight small patches then take hardly longer than two."""
        by_pixels = make_machine(lambda plan: 0.05 * plan.batch_size)
        fixed = make_machine(lambda plan: 0.1 + 0.005 * plan.batch_size)
        batches = [plan_for(budget=60.0, machine=one).batch_size for one in (by_pixels, fixed)]
        assert batches == [2, 8]

    def test_several_classes_want_a_wider_network_and_larger_batches_sooner(
        self, plan_for, make_machine
    ):
        def seconds(plan):
            return 0.02 * plan.batch_size * plan.widths[0] / 8

        shares = (0.2,) * 5
        few = plan_for(budget=60.0, machine=make_machine(seconds))
        many = plan_for(
            budget=60.0, machine=make_machine(seconds), task=MULTICLASS, num_classes=5,
            class_shares=shares,
        )  # fmt: skip
        assert few.widths < many.widths

    def test_ranks_have_an_image_each(self, plan_for, make_machine):
        machine = make_machine(10)
        assert plan_for(budget=60.0, num_ranks=3, machine=machine).batch_size == 4
        assert plan_for(budget=60.0, num_ranks=12, machine=machine).batch_size == 12

    def test_what_is_chosen_is_measured(self, plan_for, make_machine):
        machine = make_machine(lambda plan: 1e-6 * plan.widths[0])
        plan = plan_for(budget=3600.0, machine=machine)
        assert machine.plans[-1].widths == plan.widths
        assert machine.plans[-1].patch_size == plan.patch_size
        assert plan.calibration.seconds_per_step == pytest.approx(1e-6 * plan.widths[0])

    @pytest.mark.parametrize(("budget", "seconds"), [(20, 0.6), (120, 1.8), (3600, 5)])
    def test_longer_trainings_are_measured_for_longer(
        self, plan_for, make_machine, budget, seconds
    ):
        machine = make_machine()
        plan_for(budget=budget, machine=machine)
        assert machine.measured[-1] == pytest.approx(seconds)

    def test_epochs_count_passes_over_the_samples(self, plan_for):
        plan = plan_for(budget=None, epochs=3, num_train=20)
        assert plan.num_steps == 3 * -(-20 // plan.batch_size)
        assert plan.budget_seconds is None

    def test_it_validates_more_than_once_and_not_at_every_step(self, plan_for, make_machine):
        plan = plan_for(budget=600.0, machine=make_machine(0.01))
        assert 1 < plan.validate_every <= plan.num_steps / 2

    @pytest.mark.parametrize(("seconds", "number"), [(4.0, 1), (1.9, 2), (0.01, 16)])
    def test_validations_take_a_small_share_of_the_time(
        self, plan_for, make_machine, seconds, number
    ):
        """8 % of some 56 s; one there is in any case."""
        plan = plan_for(budget=60.0, num_val=100, machine=make_machine(0.05, seconds))
        assert -(-plan.num_steps // plan.validate_every) == number

    def test_a_huge_validation_set_is_sampled(self, plan_for, make_machine):
        machine = make_machine(1.0, validation=2000.0)
        plan = plan_for(budget=60.0, num_val=10_000, machine=machine)
        assert decide.MIN_VAL_IMAGES <= plan.num_val_images < 100
        everything = plan_for(budget=None, epochs=1, num_val=10_000, machine=machine)
        assert everything.num_val_images is None

    def test_the_first_pass_over_the_images_takes_time_too(self, plan_for, make_machine):
        """80 images of 50 ms take 4 s; of many more all that is seen is new, and takes as long as
        the steps of 0.1 s for two.
        """
        fresh, known = make_machine(0.1, 0.0, new_image=0.05), make_machine(0.1, 0.0)
        steps = [
            [
                plan_for(budget=23.5, num_train=number, machine=each).num_steps
                for each in (known, fresh)
            ]
            for number in (80, 100_000)
        ]
        assert 0.1 * (steps[0][0] - steps[0][1]) == pytest.approx(4.0, abs=0.2)
        assert steps[1][1] == pytest.approx(steps[1][0] / 2, rel=0.02)

    def test_scoring_the_test_images_takes_time_too(self, plan_for, make_machine):
        """Three times the 2 s of a validation; what takes more than a tenth is not done at all."""
        plain, tested, long = (
            plan_for(budget=100.0, machine=make_machine(0.1, 2.0, test=number)).num_steps
            for number in (0, 3, 6)
        )
        assert 0.1 * (plain - tested) == pytest.approx(6.0, abs=0.3)
        assert plain == pytest.approx(long, abs=3)

    def test_on_a_crowded_processor_the_end_takes_longer(self, plan_for, make_machine):
        free, crowded = (
            plan_for(budget=100.0, machine=make_machine(0.1, 0.0, crowding=crowding))
            for crowding in (1, 2.5)
        )
        more = 0.1 * (free.num_steps - crowded.num_steps)
        assert more == pytest.approx(1.5 * closing_seconds(100.0), abs=0.3)
        assert crowded.calibration.crowding == 2.5

    def test_epochs_alone_choose_the_network_by_what_it_gets_to_see(self, plan_for):
        assert plan_for(budget=None, epochs=1, num_train=20).widths == NARROWEST
        assert plan_for(budget=None, epochs=100_000, num_train=20).widths == WIDEST

    def test_the_forecast_is_said(self, plan_for, make_machine):
        plan = plan_for(budget=120.0, machine=make_machine(0.5), num_train=80)
        said = plan.describe_forecast()
        passes = plan.num_steps * plan.batch_size / 80
        assert said.startswith(f"{plan.num_steps:,} steps in 1 min 4")
        assert f"about {passes:.2g} passes over the images, " in said
        assert said.endswith("memory up to 512 MB")


class TestShares:
    def test_rare_classes_weigh_more_where_there_are_several(self, plan_for):
        assert plan_for(budget=None, epochs=1).class_weights is None
        shares = (0.64, 0.32, 0.04)
        plan = plan_for(budget=None, epochs=1, task=MULTICLASS, num_classes=3, class_shares=shares)
        weights = plan.class_weights
        assert weights[2] == pytest.approx(4 * weights[0], rel=0.01)  # the root of 16
        total = sum(weight * share for weight, share in zip(weights, shares, strict=True))
        assert total == pytest.approx(1, rel=0.01)


class TestMachine:
    def test_processes_that_share_batches_measure_their_share(self, plan_for, make_machine):
        for num_ranks, batch_size, own in ((1, 8, 8), (3, 8, 3), (12, 12, 1)):
            machine = make_machine()
            plan = plan_for(budget=None, epochs=1000, num_ranks=num_ranks, machine=machine)
            assert plan.batch_size == batch_size
            assert machine.plans[-1].batch_size == own

    def test_where_memory_is_short_the_plan_is_smaller_and_says_why(self, plan_for, make_machine):
        machine = make_machine(max_pixels=4 * 48 * 64)
        plan = plan_for(budget=None, epochs=1000, machine=machine, median_size=(48, 64))
        assert (plan.batch_size, plan.patch_size) == (4, (48, 64))
        assert plan.reasons["batch_size"] == "what memory suffices for"
        small = make_machine(max_pixels=16 * 32)
        plan = plan_for(budget=None, epochs=1000, machine=small, median_size=(48, 64))
        assert (plan.batch_size, plan.patch_size) == (1, (16, 32))
        assert "memory" in plan.reasons["patch_size"]

    def test_what_was_measured_is_in_the_plan(self, plan_for):
        measured = plan_for(budget=None, epochs=1).calibration
        assert measured.device == "cpu"
        assert measured.megabytes == 512
        assert len(measured.timings) >= 2


def test_the_seed_is_the_one_asked_for(plan_for):
    assert plan_for(seed=41).seed == 41


class TestNetwork:
    @pytest.mark.parametrize(
        ("task", "out_channels"), [(BINARY, 1), (MULTICLASS, 5), (MULTILABEL, 5)]
    )
    def test_logits_follow_from_the_task(self, make_small_plan, task, out_channels):
        config = network_config(make_small_plan(), in_channels=3, task=task, num_classes=5)
        assert (config.in_channels, config.out_channels) == (3, out_channels)
        assert config.widths == (4, 8)

    def test_spatial_dims_follow_from_the_patch(self, make_small_plan):
        plan = make_small_plan(patch_size=(4, 8, 8))
        assert network_config(plan, in_channels=1, task=BINARY, num_classes=2).spatial_dims == 3
