"""Work out what mask values mean from how often they occur, and say what was assumed and why.

{0, 255}                    background, foreground (value 255)
{0, 1, ..., 10}             class index
{0, 1, 2, 255}              class index, 255 ignored
{0, 128, 255}               three classes, mapped to 0, 1, 2
0 and 255 with grey edges   two tones, each pixel snapped to the nearer one
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.masks.colors import default_color
from pixelwise.data.masks.encoding import IGNORE_INDEX, MaskClass, MaskEncoding, shorten
from pixelwise.data.masks.facts import TWO_TONE_RANGE, MaskFacts
from pixelwise.errors import MaskError

MAX_UNDECLARED_CLASSES = 32  # above it masks more likely hold object ids or a photograph
LOW_INDEX = 64  # below it a value beside 255 is a class index, and 255 then "ignore"
NEAR_TONE = 0.12  # of the range: values this near to a tone are that tone, damaged
MAX_INTERIOR = 0.02  # grey edges have almost no pixels with four equal neighbours; classes do
MIN_TONES = 0.5  # share of pixels that the two tones themselves must have


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """How often each value occurs in all masks together."""

    values: NDArray[np.int64]
    counts: NDArray[np.int64]
    interior: NDArray[np.int64]
    is_jpeg: bool  # some of the masks are JPEG files

    def without(self, ignored: Sequence[int]) -> "ValueCounts":
        """The same without some values."""
        keep = ~np.isin(self.values, ignored)
        return ValueCounts(self.values[keep], self.counts[keep], self.interior[keep], self.is_jpeg)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was assumed: the code of its finding, what it is, and how to change it."""

    code: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The meaning taken, and what was assumed for it."""

    encoding: MaskEncoding
    remarks: tuple[Remark, ...] = ()


def add_counts(masks: Sequence[MaskFacts]) -> ValueCounts:
    """Add the counts of all masks."""
    total: dict[int, NDArray[np.int64]] = {}
    for mask in masks:
        both = np.stack([mask.counts, mask.interior], axis=1)  # (num_values, 2)
        for value, row in zip(mask.values.tolist(), both, strict=True):
            total[value] = total[value] + row if value in total else row
    values = np.array(sorted(total), dtype=np.int64)
    table = np.array([total[value] for value in values.tolist()], dtype=np.int64).reshape(-1, 2)
    return ValueCounts(values, table[:, 0], table[:, 1], any(mask.is_jpeg for mask in masks))


def learn_encoding(
    counts: ValueCounts, *, foreground: int | None = None, ignore: Sequence[int] = ()
) -> Reading:
    """Work out the encoding of masks about which nothing is declared.

    Args:
        counts: of the values in all masks.
        foreground: the value that is the foreground, where a person says so.
        ignore: values to leave out, where a person says so.

    Returns:
        The encoding, and remarks on what was assumed.

    Raises:
        MaskError: the values have no meaning that is clearly better than others.
    """
    named = counts.without(ignore)
    values = named.values.tolist()
    if len(values) > 2 and (tones := _find_two_tones(named)):
        remark = _snap_remark(named, tones)
        return _two_classes(tones, foreground, tuple(ignore), [remark], snap=True)
    remarks: list[Remark] = []
    ignored = list(ignore)
    if (assumed := _assume_ignored(values)) is not None and not ignore and foreground != assumed:
        values.remove(assumed)
        ignored.append(assumed)
        remarks.append(_ignore_remark(assumed, values))
    if len(values) == 2:
        return _two_classes((values[0], values[1]), foreground, tuple(ignored), remarks)
    _refuse_unclear(values, named.is_jpeg, foreground)
    if values != list(range(len(values))):
        remarks.append(_map_remark(values))
    return Reading(_encode(values, tuple(ignored)), tuple(remarks))


def apply_known(known: MaskEncoding, counts: ValueCounts, *, exact: bool = False) -> Reading:
    """Use classes that are declared or known from a training.

    Where the values are others but can only be these classes in order, such as 0 and 255 for two
    classes declared by name, they are mapped. Other values stay unknown and are reported file by
    file.

    Args:
        known: the classes.
        counts: of the values in all masks.
        exact: take the values of `known` literally.
    """
    named = counts.without(known.ignore)
    values, own = named.values.tolist(), [entry.value for entry in known.classes]
    tones = _find_two_tones(named) if len(values) > 2 and len(own) == 2 else None
    if tones and (not exact or set(own) == set(tones)):
        order = own if set(own) == set(tones) else list(tones)
        return Reading(known.with_values(order, snap=True), (_snap_remark(named, tones),))
    if exact or not known.unknown_values(named.values).size or not _may_be(values, own):
        return Reading(known)
    return Reading(known.with_values(values), (_map_remark(values),))


def _may_be(values: Sequence[int], own: Sequence[int]) -> bool:
    """Whether values can only be the classes in order: as many, from 0, and spread far apart."""
    if len(values) != len(own) or values[0] != 0 or list(own) != sorted(own):
        return False
    return len(values) == 2 or values[-1] >= LOW_INDEX


def _find_two_tones(counts: ValueCounts) -> tuple[int, int] | None:
    """The two true values of masks whose other values are damage of these two, or None.

    Damage of anti-aliasing has values in between but hardly a pixel among equals; damage of JPEG
    has values near to both tones. Classes have neither.
    """
    values, pixels = counts.values, counts.counts
    middle = (int(values[0]) + int(values[-1])) / 2
    low_tone = int(values[values < middle][pixels[values < middle].argmax()])
    high_tone = int(values[values >= middle][pixels[values >= middle].argmax()])
    if high_tone - low_tone < TWO_TONE_RANGE:
        return None
    is_tone = np.isin(values, (low_tone, high_tone))
    distance = np.minimum(np.abs(values - low_tone), np.abs(values - high_tone))
    is_near = (distance <= NEAR_TONE * (high_tone - low_tone)) & ~is_tone
    is_between = ~is_near & ~is_tone
    if pixels[is_tone].sum() < MIN_TONES * pixels.sum():
        return None
    if counts.interior[is_between].sum() > MAX_INTERIOR * max(1, pixels[is_between].sum()):
        return None
    damaged_high = bool((is_near & (values > middle)).any())
    between_is_edge = bool(is_between.any())
    return (low_tone, high_tone) if damaged_high or between_is_edge or counts.is_jpeg else None


def _assume_ignored(values: list[int]) -> int | None:
    """255 beside low class indices, or a single negative value, means "left out"."""
    negative = [value for value in values if value < 0]
    if len(negative) == 1 and len(values) > 2:
        return negative[0]
    others = [value for value in values if value not in (0, IGNORE_INDEX)]
    if IGNORE_INDEX in values and len(values) > 2 and others and 0 < max(others) < LOW_INDEX:
        return IGNORE_INDEX
    return None


def _two_classes(
    values: tuple[int, int],
    foreground: int | None,
    ignored: tuple[int, ...],
    remarks: Sequence[Remark],
    snap: bool = False,
) -> Reading:
    """Background and foreground: 0 is background unless a person says otherwise."""
    low, high = values
    if foreground is not None and foreground not in values:
        raise MaskError(
            f"foreground={foreground}, but the masks hold {low} and {high}. Give one of these."
        )
    if foreground is None and low != 0:
        raise MaskError(
            f"the masks hold the two values {low} and {high} and no 0, so that foreground cannot "
            f"be told from background. Say which it is: --foreground {low} or --foreground {high}."
        )
    order = [high, low] if foreground == low else [low, high]
    return Reading(_encode(order, ignored, snap), tuple(remarks))


def _refuse_unclear(values: list[int], is_jpeg: bool, foreground: int | None) -> None:
    """Raise MaskError where the values are too few, too many or damaged."""
    if len(values) < 2:
        what = f"all masks hold only the value {values[0]}" if values else "no mask holds a value"
        raise MaskError(f"{what}: there is nothing to learn. Check that these are the masks.")
    if foreground is not None:
        raise MaskError(
            f"foreground={foreground} fits masks of two values, but these hold {shorten(values)}. "
            "Name the classes in classes.json."
        )
    if is_jpeg:
        raise MaskError(
            f"the masks are JPEG files with the values {shorten(values)}; JPEG changes values, so "
            "that classes cannot be told. Export them again as PNG."
        )
    if len(values) > MAX_UNDECLARED_CLASSES:
        raise MaskError(
            f"the masks hold {len(values)} values ({shorten(values, 4)}): object ids, or no masks. "
            'If they are classes, name them in classes.json: {"classes": ["background", ...]}.'
        )


def _encode(values: list[int], ignored: tuple[int, ...], snap: bool = False) -> MaskEncoding:
    """Unnamed classes in the order given: background, foreground or background, class 1, ..."""
    names = ["background", "foreground"] if len(values) == 2 else ["background"]
    names += [f"class {index}" for index in range(len(names), len(values))]
    classes = tuple(
        MaskClass(index=index, name=name, value=value, color=default_color(index, name))
        for index, (name, value) in enumerate(zip(names, values, strict=True))
    )
    return MaskEncoding(classes=classes, ignore=ignored, snap=snap)


def _snap_remark(counts: ValueCounts, tones: tuple[int, int]) -> Remark:
    moved = 1 - counts.counts[np.isin(counts.values, tones)].sum() / counts.counts.sum()
    return Remark(
        "snapped-values",
        f"the masks have two tones, {tones[0]} and {tones[1]}, with grey edges or JPEG damage: "
        f"{100 * moved:.2g} % of their pixels were moved to the nearer tone.",
        "Export the masks as PNG without anti-aliasing.",
    )


def _ignore_remark(value: int, others: Sequence[int]) -> Remark:
    return Remark(
        "ignored-values",
        f"the value {value} beside the class indices {shorten(others)} is taken to mean "
        '"ignore": these pixels count neither in training nor in scores.',
        'If it is a class, name all in classes.json: {"classes": [{"name": ..., "value": ...}]}.',
    )


def _map_remark(values: Sequence[int]) -> Remark:
    return Remark(
        "mapped-values",
        f"the mask values {shorten(values)} became the class indices 0 to {len(values) - 1}.",
        "Name the classes in classes.json if this is not their order.",
    )
