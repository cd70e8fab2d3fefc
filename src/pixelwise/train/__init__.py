"""Training: samples + plan -> patches -> batches -> weights."""

from pixelwise.train.calibrate import find_threads, time_steps, time_validation
from pixelwise.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pixelwise.train.interrupt import INTERRUPTED, noticing_interrupts
from pixelwise.train.logs import check_logs, logging_to
from pixelwise.train.loop import FLAT, Outcome, Trainer
from pixelwise.train.memory import is_out_of_memory, peak_megabytes
from pixelwise.train.names import Compiled, OptimizerFactory, compile_names
from pixelwise.train.objective import Loss, logits_of, loss_for
from pixelwise.train.overfitting import find_overfitting
from pixelwise.train.pace import Clock, Pace
from pixelwise.train.plateau import describe_outlook
from pixelwise.train.ranks import LOST, Ranks, ending_together, is_lost_rank, joined_ranks
from pixelwise.train.run_folder import FILES, RunFolder
from pixelwise.train.state import Best
from pixelwise.train.validate import Metric
from pixelwise.train.watch import InnerWatcher, Watcher
from pixelwise.train.working import sizes_of

__all__ = [
    "FILES",
    "FLAT",
    "INTERRUPTED",
    "LOST",
    "Best",
    "Checkpoint",
    "Clock",
    "Compiled",
    "InnerWatcher",
    "Loss",
    "Metric",
    "OptimizerFactory",
    "Outcome",
    "Pace",
    "Ranks",
    "RunFolder",
    "Trainer",
    "Watcher",
    "check_logs",
    "compile_names",
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
    "peak_megabytes",
    "read_checkpoint",
    "sizes_of",
    "time_steps",
    "time_validation",
    "write_checkpoint",
]
