"""Calibration: real training steps of a plan on this device, before training; its memory too."""

import statistics
import time
from collections.abc import Sequence

import torch

from pixelwise.data import Sample
from pixelwise.inference import Predictor
from pixelwise.memory import keeping_freed_memory
from pixelwise.network import Model
from pixelwise.planning import Plan, Timing
from pixelwise.threads import Threads, free_threads, using_threads
from pixelwise.training.batches import BatchQueue
from pixelwise.training.objective import Loss, Objective
from pixelwise.training.patches import patch_source
from pixelwise.training.schedule import crowding_of
from pixelwise.training.step import COLLECT_EVERY, Stepper
from pixelwise.training.validate import validate

NUM_STEPS = 3  # timed, after those that are not
NUM_WARM = 10  # steps that are not timed on a GPU, which loads its programs in the first ones


def time_steps(
    model: Model,
    plan: Plan,
    samples: Sequence[Sample],
    loss: Loss,
    device: torch.device,
    num_steps: int = NUM_STEPS,
    min_seconds: float = 0.0,
) -> Timing:
    """Measure training steps as they will be: batches by threads, augmentation, loss, all of it.

    Args:
        model: with fresh weights; they are changed.
        plan: whose steps they are.
        samples: with masks; a few are enough.
        loss: (logits, target) -> scalar.
        device: where.
        num_steps: timed, at least; their median counts on a CPU.
        min_seconds: timed, at least; then the mean counts. The first steps find their batches
            ready; later ones share the processor with the threads that prepare the next.

    Raises:
        RuntimeError: of torch, where memory does not suffice (see `is_out_of_memory`).
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    measured: list[tuple[float, int]] = []  # seconds of a step, images of its batch
    taking = computing = 0.0  # seconds that steps took with their batches there, and a processor
    waits = device.type == "cpu"  # a GPU works on while the next step is prepared
    num_warm = 1 if waits else NUM_WARM
    with using_threads(plan.num_threads), keeping_freed_memory(large=True):
        stepper = Stepper(model.single_network, plan, Objective(loss), device)
        source = patch_source(model, plan, samples)
        for index in range(len(samples)):  # the steps after a first pass over the images count
            source.prepare(index)
        with BatchQueue(source, device) as queue:
            began = time.perf_counter()
            while len(measured) < num_warm + num_steps or time.perf_counter() < began + min_seconds:
                step, started = len(measured), time.perf_counter()
                if not waits and step == num_warm:  # until then a GPU loads what it computes by
                    began = started
                batch = queue.take()
                ready, computed = time.perf_counter(), time.thread_time()
                taken = stepper.take(batch, step, plan.num_steps, plan.learning_rate)
                if waits or step % COLLECT_EVERY == num_warm - 1:
                    taken.loss.item()
                measured.append((time.perf_counter() - started, batch.num_images))
                taking += time.perf_counter() - ready
                computing += time.thread_time() - computed
            taken.loss.item()
            seconds = time.perf_counter() - began
    sizes = [size for _, size in measured[num_warm:]]
    whole = max(sizes)  # the last batch of an epoch may be small
    if waits:
        average = statistics.fmean if min_seconds > 0 else statistics.median
        per_step = average([each for each, size in measured[num_warm:] if size == whole])
    else:  # one step in many waits for those before it
        per_step = seconds * whole / sum(sizes)
    return Timing(
        batch_size=plan.batch_size,
        patch_size=plan.patch_size or samples[0].image.shape[1:],
        widths=plan.widths,
        precision=plan.precision,
        channels_last=plan.channels_last,
        num_threads=plan.num_threads,
        seconds_per_step=round(per_step, 5),
        crowding=round(crowding_of(taking, computing), 2) if waits else 1.0,
    )


def time_preparation(model: Model, plan: Plan, samples: Sequence[Sample]) -> float:
    """Measure the seconds that a core takes for what is done once for an image, when it is new.

    Args:
        model: that is trained.
        plan: its plan.
        samples: with masks, that were not looked at before.
    """
    source = patch_source(model, plan, samples)
    with using_threads(1):  # as the threads that prepare batches compute
        started = time.perf_counter()
        for index in range(len(samples)):
            source.prepare(index)
    return (time.perf_counter() - started) / len(samples)


def find_threads(
    model: Model, plan: Plan, samples: Sequence[Sample], loss: Loss, device: torch.device
) -> int | None:
    """Find how many threads training steps take least time with, now; None but on a CPU.

    Args:
        model: with fresh weights; they are changed.
        plan: whose steps they are.
        samples: with masks; a few are enough.
        loss: (logits, target) -> scalar.
        device: where.

    Raises:
        RuntimeError: of torch, where memory does not suffice (see `is_out_of_memory`).
    """
    if device.type != "cpu" or plan.num_threads is not None:
        return plan.num_threads
    threads = Threads(device, first=free_threads())
    with (
        keeping_freed_memory(large=True),
        BatchQueue(patch_source(model, plan, samples), device) as queue,
    ):
        stepper = Stepper(model.single_network, plan, Objective(loss), device)
        step = 0
        while not threads.is_settled:
            batch = queue.take()
            with threads.timed():
                stepper.take(batch, step, plan.num_steps, plan.learning_rate).loss.item()
            step += 1
    return threads.chosen


def time_validation(
    model: Model,
    samples: Sequence[Sample],
    loss: Loss,
    device: torch.device,
    num_threads: int | None,
) -> float:
    """Measure the seconds that images take in a validation, after a first one that is not timed."""
    with using_threads(num_threads):
        threads = Threads(device, num_threads)
        predictor = Predictor(model, device=device, threads=threads, in_place=True)
        validate(predictor, samples[:1], loss)
        started = time.perf_counter()
        validate(predictor, samples, loss)
        return time.perf_counter() - started
