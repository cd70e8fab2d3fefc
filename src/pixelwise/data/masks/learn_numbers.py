"""Work out what numbers in masks mean from how often they occur, and say what was assumed and why.

{0, 255}                    background, foreground (value 255)
{0, 1, ..., 10}             class index
{0, 1, 2, 255}              class index, 255 ignored
{0, 128, 255}               three classes, mapped to 0, 1, 2
{1, 2, 3}                   three classes, none of them background
0 and 255 with grey edges   two tones, each pixel snapped to the nearer one
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pixelwise.colors import default_color
from pixelwise.data.masks.binary_artifacts import (
    MAX_DOT,
    MAX_INTERIOR,
    MAX_SPECKS,
    MIN_SHADES,
    NEAR_TONE,
    find_two_tones,
    refuse_lines,
    snap_remark,
)
from pixelwise.data.masks.encoding import MaskClass, MaskEncoding, shorten_values
from pixelwise.data.masks.read import TWO_TONE_RANGE
from pixelwise.data.masks.remarks import Reading, Remark
from pixelwise.data.masks.value_counts import LOW_INDEX, ValueCounts
from pixelwise.errors import MaskError
from pixelwise.task import IGNORE_INDEX

MAX_UNDECLARED_CLASSES = 32  # above it masks more likely hold object ids or a photograph
MIN_CLASS_SHARE = 0.02  # of the pixels of 255: what has fewer beside it may be specks


def learn_encoding(
    counts: ValueCounts, *, foreground: int | None = None, ignore: Sequence[int] = ()
) -> Reading:
    """Work out the encoding of masks about which nothing is declared.

    Args:
        counts: counts of the values in all masks.
        foreground: the value that is the foreground, where a person says so.
        ignore: values to leave out, where a person says so.

    Returns:
        The encoding, and remarks on what was assumed.

    Raises:
        MaskError: the values have no meaning that is clearly better than others.
    """
    named = counts.without(ignore)
    values = named.values.tolist()
    if min(values, default=0) >= 0 and len(values) > 2 and (tones := find_two_tones(named)):
        refuse_lines(named, tones)
        remark = snap_remark(named, tones)
        return _two_classes(tones, foreground, tuple(ignore), [remark], snap=True)
    remarks: list[Remark] = []
    ignored = list(ignore)
    assumed = [] if ignore else [value for value in _assume_ignored(values) if value != foreground]
    if assumed:
        is_large = IGNORE_INDEX in assumed and _outweighs(named)
        values = [value for value in values if value not in assumed]
        ignored += assumed
        remarks.append(ignore_remark(assumed, values, may_be_foreground=is_large))
    if len(values) == 2:
        pair, is_jpeg = (values[0], values[1]), named.is_jpeg
        return _two_classes(pair, foreground, tuple(ignored), remarks, is_jpeg=is_jpeg)
    _refuse_unclear(values, named.without(ignored), foreground)
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
        counts: counts of the values in all masks.
        exact: take the values of `known` literally.
    """
    named = counts.without(known.ignore)
    values, own = named.values.tolist(), [entry.value for entry in known.classes]
    tones = find_two_tones(named) if len(values) > 2 and len(own) == 2 else None
    if tones and (not exact or set(own) == set(tones)):
        order = own if set(own) == set(tones) else list(tones)
        return Reading(known.with_values(order, snap=True), (snap_remark(named, tones),))
    if exact or not known.unknown_values(named.values).size or not _may_be(values, own):
        return Reading(known)
    return Reading(known.with_values(values), (_map_remark(values),))


def apply_names(named: MaskEncoding, counts: ValueCounts) -> Reading:
    """Use names alone: 255 and negative values beside two of their indices are ignored."""
    reading = apply_known(named, counts)
    unknown = reading.encoding.unknown_values(counts.values).tolist()
    if not unknown or any(0 <= value != IGNORE_INDEX for value in unknown):
        return reading
    if len(counts.values) - len(unknown) < 2:
        return reading
    encoding = named.model_copy(update={"ignore": tuple(unknown)})
    others = counts.without(unknown)
    again = apply_known(encoding, others)
    return replace(again, remarks=(*again.remarks, ignore_remark(unknown, others.values.tolist())))


