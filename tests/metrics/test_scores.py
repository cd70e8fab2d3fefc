"""Scores: numbers a reader can work out by hand, a reference library, and what must always hold.

The small example used throughout, 1 = foreground, one row of pixels:

    mask     1 1 0 0
    target   1 0 1 0      tp = 1, fp = 1, fn = 1: dice 2/4, iou 1/3, precision 1/2, recall 1/2
"""

import csv
import io
import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelwise.errors import ArrayError, DataError
from pixelwise.metrics import bootstrap
from pixelwise.metrics import counts as counts_module
from pixelwise.metrics.scores import (
    TABLE_COLUMNS,
    Scores,
    all_scores,
    count_pixels,
    dice_score,
    iou_score,
    precision_score,
    recall_score,
    summarize,
)
from pixelwise.task import is_background

MASK = np.array([[1, 1, 0, 0]], np.uint8)
TARGET = np.array([[1, 0, 1, 0]], np.uint8)


def test_pixels_of_each_class_by_their_class_in_the_mask():
    """Rows: target; columns: mask, the last for none. Ignored pixels count nowhere."""
    confusion = np.array([[10, 0, 0], [0, 0, 0]], np.int64)
    mask, target = np.array([1, 1, 0, 255, 0]), np.array([1, 0, 1, 1, 255])
    count_pixels(mask, target, 2, confusion=confusion)
    assert confusion.tolist() == [[10, 1, 0], [1, 1, 1]]


def test_the_confusion_is_written_and_read():
    confusion = np.array([[4, 1, 0], [2, 3, 0]])
    scores = summarize(
        [[[4, 2, 1], [3, 1, 2]]], ["a"], ["x", "y"], background=False, confusion=confusion
    )
    again = Scores.from_json(json.loads(json.dumps(scores.to_json())))
    assert again.confusion.tolist() == confusion.tolist()
    without = replace(scores, confusion=np.zeros((0, 0), np.int64))
    assert "confusion" not in without.to_json()
    assert Scores.from_json(without.to_json()).confusion.size == 0


# (N, 2, 3): images whose foreground Dice is 1, 0.5, 0, and one without any foreground
PERFECT, HALF, MISSED, NOTHING = [10, 0, 0], [1, 1, 1], [0, 0, 4], [0, 0, 0]


def foreground(*rows):
    return np.array([[[20, 0, 0], row] for row in rows])


def binary(*rows, **settings):
    names = [f"{i}.png" for i in range(len(rows))]
    return summarize(foreground(*rows), names, ["background", "cell"], background=True, **settings)


# --- counting ---------------------------------------------------------------------------------


def test_counts_the_small_example():
    assert count_pixels(MASK, TARGET, num_classes=2).tolist() == [[1, 1, 1], [1, 1, 1]]


def test_counts_each_of_three_classes():
    mask, target = np.array([0, 1, 2, 2, 1]), np.array([0, 1, 1, 2, 2])
    # class 1: pixel 1 right, pixel 4 invented, pixel 2 missed
    assert count_pixels(mask, target, 3).tolist() == [[1, 0, 0], [1, 1, 1], [1, 1, 1]]


def test_a_volume_counts_like_an_image():
    volume = count_pixels(MASK.reshape(1, 2, 2), TARGET.reshape(1, 2, 2), num_classes=2)
    assert volume.tolist() == count_pixels(MASK, TARGET, num_classes=2).tolist()


def test_ignored_pixels_count_nowhere_even_under_impossible_values():
    mask, target = np.array([1, 1, 99, 0]), np.array([1, 255, 255, 0])
    assert count_pixels(mask, target, 2).tolist() == [[1, 0, 0], [1, 0, 0]]


def test_a_pixel_predicted_as_no_class_is_a_miss():
    mask, target = np.array([255, 1]), np.array([1, 1])
    assert count_pixels(mask, target, 2).tolist() == [[0, 0, 0], [1, 0, 1]]


def test_multi_label_layers_overlap():
    mask = np.array([[True, True, False], [True, False, False]])
    target = np.array([[True, False, False], [True, True, True]])
    assert count_pixels(mask, target, 2).tolist() == [[1, 1, 0], [1, 0, 2]]


def test_multi_label_target_of_integers_may_ignore_pixels_of_one_class():
    mask = np.array([[True, True, False], [True, True, False]])
    target = np.array([[1, 255, 255], [1, 0, 1]], np.uint8)
    assert count_pixels(mask, target, 2).tolist() == [[1, 0, 0], [1, 1, 1]]


