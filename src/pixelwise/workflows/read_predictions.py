"""What the numbers in predictions mean: one reading for the whole folder, or a clear no.

index        0, 1, 2, ...             class indices, as `predict` writes them
stored       0, 2, 3; 0, 255; #ff0000 the values of the data's own masks
probability  0.0 ... 1.0              floats; or 0 to 255 in files that say so, as
                                      `predict --save probability` writes them

All predictions are counted in every reading that is possible; the last one decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import MaskEncoding, to_stored
from pixelwise.data.masks import StoredMask
from pixelwise.errors import MaskError
from pixelwise.io import Pixels, holds_probabilities, is_result, read_pixels, to_planes
from pixelwise.metrics import count_pixels
from pixelwise.metrics.counts import Counts
from pixelwise.task import IGNORE_INDEX

VALUES = ("index", "stored")  # that a person may name
THRESHOLD = 0.5
READ_AS = {
    "index": "class indices",
    "stored": "the values of the data's own masks",
    "probability": f"probabilities (cut at {THRESHOLD}, or the largest of several classes)",
}


@dataclass
class Prediction:
    """One file, in every form that the readings ask for."""

    path: Path
    pixels: Pixels

    @cached_property
    def stored(self) -> StoredMask:
        """As a mask; MaskError where it holds fractions, or says that it holds probabilities."""
        if self.has_probabilities:
            raise MaskError(
                f"{self.path} holds probabilities, written as 0 to 255, and no classes. Save all "
                "predictions so, or all as masks."
            )
        values = to_stored(self.pixels.values, self.path, self.pixels.spatial_dims)
        return replace(values, palette=self.pixels.palette)

    @cached_property
    def has_fractions(self) -> bool:
        """Whether the numbers are not all whole."""
        values = self.pixels.values
        return values.dtype.kind == "f" and bool((values != np.rint(values)).any())

    @cached_property
    def has_probabilities(self) -> bool:
        """Whether it says that 0 to 255 are probabilities from 0 to 1."""
        return self.pixels.values.dtype == np.uint8 and holds_probabilities(self.path)

    @property
    def size(self) -> tuple[int, ...]:
        """(height, width)."""
        return self.pixels.values.shape[: self.pixels.spatial_dims]


def read_prediction(path: Path) -> Prediction:
    """Read a file; FileError where it cannot be."""
    return Prediction(path, read_pixels(path, as_mask=True))


def as_index(prediction: Prediction, encoding: MaskEncoding) -> NDArray[Any]:
    """(H, W) uint8 class indices, or (K, H, W) bool where classes overlap; MaskError if not."""
    path, num_classes = prediction.path, len(encoding.classes)
    if encoding.multilabel:
        _ = prediction.stored  # refuses fractions
        return to_planes(prediction.pixels.values, num_classes, path)
    if prediction.stored.form != "numbers":
        raise MaskError(
            f"{path} is in {prediction.stored.form}, but class indices are one number a pixel."
        )
    values = prediction.stored.values
    is_class = (values >= 0) & (values < num_classes)
    if IGNORE_INDEX not in {entry.value for entry in encoding.classes}:
        is_class |= values == IGNORE_INDEX
    if not is_class.all():
        raise MaskError(
            f"{path} holds {values[~is_class].flat[0]}, but class indices go from 0 to "
            f"{num_classes - 1}."
        )
    return values.astype(np.uint8)


def as_stored(prediction: Prediction, encoding: MaskEncoding) -> NDArray[Any]:
    """What the values mean in the data's own masks; MaskError where they mean nothing."""
    return encoding.decode(prediction.stored, prediction.path)


def as_probability(prediction: Prediction, encoding: MaskEncoding) -> NDArray[Any]:
    """The mask that probabilities stand for; MaskError where they are none."""
    values, num_classes = prediction.pixels.values, len(encoding.classes)
    values = values / np.float32(255) if prediction.has_probabilities else values
    if values.dtype.kind != "f" or not ((values >= 0) & (values <= 1)).all():
        raise MaskError(
            f"{prediction.path} holds {values.dtype} from {values.min()} to {values.max()}, but "
            "probabilities are floats in [0, 1]. Save them all so, or masks of class indices."
        )
    planes = np.moveaxis(values, -1, 0) if values.ndim > 2 else values[np.newaxis]  # (C, H, W)
    if len(planes) == 1 and num_classes == 2 and not encoding.multilabel:
        foreground: NDArray[np.uint8] = (planes[0] >= THRESHOLD).astype(np.uint8)
        return foreground
    if len(planes) != num_classes:
        raise MaskError(
            f"{prediction.path} holds {len(planes)} planes of probabilities, but there are "
            f"{num_classes} classes ({', '.join(encoding.class_names)}). Save one plane a class."
        )
    mask: NDArray[Any] = planes >= THRESHOLD
    return mask if encoding.multilabel else planes.argmax(0).astype(np.uint8)