def _may_be(values: Sequence[int], own: Sequence[int]) -> bool:
    """Whether values can only be the classes in order: as many, from 0, far apart, none of theirs.

    0, 128 and 255 can be the classes 0, 1 and 2; among 0, 2 and 255 the 2 is itself a class.
    """
    if len(values) != len(own) or values[0] != 0 or list(own) != sorted(own):
        return False
    is_other = not set(values[1:]) & set(own)
    return len(values) == 2 or (is_other and values[-1] >= LOW_INDEX)


def _assume_ignored(values: list[int]) -> list[int]:
    """255 beside low class indices, and negative values beside two others, mean "left out"."""
    negative = [value for value in values if value < 0]
    rest = [value for value in values if value >= 0]
    if len(rest) < 2:
        return []
    others = [value for value in rest if value not in (0, IGNORE_INDEX)]
    if IGNORE_INDEX in rest and len(rest) > 2 and others and max(others) < LOW_INDEX:
        return [*negative, IGNORE_INDEX]
    return negative


def _outweighs(counts: ValueCounts) -> bool:
    """Whether 255 has more pixels than all low numbers but 0 together.

    Raises:
        MaskError: it has far more, and these are not numbered from 1 as class indices are.
    """
    low = counts.only((counts.values > 0) & (counts.values != IGNORE_INDEX))
    num_low = int(low.counts.sum())
    num_high = int(counts.counts[counts.values == IGNORE_INDEX].sum())
    is_index = np.array_equal(low.values, np.arange(1, len(low.values) + 1))
    if num_low >= MIN_CLASS_SHARE * num_high or is_index:
        return num_high > num_low
    shown = low.values.tolist()
    raise MaskError(
        f"the masks hold 0, 255 on {num_high:,} pixels and {shorten_values(shown)} on {num_low:,}: "
        f"255 is to be ignored beside rare classes, or the foreground beside specks. Say "
        f"--ignore {IGNORE_INDEX} if it is the first, {' '.join(f'--ignore {v}' for v in shown)} "
        "if it is the second."
    )


def _refuse_specks(values: list[int], counts: ValueCounts) -> None:
    """MaskError where some of many values are dots of a few pixels between numbers with gaps."""
    is_dot = counts.largest <= MAX_DOT
    is_few = counts.counts[is_dot].sum() <= MAX_SPECKS * counts.counts.sum()
    if is_dot.sum() < MIN_SHADES or not is_few or values == list(range(len(values))):
        return
    dots = counts.values[is_dot].tolist()
    raise MaskError(
        f"the masks hold {shorten_values(dots)} only in dots of up to {MAX_DOT} pixels, beside "
        "values that fill areas: damage, or classes too small to learn. Leave them out "
        f"({' '.join(f'--ignore {v}' for v in dots[:3])} ...), or name the classes with their "
        "values in classes.json."
    )


def _two_classes(
    values: tuple[int, int],
    foreground: int | None,
    ignored: tuple[int, ...],
    remarks: Sequence[Remark],
    *,
    snap: bool = False,
    is_jpeg: bool = False,
) -> Reading:
    """Background and foreground: 0 is background unless a person says otherwise."""
    low, high = values
    if foreground is not None and foreground not in values:
        raise MaskError(
            f"foreground={foreground}, but the masks hold {low} and {high}. Give one of these."
        )
    is_dark = (snap or is_jpeg) and low <= NEAR_TONE * (high - low)
    if foreground is None and low != 0 and not is_dark:
        raise MaskError(
            f"the masks hold the two values {low} and {high}{' and no 0' * (high != 0)}, so that "
            "foreground, background and what is to be ignored cannot be told apart. Say which it "
            f"is: --foreground {low} or --foreground {high}, or --ignore for other values."
        )
    order = [high, low] if foreground == low else [low, high]
    return Reading(_encode(order, ignored, snap or is_jpeg), tuple(remarks))