def test_counting_in_chunks_gives_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    mask, target = rng.integers(0, 3, (2, 7, 11))
    whole = count_pixels(mask, target, 3)
    monkeypatch.setattr(counts_module, "CHUNK_PIXELS", 10)
    np.testing.assert_array_equal(count_pixels(mask, target, 3), whole)
    assert whole[:, 0].sum() == np.count_nonzero(mask == target)


@pytest.mark.parametrize(
    ("mask", "target", "message"),
    [
        (MASK, TARGET[:, :3], r"mask has shape \(1, 4\) but the target has shape \(1, 3\)"),
        (MASK * 2, TARGET, r"mask holds \[2\], but there are 2 classes: 0 to 1"),
        (MASK, TARGET * 7, r"target holds \[7\]"),
        (-MASK.astype(int), TARGET, r"mask holds \[-1\]"),
        (MASK * 0.7, TARGET, "mask holds float64.*argmax, or a threshold"),
        (MASK == 1, TARGET == 1, r"multi-label, \(2, \*spatial\), but shape \(1, 4\)"),
        (np.ones((2, 3), bool), np.full((2, 3), 2), r"target holds \[2\]"),
    ],
)
def test_what_cannot_be_counted_is_refused_with_the_fix(mask, target, message):
    with pytest.raises(ArrayError, match=message):
        count_pixels(mask, target, num_classes=2)


# --- scores of counts -------------------------------------------------------------------------


def test_the_four_scores_by_hand():
    counts = np.array([6, 2, 1])
    assert dice_score(counts) == 12 / 15
    assert iou_score(counts) == 6 / 9
    assert precision_score(counts) == 6 / 8
    assert recall_score(counts) == 6 / 7


def test_nothing_to_find_and_nothing_found_is_undefined():
    assert np.isnan(all_scores(np.array([0, 0, 0]))).all()


@pytest.mark.parametrize("counts", [[0, 3, 0], [0, 0, 3], [0, 2, 3]])
def test_no_pixel_right_scores_zero_four_times(counts):
    assert all_scores(np.array(counts)).tolist() == [0, 0, 0, 0]


def test_background_is_known_by_its_name():
    names = ["background", "Background", "_background_", "BG", ""]
    assert all(map(is_background, names))
    assert not any(map(is_background, ["Sky", "foreground", "ground", "0", "background2"]))


# --- the summary ------------------------------------------------------------------------------


def test_means_leave_out_images_with_nothing_to_find():
    cell = binary(PERFECT, HALF, MISSED, NOTHING).classes["cell"]
    assert cell.dice.mean == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert cell.iou.mean == pytest.approx((1 + 1 / 3 + 0) / 3)
    assert cell.precision.mean == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert cell.recall.mean == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert cell.num_images == 3


def test_background_is_left_out_of_the_means_and_still_listed():
    scores = binary(HALF)
    assert scores.mean_dice == scores.mean["dice"].mean == 0.5
    assert scores.pooled == {"dice": 0.5, "iou": pytest.approx(1 / 3)}
    assert scores.classes["background"].dice.mean == 1
    assert "'background' is left out" in scores.policy


def test_a_first_class_that_is_no_background_counts():
    scores = summarize(foreground(HALF), ["a"], ["sky", "road"], background=False)
    assert scores.mean_dice == (1 + 0.5) / 2
    assert scores.pooled["dice"] == (1 + 0.5) / 2
    assert "Every class is in the means" in scores.policy


def test_pooled_adds_all_pixels_first():
    # a big image with dice 1 and a small one missed: 2*90 / (2*90 + 20) against (1 + 0) / 2
    scores = binary([90, 0, 0], [0, 0, 20])
    assert scores.pooled["dice"] == pytest.approx(180 / 200)
    assert scores.pooled["iou"] == pytest.approx(90 / 110)
    assert scores.mean_dice == 0.5


def test_mean_over_classes_weighs_classes_not_images():
    # class a: dice 1 in three images; class b: dice 0 in one of them
    a, b = [5, 0, 0], [0, 1, 1]
    counts = np.array([[a, NOTHING], [a, NOTHING], [a, b]])
    scores = summarize(counts, ["0", "1", "2"], ["a", "b"], background=False)
    assert scores.mean_dice == 0.5
    np.testing.assert_array_equal(scores.image_dice, [1, 1, 0.5])


