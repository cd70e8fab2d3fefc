"""Data given in Python: a sequence of (image, mask), each an array or the path of a file.

[(image, mask), ...]                                   names "array 0", "array 1", ...
[("a.png", "a_mask.png"), ...]                         names as given, without ending
[(image, mask, {"name": "a", "split": "train", "group": "patient 1"}), ...]

Lists and tuples are looked through at once. Any other sequence is asked for an item whenever the
item is needed, one at a time, so that arrays which it makes do not fill the memory.
"""

import os
import re
import threading
from collections.abc import Iterable, Mapping, Sequence, Sized
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.array_source import ArraySource
from pixelwise.data.layouts.found import FoundSample, Layout
from pixelwise.data.layouts.names import SPLIT_FOLDERS, stem_of
from pixelwise.data.masks.sources import MaskFile, MaskSource
from pixelwise.errors import FileError, LayoutError

Pair = tuple[Any, Any] | tuple[Any, Any, Mapping[str, str]]  # image, mask, what is known of them
DataSource = str | os.PathLike[str] | Sequence[Pair]
DETAILS = ("name", "split", "group")
SEQUENCE = Path("the sequence")  # stands for the data folder in messages
EXPECTED = "Give a list of (image, mask), each an array or a path"


def is_path(value: object) -> bool:
    """Whether a value names a file or folder."""
    return isinstance(value, str | os.PathLike)


def root_of(data: DataSource) -> Path:
    """The data folder; for a sequence a name that stands for it in messages."""
    return Path(data) if isinstance(data, str | os.PathLike) else SEQUENCE


def find_pairs(pairs: Sequence[Pair]) -> Layout:
    """Find the images and masks of a sequence; nothing is decoded.

    Raises:
        LayoutError: it is not a sequence of (image, mask), holds nothing, or holds two of one name.
    """
    _check_sequence(pairs)
    items = _Items(pairs)
    if isinstance(pairs, list | tuple) or not _is_plain(items.get(0)):
        samples = [_to_sample(items, index) for index in range(len(pairs))]
    else:
        samples = [_array_sample(items, index) for index in range(len(pairs))]
    _check_names(samples)
    samples.sort(key=lambda sample: sample.split or "")  # stable: else in their own order
    return Layout(f"a sequence of {len(samples)} items", tuple(samples))


def is_named_by_place(names: Iterable[str]) -> bool:
    """Whether a name says no more than the place of an item in its sequence."""
    return any(re.fullmatch(r"array \d+", name) for name in names)


