"""The plan as a value and as YAML that people edit."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pixelwise.errors import PlanError
from pixelwise.network import IntensityScaling
from pixelwise.planning import Augmentation, Calibration, Plan, Timing, parse_plan

positive = st.floats(1e-9, 1e9)
share = st.floats(0, 1, exclude_max=True)
AUGMENTATIONS = st.builds(
    Augmentation,
    flip_vertical=st.booleans(),
    right_angles=st.booleans(),
    rotation_degrees=st.floats(0, 180),
    scale=st.floats(1, 4),
    elastic_px=st.floats(0, 100),
    noise=positive,
    invert=st.floats(0, 1),
)
SCALINGS = st.builds(
    IntensityScaling,
    scheme=st.sampled_from(["statistics", "percentiles", "none"]),
    mean=st.lists(st.floats(-1e6, 1e6), max_size=4).map(tuple),
    std=st.lists(positive, max_size=4).map(tuple),
)
PLANS = st.builds(
    Plan,
    scaling=SCALINGS,
    patch_size=st.none() | st.lists(st.integers(1, 999), min_size=2, max_size=3).map(tuple),
    batch_size=st.integers(1, 99),
    widths=st.lists(st.integers(1, 999), min_size=2, max_size=6).map(tuple),
    normalization=st.sampled_from(["none", "batch", "instance", "group"]),
    loss=st.sampled_from(["dice", "cross_entropy", "focal", "custom"]),
    foreground_share=st.floats(0, 1),
    augmentation=AUGMENTATIONS,
    learning_rate=positive,
    warmup_share=share,
    num_steps=st.integers(1, 10**9),
    budget_seconds=st.none() | positive,
    validate_every=st.integers(1, 10**6),
    num_val_images=st.none() | st.integers(1, 1000),
    channels_last=st.booleans(),
    seed=st.integers(0, 2**31),
    reasons=st.dictionaries(
        st.sampled_from(["widths", "loss", "seed"]),
        st.text(st.characters(codec="utf-8"), min_size=1),
    ),
)


def edited(plan, old, new):
    text = plan.to_yaml()
    assert old in text
    return text.replace(old, new, 1)


def decisions_changed(plan, **changes):
    """The YAML of a plan with some decisions' values replaced, or dropped for None."""
    document = yaml.safe_load(plan.to_yaml())
    for name, value in changes.items():
        document["decisions"][name] = {"value": value, "reason": "mine"}
    return yaml.safe_dump(document)


class TestRoundTrip:
    @settings(max_examples=60)
    @given(PLANS)
    def test_any_plan_comes_back_equal(self, plan):
        assert parse_plan(plan.to_yaml()) == plan

    def test_with_what_was_seen_and_measured(self, make_small_plan, make_fingerprint):
        timing = Timing(
            batch_size=4,
            widths=(4, 8),
            precision="float32",
            channels_last=True,
            seconds_per_step=0.012,
        )
        plan = make_small_plan(
            fingerprint=make_fingerprint(),
            calibration=Calibration(
                device="cpu",
                num_threads=2,
                seconds_per_step=0.012,
                seconds_per_validation=1e-05,
                timings=(timing,),
            ),
        )
        assert parse_plan(plan.to_yaml()) == plan

    def test_what_an_earlier_version_measured_can_still_be_read(self, make_small_plan):
        """Without how crowded the processor was, which is then taken to have been free."""
        timing = Timing(
            batch_size=4, widths=(4, 8), precision="float32", channels_last=True,
            seconds_per_step=0.012,
        )  # fmt: skip
        measured = Calibration(
            device="cpu", num_threads=2, seconds_per_step=0.012, seconds_per_validation=0.5,
            crowding=2.5, timings=(timing,),
        )  # fmt: skip
        document = yaml.safe_load(make_small_plan(calibration=measured).to_yaml())
        assert document["calibration"].pop("crowding") == 2.5
        del document["calibration"]["timings"][0]["crowding"]
        plan = parse_plan(yaml.safe_dump(document))
        assert plan.calibration.crowding == plan.calibration.timings[0].crowding == 1

    def test_no_reason_stays_no_reason(self, make_small_plan):
        assert parse_plan(make_small_plan().to_yaml()).reasons == {}


