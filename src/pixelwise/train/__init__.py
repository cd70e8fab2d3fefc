"""Training: samples + plan -> patches -> batches -> weights."""

from pixelwise.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pixelwise.train.loop import Best, Metric, Outcome, Trainer
from pixelwise.train.objective import Loss, loss_for
from pixelwise.train.overfitting import find_overfitting
from pixelwise.train.pace import Clock, Pace
from pixelwise.train.run_folder import FILES, RunFolder
from pixelwise.train.watch import Watcher

__all__ = [
    "FILES",
    "Best",
    "Checkpoint",
    "Clock",
    "Loss",
    "Metric",
    "Outcome",
    "Pace",
    "RunFolder",
    "Trainer",
    "Watcher",
    "find_overfitting",
    "loss_for",
    "read_checkpoint",
    "write_checkpoint",
]
