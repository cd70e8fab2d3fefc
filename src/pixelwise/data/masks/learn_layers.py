"""Read masks of one plane a class: one class a pixel, or several where planes overlap."""

from collections.abc import Sequence

from pixelwise.colors import default_color
from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.encoding import MaskClass, MaskEncoding
from pixelwise.data.masks.facts import MaskFacts
from pixelwise.data.masks.remarks import Reading, Remark
from pixelwise.data.masks.value_counts import add_counts, num_pixels
from pixelwise.errors import MaskError
from pixelwise.task import MAX_CLASSES, too_many_classes

MAX_OVERLAP = 0.02  # of the labelled pixels: above it classes overlap by intent


def learn_layers(
    masks: Sequence[MaskFacts], declared: ClassDeclaration | None, ignore: tuple[int, ...] = ()
) -> Reading:
    """Work out the classes of masks in planes, and whether a pixel may have several.

    Args:
        masks: facts of all masks, in layers; masks in numbers may only be empty.
        declared: names for the planes, in their order or with their numbers from 1.
        ignore: planes to leave out.

    Raises:
        MaskError: masks in numbers among them, or more planes than names.
    """
    _refuse_numbers(masks)
    counts = add_counts(masks)
    num_layers = int(counts.values.max(initial=0))
    if num_layers >= MAX_CLASSES:  # what no plane claims is one more
        raise MaskError(too_many_classes(num_layers + 1))
    has_empty = 0 in counts.values
    labelled = num_pixels(masks) - (int(counts.counts[0]) if has_empty else 0)
    overlap = sum(mask.num_overlap for mask in masks) / max(1, labelled)
    said = declared.multilabel if declared else None
    multilabel = overlap > MAX_OVERLAP if said is None else said
    classes = _name_layers(declared, num_layers, has_empty and not multilabel, multilabel)
    ignored = ignore or (declared.ignore if declared else ())
    classes = [entry for entry in classes if entry[0] not in ignored]
    encoding = MaskEncoding(
        classes=tuple(
            MaskClass(
                index=index,
                name=name,
                value=value,
                color=color or default_color(index, name),
                source=f"layer {value}" if value else "no layer",
            )
            for index, (value, name, color) in enumerate(classes)
        ),
        ignore=ignored,
        form="layers",
        multilabel=multilabel,
    )
    remarks = [_layers_remark(encoding)] if declared is None else []
    if overlap and said is None:
        remarks.append(_overlap_remark(overlap, multilabel))
    return Reading(encoding, tuple(remarks))


def _name_layers(
    declared: ClassDeclaration | None, num_layers: int, has_empty: bool, multilabel: bool
) -> list[tuple[int, str, str | None]]:
    """(value, name, colour) of every class; the value 0 stands for pixels of no plane."""
    background = [(0, "background", None)] if has_empty else []
    if declared is None or not declared.classes:
        first = 1 if has_empty or multilabel else 0
        if num_layers == 1 and has_empty:
            return [*background, (1, "foreground", None)]
        return [
            *background,
            *((v, f"class {v - 1 + first}", None) for v in range(1, num_layers + 1)),
        ]
    entries = declared.classes
    if declared.has_values:
        named = [(entry.value or 0, entry.name, entry.color) for entry in entries]
    else:
        first = 0 if has_empty and len(entries) == num_layers + 1 else 1
        named = [(v, entry.name, entry.color) for v, entry in enumerate(entries, first)]
    unnamed = num_layers - max(value for value, _, _ in named)
    if unnamed > 0:
        raise MaskError(
            f"the masks have {num_layers} planes, but {len(entries)} classes are declared. Name "
            "every plane in classes.json."
        )
    if multilabel:
        return [entry for entry in named if entry[0] != 0]
    return named if any(value == 0 for value, _, _ in named) else [*background, *named]


def _refuse_numbers(masks: Sequence[MaskFacts]) -> None:
    layered = [mask for mask in masks if mask.form == "layers"]
    others = [mask for mask in masks if mask.form != "layers"]
    numbers = [mask for mask in others if mask.values.any()]
    if numbers:
        raise MaskError(
            f"{len(numbers)} of {len(masks)} masks hold one number a pixel, the others one plane a "
            "class. Save all masks in one way."
        )
    if others and not any(0 in mask.values for mask in layered):
        raise MaskError(
            f"{len(others)} of {len(masks)} masks are zero everywhere and have no planes, while "
            "every pixel of the others is in the plane of a class, background too: which one the "
            "zeros mean is not clear. Save these masks in planes, too."
        )


def _layers_remark(encoding: MaskEncoding) -> Remark:
    names = ", ".join(f"{entry.name} ({entry.source})" for entry in encoding.classes[:8])
    return Remark(
        "one-hot",
        f"the masks have one plane a class: {names}.",
        "Name the classes in classes.json, in the order of the planes.",
    )


def _overlap_remark(overlap: float, multilabel: bool) -> Remark:
    share = f"{100 * overlap:.2g} % of the labelled pixels belong to several classes"
    if multilabel:
        return Remark(
            "multilabel",
            f"{share}, so that each class is learnt by itself: a pixel may have several.",
            'If each pixel has one class only, say so in classes.json: {"multilabel": false}.',
        )
    return Remark(
        "overlapping-objects",
        f"{share}; there the later plane or file wins.",
        'If classes overlap by intent, say so in classes.json: {"multilabel": true}.',
    )