class TestYaml:
    def test_a_person_sees_values_with_reasons_and_how_to_give_it_back(self, make_small_plan):
        text = make_small_plan(reasons={"widths": "as asked"}).to_yaml()
        assert text.startswith("# How this model was trained")
        assert "--plan plan.yaml" in text
        assert "  widths:\n    value: [4, 8]\n    reason: as asked\n" in text
        assert "!!" not in text

    def test_every_field_is_in_it(self, make_small_plan):
        document = yaml.safe_load(make_small_plan().to_yaml())
        fields = set(Plan.model_fields) - {"fingerprint", "calibration", "reasons"}
        assert set(document) == {"fingerprint", "calibration", "decisions"}
        assert set(document["decisions"]) == fields


class TestEditing:
    def test_an_edited_value_is_taken_and_the_rest_kept(self, make_small_plan):
        plan = make_small_plan(reasons={"batch_size": "fits"})
        changed = parse_plan(edited(plan, "value: 4\n", "value: 6\n"))
        assert changed == plan.model_copy(update={"batch_size": 6})

    def test_a_bare_value_will_do(self, make_small_plan):
        document = yaml.safe_load(make_small_plan().to_yaml())
        document["decisions"]["widths"] = [8, 16, 32]
        assert parse_plan(yaml.safe_dump(document)).widths == (8, 16, 32)

    def test_part_of_the_augmentation(self, make_small_plan):
        text = decisions_changed(make_small_plan(), augmentation={"flip_vertical": True})
        assert parse_plan(text).augmentation == Augmentation(flip_vertical=True)

    def test_numbers_as_people_write_them(self, make_small_plan):
        # YAML reads 1e-3, without a point, as text
        assert parse_plan(edited(make_small_plan(), "0.01", "1e-3")).learning_rate == 0.001

    def test_a_field_left_out_has_its_default(self, make_small_plan):
        document = yaml.safe_load(make_small_plan(seed=5).to_yaml())
        del document["decisions"]["seed"]
        assert parse_plan(yaml.safe_dump(document)).seed == 0


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "value", "shown"),
        [
            ("batch_size", 0, "0"),
            ("batch_size", "many", "'many'"),
            ("learning_rate", -1, "-1"),
            ("learning_rate", 0, "0"),
            ("learning_rate", None, "None"),
            ("warmup_share", 1, "1"),
            ("foreground_share", 1.5, "1.5"),
            ("normalization", "layer", "'layer'"),
            ("loss", "hinge", "'hinge'"),
            ("widths", [8], r"\[8\]"),
            ("num_steps", 2.5, "2.5"),
            ("num_val_images", 0, "0"),
            ("num_steps", 10**12, "10+"),
            ("widths", [8] * 13, r"\[8, .*"),
            ("batch_size", 10**9, "1000000000"),
            ("num_threads", 10**6, "1000000"),
            ("learning_rate", float("nan"), "nan"),
            ("learning_rate", float("inf"), "inf"),
            ("working_scale", 1e-9, "1e-09"),
            ("seed", -1, "-1"),
            ("seed", 2**32, "4294967296"),
            ("patch_size", [64], r"\[64\]"),
            ("budget_seconds", 0, "0"),
        ],
    )
    def test_name_the_field_and_the_value(self, make_small_plan, name, value, shown):
        text = decisions_changed(make_small_plan(), **{name: value})
        with pytest.raises(PlanError, match=rf"mine.yaml: `{name}`: .*\(arrived: {shown}\)\. Mend"):
            parse_plan(text, "mine.yaml")

    def test_a_place_inside_a_value(self, make_small_plan):
        text = decisions_changed(make_small_plan(), augmentation={"scale": 0.5})
        with pytest.raises(PlanError, match=r"`augmentation.scale`: .*arrived: 0.5"):
            parse_plan(text)
        text = decisions_changed(make_small_plan(), widths=[8, 0])
        with pytest.raises(PlanError, match=r"`widths.1`: .*arrived: 0\)"):
            parse_plan(text)
        text = decisions_changed(make_small_plan(), widths=[8, 10**6])
        with pytest.raises(PlanError, match=r"`widths.1`: .*arrived: 1000000\)"):
            parse_plan(text)
        text = decisions_changed(make_small_plan(), patch_size=[10**9, 64])
        with pytest.raises(PlanError, match=r"`patch_size.0`: .*arrived: 1000000000\)"):
            parse_plan(text)

    def test_an_unknown_name(self, make_small_plan):
        with pytest.raises(PlanError, match=r"`dropout`: .*not permitted.*arrived: 0.5"):
            parse_plan(decisions_changed(make_small_plan(), dropout=0.5))
        text = decisions_changed(make_small_plan(), augmentation={"mixup": 1})
        with pytest.raises(PlanError, match=r"`augmentation.mixup`: .*not permitted"):
            parse_plan(text)

    def test_a_missing_field(self, make_small_plan):
        document = yaml.safe_load(make_small_plan().to_yaml())
        del document["decisions"]["widths"]
        with pytest.raises(PlanError, match="`widths`: Field required"):
            parse_plan(yaml.safe_dump(document))

    @pytest.mark.parametrize("text", ["decisions: [", "a: b: c", "\t- x", "'"])
    def test_what_is_no_yaml(self, text):
        with pytest.raises(PlanError, match=r"mine.yaml is not valid YAML: [\s\S]*Mend the line"):
            parse_plan(text, "mine.yaml")

    def test_references_are_refused_and_never_written(self, make_small_plan):
        with pytest.raises(PlanError, match=r"line 2 refers to the anchor x, which is not read"):
            parse_plan("a: &x [1]\ndecisions: *x\n")
        assert "&id" not in make_small_plan().to_yaml()

    @pytest.mark.parametrize("text", ["a: " + "[" * 5000, "#" * (2**20 + 1)])
    def test_depth_and_length_are_bounded(self, text):
        with pytest.raises(PlanError, match="not valid YAML"):
            parse_plan(text)

    @pytest.mark.parametrize("text", ["", "7", "[1, 2]", "a: 1", "decisions: 3", "decisions:"])
    def test_what_is_no_plan(self, text):
        with pytest.raises(PlanError, match="is not a plan: it has no `decisions`"):
            parse_plan(text)

    def test_nothing_in_it_is_run(self, tmp_path):
        text = f"decisions: !!python/object/apply:os.mkdir ['{tmp_path}/sprung']"
        with pytest.raises(PlanError, match="not valid YAML"):
            parse_plan(text)
        assert not (tmp_path / "sprung").exists()