def test_a_class_absent_everywhere_is_null_with_a_reason():
    scores = binary(NOTHING, NOTHING)
    stored = scores.to_json()
    assert stored["classes"]["cell"] == {
        "dice": None,
        "iou": None,
        "precision": None,
        "recall": None,
        "num_images": 0,
        "reason": "in no mask and no target of these images",
    }
    assert stored["mean"] == stored["pooled"]
    assert stored["mean"]["dice"] is None
    assert stored["mean"]["reason"] == "no class with a score to average"
    assert math.isnan(scores.mean_dice)


def test_an_absent_class_does_not_pull_the_mean_down():
    counts = np.array([[PERFECT, NOTHING], [HALF, NOTHING]])
    scores = summarize(counts, ["0", "1"], ["a", "b"], background=False)
    assert scores.mean_dice == 0.75
    assert scores.pooled["dice"] == 22 / 24  # 2 * 11 / (2 * 11 + 1 + 1)


def test_no_images_at_all():
    scores = summarize([], [], ["background", "cell"], background=True)
    assert scores.num_images == 0
    assert scores.image_rows == []
    assert json.dumps(scores.to_json(), allow_nan=False)
    assert scores.table_rows[-2][:3] == ("mean", "-", "-")


def test_counts_and_names_must_fit():
    with pytest.raises(ArrayError, match=r"shape \(1, 2, 3\), but 2 images of 2 classes"):
        summarize(foreground(HALF), ["a", "b"], ["background", "cell"], background=True)
    with pytest.raises(ArrayError, match="Two classes have the same name"):
        summarize(foreground(HALF), ["a"], ["cell", "cell"], background=False)


def test_counts_of_the_wrong_shape_are_not_reshaped_silently():
    with pytest.raises(ArrayError, match=r"\(6, 3\)"):
        summarize(np.zeros((6, 3)), ["a", "b", "c"], ["background", "cell"], background=True)


# --- intervals --------------------------------------------------------------------------------


def test_the_interval_is_the_percentile_bootstrap_stretched_for_few_images():
    # Written out the slow way: draw images, average, percentiles; t of 11 degrees is 2.201.
    dice = np.array([0.91, 0.97, 0.4, 0.83, 0.02, 0.66, 0.71, 0.95, 0.88, 0.12, 0.79, 0.93])
    rows = [[round(100 * d), 100 - round(100 * d), 100 - round(100 * d)] for d in dice]
    rng = np.random.default_rng(7)
    means = [dice[rng.integers(12, size=12)].mean() for _ in range(20000)]
    low, high = np.percentile(means, [2.5, 97.5])
    stretch = np.sqrt(12 / 11) * 2.201 / 1.96
    interval = binary(*rows, num_resamples=20000).classes["cell"].dice
    mean = dice.mean()
    assert interval.mean == pytest.approx(mean)
    assert interval.low == pytest.approx(mean - stretch * (mean - low), abs=0.01)
    assert interval.high == pytest.approx(mean + stretch * (high - mean), abs=0.01)


def test_the_interval_narrows_as_images_are_added():
    rows = [PERFECT, HALF, MISSED, [7, 2, 1], [3, 0, 2], [11, 5, 8]]
    few = binary(*rows * 2, num_resamples=5000).mean["dice"]
    many = binary(*rows * 50, num_resamples=5000).mean["dice"]
    # standard error of a mean: 5 times smaller for 25 times the images; t of 11 is 2.201, not 1.96
    stretch = np.sqrt(12 / 11) * 2.201 / 1.96
    assert (many.high - many.low) * 5 * stretch == pytest.approx(few.high - few.low, rel=0.1)


def test_the_normal_interval_is_about_right_for_many_images():
    cell = binary(*[PERFECT, HALF, MISSED] * 100).classes["cell"]
    error = 1.96 * np.std([1, 0.5, 0]) / np.sqrt(300)
    assert cell.dice.high - cell.dice.mean == pytest.approx(error, rel=0.1)
    assert cell.dice.mean - cell.dice.low == pytest.approx(error, rel=0.1)


def test_the_seed_decides_the_draws():
    rows = [PERFECT, HALF, MISSED, [7, 2, 1], [3, 0, 2]]
    assert binary(*rows, seed=1) == binary(*rows, seed=1)
    assert binary(*rows, seed=1) != binary(*rows, seed=2)


