"""Masks of two tones that are stored in several ways within one data set.

19 masks of 0 and 1, one of 0 and 255      one foreground, in the usual ways to write it
19 masks of 0 and 255, one of 0 and 128    one foreground, with another maximum: said as a warning
10 masks of 0 and 255, 10 of 0 and 128     one foreground or two classes: refused
10 masks of 0 and 1, 10 of 0 and 2         class indices: left as they are

Each mask alone shows its two tones. The most usual ones decide; masks in others are known by their
highest value, `MaskEncoding.tones`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pixelwise.colors import GREY, hex_of
from pixelwise.data.masks.binary_artifacts import (
    MIN_AREA_PIXELS,
    NEAR_TONE,
    find_two_tones,
    fits_two_tones,
)
from pixelwise.data.masks.encoding import MaskEncoding
from pixelwise.data.masks.facts import MaskFacts
from pixelwise.data.masks.outliers import few_of
from pixelwise.data.masks.read import TWO_TONE_RANGE
from pixelwise.data.masks.remarks import Reading, Remark
from pixelwise.data.masks.value_counts import LOW_INDEX, add_counts
from pixelwise.errors import MaskError

# how a foreground is usually written: 1, or the highest number of 8, 16 or 32 bits
PLAIN = frozenset({1, 2**8 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1})
PLAIN_COLORS = frozenset({GREY, 255 * GREY})


def part_tones(
    masks: Sequence[MaskFacts], ignored: Sequence[int] = (), *, are_two: bool = False
) -> tuple[list[MaskFacts], list[MaskFacts]]:
    """The masks that decide what the values mean, and those of the same two classes in other tones.

    Args:
        masks: facts of all masks, in numbers or in colours.
        ignored: values left out.
        are_two: a person says that there are two classes.

    Returns:
        The masks in the usual tones, with all that are not of two tones, and the others.

    Raises:
        MaskError: the foreground of some masks may be another class than that of the others.
    """
    kinds, num_filled = _kinds_of(masks, ignored)
    if len(kinds) < 2:
        return list(masks), []
    main = max(kinds, key=lambda tone: (len(kinds[tone]), tone))
    two = [mask for own in kinds.values() for mask in own]
    if num_filled - len(two) > few_of(num_filled):  # masks of more than two tones
        return list(masks), []
    is_damaged = any(len(mask.values) > 2 for mask in two)
    others = {
        tone: own
        for tone, own in kinds.items()
        if tone != main
        and _has_area(own, tone, each=is_damaged)
        and not (is_damaged and abs(tone - main) <= NEAR_TONE * main)
    }
    is_colored = two[0].form == "colors"
    is_few = sum(len(own) for own in others.values()) <= few_of(len(two))
    indices = [tone for tone in others if _is_class_index(tone, main, is_colored)]
    unsure = [tone for tone in others if _may_be_class(tone, main, is_colored)]
    if not is_few and (indices or len(unsure) > 1):
        return list(masks), []
    if unsure and not is_few and not are_two:
        raise _two_readings(others[unsure[0]], unsure[0], kinds[main], main)
    plain = PLAIN_COLORS if is_colored else PLAIN
    named = [tone for tone in unsure if not {tone, main} & plain and not are_two]
    apart = {id(mask) for tone in others if tone not in (*indices, *named) for mask in others[tone]}
    usual = [mask for mask in masks if id(mask) not in apart]
    return usual, [mask for mask in masks if id(mask) in apart]


def add_tones(
    reading: Reading,
    usual: Sequence[MaskFacts],
    others: Sequence[MaskFacts],
    ignored: Sequence[int] = (),
) -> Reading:
    """The reading of the usual masks, with those in other tones, which are said.

    Raises:
        MaskError: the usual masks are not of two classes, or one of them looks like the others.
    """
    if not others:
        return reading
    encoding = reading.encoding
    tones = sorted({_top_of(mask, ignored) for mask in others})
    alike = [mask for mask in usual if mask.values.any() and _top_of(mask, ignored) in tones]
    if len(encoding.classes) != 2 or encoding.form not in ("numbers", "colors") or alike:
        raise MaskError(
            f"{len(others)} masks have two tones, {encoding.show_values([0, *tones])}, and which "
            "classes of the other masks these are is not clear. Write all masks in one way."
        )
    read = encoding.model_copy(update={"tones": tuple(tones)})
    return replace(reading, encoding=read, remarks=(*reading.remarks, _tones_remark(read, others)))


def _kinds_of(
    masks: Sequence[MaskFacts], ignored: Sequence[int]
) -> tuple[dict[int, list[MaskFacts]], int]:
    """Masks of two tones by their foreground, and the number of all that should have some."""
    filled = [mask for mask in masks if _named(mask, ignored).any()]
    is_colored = any(mask.form == "colors" for mask in filled)
    tones = [
        None if is_colored and mask.form == "numbers" else _foreground_of(mask, ignored)
        for mask in filled
    ]
    counts = Counter(tone for tone in tones if tone)
    kinds: dict[int, list[MaskFacts]] = {}
    num_filled = 0
    for mask, tone in zip(filled, tones, strict=True):
        named = _named(mask, ignored)
        if tone is None and len(named) == 1 and int(named[0]) in counts:  # foreground alone
            tone = int(named[0])
        if tone is not None:
            kinds.setdefault(tone, []).append(mask)
        is_faint = mask.form == "numbers" and np.ptp(named) < TWO_TONE_RANGE
        num_filled += tone is not None or not (is_faint and fits_two_tones(mask, (0, 255)))
    return kinds, num_filled


def _foreground_of(mask: MaskFacts, ignored: Sequence[int]) -> int | None:
    """The foreground of a mask of two tones, of which one is 0 or nearly so; else None."""
    named = _named(mask, ignored)
    if len(named) == 2 and named[0] == 0:
        return int(named[1])
    if len(named) <= 2 or mask.form != "numbers" or named[0] < 0:
        return None
    tones = find_two_tones(add_counts([mask]).without(ignored))
    return tones[1] if tones and tones[0] <= NEAR_TONE * (tones[1] - tones[0]) else None


def _named(mask: MaskFacts, ignored: Sequence[int]) -> NDArray[np.int64]:
    named: NDArray[np.int64] = mask.values[~np.isin(mask.values, ignored)]
    return named


def _top_of(mask: MaskFacts, ignored: Sequence[int]) -> int:
    return int(_named(mask, ignored).max(initial=0))


def _has_area(masks: Sequence[MaskFacts], tone: int, *, each: bool) -> bool:
    """Whether one of the masks, or each, has a region of the tone; a few pixels may be damage."""
    areas = [mask.largest[mask.values == tone].max() >= MIN_AREA_PIXELS for mask in masks]
    return all(areas) if each else any(areas)


def _is_class_index(tone: int, main: int, is_colored: bool) -> bool:
    """Whether one of two foregrounds is so low that it is a class index more likely."""
    if is_colored or _is_same(tone, main, is_colored):
        return False
    return any(t not in PLAIN and t < LOW_INDEX for t in (tone, main))


def _may_be_class(tone: int, main: int, is_colored: bool) -> bool:
    """Whether a foreground may be another class than the usual one, with a value of its own."""
    is_same = _is_same(tone, main, is_colored)
    return not is_same and not _is_class_index(tone, main, is_colored)


def _is_same(tone: int, main: int, is_colored: bool) -> bool:
    """Whether two foregrounds are usual ways to write the same one, or nearly the same number."""
    if is_colored:
        return {tone, main} <= PLAIN_COLORS
    is_near = abs(tone - main) <= NEAR_TONE * max(tone, main)
    return {tone, main} <= PLAIN or (is_near and min(tone, main) >= TWO_TONE_RANGE)


def _two_readings(
    others: Sequence[MaskFacts], tone: int, usual: Sequence[MaskFacts], main: int
) -> MaskError:
    show = hex_of if usual[0].form == "colors" else str
    return MaskError(
        f"{len(usual)} masks hold {show(0)} and {show(main)}, {len(others)} hold {show(0)} and "
        f"{show(tone)}, and none holds both: one foreground written in two ways, or two classes. "
        'Name the classes in classes.json: one foreground is {"classes": ["background", "cell"]}, '
        'classes have a value each: {"classes": [{"name": ..., "value": ...}]}.'
    )


def _tones_remark(encoding: MaskEncoding, others: Sequence[MaskFacts]) -> Remark:
    """Said where masks were read in tones of their own; a warning where they may be a class."""
    main = max(entry.value for entry in encoding.classes)
    is_colored = encoding.form == "colors"
    is_unsure = any(_may_be_class(tone, main, is_colored) for tone in encoding.tones)
    shown = encoding.show_values(encoding.tones)
    usual = encoding.show_values([entry.value for entry in encoding.classes])
    return Remark(
        "mixed-tones",
        f"{len(others)} mask{'s have' if len(others) > 1 else ' has'} two tones of "
        f"{'their' if len(others) > 1 else 'its'} own: {shown} in place of the higher of {usual}. "
        "It was read as the same class.",
        "If it is another class, name all with their values in classes.json.",
        "warning" if is_unsure else "note",
        masks=tuple(others),
    )
