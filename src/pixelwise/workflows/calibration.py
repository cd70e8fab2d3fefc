"""Calibration: real steps and validations of draft plans on this machine, and what is remembered.

Formats are ranked by what earlier trainings took, so that a short training need not measure them.
What a plan finally chooses is measured again each time: other programs may use the machine today.
"""

import json
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from pydantic import ValidationError

from pixelwise import __version__
from pixelwise.data import Dataset, Sample
from pixelwise.data.cache import default_folder
from pixelwise.errors import OutputError
from pixelwise.io import make_folder, write_text
from pixelwise.planning import Plan, Timing
from pixelwise.training import (
    find_threads,
    is_out_of_memory,
    peak_megabytes,
    sizes_of,
    time_preparation,
    time_steps,
    time_validation,
)
from pixelwise.training.batches import num_preparing
from pixelwise.workflows.final_scores import seconds_for_test
from pixelwise.workflows.from_plan import new_loss, new_model

Value = TypeVar("Value")

MAX_SAMPLES = 16  # that steps are measured on, evenly spread
MAX_VALIDATED = 5  # that a validation is measured on
MAX_NEW = 8  # that are looked at for the first time
MIN_TRAIN = 50  # images, of which the first pass is worth a look


class TrainingMachine:
    """A `pixelwise.planning.Machine` that trains on some of the samples, and forgets it.

    Args:
        dataset: says what the model is for.
        train: samples with masks.
        val: samples with masks; may be empty.
        device: to train on.
    """

    def __init__(
        self,
        dataset: Dataset,
        train: Sequence[Sample],
        val: Sequence[Sample],
        device: torch.device,
    ) -> None:
        self.device = device
        self._dataset, self._train, self._val = dataset, train, val
        self._samples: Sequence[Sample] = []
        self._num_threads: int | None = None  # that steps are fastest with today
        channels = (dataset.in_channels, len(dataset.encoding.classes))
        self._remembered = RememberedTimings(device, channels)

    def time_steps(self, plan: Plan, *, seconds: float | None) -> Timing:
        """Measure real training steps of a plan; raise MemoryError where memory is short.

        Where the plan leaves the number of threads open, it is found first: today's, since other
        programs may use the cores.
        """
        if plan.num_threads is None:
            plan = plan.model_copy(update={"num_threads": self._threads_for(plan)})
        known = self._remembered.find(plan) if seconds is None else None
        if known is not None:
            return known
        timing = self._measure(partial(time_steps, min_seconds=seconds or 0), plan)
        self._remembered.keep(plan, timing)
        return timing

    def _threads_for(self, plan: Plan) -> int | None:
        """How many threads steps are fastest with today; None but on a CPU."""
        if self._num_threads is None and self.device.type == "cpu":
            self._num_threads = self._measure(find_threads, plan)
        return self._num_threads

    def _measure(self, measure: Callable[..., Value], plan: Plan) -> Value:
        """Call a function that takes training steps; MemoryError where memory is short."""
        if not self._samples:
            self._samples = spread(self._train, MAX_SAMPLES)
        model = new_model(self._dataset, plan, {})
        loss = new_loss(model, plan)
        try:
            return measure(model, plan, self._samples, loss, self.device)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise MemoryError(str(error)) from error
            raise

    def time_new_image(self, plan: Plan) -> float:
        """Seconds by which an image that is new holds up training; 0 where there are few images.

        On a CPU steps and what prepares their batches share the cores: a step whose threads wait
        for one another gains nothing by those that are free. A GPU waits for the threads that
        prepare its batches.
        """
        number = len(self._train)
        if number < MIN_TRAIN:
            return 0.0
        between = number // (2 * MAX_NEW)  # from those that steps are measured on
        samples = [self._train[i * number // MAX_NEW + between] for i in range(MAX_NEW)]
        seconds = time_preparation(new_model(self._dataset, plan, {}), plan, samples)
        if self.device.type == "cpu":
            return seconds
        return seconds / num_preparing(self.device)

    def time_validation(self, plan: Plan) -> float:
        """Seconds that one validation takes, over all validation images: from some of them."""
        if not self._val:
            return 0.0
        samples = spread(self._val, MAX_VALIDATED)
        model = new_model(self._dataset, plan, {})
        loss = new_loss(model, plan)
        number = plan.num_threads or self._num_threads
        seconds = time_validation(model, samples, loss, self.device, number)
        return seconds * _num_pixels(self._val) / _num_pixels(samples)

    def time_test(self, per_validation: float) -> float:
        """Seconds that scoring the test images after training takes: as validation, by pixels."""
        return seconds_for_test(self._dataset, per_validation)

    def peak_megabytes(self) -> float | None:
        """The most memory so far, on the device or of this process; None where unknown."""
        return peak_megabytes(self.device)


def spread(samples: Sequence[Sample], number: int | None) -> Sequence[Sample]:
    """Return that many samples, evenly spread; all of them for None, or where there are fewer."""
    if number is None or number >= len(samples):
        return samples
    return [samples[int(i)] for i in np.linspace(0, len(samples) - 1, number)]


def _num_pixels(samples: Sequence[Sample]) -> float:
    return sum(float(np.prod(size)) for size in sizes_of(samples))


FILE = "calibration.json"
MAX_ENTRIES = 500
MEASURED = (  # what of a plan the time of a step depends on
    "patch_size", "batch_size", "widths", "normalization", "upsampling", "loss", "precision",
    "channels_last", "num_threads", "optimizer", "encoder", "deep_supervision",
)  # fmt: skip


class RememberedTimings:
    """Timings in a file that is read once, and written at each new one.

    A file that cannot be read or written is done without.

    Args:
        device: that was measured.
        channels: channels of images and logits.
        path: path of the file; None for the user's cache folder.
    """

    def __init__(
        self, device: torch.device, channels: tuple[int, int], path: Path | None = None
    ) -> None:
        self._path = path or default_folder() / FILE
        self._machine = [__version__, torch.__version__, describe_processor(device), *channels]
        self._entries = self._read()

    def find(self, plan: Plan) -> Timing | None:
        """What a plan's step took, or None."""
        with suppress(ValidationError):
            return Timing.model_validate(self._entries.get(self._key(plan)))
        return None

    def keep(self, plan: Plan, timing: Timing) -> None:
        """Remember a timing; the oldest ones give way."""
        key = self._key(plan)
        entries = self._read() or self._entries  # other trainings write too
        entries.pop(key, None)
        entries[key] = timing.model_dump(mode="json")
        self._entries = dict(list(entries.items())[-MAX_ENTRIES:])
        with suppress(OutputError, OSError):
            make_folder(self._path.parent)
            write_text(self._path, json.dumps(self._entries, indent=0))

    def _key(self, plan: Plan) -> str:
        values = plan.model_dump(mode="json", include=set(MEASURED))
        return json.dumps([*self._machine, [values[name] for name in MEASURED]])

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            entries = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(entries, dict):
                return entries
        return {}


def describe_processor(device: torch.device) -> str:
    """Name of a GPU; of a CPU its kind, what it can compute, and how many threads torch uses."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    able = torch.backends.cpu.get_cpu_capability()
    model = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return f"{device.type} {model} {able} {torch.get_num_threads()}"