class TestRows:
    def test_as_people_read_them(self, make_small_plan):
        plan = make_small_plan(
            reasons={"patch_size": "the median image"},
            augmentation=Augmentation(flip_vertical=True, scale=1.25),
        )
        rows = {name: (value, reason) for name, value, reason in plan.to_rows()}
        assert rows["patch size"] == ("16 x 24", "the median image")
        assert rows["learning rate"] == ("0.01", "")
        assert rows["channels last"] == ("no", "")
        assert rows["augmentation"][0].startswith("flip vertical yes, scale 1.25")
        assert "fingerprint" not in rows

    def test_what_no_value_means(self, make_small_plan):
        plan = make_small_plan(patch_size=None, budget_seconds=None, num_val_images=None)
        values = {name: value for name, value, _ in plan.to_rows()}
        assert values["patch size"] == "whole images"
        assert values["budget seconds"] == "none"
        assert values["num val images"] == "all"

    def test_only_sizes_are_joined_with_an_x(self, make_small_plan):
        values = {name: value for name, value, _ in make_small_plan().to_rows()}
        assert values["patch size"] == "16 x 24"
        assert values["widths"] == "4, 8"


class TestAugmentation:
    @pytest.mark.parametrize(
        "change",
        [
            {"rotation_degrees": 1},
            {"scale": 1.1},
            {"elastic_px": 1},
        ],
    )
    def test_free_moves(self, change):
        assert Augmentation(**change).has_free_moves

    def test_intensities_and_exact_moves_are_none(self):
        assert not Augmentation(noise=1, contrast=2, gamma=2, blur_px=3, invert=1).has_free_moves
        exact = Augmentation(flip_vertical=True, flip_horizontal=True, right_angles=True)
        assert not exact.has_free_moves

    def test_axes_of_mirror_images_count_from_the_last(self):
        assert Augmentation(flip_vertical=True).mirror_axes == (-2,)
        assert Augmentation(flip_horizontal=True, flip_vertical=True).mirror_axes == (-2, -1)
        assert Augmentation(right_angles=True).mirror_axes == ()


def test_plans_are_frozen(make_small_plan):
    with pytest.raises(ValidationError, match="frozen"):
        make_small_plan().seed = 1
