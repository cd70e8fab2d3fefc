"""Losses and metrics of the steps, fetched from the device now and then, not at each step."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pixelwise.training.state import Best, Row

LOSS = "train_loss"
COLLECT_EVERY = 20  # steps, on a device that works while the host waits


class LostLoss(Exception):
    """The loss, or a weight, became NaN or infinite."""

    def __init__(self, loss: float, step: int) -> None:
        super().__init__(loss, step)
        self.loss, self.step = loss, step

    def describe(self, num_retreats: int, best: Best, rate: float, *, keep_last: bool) -> str:
        """Say at which step the loss was lost for good, and what was kept."""
        kept = (
            f"The weights of step {best.step}, the {'last' if keep_last else 'best'} "
            "validated ones, were kept"
            if best.step
            else "No weights had been validated yet, so those from before training were kept"
        )
        return (
            f"The loss became {self.loss} at step {self.step}, after training had gone back "
            f"{num_retreats} times to go on at a lower learning rate. {kept}. Use a lower learning "
            f"rate (it was {rate:.3g}), and look for extreme intensities in the images with "
            "`pixelwise check`."
        )


class Tally:
    """What the last steps gave, still on the device.

    Args:
        device: a CPU is asked at each step, others every 20 steps, since asking makes them wait.
    """

    def __init__(self, device: torch.device) -> None:
        self._every = 1 if device.type == "cpu" else COLLECT_EVERY
        self._values: list[Mapping[str, Tensor]] = []
        self._num_images: list[int] = []

    @property
    def is_full(self) -> bool:
        """Whether it is time to collect."""
        return len(self._values) >= self._every

    def add(self, loss: Tensor, metrics: Mapping[str, Tensor], num_images: int) -> None:
        """Take note of a step."""
        self._values.append({LOSS: loss.detach(), **metrics})
        self._num_images.append(num_images)

    def clear(self) -> None:
        """Forget the steps."""
        self._values.clear()
        self._num_images.clear()

    def collect(self, step: int) -> list[Row]:
        """Return a row for each step, with its number of images as weight; the tally is empty then.

        Args:
            step: number of the last step.

        Raises:
            LostLoss: a loss is NaN or infinite.
        """
        if not self._values:
            return []
        names = list(self._values[0])
        table = torch.stack(
            [torch.stack([v[name].float().reshape(()) for name in names]) for v in self._values]
        ).tolist()  # (steps, values)
        weights = list(self._num_images)
        self.clear()
        rows = [dict(zip(names, values, strict=True)) for values in table]
        for number, row in enumerate(rows, step - len(rows) + 1):
            if not math.isfinite(row[LOSS]):
                raise LostLoss(row[LOSS], number)
        return [{**row, "weight": weight} for row, weight in zip(rows, weights, strict=True)]


def weighted_means(rows: Sequence[Mapping[str, float]]) -> Row:
    """Mean of each column over rows, weighted by the number of images; without the weights."""
    total = sum(row["weight"] for row in rows)
    return {
        name: sum(row[name] * row["weight"] for row in rows) / total
        for name in (rows[0] if rows else {})
        if name != "weight"
    }
