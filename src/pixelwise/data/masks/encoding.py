"""What the numbers in mask files mean: from the values stored to class indices.

stored values     0   0  255 254   3      a two-tone mask, damaged by JPEG: snap
class index       0   0   1   1    0
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pixelwise.data.masks.stored import StoredMask
from pixelwise.errors import MaskError

IGNORE_INDEX = 255  # class index of pixels that are left out of loss and scores
UNKNOWN_INDEX = 254  # marks a value without a meaning while decoding; never leaves this file
MAX_CLASSES = 254
NUM_TABLE_VALUES = 2**16  # values below it are looked up in a table

EncodingForm = Literal["numbers", "colors", "layers", "instances"]
Task = Literal["binary", "multiclass", "multilabel", "instances"]


class MaskClass(BaseModel):
    """One class: its index in pixelwise and its value in the mask files.

    Attributes:
        index: class index in pixelwise.
        name: for people.
        value: number in the files; 0xRRGGBB for colours; number of the layer, from 1, for layers.
        color: "#rrggbb", to show it in.
        source: what it is in the files, for people: "category 7", "#ff0000"; None: its value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: Annotated[int, Field(ge=0, lt=MAX_CLASSES)]
    name: Annotated[str, Field(min_length=1)]
    value: int
    color: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
    source: str | None = None  # what the annotation file calls it, for example a category id


class MaskEncoding(BaseModel):
    """How mask files of one data set store classes.

    Attributes:
        classes: in the order of their indices 0, 1, 2, ...
        ignore: values in the files that mean "leave this pixel out".
        snap: other values mean the nearest class value (two-tone masks with grey edges or JPEG
            damage).
        form: what the values are: "numbers" are class values, "colors" 0xRRGGBB, "layers" one
            plane a class (value 0: no plane), "instances" object ids, all of one class.
        multilabel: a pixel may have several classes, or none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: Annotated[tuple[MaskClass, ...], Field(min_length=1, max_length=MAX_CLASSES)]
    ignore: tuple[int, ...] = ()
    snap: bool = False
    form: EncodingForm = "numbers"
    multilabel: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        values = [c.value for c in self.classes]
        if [c.index for c in self.classes] != list(range(len(self.classes))):
            raise ValueError("classes must be in the order of their indices 0, 1, 2, ...")
        if len(set(values)) != len(values) or set(values) & set(self.ignore):
            raise ValueError("a value may mean one class only, or be ignored")
        if len({c.name for c in self.classes}) != len(self.classes):
            raise ValueError("two classes have the same name")
        return self

    @property
    def task(self) -> Task:
        """What is to be learnt: one or several classes a pixel, or objects."""
        if self.form == "instances":
            return "instances"
        if self.multilabel:
            return "multilabel"
        return "binary" if len(self.classes) <= 2 else "multiclass"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in the order of the indices."""
        return tuple(c.name for c in self.classes)

    @property
    def class_colors(self) -> tuple[str, ...]:
        """Colours "#rrggbb" in the order of the indices."""
        return tuple(c.color for c in self.classes)

    def decode(self, mask: StoredMask, path: Path) -> NDArray[np.uint8]:
        """Turn what one mask stores into class indices.

        Args:
            mask: as `read_stored_mask` gives it.
            path: of the file, for the message.

        Returns:
            (*S) uint8 class index, IGNORE_INDEX (255) where ignored.

        Raises:
            MaskError: values that mean nothing in this encoding.
        """
        stored = mask.values
        if stored.dtype.kind == "u" and stored.dtype.itemsize <= 2:
            index: NDArray[np.uint8] = self._table[stored]
        else:
            present, places = np.unique(stored, return_inverse=True)
            index = self.index_of(present)[places].reshape(stored.shape)
        if (index == UNKNOWN_INDEX).any():
            raise MaskError(self._unknown_message(np.unique(stored[index == UNKNOWN_INDEX]), path))
        return index

    def index_of(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Class index of each stored value; UNKNOWN_INDEX for values without a meaning."""
        known = np.array([c.value for c in self.classes], dtype=np.int64)
        distance = np.abs(values.astype(np.int64)[:, np.newaxis] - known)  # (num_values, K)
        nearest = distance.argmin(axis=1)
        index: NDArray[np.uint8] = nearest.astype(np.uint8)
        if not self.snap:
            index[distance[np.arange(len(values)), nearest] > 0] = UNKNOWN_INDEX
        index[np.isin(values, self.ignore)] = IGNORE_INDEX
        return index

    def unknown_values(self, values: NDArray[Any]) -> NDArray[Any]:
        """Those of the stored values that have no meaning here."""
        unknown: NDArray[Any] = values[self.index_of(values) == UNKNOWN_INDEX]
        return unknown

    def with_values(self, values: Sequence[int], snap: bool = False) -> "MaskEncoding":
        """The same classes for other values in the files, one for each class."""
        classes = tuple(
            entry.model_copy(update={"value": value})
            for entry, value in zip(self.classes, values, strict=True)
        )
        return MaskEncoding(classes=classes, ignore=self.ignore, snap=snap)

    @cached_property
    def _table(self) -> NDArray[np.uint8]:
        """Class index of every value from 0 to 65,535."""
        return self.index_of(np.arange(NUM_TABLE_VALUES))

    def _unknown_message(self, unknown: NDArray[Any], path: Path) -> str:
        known = shorten([c.value for c in self.classes])
        ignored = f", ignored {shorten(list(self.ignore))}" if self.ignore else ""
        return (
            f"{path} holds the values {shorten(unknown.tolist())}, which mean nothing in this data "
            f"set (classes {known}{ignored}). Correct the mask, or declare these values in "
            "classes.json."
        )


def shorten(items: Sequence[int], limit: int = 8) -> str:
    """Join the first few numbers with commas."""
    shown = ", ".join(str(item) for item in items[:limit])
    return shown if len(items) <= limit else f"{shown}, ... ({len(items)} values)"