class _Items:
    """Items of a sequence, asked for by one thread at a time; each thread keeps its last one.

    So the image and the mask of an item are made once where they are read one after the other.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs
        self._lock = threading.Lock()  # a sequence of a caller need not bear several threads
        self._last = threading.local()

    def get(self, index: int) -> tuple[Any, ...]:
        """Image, mask and, maybe, details; LayoutError or FileError where it cannot be had."""
        if getattr(self._last, "index", None) != index:
            self._last.item, self._last.index = _check_item(index, self._ask(index)), index
        item: tuple[Any, ...] = self._last.item
        return item

    def _ask(self, index: int) -> object:
        try:
            with self._lock:
                return self._pairs[index]
        except Exception as error:  # a sequence of a caller raises whatever it likes
            raise FileError(
                f"item {index} of the data cannot be had ({type(error).__name__}: {error}). "
                "Correct the sequence, or leave the item out."
            ) from error

    def part(self, index: int, place: int) -> object:
        """The image (0) or mask (1) of an item; FileError where the item does not exist."""
        try:
            return self.get(index)[place]
        except LayoutError as error:
            raise FileError(str(error)) from error


def _check_sequence(pairs: object) -> None:
    """Refuse what cannot hold pairs, with the line that corrects it."""
    if isinstance(pairs, np.ndarray) or _is_two_lists(pairs):
        raise LayoutError(
            "the data are images and masks apart from each other; expected pairs. Give "
            "list(zip(images, masks, strict=True)), or tuples where these are pairs already."
        )
    if isinstance(pairs, Mapping | set | frozenset | bytes) or not hasattr(pairs, "__getitem__"):
        hint = f"a {type(pairs).__name__} was given as data, which has no items in order."
        fix = "list(...) of it" if hasattr(pairs, "__iter__") else "the path of a folder"
        raise LayoutError(f"{hint} {EXPECTED}, for example {fix}.")
    if not isinstance(pairs, Sized) or len(pairs) == 0:
        count = "no items" if isinstance(pairs, Sized) else "no length"
        raise LayoutError(f"the sequence of data has {count}. {EXPECTED}.")


def _is_two_lists(pairs: object) -> bool:
    """Whether this is (images, masks) or [images, masks] in place of pairs.

    Pairs in a list are tuples as a rule; two lists of two are taken for images and masks, since
    reading the second image as the mask of the first would be wrong in silence.
    """
    return (
        isinstance(pairs, list | tuple)
        and len(pairs) == 2
        and all(
            isinstance(entry, list) or (isinstance(entry, np.ndarray) and entry.ndim > 2)
            for entry in pairs
        )
    )


def _is_plain(item: tuple[Any, ...]) -> bool:
    """Whether an item is a pair of arrays with nothing else, so that others need no look."""
    return len(item) == 2 and not is_path(item[0]) and not is_path(item[1]) and item[1] is not None


def _check_item(index: int, item: object) -> tuple[Any, ...]:
    """The two or three entries of an item; LayoutError where it has others."""
    if not isinstance(item, list | tuple):
        shape = f" of shape {item.shape}" if isinstance(item, np.ndarray) else ""
        raise LayoutError(
            f"item {index} of the data is a {type(item).__name__}{shape}; expected (image, mask). "
            "Put each image together with its mask: list(zip(images, masks, strict=True))."
        )
    if len(item) not in (2, 3):
        raise LayoutError(
            f"item {index} of the data has {len(item)} entries; expected (image, mask), or (image, "
            'mask, {"name": ..., "split": ..., "group": ...}). Leave out the others.'
        )
    return tuple(item)


def _to_sample(items: _Items, index: int) -> FoundSample:
    """The sample of an item; its third entry is looked at, its arrays are not."""
    image, mask, given = (*items.get(index), {})[:3]
    details = _check_details(index, given)
    name = details.get("name") or _name_of(index, image)
    return FoundSample(
        name,
        (Path(image),) if is_path(image) else _array(items, index, 0, name),
        None if mask is None else _mask_source(items, index, mask, name),
        SPLIT_FOLDERS.get(details.get("split", "").lower()),
        details.get("group") or None,
    )


def _array_sample(items: _Items, index: int) -> FoundSample:
    name = f"array {index}"
    return FoundSample(name, _array(items, index, 0, name), _array(items, index, 1, name))


def _name_of(index: int, image: object) -> str:
    """The path of an image as it was given, without ending; for an array its place."""
    if not isinstance(image, str | os.PathLike):
        return f"array {index}"
    path = Path(image)
    return (path.parent / stem_of(path)).as_posix()


def _mask_source(items: _Items, index: int, mask: object, name: str) -> MaskSource:
    if isinstance(mask, str | os.PathLike):
        return MaskFile(Path(mask))
    return _array(items, index, 1, name)


def _array(items: _Items, index: int, place: int, name: str) -> ArraySource:
    path = Path(f"mask of {name}" if place else name)
    return ArraySource(path, partial(items.part, index, place), is_mask=place == 1)


def _check_details(index: int, details: object) -> Mapping[str, str]:
    """The third entry of an item; LayoutError where it is not understood."""
    if not isinstance(details, Mapping):
        raise LayoutError(
            f"the third entry of item {index} is a {type(details).__name__}; expected a dict with "
            f"some of {', '.join(DETAILS)}. Give (image, mask) alone, or such a dict."
        )
    for key, value in details.items():
        if key not in DETAILS or not isinstance(value, str):
            raise LayoutError(
                f"item {index} of the data says {key!r}: {value!r}; known are texts for "
                f"{', '.join(DETAILS)}. Leave out the others."
            )
    split = details.get("split", "")
    if split and split.lower() not in SPLIT_FOLDERS:
        raise LayoutError(
            f"item {index} of the data has the split {split!r}. The splits are train, val and test."
        )
    return details


def _check_names(samples: Sequence[FoundSample]) -> None:
    seen: set[str] = set()
    for sample in samples:
        if sample.name in seen:
            raise LayoutError(
                f"two items of the data have the name {sample.name!r}. Name them apart with a "
                'third entry, {"name": ...}, or leave one out.'
            )
        seen.add(sample.name)
