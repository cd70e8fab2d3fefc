"""How sure a mean over images is: the bootstrap, over groups of images where there are any.

Units (groups such as patients, else single images) are drawn again with replacement, many times;
each time the scores of all images of the drawn units are averaged. The middle 95 % of those means
(Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13) are too narrow for few
units: their distances from the mean are stretched by what the t interval of n units has over a
normal one without the small-sample correction,

    sqrt(n / (n - 1)) * t(0.975, n - 1) / 1.96        n = 3: 2.69, 5: 1.58, 10: 1.22, 100: 1.02

(Hesterberg 2015, What Teachers Should Know About the Bootstrap, section 3.4, on narrowness). Drawn
whole, units of several images give a ratio of sums (Davison & Hinkley 1997, Bootstrap Methods and
their Application, sections 2.4 and 3.8): docs/metrics.md has the measured coverage.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from pixelwise.metrics.counts import Floats

BLOCK_DRAWS = 1 << 22  # draws made at a time: bounds memory for any number of images
NORMAL = 1.959964  # 97.5 % of a normal distribution lie below


def complete_groups(samples: Iterable[tuple[str, str | None]]) -> list[str] | None:
    """The group of each named sample, its own where it has none; None where no sample has one."""
    pairs = list(samples)
    if all(group is None for _, group in pairs):
        return None
    return [f"image {name}" if group is None else group for name, group in pairs]


def number_units(groups: Sequence[str] | None, num_images: int) -> NDArray[np.int64]:
    """(N,) the unit of each image, 0 to U - 1: its group, or itself where there are no groups."""
    if groups is None:
        return np.arange(num_images)
    places: dict[str, int] = {}
    return np.array([places.setdefault(group, len(places)) for group in groups], np.int64)


def add_up(units: NDArray[np.int64], values: Floats) -> Floats:
    """Sums over the images of each unit: (N, ...) -> (U, ...)."""
    sums = np.zeros((int(units.max(initial=-1)) + 1, *values.shape[1:]))
    np.add.at(sums, units, values)
    return sums


def resample_means(
    scores: Floats, units: NDArray[np.int64], num_resamples: int, seed: int
) -> Floats:
    """Class means of units drawn again: scores (N, K, S) -> (num_resamples, K, S).

    A draw is a row of how often each unit was drawn, so that all means are one matrix product.
    """
    flat = scores.reshape(len(scores), scores.shape[1] * scores.shape[2])  # (N, K * S)
    exists = np.isfinite(flat)
    values = add_up(units, np.where(exists, flat, 0.0))  # (U, K * S)
    weights = add_up(units, exists.astype(np.float64))
    num_units = len(values)
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK_DRAWS // max(1, num_units))
    means = [np.zeros((0, flat.shape[1]))]
    for start in range(0, num_resamples, block):
        times = _draw_times(rng, min(block, num_resamples - start), num_units)
        means.append(_divide(times @ values, times @ weights))
    return np.concatenate(means).reshape(num_resamples, *scores.shape[1:])


def _draw_times(rng: np.random.Generator, num_draws: int, num_units: int) -> Floats:
    """(num_draws, U): how often each unit came up when U were drawn with replacement."""
    if num_units == 0:
        return np.zeros((num_draws, 0))
    drawn = rng.integers(num_units, size=(num_draws, num_units))
    drawn += np.arange(num_draws)[:, None] * num_units  # a range of bins for each draw
    times = np.bincount(drawn.reshape(-1), minlength=num_draws * num_units)
    return times.reshape(num_draws, num_units).astype(np.float64)


def stretched_bounds(mean: float, resampled: Floats, num_units: int) -> tuple[float, float] | None:
    """95 % bounds of a mean in [0, 1] from the means of redrawn units; None below two units.

    Args:
        mean: mean of the units as they are.
        resampled: (num_resamples,) of redrawn ones; NaN where a draw had none with a score.
        num_units: that have a score.
    """
    resampled = resampled[np.isfinite(resampled)]
    if num_units < 2 or not resampled.size:
        return None
    low, high = np.percentile(resampled, [2.5, 97.5])
    stretch = float(np.sqrt(num_units / (num_units - 1)) * stdtrit(num_units - 1, 0.975) / NORMAL)
    # A mean may leave the interval by rounding, where all images score the same.
    low, high = min(float(low), mean), max(float(high), mean)
    return max(0.0, mean - stretch * (mean - low)), min(1.0, mean + stretch * (high - mean))


def nanmean(values: Floats, axis: int) -> Floats:
    """`np.nanmean` that gives NaN for nothing at all without a warning."""
    exists = np.isfinite(values)
    return _divide(np.where(exists, values, 0.0).sum(axis=axis), exists.sum(axis=axis))


def _divide(sums: Floats, numbers: NDArray[Any]) -> Floats:
    nothing = np.full(np.shape(sums), np.nan)
    means: Floats = np.divide(sums, numbers, out=nothing, where=numbers > 0)
    return means
