"""Work out what the masks of a data set mean together: numbers, colours, planes or object ids.

known       the encoding of a training has the word
declared    then what a person says in classes.json, or the layout
usual       then what most masks hold; a few that are made in another way are left to be named
"""

from collections.abc import Sequence
from dataclasses import replace

from pixelwise.colors import hex_of
from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.conflicting_values import refuse_conflicting_values
from pixelwise.data.masks.encoding import MaskEncoding
from pixelwise.data.masks.facts import MaskFacts
from pixelwise.data.masks.foreground_values import add_tones, part_tones
from pixelwise.data.masks.instance_ids import (
    Evidence,
    as_instances,
    either_remark,
    weigh_instance_ids,
)
from pixelwise.data.masks.learn_colors import learn_colors, snap_to_known
from pixelwise.data.masks.learn_layers import learn_layers
from pixelwise.data.masks.learn_numbers import apply_known, apply_names, learn_encoding
from pixelwise.data.masks.outliers import set_apart
from pixelwise.data.masks.remarks import Reading
from pixelwise.data.masks.value_counts import add_counts
from pixelwise.errors import MaskError


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
        known = known.model_copy(update={"tones": ()})  # these masks may be stored in another way
        return _apply_training(known, masks, declared)
    _refuse_contradiction(declared, foreground, ignored)
    if any(mask.form == "layers" for mask in masks):
        return learn_layers(masks, declared, ignored)
    given = ignored or (declared.ignore if declared else ())
    usual, others = list(masks), list[MaskFacts]()
    if _may_mix(declared):
        usual, others = part_tones(masks, given, are_two=declared is not None)
    usual = set_apart(usual, given)
    if any(mask.form == "colors" for mask in masks):
        reading = learn_colors(usual, declared, ignored)
    else:
        if foreground and foreground in {int(mask.values.max()) for mask in others}:
            foreground = None  # the higher of two tones, as it is where nobody says
        reading = _understand_numbers(usual, declared, foreground, given)
    return add_tones(reading, usual, others, given)


def _may_mix(declared: ClassDeclaration | None) -> bool:
    """Whether masks of two tones may be stored in several ways: nobody says which values count."""
    if declared is None or not declared.classes:
        return declared is None or not declared.instances
    is_named_alone = not declared.has_values and not any(e.color for e in declared.classes)
    return len(declared.classes) == 2 and is_named_alone and not declared.instances


def _understand_numbers(
    masks: Sequence[MaskFacts],
    declared: ClassDeclaration | None,
    foreground: int | None,
    ignore: tuple[int, ...],
) -> Reading:
    """Class values or object ids."""
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
            refuse_conflicting_values(masks, foreground, ignore)
            return apply_names(encoding, add_counts(masks))
        return apply_known(encoding, add_counts(masks), exact=declared.has_values)
    if evidence.verdict == "ids" and foreground is None:
        return as_instances(_object_names([]), ignore, evidence.reason)
    refuse_conflicting_values(masks, foreground, ignore)
    reading = learn_encoding(add_counts(masks), foreground=foreground, ignore=ignore)
    reading = replace(reading, encoding=_with_palette(reading.encoding, masks))
    if evidence.verdict == "either" and len(reading.encoding.classes) > 2:
        reading = replace(reading, remarks=(*reading.remarks, either_remark(evidence)))
    return reading


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
        if known.form == "instances":
            return Reading(known)
        usual, others = list(masks), list[MaskFacts]()
        if len(known.classes) == 2:
            usual, others = part_tones(masks, known.ignore, are_two=True)
        return add_tones(apply_known(known, add_counts(usual)), usual, others, known.ignore)
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