def _has_soft_edges(counts: ValueCounts) -> bool:
    """Whether several grey tones are there, and between them more values that only edges have."""
    is_edge = counts.interior <= MAX_INTERIOR * counts.counts
    if counts.values[-1] - counts.values[0] < TWO_TONE_RANGE or (~is_edge).sum() < 2:
        return False
    return int(is_edge.sum()) >= max(MIN_SHADES, int((~is_edge).sum()))


def _refuse_unclear(values: list[int], counts: ValueCounts, foreground: int | None) -> None:
    """Raise MaskError where the values are too few, too many or damaged."""
    if len(values) < 2:
        what = f"all masks hold only the value {values[0]}" if values else "no mask holds a value"
        raise MaskError(f"{what}: there is nothing to learn. Check that these are the masks.")
    if foreground is not None:
        raise MaskError(
            f"foreground={foreground} fits masks of two values, but these hold "
            f"{shorten_values(values)}. Leave the others out with --ignore, or name the classes in "
            "classes.json."
        )
    if counts.is_jpeg:
        raise MaskError(
            f"the masks are JPEG files with the values {shorten_values(values)}; JPEG changes "
            "values, so that classes cannot be told. Export them again as PNG."
        )
    if _has_soft_edges(counts):
        raise MaskError(
            f"the masks hold {len(values)} values ({shorten_values(values)}), some of them only "
            "along edges: several grey tones with soft edges, where a grey between two tones may "
            "be a third. Export the masks without anti-aliasing, or name the classes with their "
            "values in classes.json."
        )
    if len(values) > MAX_UNDECLARED_CLASSES:
        raise MaskError(
            f"the masks hold {len(values)} values ({shorten_values(values, 4)}): object ids, or no "
            'masks. If they are classes, name them in classes.json: {"classes": '
            '["background", ...]}.'
        )
    _refuse_specks(values, counts)


def _encode(values: list[int], ignored: tuple[int, ...], snap: bool = False) -> MaskEncoding:
    """Unnamed classes in the order given; without a 0 none of several is background."""
    names = ["background", "foreground"] if len(values) == 2 else ["background"]
    names += [f"class {index}" for index in range(len(names), len(values))]
    if len(values) > 2 and values[0] != 0:
        names = [f"class {value}" for value in values]
    classes = tuple(
        MaskClass(index=index, name=name, value=value, color=default_color(index, name))
        for index, (name, value) in enumerate(zip(names, values, strict=True))
    )
    return MaskEncoding(classes=classes, ignore=ignored, snap=snap)


def ignore_remark(
    ignored: Sequence[int], others: Sequence[int], *, may_be_foreground: bool = False
) -> Remark:
    """Said where values are taken to mean "left out" though nobody said so."""
    are = f"value {ignored[0]}" if len(ignored) == 1 else f"values {shorten_values(ignored)}"
    verb = "is" if len(ignored) == 1 else "are"
    doubt = " 255 has more pixels than these, and may be the foreground." * may_be_foreground
    return Remark(
        "ignored-values",
        f"the {are} beside the class indices {shorten_values(others)} {verb} taken to mean "
        f'"ignore": these pixels count neither in training nor in scores.{doubt}',
        'If it is a class, name all in classes.json: {"classes": [{"name": ..., "value": ...}]}.',
        "warning" if may_be_foreground else "note",
        values=tuple(ignored),
    )


def _map_remark(values: Sequence[int]) -> Remark:
    return Remark(
        "mapped-values",
        f"the mask values {shorten_values(values)} became the class indices 0 to {len(values) - 1}"
        f"{'' if 0 in values else '; there is no 0, so that none is taken for background'}.",
        "Name the classes in classes.json if this is not their order.",
    )
