"""Calibration: real training steps of draft plans on this device, so that speed is measured."""

import time
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch

from pixelwise.device import Precision, has_bfloat16
from pixelwise.errors import PlanError
from pixelwise.planning.plan import Plan
from pixelwise.planning.timing import Timing

HANDICAP = 1.2  # what is usually slower must be so many times faster to be chosen
MEASURED_SECONDS = 0.6  # for steps, at least
FORMAT_BATCH = 2  # images, enough to tell formats apart


class Machine(Protocol):
    """What a plan is made for: a device, and how fast it trains on these data."""

    device: torch.device

    def time_steps(self, plan: Plan, *, seconds: float | None) -> Timing:
        """Measure real training steps of a plan; raise MemoryError where memory is short.

        Args:
            plan: whose steps they are.
            seconds: to measure for, at least. None: a few steps are enough, and what this machine
                took in an earlier training will do.
        """

    def time_new_image(self, plan: Plan) -> float:
        """Seconds by which an image that training sees for the first time holds it up."""

    def time_validation(self, plan: Plan) -> float:
        """Seconds that one validation takes, over all validation images."""

    def time_test(self, per_validation: float) -> float:
        """Seconds that scoring the test images after training takes, as far as a validation tells.

        Args:
            per_validation: seconds of a validation.
        """

    def peak_megabytes(self) -> float | None:
        """The most memory so far, on the device or of this process; None where unknown."""


class Format(NamedTuple):
    """A way of computing the same step."""

    precision: Precision
    channels_last: bool


class Calibrator:
    """Measures draft plans until the time for it is used.

    Args:
        machine: to measure on.
        deadline: `time.monotonic()` from which nothing is measured that can be left out.
        seconds: that the steps of a plan are measured for, where they are not only compared.
    """

    def __init__(
        self, machine: Machine, deadline: float, seconds: float = MEASURED_SECONDS
    ) -> None:
        self._machine, self._deadline, self._seconds = machine, deadline, seconds
        self.timings: list[Timing] = []

    @property
    def has_time(self) -> bool:
        """Whether more may be measured."""
        return time.monotonic() < self._deadline

    def time(self, plan: Plan, *, compared: bool = False) -> tuple[Plan, Timing]:
        """Measure a plan; where memory is short with smaller batches, then smaller patches.

        Args:
            plan: to measure.
            compared: shortly, or from memory, since it is only to be compared.

        Returns:
            The plan that fits, and its timing.

        Raises:
            PlanError: even the smallest does not fit.
        """
        while True:
            try:
                timing = self._machine.time_steps(plan, seconds=None if compared else self._seconds)
            except MemoryError as error:
                plan = _smaller(plan, error)
            else:
                self.timings.append(timing)
                return plan, timing

    def choose_format(self, plan: Plan) -> Format:
        """Measure the formats that the device has on a small batch of a plan, the usual one first.

        Returns:
            The fastest, where it is clearly faster than the usual one: twice, for another program
            may have held up a single timing, today or when it was remembered.
        """
        small = plan.model_copy(update={"batch_size": min(FORMAT_BATCH, plan.batch_size)})

        def time_format(format_: Format, *, compared: bool) -> float:
            draft = small.model_copy(update=format_._asdict())
            return self.time(draft, compared=compared)[1].seconds_per_step

        formats = _formats(self._machine.device, is_volume=len(plan.patch_size or ()) == 3)
        usual = best = next(formats)
        best_seconds = time_format(usual, compared=True)
        for format_ in formats:
            if not self.has_time:
                break
            seconds = time_format(format_, compared=True)
            if seconds * HANDICAP < best_seconds:
                best, best_seconds = format_, seconds
        if best == usual or not self.has_time:
            return usual
        usual_seconds, best_seconds = (time_format(each, compared=False) for each in (usual, best))
        return best if best_seconds * HANDICAP < usual_seconds else usual


def _formats(device: torch.device, *, is_volume: bool) -> Iterator[Format]:
    """Formats that the device has; first the one that is usually the fastest."""
    precisions: list[Precision] = ["bfloat16", "float32"] if has_bfloat16(device) else ["float32"]
    layouts = (False,) if is_volume else (True, False)
    yield from (Format(precision, layout) for precision in precisions for layout in layouts)


def _smaller(plan: Plan, error: MemoryError) -> Plan:
    """The plan with half the batch, or half the patch."""
    if plan.batch_size > 1:
        return plan.model_copy(update={"batch_size": plan.batch_size // 2})
    divisor = 2 ** (len(plan.widths) - 1)
    patch = tuple(max(divisor, side // 2 // divisor * divisor) for side in plan.patch_size or ())
    if patch == (plan.patch_size or ()):
        raise PlanError(
            f"Memory does not suffice to train one patch of {' x '.join(map(str, patch))} pixels. "
            "Close other programs, use another device, or give a plan with smaller widths."
        ) from error
    return plan.model_copy(update={"patch_size": patch})
