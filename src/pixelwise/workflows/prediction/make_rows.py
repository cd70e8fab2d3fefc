"""Rows of results, made of what the model says of an image."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.inference import Band, Predictor, normalized_entropy
from pixelwise.task import Task
from pixelwise.workflows.prediction.rows import Rows

OF_PROBABILITIES = ("probability", "uncertainty")  # results that need more than the mask


class RowMaker:
    """Makes what the files of an image need, and no more.

    Args:
        predictor: whose probabilities they are.
        files: to be written, by what they hold.
    """

    def __init__(self, predictor: Predictor, files: Mapping[str, Path]) -> None:
        self._predictor, self._files = predictor, files

    def of_whole(
        self, image: NDArray[Any], mask: NDArray[Any], probabilities: NDArray[np.float32] | None
    ) -> Rows:
        """Rows of a whole image (H, W, C), of its mask, and of (K, H, W) where they are needed."""
        if probabilities is None:
            return Rows(image, mask)
        return Rows(image, mask, *self._of_probabilities(probabilities))

    def of_bands(
        self, bands: Iterator[Band], width: int, read: Callable[[slice], NDArray[Any]] | None
    ) -> Iterator[Rows]:
        """Rows of the whole width, from the top to the bottom.

        Args:
            bands: probabilities of parts of the image, in row order.
            width: of the image.
            read: gives rows (h, W, C) of the image; None where no file needs them.
        """
        parts: list[tuple[NDArray[Any] | None, ...]] = []
        for (down, across), values in bands:
            parts.append((self._predictor.to_mask(values), *self._of_probabilities(values)))
            if across.stop == width:
                mask, probabilities, uncertainty = map(_join, zip(*parts, strict=True))
                assert mask is not None
                nothing = np.zeros((down.stop - down.start, width, 0), np.uint8)
                image = nothing if read is None else read(down)
                yield Rows(image, mask, probabilities, uncertainty)
                parts = []

    def _of_probabilities(
        self, values: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8] | None, NDArray[np.uint8] | None]:
        """Probabilities and uncertainties of (K, h, w), where files need them."""
        task, files = self._predictor.model.config.task, self._files
        return (
            probability_bytes(values, task) if "probability" in files else None,
            to_bytes(normalized_entropy(values, task)) if "uncertainty" in files else None,
        )


def probability_bytes(probabilities: NDArray[np.float32], task: Task) -> NDArray[np.uint8]:
    """Turn probabilities (K, *S) into 0 to 255, so that the likeliest class stays the largest.

    Of classes that exclude each other, those that round to the same as the likeliest one get one
    less: the mask can be made of the file.
    """
    found = to_bytes(probabilities)
    if task.is_exclusive:
        winner = probabilities.argmax(0)[np.newaxis]
        is_winner = np.arange(len(found)).reshape(-1, *(1,) * (found.ndim - 1)) == winner
        is_tied = (found == np.take_along_axis(found, winner, 0)) & ~is_winner
        found -= is_tied.astype(np.uint8)
    return found


def to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn 0 to 1 into 0 to 255: 128 or more where it was 0.5 or more."""
    found: NDArray[np.uint8] = np.rint(values * np.float32(255)).astype(np.uint8)
    return found


def _join(parts: tuple[NDArray[Any] | None, ...]) -> NDArray[Any] | None:
    """Parts from the left to the right, or None where there are none."""
    found = [part for part in parts if part is not None]
    if not found:
        return None
    return found[0] if len(found) == 1 else np.concatenate(found, axis=-1)
