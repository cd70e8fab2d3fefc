"""All folds of a cross-validation together: one model, one table of scores, one page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pixelwise.data import Dataset
from pixelwise.inference.evaluate import Counted, summarize_samples
from pixelwise.io import write_json, write_text
from pixelwise.metrics import Scores
from pixelwise.network import Model, join_models, load_model, save_model
from pixelwise.planning import read_plan
from pixelwise.training import RunFolder, Watcher
from pixelwise.workflows.final_scores import describe_scores, name_scored
from pixelwise.workflows.pages import FoldPart, write_folds_report
from pixelwise.workflows.request import Request
from pixelwise.workflows.run import Run

MAX_EXCESS = 1.05  # of the budget, before it is said
OUT_OF_FOLD = "out of fold, each scored by the model that did not see it"
CLOSING_SECONDS = 3.0  # kept back for the files of all folds together


@dataclass(frozen=True)
class Fold:
    """One of the trainings."""

    number: int
    folder: RunFolder
    dataset: Dataset  # val is what this one does not see

    @property
    def is_done(self) -> bool:
        """Whether its model is trained and its images are scored."""
        return self.folder.table.is_file()


def join_folds(
    folder: RunFolder,
    dataset: Dataset,
    folds: Sequence[Fold],
    parts: Sequence[FoldPart],
    request: Request,
    warnings: Sequence[str],
    watcher: Watcher,
) -> Run:
    """Join the models, add up the scores, report.

    Args:
        folder: folder of the run.
        dataset: all of the data.
        folds: the trainings, all of them done.
        parts: what each gave.
        request: request of the user.
        warnings: about the data.
        watcher: is told how it ended.

    Raises:
        ModelFileError: the models of the folds cannot predict together.
    """
    model = _join(dataset, folds, parts, request)
    scores = _join_scores(model, parts, dataset)
    model = model.with_config(scores=scores.to_json())
    write_json(folder.metrics, scores.to_json())
    write_text(folder.table, scores.to_csv())
    save_model(folder.model, model)
    warnings = [*warnings, *describe_excess(parts, request.budget)]
    told = [f"Fold {n}: {text}" for n, part in enumerate(parts, 1) for text in part.warnings]
    plan = read_plan(folds[0].folder.plan)
    assert plan is not None
    write_folds_report(
        folder, model, plan, dataset, parts, scores,
        samples=[fold.dataset.samples("val") for fold in folds],
        models=[fold.folder.model for fold in folds],
        device=request.device,
        warnings=[*warnings, *told],
    )  # fmt: skip
    run = Run(
        folder.path,
        scores,
        best_step=max(part.num_steps for part in parts),
        num_steps=sum(part.num_steps for part in parts),
        seconds=sum(part.seconds for part in parts),
        stopped="all folds were done",
        warnings=(*warnings, *told),
    )
    for text in describe_excess(parts, request.budget):
        watcher.note(text)
    watcher.finished(
        "\n".join(
            [
                *(f"WARNING: {text}" for text in scores.warnings),
                f"Trained {len(folds)} models in {run.seconds:.0f} s.",
                f"{describe_scores(scores)}.",
                f"Open {folder.report}; predict with all of them: `pixelwise predict "
                f"{folder.path} IMAGES --out MASKS`.",
            ]
        )
    )
    return run


def describe_excess(parts: Sequence[FoldPart], budget: float | None) -> list[str]:
    """Say so where a cross-validation took longer than its budget, and what took the time."""
    seconds = sum(part.seconds for part in parts)
    if budget is None or seconds <= MAX_EXCESS * budget:
        return []
    scoring = sum(part.scoring_seconds for part in parts)
    return [
        f"The budget of {budget:.0f} s was passed: all folds took {seconds:.0f} s, {scoring:.0f} "
        "of them to score every image. Give a longer budget or fewer folds."
    ]


def _join(
    dataset: Dataset, folds: Sequence[Fold], parts: Sequence[FoldPart], request: Request
) -> Model:
    """The models of all folds as one."""
    joined = join_models([load_model(fold.folder.model) for fold in folds])
    provenance = {
        **joined.config.provenance,
        "data": dataset.describe(),
        "folds": len(folds),
        "steps": sum(part.num_steps for part in parts),
        "seconds": round(sum(part.seconds for part in parts), 1),
    }
    budget, seconds = request.budget, provenance.pop("budget_seconds", None)
    provenance["budget_seconds"] = budget or (seconds and round(seconds * len(folds), 1))
    provenance.pop("best_step", None)
    return joined.with_config(provenance=provenance)


def _join_scores(model: Model, parts: Sequence[FoldPart], dataset: Dataset) -> Scores:
    """The scores of all images together."""
    config = model.config
    groups = {entry.name: entry.group for entry in dataset.files}
    found = [
        Counted(name, counts, groups.get(name))
        for part in parts
        for name, counts in zip(part.scores.names, part.scores.counts, strict=True)
    ]
    scores = summarize_samples(found, config)
    of = name_scored(len(found), "", dataset.accepted, OUT_OF_FOLD)
    return replace(scores, of=of)