def test_drawing_in_blocks_draws_the_same(monkeypatch):
    scores, units = np.random.default_rng(0).random((4, 2, 1)), np.arange(4)
    whole = bootstrap.resample_means(scores, units, 100, seed=0)
    monkeypatch.setattr(bootstrap, "BLOCK_DRAWS", 30)  # 7 draws of 4 images at a time
    np.testing.assert_array_equal(bootstrap.resample_means(scores, units, 100, seed=0), whole)


def test_one_image_has_no_interval_and_it_is_said():
    scores = binary(HALF)
    assert scores.classes["cell"].dice == (0.5, None, None)
    assert str(scores.mean["dice"]) == "0.500"
    assert scores.to_json()["mean"]["dice"] == {"mean": 0.5, "low": None, "high": None}
    assert "There is one image only, so that there is no interval." in scores.policy


def test_a_class_in_one_image_has_no_interval_though_others_have():
    # the rare class is in the first of four images only
    counts = np.array([[PERFECT, HALF], [HALF, NOTHING], [PERFECT, NOTHING], [MISSED, NOTHING]])
    scores = summarize(counts, list("0123"), ["common", "rare"], background=False)
    assert scores.classes["rare"].dice == (0.5, None, None)
    assert scores.classes["common"].dice.low < scores.classes["common"].dice.mean


# --- groups -----------------------------------------------------------------------------------


def test_groups_are_drawn_whole():
    # Five patients of ten like images: as sure as five images, one a patient, are.
    rows = [PERFECT, HALF, MISSED, [7, 2, 1], [3, 0, 2]]
    groups = [f"patient_{n}" for n in range(5) for _ in range(10)]
    grouped = binary(*[row for row in rows for _ in range(10)], groups=groups)
    alone = binary(*rows)
    assert grouped.num_groups == 5
    assert grouped.mean["dice"] == pytest.approx(alone.mean["dice"])
    assert grouped.classes["cell"].recall == pytest.approx(alone.classes["cell"].recall)


def test_every_image_weighs_the_same_whatever_its_group():
    # one patient of three perfect images, one of a missed image: 3/4, not 1/2
    scores = binary(PERFECT, PERFECT, PERFECT, MISSED, groups=["a", "a", "a", "b"])
    assert scores.mean_dice == 0.75


def test_groups_of_one_image_are_images():
    rows = [PERFECT, HALF, MISSED, [7, 2, 1], [3, 0, 2]]
    assert binary(*rows, groups=list("abcde")).mean == binary(*rows).mean


def test_images_of_one_group_have_no_interval():
    scores = binary(PERFECT, HALF, MISSED, groups=["mouse_1"] * 3)
    assert scores.mean["dice"] == (0.5, None, None)
    assert "1 group of images, such as mouse_1, drawn whole. There is one group only" in (
        scores.policy
    )


def test_what_was_drawn_is_said_in_policy_json_and_csv():
    groups = [f"p{n}" for n in range(12) for _ in range(2)]
    scores = binary(*[PERFECT, HALF] * 12, groups=groups)
    assert "intervals over 12 groups of images, such as p0, drawn whole. An image" in scores.policy
    assert scores.to_json()["num_groups"] == 12
    rows = list(csv.DictReader(io.StringIO(scores.to_csv())))
    assert list(rows[0])[:3] == ["image", "group", "class"]
    assert rows[-1]["group"] == "p11"
    assert binary(HALF).to_json()["num_groups"] is None
    assert "few images they are rough" in binary(HALF, HALF).policy


def test_groups_must_fit_the_images():
    with pytest.raises(ArrayError, match="2 groups were given for 1 images"):
        binary(HALF, groups=["a", "b"])


