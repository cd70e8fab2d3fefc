"""The demo: the whole way, once, on generated images."""

import os
from pathlib import Path

from pixelwise.data.synthetic import write_cells
from pixelwise.metrics import Scores
from pixelwise.training import InnerWatcher, Watcher
from pixelwise.workflows.evaluate import evaluate
from pixelwise.workflows.predict import predict
from pixelwise.workflows.train import train


def demo(
    out: str | os.PathLike[str] = "demo",
    budget: str | float = "60s",
    watcher: Watcher | None = None,
) -> Scores:
    """Make images that look like fluorescence microscopy, train, predict, evaluate and report.

    Args:
        out: folder for everything; an earlier demo in it is replaced.
        budget: time for training.
        watcher: is told what happens.

    Returns:
        Scores on the held-out test images.
    """
    watcher = watcher or Watcher()
    folder = Path(out)
    data, run, masks, scores_folder = (
        folder / name for name in ("data", "run", "masks", "evaluation")
    )
    watcher.note(f"Writing generated microscopy images to {data}")
    write_cells(data)
    train(data, run, budget=budget, overwrite=True, watcher=InnerWatcher(watcher))
    predict(run, data / "test" / "images", masks, save=("mask", "overlay"), progress=False)
    scores = evaluate(run, data, split="test", out=scores_folder, progress=False)
    watcher.finished(
        f"Mean Dice {scores.mean['dice']} on {scores.num_images} held-out images.\n"
        f"Open {run / 'report.html'} for the training, {scores_folder / 'report.html'} for the "
        f"scores, and {masks} for the masks."
    )
    return scores
