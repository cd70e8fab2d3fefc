"""What the numbers in mask files mean: from the values stored to class indices.

stored values     0   0  255 254   3      a two-tone mask, damaged by JPEG: snap
class index       0   0   1   1    0

stored values     0   0   1   1    0      a mask of the same set in other tones: tones = (1,)
class index       0   0   1   1    0
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pixelwise.colors import GREY, hex_of, pack_colors, unpack_colors
from pixelwise.data.masks.stored import StoredMask
from pixelwise.errors import MaskError
from pixelwise.task import IGNORE_INDEX, MAX_CLASSES, UNKNOWN_INDEX, Task
from pixelwise.text import shorten

NUM_TABLE_VALUES = 2**16  # values below it are looked up in a table

NUM_SHOWN = 8  # values named in a message

EncodingForm = Literal["numbers", "colors", "layers", "instances"]

UNITS: dict[EncodingForm, str] = {
    "numbers": "values",
    "colors": "colours",
    "layers": "layers",
    "instances": "object ids",
}


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
        tones: for two classes only: a mask whose highest value is one of these has it in place of
            the higher class value; its other values go to the nearer of the two.
        form: what the values are: "numbers" are class values, "colors" 0xRRGGBB, "layers" one
            plane a class (value 0: no plane), "instances" object ids, all of one class.
        multilabel: a pixel may have several classes, or none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: Annotated[tuple[MaskClass, ...], Field(min_length=1, max_length=MAX_CLASSES)]
    ignore: tuple[int, ...] = ()
    snap: bool = False
    tones: tuple[int, ...] = ()
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
        if self.tones and (len(values) != 2 or self.form not in ("numbers", "colors")):
            raise ValueError("only two classes in numbers or colours have other tones")
        return self

    def __copy__(self) -> Self:
        """A copy, as `model_copy` makes it before it changes fields; tables are made again."""
        copied = super().__copy__()
        for table in ("_table", "_in_tones", "_in_order"):
            copied.__dict__.pop(table, None)
        return copied

    @property
    def task(self) -> Task:
        """What there is to learn."""
        return Task.of_classes(
            self.class_names, overlap=self.multilabel, are_objects=self.form == "instances"
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in the order of the indices."""
        return tuple(c.name for c in self.classes)

    @property
    def class_colors(self) -> tuple[str, ...]:
        """Colours "#rrggbb" in the order of the indices."""
        return tuple(c.color for c in self.classes)

    def decode(self, mask: StoredMask, path: Path) -> NDArray[Any]:
        """Turn what one mask stores into class indices.

        Args:
            mask: as `read_stored_mask` gives it.
            path: path of the file, for the message.

        Returns:
            (*S) uint8 class index, IGNORE_INDEX (255) where ignored; (K, *S) bool where
            `multilabel`.

        Raises:
            MaskError: values that mean nothing in this encoding.
        """
        if self.multilabel:
            return self._decode_planes(mask, path)
        if mask.form == "layers":
            return self._decode_layers(mask, path)
        stored = self._values_of(mask, path)
        own = self.in_tones_of(stored)
        if stored.dtype.kind == "u" and stored.dtype.itemsize <= 2:
            index: NDArray[np.uint8] = own._table[stored]
        else:
            present, places = np.unique(stored, return_inverse=True)
            index = own._index_of(present)[places].reshape(stored.shape)
        if (index == UNKNOWN_INDEX).any():
            raise MaskError(self._unknown_message(np.unique(stored[index == UNKNOWN_INDEX]), path))
        return index

    def index_of(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Class index of each value (N,) of one mask; UNKNOWN_INDEX for values without a meaning.

        In a multilabel encoding the value 0, no class at all, gives IGNORE_INDEX.
        """
        return self.in_tones_of(values)._index_of(values)

    def in_tones_of(self, values: NDArray[Any]) -> "MaskEncoding":
        """The same for one mask that holds these values, which may have tones of its own."""
        if not self.tones:
            return self
        named = values[~np.isin(values, self.ignore)]
        return self._in_tones.get(int(named.max(initial=0)), self)

    @cached_property
    def _in_tones(self) -> dict[int, "MaskEncoding"]:
        """The encoding of the masks in other tones, by their highest value."""
        values = [entry.value for entry in self.classes]
        plain = self.model_copy(update={"tones": ()})
        return {
            tone: plain.with_values([tone if v == max(values) else v for v in values], snap=True)
            for tone in self.tones
        }

    def _index_of(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Class index of each stored value (N,) whatever the mask that holds it."""
        index: NDArray[np.uint8] = np.full(len(values), UNKNOWN_INDEX, dtype=np.uint8)
        if self.form == "instances":
            index[values >= 0] = (values[values >= 0] > 0).astype(np.uint8)
        else:
            known, order = self._in_order
            places = np.minimum(np.searchsorted(known, values), len(known) - 1)
            is_known = known[places] == values
            index[is_known] = order[places[is_known]]
            if self.snap and not is_known.all():
                index[~is_known] = order[self._nearest(values[~is_known], known)]
        if self.multilabel:
            index[values == 0] = IGNORE_INDEX
        if self.ignore:
            index[np.isin(values, self.ignore)] = IGNORE_INDEX
        return index

    def _nearest(self, values: NDArray[Any], known: NDArray[np.int64]) -> NDArray[np.int64]:
        """Position in `known` of the value, or the colour, nearest to each value."""
        if self.form != "colors":
            distance = np.abs(values.astype(np.int64)[:, np.newaxis] - known)  # (N, K)
        else:
            parts = unpack_colors(values)[:, np.newaxis] - unpack_colors(known)  # (N, K, 3)
            distance = (parts**2).sum(axis=-1)
        nearest: NDArray[np.int64] = distance.argmin(axis=1)
        return nearest

    def _values_of(self, mask: StoredMask, path: Path) -> NDArray[Any]:
        """Values in the form of this encoding: grey and palettes become colours among colours."""
        if mask.form == "colors" and self.form != "colors":
            raise MaskError(
                f"{path} is in colours, but the masks of this data set hold numbers. Save it as "
                "they are: the class index, as a grey or palette PNG."
            )
        if mask.form == "colors" or self.form != "colors":
            return mask.values
        if mask.palette is not None and mask.values.max(initial=0) < len(mask.palette):
            return pack_colors(mask.palette[mask.values])
        if mask.values.min(initial=0) < 0 or mask.values.max(initial=0) > 255:
            raise MaskError(
                f"{path} holds numbers outside 0..255, but the masks of this data set are in "
                "colours. Save it in colours too."
            )
        return mask.values.astype(np.int64) * GREY

    def _decode_layers(self, mask: StoredMask, path: Path) -> NDArray[np.uint8]:
        """Later layers cover earlier ones; where none is set, the value is 0."""
        values = np.zeros(mask.size, dtype=np.uint8)
        for layer in range(mask.values.shape[-1]):
            values[mask.values[..., layer]] = layer + 1
        index: NDArray[np.uint8] = self._table[values]
        if (index == UNKNOWN_INDEX).any():
            raise MaskError(self._unknown_message(np.unique(values[index == UNKNOWN_INDEX]), path))
        return index

    def _decode_planes(self, mask: StoredMask, path: Path) -> NDArray[np.bool_]:
        """(K, *S) bool: where each class is."""
        num_layers = mask.values.shape[-1] if mask.form == "layers" else 0
        planes = np.zeros((len(self.classes), *mask.size), dtype=np.bool_)
        for entry in self.classes:
            if mask.form != "layers":
                planes[entry.index] = self._values_of(mask, path) == entry.value
            elif entry.value <= num_layers:
                planes[entry.index] = mask.values[..., entry.value - 1]
        present = (
            1 + np.flatnonzero(mask.values.reshape(-1, num_layers).any(axis=0))
            if mask.form == "layers"
            else np.unique(self._values_of(mask, path))
        )
        if self.unknown_values(present).size:
            raise MaskError(self._unknown_message(self.unknown_values(present), path))
        return planes

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
        return self.model_copy(update={"classes": classes, "snap": snap})

    @cached_property
    def _in_order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(K,) class values in order, and (K,) the class index of each."""
        known = np.array([c.value for c in self.classes], dtype=np.int64)
        order = np.argsort(known)
        return known[order], order

    @cached_property
    def _table(self) -> NDArray[np.uint8]:
        """Class index of every value from 0 to 65,535."""
        return self._index_of(np.arange(NUM_TABLE_VALUES))

    def _unknown_message(self, unknown: NDArray[Any], path: Path) -> str:
        show = self.show_values
        known = show([c.value for c in self.classes])
        ignored = f", ignored {show(self.ignore)}" if self.ignore else ""
        return (
            f"{path} holds the {self.unit} {show(unknown.tolist())}, which mean nothing in "
            f"this data set (classes {known}{ignored}). Correct the mask, or declare these in "
            "classes.json."
        )

    @property
    def unit(self) -> str:
        """What the values are, in the plural: "values", "colours", "layers" or "object ids"."""
        return UNITS[self.form]

    def show_values(self, values: Sequence[int]) -> str:
        """Join the first few values with commas; colours as #rrggbb."""
        items = [hex_of(value) if self.form == "colors" else str(value) for value in values]
        return shorten(items, NUM_SHOWN, self.unit)


def instances_of(mask: StoredMask, encoding: MaskEncoding) -> NDArray[np.int32] | None:
    """Object ids (*S) int32, 0 outside objects; None where the mask does not tell objects apart.

    Args:
        mask: as `read_stored_mask` gives it.
        encoding: encoding of its data set.
    """
    if mask.instances is not None:
        return mask.instances
    if encoding.form != "instances" or mask.form != "numbers":
        return None
    ids = np.where(np.isin(mask.values, encoding.ignore), 0, mask.values)
    if ids.max(initial=0) >= 2**31:
        ids = np.unique(ids, return_inverse=True)[1].reshape(ids.shape)
    return ids.astype(np.int32)


def shorten_values(values: Sequence[int], limit: int = NUM_SHOWN) -> str:
    """Join the first few mask values with commas."""
    return shorten(values, limit, "values")
