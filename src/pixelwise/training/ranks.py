"""Ranks: the processes that `torchrun` started, which train one model together.

Each rank computes its share of every batch and of the validation images. Whatever the clock or the
user decides is decided by the first rank and told to the others; whatever follows from the data,
the seed and the step is the same on all of them anyway:

    rank 0   reads, plans ── plan ──> share of a batch ── sums, gradients ──> same step ──> writes
    rank 1         waits  <── plan ── share of a batch ── sums, gradients ──> same step

Alone, which is the default, nothing of this costs anything.
"""

import atexit
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pixelwise.device import pick_device
from pixelwise.errors import PlanError, TrainingError
from pixelwise.parallel import available_cores
from pixelwise.text import count_of
from pixelwise.training.interrupt import INTERRUPTED

ALL_DONE = "all steps were done"
STEP_TIMEOUT = timedelta(minutes=30)  # from which a rank that is silent in training is lost
FIRST_TIMEOUT = timedelta(days=1)  # the same, while the first one reads and plans
LEAVING_SECONDS = 0.2  # for the threads of gloo to end what they do, which takes microseconds
LOST = (
    "One of the processes that train together ended or does not answer; what torchrun prints says "
    "which."
)
FAILURES = "pixelwise_failures"  # counter that all ranks share
Value = TypeVar("Value")


class Decision(NamedTuple):
    """What is due, and how many steps there will be; of several ranks all act on the same."""

    is_asked: bool  # by the user, to end
    is_over: bool
    is_validation_due: bool
    is_checkpoint_due: bool
    num_steps: int

    def why_stop(self, step: int, *, has_budget: bool) -> str:
        """Return why training is to end after so many steps, or nothing."""
        if self.is_asked:
            return INTERRUPTED
        if self.is_over:
            return "the budget was used"
        if step >= self.num_steps:
            return "the budget was used" if has_budget else ALL_DONE
        return ""


