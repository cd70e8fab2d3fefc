"""How sure a mean over images is: the percentile bootstrap (NumPy only).

The images are drawn again with replacement, many times, and averaged each time; 95 % of those means
lie inside the interval (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.evaluate.counts import Floats

BLOCK_DRAWS = 1 << 22  # draws made at a time: bounds memory for any number of images


def resample_means(scores: Floats, num_resamples: int, seed: int) -> Floats:
    """Class means of images drawn again: scores (N, K, S) -> (num_resamples, K, S).

    A draw is a row of how often each image was drawn, so that all means are one matrix product.
    """
    num_images = len(scores)
    flat = scores.reshape(num_images, scores.shape[1] * scores.shape[2])  # (N, K * S)
    exists = np.isfinite(flat)
    values, weights = np.where(exists, flat, 0.0), exists.astype(np.float64)
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK_DRAWS // max(1, num_images))
    means = []
    for start in range(0, num_resamples, block):
        times = _draw_times(rng, min(block, num_resamples - start), num_images)
        means.append(_divide(times @ values, times @ weights))
    return np.concatenate(means).reshape(num_resamples, *scores.shape[1:])


def _draw_times(rng: np.random.Generator, num_draws: int, num_images: int) -> Floats:
    """(num_draws, N): how often each image came up when N were drawn with replacement."""
    if num_images == 0:
        return np.zeros((num_draws, 0))
    drawn = rng.integers(num_images, size=(num_draws, num_images))
    drawn += np.arange(num_draws)[:, None] * num_images  # a range of bins for each draw
    times = np.bincount(drawn.reshape(-1), minlength=num_draws * num_images)
    return times.reshape(num_draws, num_images).astype(np.float64)


def nanmean(values: Floats, axis: int) -> Floats:
    """`np.nanmean` that gives NaN for nothing at all without a warning."""
    exists = np.isfinite(values)
    return _divide(np.where(exists, values, 0.0).sum(axis=axis), exists.sum(axis=axis))


def _divide(sums: Floats, numbers: NDArray[Any]) -> Floats:
    nothing = np.full(np.shape(sums), np.nan)
    means: Floats = np.divide(sums, numbers, out=nothing, where=numbers > 0)
    return means
