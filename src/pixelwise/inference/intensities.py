"""Images brought to the intensities of training, and what is to be said about it."""

import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ArrayError, PixelwiseWarning
from pixelwise.network import (
    IntensityFacts,
    ModelConfig,
    compare_intensities,
    look_at_intensities,
)


class IntensityCheck:
    """Takes images as a model needs them, and remembers what was done, to say it once.

    A model that scales each image by its own range does not depend on the unit, and one from an
    older file does not know it; there every image is taken as it is.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Check against what a model knows of its training images."""
        scheme = config.scaling.scheme
        self._trained = None if scheme == "percentiles" else config.intensities
        self._as_float = config.float_images
        self._found: dict[tuple[str, float], list[str]] = {}  # names by kind and factor
        self._facts: dict[tuple[str, float], IntensityFacts] = {}  # of the first of them

    def take(self, image: NDArray[Any], name: str) -> NDArray[Any]:
        """Return an image (C, *spatial) in the unit of training.

        Args:
            image: any type.
            name: for messages.

        Returns:
            The image itself, or float32 of its shape.

        Raises:
            ArrayError: it is in another unit, and which one is not plain.
        """
        factor = self.factor_of(look_at_intensities([image]), name) if self._trained else 1.0
        return self.scale(image, factor)

    def factor_of(self, own: IntensityFacts, name: str) -> float:
        """Return what to multiply images of these facts by; ArrayError as for `take`."""
        if self._trained is None:
            return 1.0
        verdict = compare_intensities(own, self._trained)
        if verdict.kind == "refused":
            raise ArrayError(
                f"{name} has {own.describe()}, but the model was trained on "
                f"{self._trained.describe()}. {verdict.advice}Give images in the unit of those of "
                "training."
            )
        if verdict.kind != "as it is":
            key = verdict.kind, verdict.factor
            names = self._found.setdefault(key, [])
            self._facts.setdefault(key, own)
            if name not in names[-1:]:
                names.append(name)
        return verdict.factor

    def scale(self, image: NDArray[Any], factor: float) -> NDArray[Any]:
        """Return an image times a factor."""
        if factor != 1:
            return (image * np.float64(factor)).astype(np.float32)
        is_asked = self._trained is not None and self._as_float and image.dtype.kind in "biu"
        return image.astype(np.float32) if is_asked else image

    def notes(self) -> list[str]:
        """Return a sentence for each thing that was done, with the number of images."""
        return [self._note(kind, factor) for kind, factor in self._found]

    def warn(self) -> None:
        """Say the notes as warnings."""
        for note in self.notes():
            warnings.warn(note, PixelwiseWarning, stacklevel=_frames_inside() + 1)

    def _note(self, kind: str, factor: float) -> str:
        names, own = self._found[kind, factor], self._facts[kind, factor]
        assert self._trained is not None
        one = len(names) == 1
        who = f"{names[0]} has" if one else f"{len(names)} images, the first {names[0]}, have"
        has = f"{who} {own.describe()}, where the model was trained on {self._trained.describe()}"
        if kind == "far":
            return (
                f"{has}: far outside of these. Masks may be wrong; check that such images were "
                "recorded and exported as those of training."
            )
        return f"{has}: {'it was' if one else 'they were'} multiplied by {_show(factor)}."


def _frames_inside() -> int:
    """Frames from the caller of this one up to the first outside of the package."""
    frame, count = sys._getframe(1), 0
    while frame is not None and frame.f_globals.get("__name__", "").startswith("pixelwise."):
        frame, count = frame.f_back, count + 1  # type: ignore[assignment]
    return count


def _show(factor: float) -> str:
    """255, or 1/255, or 255/65535."""
    if factor == round(factor):
        return f"{factor:.0f}"
    over = 1 / factor
    return f"1/{over:.0f}" if abs(over - round(over)) < 1e-9 * over else f"{factor:.6g}"
