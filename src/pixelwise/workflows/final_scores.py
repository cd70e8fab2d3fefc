"""The end of a training: what its scores are of, scores of the test split, and the last words.

Validation scores chose the weights, so that they flatter. Where there is a test split, the model is
scored on it before the report is written: it takes the time of one validation, which is kept back
from the budget as that of the report is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data import Dataset, Sample
from pixelwise.inference import Predictor
from pixelwise.inference.evaluate import count_samples, summarize_samples
from pixelwise.metrics import Scores
from pixelwise.network import Model
from pixelwise.planning import Plan, closing_seconds, format_seconds, kept_for_test
from pixelwise.training import INTERRUPTED, Clock, Outcome, noticing_interrupts, sizes_of

CHOSEN = "by which the weights were chosen, so that the scores flatter"  # after "images"
UNSEEN = "that training did not use"
LEAK, PARTLY_USED = "split-leak", "some of which training used too"
SEEN = "that the model was trained on, so that the scores flatter"
PARTLY_SEEN = "of all splits, also those that the model was trained on, so that the scores flatter"
MARGIN = 1.15  # scoring may take longer than a validation did,
NEEDED_SHARE = 0.5  # and then use what of the time for files and report is not needed for these


def name_scored(number: int, kind: str, accepted: Sequence[str], remark: str = "") -> str:
    """Say what scores are of: "12 test images that training did not use".

    Args:
        number: number of images.
        kind: "test", "validation"; may be empty.
        accepted: codes of errors in the data that a person accepted.
        remark: to follow.
    """
    if remark == UNSEEN and LEAK in accepted:
        remark = PARTLY_USED
    words = [f"{number:,}", kind, "image" if number == 1 else "images", remark]
    if accepted:
        words.append(f"(errors in the data that were accepted: {', '.join(accepted)})")
    return " ".join(filter(None, words))


def name_validation(scores: Scores, dataset: Dataset, *, is_chosen: bool) -> Scores:
    """The scores, which now say what they are of, and whether they chose the weights."""
    remark = CHOSEN if is_chosen else ""
    of = name_scored(scores.num_images, "validation", dataset.accepted, remark)
    return replace(scores, of=of)


def name_evaluated(dataset: Dataset, number: int, split: str, model: Model | None = None) -> str:
    """Say what the scores of an evaluation are of, and whether the model knows these images.

    Args:
        dataset: as it was evaluated.
        number: number of images.
        split: "train", "val", "test" or "all".
        model: that was scored; None for masks that were there.
    """
    kinds = {"train": "training", "val": "validation", "all": ""}
    said = model.config.provenance if model else {}
    is_own = bool(said) and said.get("data_fingerprint") == dataset.fingerprint
    remarks = {"train": SEEN, "val": CHOSEN, "test": UNSEEN, "all": PARTLY_SEEN}
    known = accepted_of(model) if model else ()
    accepted = tuple(dict.fromkeys([*dataset.accepted, *known]))
    return name_scored(number, kinds.get(split, split), accepted, remarks[split] if is_own else "")


def accepted_of(model: Model) -> tuple[str, ...]:
    """Codes of the errors in its training data that a person accepted."""
    text = str(model.config.provenance.get("accepted", ""))
    return tuple(code for code in text.split(", ") if code)


# --- the test split -----------------------------------------------------------------------------


def seconds_for_test(dataset: Dataset, per_validation: float) -> float:
    """Forecast of the seconds that scoring the test split takes: as validation, by pixels.

    Args:
        dataset: without a test split it takes none.
        per_validation: seconds of a validation; 0 where it was not timed.
    """
    if "test" not in dataset.splits or "val" not in dataset.splits:
        return 0.0
    pixels = {name: sum(map(np.prod, sizes_of(dataset.samples(name)))) for name in ("val", "test")}
    return float(MARGIN * per_validation * pixels["test"] / pixels["val"])


def reserve_for_test(dataset: Dataset, plan: Plan) -> float:
    """Seconds of the budget to keep back for the test split; 0 where it would take too many."""
    return kept_for_test(_seconds_planned(dataset, plan), plan.budget_seconds)


def _seconds_planned(dataset: Dataset, plan: Plan) -> float:
    measured = plan.calibration
    return seconds_for_test(dataset, measured.seconds_per_validation if measured else 0.0)


def score_test(
    predictor: Predictor,
    dataset: Dataset,
    plan: Plan,
    outcome: Outcome,
    clock: Clock,
    note: Callable[[str], None],
) -> tuple[Scores | None, str]:
    """Score the test split at the end of a training, as far as the budget leaves time.

    Args:
        predictor: predictor of the model.
        dataset: with or without a test split.
        plan: has the budget, which is not passed.
        outcome: outcome of the training.
        clock: clock of the training.
        note: is told before it begins.

    Returns:
        The scores, or None and why there are none; an empty text where there is no test split.
    """
    if "test" not in dataset.splits:
        return None, ""
    seconds, budget = _seconds_planned(dataset, plan), plan.budget_seconds
    if outcome.stopped == INTERRUPTED:
        return None, "training was interrupted"
    if kept_for_test(seconds, budget) < seconds:
        return None, f"it would have taken about {format_seconds(seconds)} of the budget"
    end = float("inf") if budget is None else budget - NEEDED_SHARE * closing_seconds(budget)
    samples = dataset.samples("test")
    note(f"Scoring {len(samples)} test images {UNSEEN}")
    return _score_until(predictor, samples, dataset, lambda: clock.elapsed >= end)


def _score_until(
    predictor: Predictor, samples: Sequence[Sample], dataset: Dataset, is_over: Callable[[], bool]
) -> tuple[Scores | None, str]:
    """Score all samples, or none where the time is over or a person interrupts."""
    found = []
    with noticing_interrupts() as wish:
        for counted in count_samples(predictor, samples):
            found.append(counted)
            if wish.is_asked:
                return None, "scoring was interrupted"
            if is_over() and len(found) < len(samples):
                return None, "the budget was used"
    scores = summarize_samples(found, predictor.model.config)
    return replace(scores, of=name_scored(len(found), "test", dataset.accepted, UNSEEN)), ""


# --- the last words -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Closing:
    """The scores at the end of a training, which say what they are of.

    Attributes:
        scores: scores of the validation images.
        test_scores: test scores of the test split.
        why_not: why the test split was not scored, where there is one.
    """

    scores: Scores | None
    test_scores: Scores | None = None
    why_not: str = ""

    @property
    def first(self) -> Scores | None:
        """The scores to look at: of the test split, where there are any."""
        return self.test_scores or self.scores

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is broken."""
        return self.first.warnings if self.first else ()

    def to_json(self) -> dict[str, Any]:
        """The content of metrics.json: validation scores, and those of the test split as "test".

        Those of the test split alone, where there are no others.
        """
        stored = self.first.to_json() if self.first else {}
        if self.scores and self.test_scores:
            stored = self.scores.to_json() | {"test": stored}
        return stored

    def describe(self, folder: Path) -> list[tuple[str, str]]:
        """Names and values for a person: the test split first, what is missing too."""
        rows = [
            (name, describe_scores(scores))
            for name, scores in (("Test", self.test_scores), ("Validation", self.scores))
            if scores is not None
        ]
        if self.first is None:
            rows.append(("Validation", "not scored: there are no validation images"))
        if self.why_not:
            said = f"not scored: {self.why_not}. `pixelwise evaluate {folder} DATA` scores it"
            rows.append(("Test", said))
        return rows


def describe_scores(scores: Scores) -> str:
    """Mean Dice with its interval, and what it is of; in words where there is none."""
    dice = scores.mean["dice"]
    if dice is None:
        return f"no Dice, since no class is in any of {scores.of}, nor found in them"
    return f"Dice {dice} on {scores.of}"