class Share(NamedTuple):
    """Which images of a batch are a rank's: `start` to `stop` of `total`."""

    start: int
    stop: int
    total: int


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: rank of this process, from 0.
        world_size: number of processes.
        slow_group: group of all that waits for long.
    """

    rank: int = 0
    world_size: int = 1
    slow_group: Any = field(default=None, compare=False, repr=False)

    @property
    def is_first(self) -> bool:
        """Whether this process decides, writes and prints."""
        return self.rank == 0

    def share(self, total: int) -> Share:
        """Images of a batch that are this rank's; shares differ by one image at most."""
        start, stop = (total * rank // self.world_size for rank in (self.rank, self.rank + 1))
        return Share(start, stop, total)

    def broadcast(self, function: Callable[[], Value]) -> Value:
        """Let the first rank call a function, and return its result on all of them.

        Raises:
            SystemExit: on the others, where the function failed.
        """
        if self.world_size == 1:
            return function()
        said: list[Any] = [False, None]
        try:
            if self.is_first:
                said = [True, function()]
        finally:  # where it failed too: the others wait for it
            dist.broadcast_object_list(said, src=0, group=self.slow_group)
        if not said[0]:
            raise SystemExit(1)
        result: Value = said[1]
        return result

    def decide(self, own: Decision) -> Decision:
        """Return what the first rank's clock says, and whether any rank was asked to end."""
        if self.world_size == 1:
            return own
        told = own if self.is_first else Decision._make([own.is_asked, 0, 0, 0, 0])
        values = torch.tensor(told, dtype=torch.int64)
        dist.all_reduce(values)
        *wishes, num_steps = values.tolist()
        return Decision._make([*map(bool, wishes), num_steps])

    def gather(self, own: Sequence[Value]) -> list[Value]:
        """Return what all ranks have, in turn: one of each, then the next of each."""
        if self.world_size == 1:
            return list(own)
        parts: list[Any] = [None] * self.world_size
        dist.all_gather_object(parts, list(own))
        longest = max(map(len, parts))
        return [part[i] for i in range(longest) for part in parts if i < len(part)]

    def reduce(self, *sums: Tensor) -> tuple[Tensor, ...]:
        """Add sums over a share of the batch up over all ranks, for a loss of the whole batch.

        Slopes come back times the number of ranks, since DistributedDataParallel takes the mean of
        the ranks' gradients where their sum is meant.
        """
        if self.world_size == 1:
            return sums
        flat = torch.cat([values.float().reshape(-1) for values in sums])
        parts = _Sum.apply(flat).split([values.numel() for values in sums])  # type: ignore[no-untyped-call]
        return tuple(part.view_as(values) for part, values in zip(parts, sums, strict=True))

    def over_batch(self, loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """Return a named loss for shares of batches: its value is that of the whole batch."""
        return loss if self.world_size == 1 else partial(loss, reduce=self.reduce)

    def wrap(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Return the network as training calls it: its gradients are added up over ranks."""
        if self.world_size == 1:
            return network
        devices = [device] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices)

    def pick_device(self, device: str) -> torch.device:
        """Return this rank's device: of the GPUs of its machine one each, or its part of the CPU.

        Raises:
            PlanError: the device is not there, or not one for each rank.
        """
        if self.world_size == 1:
            return pick_device(device)
        beside = int(os.environ["LOCAL_WORLD_SIZE"])
        chosen = _own_device(device, int(os.environ["LOCAL_RANK"]), beside)
        if len(set(self.gather([chosen.type]))) > 1:
            raise PlanError(
                "Some processes have a GPU and some have none. Train on machines that all have "
                "GPUs, or with --device cpu."
            )
        if chosen.type == "cuda":
            torch.cuda.set_device(chosen)
        elif os.environ.get("OMP_NUM_THREADS", "1") == "1":  # torchrun's default, not a choice
            torch.set_num_threads(max(1, available_cores() // beside))
        return chosen

    def ignore_termination(self) -> None:
        """Be left to save and say what there is: torchrun ends all ranks when it sees one end."""
        if self.world_size > 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def describe(self, device: torch.device) -> str:
        """Say how many train together, and on what."""
        threads = torch.get_num_threads()
        each = count_of(threads, "thread") if device.type == "cpu" else "a GPU"
        return f"{self.world_size} processes train together, each on {each}."


class _Sum(torch.autograd.Function):
    """The sum of a tensor over ranks."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ANN401
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:  # noqa: ANN401
        return slope * dist.get_world_size()


def _own_device(device: str, local_rank: int, num_beside: int) -> torch.device:
    """The device of one of several ranks on a machine."""
    device = "cuda" if device == "gpu" else device
    if device not in ("auto", "cpu", "cuda"):
        raise PlanError(
            f"--device {device} names one device for {num_beside} processes. Use --device cuda, "
            "which gives each process a GPU of its own, or cpu."
        )
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    number = torch.cuda.device_count()
    if num_beside > number:
        raise PlanError(
            f"{num_beside} processes were started on a machine with {number} GPUs. Give torchrun "
            f"--nproc-per-node {max(1, number)}, or train with --device cpu."
        )
    return torch.device("cuda", local_rank)


@cache
def joined_ranks() -> Ranks:
    """Join the processes that torchrun started, once; alone where there are none."""
    if not (dist.is_available() and dist.is_torchelastic_launched()):
        return Ranks()
    if int(os.environ["WORLD_SIZE"]) == 1:
        return Ranks()
    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=STEP_TIMEOUT)
        atexit.register(_leave)
    slow_group = dist.new_group(backend="gloo", timeout=FIRST_TIMEOUT)
    return Ranks(dist.get_rank(), dist.get_world_size(), slow_group)


def _leave() -> None:
    """Leave the other ranks, before the interpreter ends.

    A thread of gloo that just gave a result still has to give up its tensors, for which it needs
    the interpreter: where that is gone by then, the whole process is aborted.
    """
    dist.destroy_process_group()
    time.sleep(LEAVING_SECONDS)


@contextmanager
def ending_together() -> Iterator[Ranks]:
    """Join the ranks; where one fails all of them end, and only the first that failed says why.

    A rank that ends takes its connections with it, at which the others, waiting for it, fail too.

    Raises:
        SystemExit: on every rank but the one whose error is the reason.
        TrainingError: a rank was lost before training began.
    """
    ranks = joined_ranks()
    try:
        yield ranks
    except Exception as error:
        if ranks.world_size == 1:
            raise
        atexit.unregister(_leave)  # it might wait for the others
        time.sleep(LEAVING_SECONDS)
        if not _is_first_failure():
            raise SystemExit(1) from error
        if is_lost_rank(error):
            raise TrainingError(LOST) from error
        raise


def _is_first_failure() -> bool:
    """Whether no other rank failed before."""
    try:
        store = dist.distributed_c10d._get_default_store()
        return bool(store.add(FAILURES, 1) == 1)
    except RuntimeError:  # it was lost with the machine that held it
        return True


def is_lost_rank(error: BaseException) -> bool:
    """Whether an error says that another rank does not answer."""
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error)
    )
