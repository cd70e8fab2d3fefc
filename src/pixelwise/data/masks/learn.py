"""Work out what mask values mean from how often they occur, and say what was assumed and why.

{0, 255}                    background, foreground (value 255)
{0, 1, ..., 10}             class index
{0, 1, 2, 255}              class index, 255 ignored
{0, 128, 255}               three classes, mapped to 0, 1, 2
0 and 255 with grey edges   two tones, each pixel snapped to the nearer one
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.colors import default_color, hex_of
from pixelwise.data.masks.encoding import IGNORE_INDEX, MaskClass, MaskEncoding, shorten
from pixelwise.data.masks.facts import MaskFacts
from pixelwise.data.masks.instance_ids import (
    Evidence,
    as_instances,
    either_remark,
    weigh_instance_ids,
)
from pixelwise.data.masks.learn_colors import learn_colors, snap_to_known
from pixelwise.data.masks.learn_layers import learn_layers
from pixelwise.data.masks.read import TWO_TONE_RANGE
from pixelwise.data.masks.reading import Reading, Remark, ValueCounts, add_counts
from pixelwise.errors import MaskError

MAX_UNDECLARED_CLASSES = 32  # above it masks more likely hold object ids or a photograph
LOW_INDEX = 64  # below it a value beside 255 is a class index, and 255 then "ignore"
NEAR_TONE = 0.12  # of the range: values this near to a tone are that tone, damaged
MAX_INTERIOR = 0.02  # grey edges have almost no pixels with four equal neighbours; classes do
MIN_SHADES = 3  # soft edges have at least so many shades
MIN_TONES = 0.5  # share of pixels that the two tones themselves must have


def understand_masks(
    masks: Sequence[MaskFacts],
    declared: ClassDeclaration | None = None,
    *,
    foreground: int | None = None,
    ignore: Sequence[int] = (),
    known: MaskEncoding | None = None,
) -> Reading:
    """Work out what the masks of a data set mean. What is known wins, then what is declared.

    Args:
        masks: facts of all masks, as `unify_forms` gives them.
        declared: classes.json, or what the layout says.
        foreground: the value that is the foreground, where a person says so.
        ignore: values to leave out, where a person says so.
        known: the encoding of a training, where there was one.

    Raises:
        MaskError: the values have no meaning that is clearly better than others.
    """
    ignored = tuple(ignore)
    if known is not None:
        return _apply_training(known, masks, declared)
    _refuse_contradiction(declared, foreground, ignored)
    if any(mask.form == "layers" for mask in masks):
        return learn_layers(masks, declared, ignored)
    if any(mask.form == "colors" for mask in masks):
        return learn_colors(masks, declared, ignored)
    return _understand_numbers(masks, declared, foreground, ignored)


def _understand_numbers(
    masks: Sequence[MaskFacts],
    declared: ClassDeclaration | None,
    foreground: int | None,
    ignore: tuple[int, ...],
) -> Reading:
    """Class values or object ids."""
    ignore = ignore or (declared.ignore if declared else ())
    said = declared.instances if declared else None
    names = [entry.name for entry in declared.classes] if declared else []
    evidence = Evidence("classes") if said is False else weigh_instance_ids(masks, ignore)
    if said:
        return as_instances(_object_names(names), ignore, "")
    if declared is not None and declared.classes:
        if evidence.verdict == "ids" and len(names) == 2 and not declared.has_values:
            return as_instances(names, ignore, evidence.reason)
        encoding = declared.encoding().model_copy(update={"ignore": ignore})
        if not (declared.has_values or ignore or "ignore" in declared.model_fields_set):
            return _apply_names(encoding, add_counts(masks))
        return apply_known(encoding, add_counts(masks), exact=declared.has_values)
    if evidence.verdict == "ids" and foreground is None:
        return as_instances(_object_names([]), ignore, evidence.reason)
    reading = learn_encoding(add_counts(masks), foreground=foreground, ignore=ignore)
    reading = replace(reading, encoding=_with_palette(reading.encoding, masks))
    if evidence.verdict == "either" and len(reading.encoding.classes) > 2:
        reading = replace(reading, remarks=(*reading.remarks, either_remark(evidence)))
    return reading


def _apply_names(named: MaskEncoding, counts: ValueCounts) -> Reading:
    """Use names about which nothing else is said: 255 beside their indices is ignored."""
    reading = apply_known(named, counts)
    unknown = reading.encoding.unknown_values(counts.values).tolist()
    if unknown != [IGNORE_INDEX] or len(counts.values) <= 2:
        return reading
    encoding = named.model_copy(update={"ignore": (IGNORE_INDEX,)})
    others = counts.without(unknown)
    again = apply_known(encoding, others)
    return replace(again, remarks=(*again.remarks, _ignore_remark(unknown, others.values.tolist())))


def _object_names(names: Sequence[str]) -> Sequence[str]:
    """Names of background and object: those given, or the usual ones."""
    if len(names) > 2:
        raise MaskError(
            f"classes.json says that the numbers are object ids, and names {len(names)} classes. "
            "Name the background and the object, or leave out the names."
        )
    return names if len(names) == 2 else ["background", names[0] if names else "object"]


def _apply_training(
    known: MaskEncoding, masks: Sequence[MaskFacts], declared: ClassDeclaration | None
) -> Reading:
    """Use the classes of a training for masks that may be stored in another way."""
    form = next((mask.form for mask in masks if mask.form != "numbers"), "numbers")
    own = "numbers" if known.form == "instances" else known.form
    if form == own == "numbers":
        evidence = weigh_instance_ids(masks, known.ignore)
        if known.form == "numbers" and evidence.verdict == "ids" and len(known.classes) == 2:
            return as_instances(known.class_names, known.ignore, evidence.reason)
        return (
            Reading(known) if known.form == "instances" else apply_known(known, add_counts(masks))
        )
    if form == own:
        return snap_to_known(known, masks) if form == "colors" else Reading(known)
    reading = understand_masks(masks, declared)
    if len(reading.encoding.classes) != len(known.classes) or (
        declared is None and len(known.classes) > 2
    ):
        raise MaskError(
            f"the masks hold {reading.encoding.unit}, but those of the training held {known.unit}, "
            f"and which of the {len(known.classes)} classes ({', '.join(known.class_names[:8])}) "
            "is which is not known. Declare the classes in classes.json, in the same order."
        )
    return reading


def _refuse_contradiction(
    declared: ClassDeclaration | None, foreground: int | None, ignore: tuple[int, ...]
) -> None:
    """MaskError where a person says one thing on the command line and another in classes.json."""
    if declared is None or not declared.classes:
        return
    if foreground is not None:
        raise MaskError(
            "foreground is given, but classes.json says what is what. Leave out one of them."
        )
    taken = [entry for entry in declared.encoding().classes if entry.value in ignore]
    if taken:
        raise MaskError(
            f"the value {taken[0].value} is to be ignored, but classes.json calls it "
            f"{taken[0].name}. Leave out one of them."
        )


def _with_palette(encoding: MaskEncoding, masks: Sequence[MaskFacts]) -> MaskEncoding:
    """The classes in the colours of the palettes, where these agree and tell classes apart."""
    found: dict[int, set[int]] = {}
    for mask in masks:
        if mask.palette is not None:
            for value, color in zip(mask.values.tolist(), mask.palette.tolist(), strict=True):
                found.setdefault(value, set()).add(color)
    colors = [found.get(entry.value, set()) for entry in encoding.classes]
    distinct = {color for group in colors for color in group}
    if any(len(group) != 1 for group in colors) or len(distinct) != len(encoding.classes):
        return encoding
    classes = tuple(
        entry.model_copy(update={"color": hex_of(next(iter(group)))})
        for entry, group in zip(encoding.classes, colors, strict=True)
    )
    return encoding.model_copy(update={"classes": classes})


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
    assumed = [] if ignore else [value for value in _assume_ignored(values) if value != foreground]
    if assumed:
        values = [value for value in values if value not in assumed]
        ignored += assumed
        remarks.append(_ignore_remark(assumed, values))
    if len(values) == 2:
        return _two_classes((values[0], values[1]), foreground, tuple(ignored), remarks)
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
            f"the masks hold the two values {low} and {high}{' and no 0' * (high != 0)}, so that "
            "foreground, background and what is to be ignored cannot be told apart. Say which it "
            f"is: --foreground {low} or --foreground {high}, or --ignore for other values."
        )
    order = [high, low] if foreground == low else [low, high]
    return Reading(_encode(order, ignored, snap), tuple(remarks))


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
            f"foreground={foreground} fits masks of two values, but these hold {shorten(values)}. "
            "Name the classes in classes.json."
        )
    if counts.is_jpeg:
        raise MaskError(
            f"the masks are JPEG files with the values {shorten(values)}; JPEG changes values, so "
            "that classes cannot be told. Export them again as PNG."
        )
    if _has_soft_edges(counts):
        raise MaskError(
            f"the masks hold {len(values)} values ({shorten(values)}), some of them only along "
            "edges: several grey tones with soft edges, where a grey between two tones may "
            "be a third. Export the masks without anti-aliasing, or name the classes with their "
            "values in classes.json."
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
        "warning",
    )


def _ignore_remark(ignored: Sequence[int], others: Sequence[int]) -> Remark:
    are = f"value {ignored[0]}" if len(ignored) == 1 else f"values {shorten(ignored)}"
    verb = "is" if len(ignored) == 1 else "are"
    return Remark(
        "ignored-values",
        f"the {are} beside the class indices {shorten(others)} {verb} taken to mean "
        '"ignore": these pixels count neither in training nor in scores.',
        'If it is a class, name all in classes.json: {"classes": [{"name": ..., "value": ...}]}.',
    )


def _map_remark(values: Sequence[int]) -> Remark:
    return Remark(
        "mapped-values",
        f"the mask values {shorten(values)} became the class indices 0 to {len(values) - 1}.",
        "Name the classes in classes.json if this is not their order.",
    )
