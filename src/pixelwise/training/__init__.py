"""Training: samples + plan -> patches -> batches -> weights."""

from pixelwise.memory import is_out_of_memory, peak_megabytes
from pixelwise.training.batches import Batch, BatchSource
from pixelwise.training.calibrate import (
    find_threads,
    time_preparation,
    time_steps,
    time_validation,
)
from pixelwise.training.checkpoint import Best, Checkpoint, Row, read_checkpoint, write_checkpoint
from pixelwise.training.interrupt import INTERRUPTED, noticing_interrupts
from pixelwise.training.logs import check_logs, logging_to
from pixelwise.training.loop import FLAT, Outcome, Trainer
from pixelwise.training.objective import Loss, Metric, Objective, logits_of, loss_for
from pixelwise.training.patches import patch_source
from pixelwise.training.ranks import LOST, Ranks, ending_together, is_lost_rank, joined_ranks
from pixelwise.training.run_folder import FILES, RunFolder
from pixelwise.training.schedule import Clock, Timetable, describe_outlook, find_overfitting
from pixelwise.training.watcher import InnerWatcher, Watcher, Watchers
from pixelwise.training.working_samples import sizes_of

__all__ = [
    "FILES",
    "FLAT",
    "INTERRUPTED",
    "LOST",
    "Batch",
    "BatchSource",
    "Best",
    "Checkpoint",
    "Clock",
    "InnerWatcher",
    "Loss",
    "Metric",
    "Objective",
    "Outcome",
    "Ranks",
    "Row",
    "RunFolder",
    "Timetable",
    "Trainer",
    "Watcher",
    "Watchers",
    "check_logs",
    "describe_outlook",
    "ending_together",
    "find_overfitting",
    "find_threads",
    "is_lost_rank",
    "is_out_of_memory",
    "joined_ranks",
    "logging_to",
    "logits_of",
    "loss_for",
    "noticing_interrupts",
    "patch_source",
    "peak_megabytes",
    "read_checkpoint",
    "sizes_of",
    "time_preparation",
    "time_steps",
    "time_validation",
    "write_checkpoint",
]