READERS: Mapping[str, Callable[[Prediction, MaskEncoding], NDArray[Any]]] = {
    "index": as_index,
    "stored": as_stored,
    "probability": as_probability,
}


@dataclass
class _Reading:
    """What one reading gave so far."""

    counts: list[Counts] = field(default_factory=list)
    error: MaskError | None = None
    has_no_class: bool = False  # pixels of 255
    has_class: bool = False  # other pixels than those of class 0


class PredictionCounts:
    """Counts of predictions against targets, in every reading that is still possible."""

    def __init__(self, encoding: MaskEncoding, values: str | None = None) -> None:
        """Take how the data store their masks, and the reading where a person names it."""
        self.encoding = encoding
        self.exact = MaskEncoding.model_validate(encoding.model_dump() | {"snap": False})
        self.values = values
        self.readings = {name: _Reading() for name in ([values] if values else READERS)}
        self.has_fractions = False
        self.are_own = True  # all are the same as the data's own masks
        self.are_exact = True  # the stored values are those of classes, without going to the next
        self.has_result = False  # one that pixelwise wrote
        self.differing: Prediction | None = None  # the first that reads differently

    def add(self, prediction: Prediction, own: StoredMask, target: NDArray[Any]) -> None:
        """Count one prediction.

        Args:
            prediction: in the size of the target.
            own: what the data store for this image.
            target: the same as class indices, or planes where classes overlap.
        """
        masks: dict[str, NDArray[Any]] = {}
        for name, reading in self.readings.items():
            if reading.error is None:
                try:
                    masks[name] = READERS[name](prediction, self.encoding)
                except MaskError as error:
                    reading.error = error
        self._note(prediction, own, masks)
        counts: dict[int, Counts] = {}
        for name, mask in masks.items():
            first = next(other for other in masks if np.array_equal(masks[other], mask))
            if first == name:
                counts[id(mask)] = count_pixels(mask, target, len(self.encoding.classes))
            self.readings[name].counts.append(counts[id(masks[first])])
            self.readings[name].has_no_class |= mask.dtype != np.bool_ and IGNORE_INDEX in mask
            self.readings[name].has_class |= bool(((mask != 0) & (mask != IGNORE_INDEX)).any())

    def _note(
        self, prediction: Prediction, own: StoredMask, masks: Mapping[str, NDArray[Any]]
    ) -> None:
        """Note what tells the readings apart."""
        self.has_fractions |= prediction.has_fractions
        if not {"index", "stored"} <= masks.keys():
            return
        self.are_own &= np.array_equal(prediction.stored.values, own.values)
        self.has_result |= is_result(prediction.path)
        if not np.array_equal(masks["index"], masks["stored"]):
            self.differing = self.differing or prediction
        if self.encoding.snap and self.are_exact:
            try:
                as_stored(prediction, self.exact)
            except MaskError:
                self.are_exact = False

    def choose(self) -> tuple[list[Counts], str]:
        """The counts of all predictions in the one reading they have, and its name.

        Raises:
            MaskError: there is no reading, or two that give different masks.
        """
        possible = [name for name, reading in self.readings.items() if reading.error is None]
        possible = [name for name in possible if self._is_plausible(name)]
        if not possible:
            raise MaskError(self._describe_none())
        chosen = possible[0]
        if {"index", "stored"} <= set(possible) and self.differing is not None:
            chosen = self._choose_between(self.differing)
        return self.readings[chosen].counts, chosen

    def _is_plausible(self, name: str) -> bool:
        """Whether 255 is beside other classes; alone with 0 it may be the foreground itself."""
        reading = self.readings[name]
        return self.values is not None or reading.has_class or not reading.has_no_class

    def _choose_between(self, differing: Prediction) -> str:
        """Class indices or stored values, where that makes a difference."""
        if self.are_own:
            return "stored"
        if self.has_result or not self.are_exact:
            return "index"
        names, values = self.encoding.class_names, np.unique(differing.stored.values)[:8].tolist()
        as_classes = [names[value] if value < len(names) else "no class" for value in values]
        raise MaskError(
            f"The values of {differing.path} ({', '.join(map(str, values))}) have two readings: "
            f"class indices ({', '.join(as_classes)}), or the values of the data's own masks "
            f"({', '.join(f'{c.value}: {c.name}' for c in self.encoding.classes)}). Say which with "
            "--values index or --values stored."
        )

    def _describe_none(self) -> str:
        """Why there is no reading."""
        errors = {name: r.error for name, r in self.readings.items() if r.error is not None}
        if len(errors) < len(self.readings):  # the others are not plausible
            known = self.encoding.show_values([entry.value for entry in self.encoding.classes])
            return (
                f"The predictions hold {IGNORE_INDEX} and 0 alone, and {IGNORE_INDEX} is no class "
                f"here: class indices go from 0 to {len(self.encoding.classes) - 1}, and the "
                f"values of the data's own masks are {known}. Save class indices."
            )
        if self.has_fractions and "probability" in errors:
            return str(errors["probability"])
        return " ".join(dict.fromkeys(str(error) for error in errors.values()))