def test_the_interval_of_grouped_images_holds_the_truth_as_often_as_it_says():
    # Ten patients of ten slices, 100 trials: over images it holds the mean in half of them.
    rng, hits = np.random.default_rng(0), 0
    for trial in range(100):
        patients = np.clip(rng.normal(0.85, 0.08, (10, 1)), 0, 1)
        dice = np.clip(patients + rng.normal(0, 0.03, (10, 10)), 0.01, 0.99).ravel()
        found, missed = (dice * 1e6).astype(int), ((1 - dice) * 1e6).astype(int)
        rows = np.stack([found, missed, missed], axis=1).tolist()
        groups = [str(n // 10) for n in range(100)]
        interval = binary(*rows, groups=groups, num_resamples=200, seed=trial).mean["dice"]
        hits += interval.low <= 0.85 <= interval.high
    assert hits >= 90


def test_the_mean_over_classes_draws_images_not_classes():
    # Two classes that always fail together: the mean is as uncertain as either of them.
    together = np.array([[PERFECT, PERFECT], [MISSED, MISSED]] * 10)
    scores = summarize(together, list(map(str, range(20))), ["a", "b"], background=False)
    assert scores.mean["dice"] == scores.classes["a"].dice


# --- files and screens ------------------------------------------------------------------------


def test_the_json_has_the_schema_of_the_design():
    stored = binary(PERFECT, HALF).to_json()
    assert list(stored) == [
        "of", "warnings", "num_images", "num_groups", "classes", "mean", "pooled", "policy"
    ]  # fmt: skip
    cell = stored["classes"]["cell"]
    assert list(cell) == ["dice", "iou", "precision", "recall", "num_images"]
    assert set(cell["iou"]) == {"mean", "low", "high"}
    assert set(stored["mean"]) == set(stored["pooled"]) == {"dice", "iou"}
    assert cell["dice"]["mean"] == 0.75
    assert type(stored["pooled"]["dice"]) is float


def test_scores_keep_what_is_broken():
    scores = binary(MISSED, MISSED)
    assert scores.warnings[0].startswith("Nothing is found: nearly every pixel")
    stored = scores.to_json()
    assert stored["warnings"] == list(scores.warnings)
    assert Scores.from_json(stored).warnings == scores.warnings
    assert binary(PERFECT, HALF).warnings == ()


def test_scores_of_an_earlier_version_can_be_read():
    stored = binary(PERFECT, HALF).to_json()
    old = {key: stored[key] for key in ("num_images", "classes", "mean", "pooled", "policy")}
    assert Scores.from_json(old) == binary(PERFECT, HALF)


def test_stored_scores_can_be_shown_again():
    counts = np.array([[PERFECT, HALF, NOTHING], [HALF, HALF, NOTHING]])
    scores = summarize(counts, ["0", "1"], ["sky", "road", "tram"], background=False)
    again = Scores.from_json(json.loads(json.dumps(scores.to_json(), allow_nan=False)))
    assert again == scores
    assert again.table_rows == scores.table_rows
    assert again.to_json() == scores.to_json()
    assert again.image_rows == []
    noted = replace(scores, notes=("read as class indices",))
    assert noted == scores  # how masks were read is no part of the scores
    assert noted.to_json() == scores.to_json() | {"notes": ["read as class indices"]}
    assert Scores.from_json(noted.to_json()).notes == noted.notes


@pytest.mark.parametrize("broken", [{}, {"num_images": 3}, [1], {"classes": 3, "num_images": 1}])
def test_what_is_no_scores_file_is_refused(broken):
    with pytest.raises(DataError, match="not pixelwise scores"):
        Scores.from_json(broken)


def test_rows_for_the_csv():
    rows = binary(HALF, NOTHING).image_rows
    assert len(rows) == 4
    assert rows[1] == {
        "image": "0.png",
        "class": "cell",
        "dice": 0.5,
        "iou": pytest.approx(1 / 3),
        "precision": 0.5,
        "recall": 0.5,
        "tp": 1,
        "fp": 1,
        "fn": 1,
    }
    assert rows[3]["dice"] is None
    read = list(csv.DictReader(io.StringIO(binary(HALF, NOTHING).to_csv())))
    assert read[1]["dice"] == "0.5"
    assert read[3]["dice"] == ""
    assert list(read[0]) == [
        "image",
        "class",
        "dice",
        "iou",
        "precision",
        "recall",
        "tp",
        "fp",
        "fn",
    ]


def test_rows_for_a_screen():
    rows = binary(HALF, NOTHING).table_rows
    assert all(len(row) == len(TABLE_COLUMNS) for row in rows)
    assert rows[0] == ("background", "1.000 [1.000, 1.000]", "1.000", "1.000", "1.000", "2")
    assert rows[1] == ("cell", "0.500", "0.333", "0.500", "0.500", "1")  # one image: no interval
    assert rows[2] == ("mean", "0.500", "0.333", "", "", "")
    assert rows[3] == ("all pixels", "0.500", "0.333", "", "", "")


def test_scores_need_no_torch():
    code = "import pixelwise.metrics.scores, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- another library --------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_dice_and_iou_agree_with_monai():
    metrics = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    target = rng.integers(0, 4, (6, 20, 24))
    mask = np.where(rng.random(target.shape) < 0.7, target, rng.integers(0, 4, target.shape))
    target[2][target[2] == 3] = 0  # class 3 invented in image 2
    target[4][target[4] == 2] = mask[4][mask[4] == 2] = 0  # class 2 nowhere in image 4

    counts = [count_pixels(*pair, num_classes=4) for pair in zip(mask, target, strict=True)]
    one_hot = [torch.from_numpy(np.moveaxis(np.eye(4)[a], -1, 1)) for a in (mask, target)]
    # MONAI's own policy differs where the target is empty: those are scored, not skipped, here.
    dice = metrics.compute_dice(*one_hot, ignore_empty=False).numpy()
    iou = metrics.compute_iou(*one_hot, ignore_empty=False).numpy()
    dice[4, 2] = iou[4, 2] = np.nan
    np.testing.assert_allclose(dice_score(np.array(counts)), dice, rtol=1e-6)
    np.testing.assert_allclose(iou_score(np.array(counts)), iou, rtol=1e-6)

    names = [str(i) for i in range(6)]
    scores = summarize(counts, names, ["background", "a", "b", "c"], background=True)
    expected = np.nanmean(dice[:, 1:], axis=0).mean()
    assert scores.mean_dice == pytest.approx(expected, rel=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_precision_and_recall_agree_with_monai():
    metrics = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    mask, target = rng.random((2, 3, 9, 9)) < 0.4  # three overlapping layers
    layers = [torch.from_numpy(a[None].astype(np.float32)) for a in (mask, target)]
    confusion = metrics.get_confusion_matrix(*layers, include_background=True)
    counts = count_pixels(mask, target, num_classes=3)
    for ours, name in ((precision_score, "precision"), (recall_score, "recall")):
        theirs = metrics.compute_confusion_matrix_metric(name, confusion)[0].numpy()
        np.testing.assert_allclose(ours(counts), theirs, rtol=1e-6)


# --- what must always hold --------------------------------------------------------------------

pixel_counts = hnp.arrays(np.int64, (3,), elements=st.integers(0, 10**6))
image_counts = hnp.arrays(
    np.int64,
    st.tuples(st.integers(1, 12), st.integers(1, 3), st.just(3)),
    elements=st.integers(0, 20),
)


@given(pixel_counts)
def test_dice_follows_from_iou(counts):
    dice, iou = float(dice_score(counts)), float(iou_score(counts))
    assert dice == pytest.approx(2 * iou / (1 + iou), nan_ok=True)


@given(pixel_counts)
def test_scores_lie_between_zero_and_one(counts):
    scores = all_scores(counts)
    assert np.isnan(scores).all() or ((scores >= 0) & (scores <= 1)).all()


@given(st.data())
def test_what_lies_under_ignored_pixels_never_matters(data):
    target = data.draw(hnp.arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 2, 255])))
    masks = hnp.arrays(np.uint8, (4, 5), elements=st.integers(0, 2))
    mask, other = data.draw(masks), data.draw(masks)
    changed = np.where(target == 255, other, mask)
    np.testing.assert_array_equal(count_pixels(mask, target, 3), count_pixels(changed, target, 3))
    assert count_pixels(mask, target, 3)[:, [0, 2]].sum() == np.count_nonzero(target != 255)


@given(image_counts, st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter_to_the_mean(counts, random):
    order = random.sample(range(len(counts)), len(counts))
    names, classes = list(map(str, order)), list("abc"[: counts.shape[1]])
    settings = {"background": False, "num_resamples": 5}
    before = summarize(counts, names, classes, **settings)
    after = summarize(counts[order], names, classes, **settings)
    assert after.mean_dice == pytest.approx(before.mean_dice, nan_ok=True)
    assert after.pooled == before.pooled


@given(image_counts)
def test_every_interval_contains_its_mean_and_json_never_holds_nan(counts):
    names, classes = list(map(str, range(len(counts)))), list("abc"[: counts.shape[1]])
    scores = summarize(counts, names, classes, background=False, num_resamples=50)
    for interval in [*scores.mean.values(), *(one.dice for one in scores.classes.values())]:
        if interval is not None and interval.low is not None:
            assert 0 <= interval.low <= interval.mean <= interval.high <= 1
    json.dumps(scores.to_json(), allow_nan=False)
