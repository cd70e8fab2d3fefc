"""Find what is wrong with the classes in the masks: unknown, absent, rare, empty or inverted."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import (
    Finding,
    MaskClass,
    MaskEncoding,
    Split,
    make_finding,
    make_general_finding,
    name_files,
)
from pixelwise.data.masks import MaskFacts, MaskShapes, covers_pixels, foreign_values
from pixelwise.data.survey import PairFacts, SampleFacts, readable_masks
from pixelwise.task import IGNORE_INDEX
from pixelwise.text import shorten

MAX_CLASSES_NAMED = 5
RARE_SHARE = 1e-3  # of the labelled pixels
MANY_EMPTY = 0.5  # share of the masks
FULL_BORDER = 0.75  # share of the outermost pixels that the background of an image usually has
MIN_MASKS_TO_COMPARE = 5
CLEAR_CONTRAST = 0.8  # share of the masks whose foreground is brighter, or darker, than the rest


def check_masks(
    surveyed: Sequence[SampleFacts], encoding: MaskEncoding, splits: Mapping[str, Split]
) -> list[Finding]:
    """Find what is wrong with the classes, once masks and splits are known."""
    return [
        *_find_unknown_values(surveyed, encoding),
        *_find_empty_masks(surveyed, encoding),
        *_find_absent_classes(surveyed, encoding, splits),
        *_find_imbalance(surveyed, encoding),
        *_find_inverted(surveyed, encoding),
    ]


def has_background(encoding: MaskEncoding) -> bool:
    """Whether class 0 is background, and not a class like the others."""
    return encoding.task.of_pixels.has_background(encoding.class_names)


def count_classes(mask: MaskFacts, encoding: MaskEncoding) -> NDArray[np.int64]:
    """(K) pixels of each class in a mask; ignored and unknown values are left out."""
    counts = np.zeros(len(encoding.classes), dtype=np.int64)
    index = encoding.index_of(mask.values)
    is_class = index < len(counts)
    np.add.at(counts, index[is_class], mask.counts[is_class])
    return counts


def _find_unknown_values(surveyed: Sequence[SampleFacts], encoding: MaskEncoding) -> list[Finding]:
    files, values = [], set()
    for _, path, mask in readable_masks(surveyed):
        unknown = foreign_values(mask, encoding)
        if unknown.size:
            files.append(path)
            values.update(unknown.tolist())
    if encoding.form == "instances":
        return make_finding(
            "unknown-value",
            files,
            "{files} hold values that fill no areas, as photographs do: no ids of objects.",
            "Put the masks of these images in their place.",
        )
    known = encoding.show_values([entry.value for entry in encoding.classes])
    return make_finding(
        "unknown-value",
        files,
        f"{{files}} hold{'s' * (len(files) == 1)} the {encoding.unit} "
        f"{encoding.show_values(sorted(values))}, which are none of the classes ({known}).",
        "Correct the masks, leave these values out with --ignore, or declare them in classes.json.",
    )


def find_no_foreground(surveyed: Sequence[SampleFacts], encoding: MaskEncoding) -> list[Finding]:
    """An error where all masks together hold nothing but background: there is nothing to learn."""
    masks = readable_masks(surveyed)
    counts = sum((count_classes(mask, encoding) for _, _, mask in masks), np.zeros(1, np.int64))
    first = int(has_background(encoding))
    is_unknown = any(foreign_values(mask, encoding).size for _, _, mask in masks)
    if not masks or is_unknown or counts[first:].any():
        return []
    named = shorten(encoding.class_names[first:], MAX_CLASSES_NAMED)
    held = encoding.show_values(sorted({int(v) for _, _, mask in masks for v in mask.values}))
    message = (
        f"not one of {len(masks)} masks holds any {named}: {name_files([p for _, p, _ in masks])} "
        f"hold nothing but {encoding.unit} {held}."
    )
    fix = "Check that these are the masks, and that they and their classes mean the same."
    return [make_general_finding("no-foreground", message, fix)]


def _find_empty_masks(surveyed: Sequence[SampleFacts], encoding: MaskEncoding) -> list[Finding]:
    masks = readable_masks(surveyed)
    meaningless = [IGNORE_INDEX] if encoding.multilabel else [0, IGNORE_INDEX]
    files = [
        path
        for _, path, mask in masks
        if np.isin(encoding.index_of(mask.values), meaningless).all()
    ]
    what = "no class" if encoding.multilabel else f"nothing but {encoding.classes[0].name}"
    is_most = len(files) > MANY_EMPTY * len(masks)
    share = f" ({len(files)} of {len(masks)} masks)" if len(files) > 1 else ""
    return make_finding(
        "empty-mask",
        files,
        f"{{files}} hold {what}{share}.",
        "Check that these are all masks, and not partly blank ones."
        if is_most
        else "Nothing, if there is nothing to find in these images; otherwise label them.",
        "warning" if is_most else None,
    )


def _find_absent_classes(
    surveyed: Sequence[SampleFacts], encoding: MaskEncoding, splits: Mapping[str, Split]
) -> list[Finding]:
    present: dict[Split, NDArray[np.int64]] = {}
    for facts, _, mask in readable_masks(surveyed):
        counts = count_classes(mask, encoding)
        split = splits[facts.found.name]
        present[split] = present[split] + counts if split in present else counts
    names = encoding.class_names
    nowhere = [name for k, name in enumerate(names) if not sum(c[k] for c in present.values())]
    findings, unexplained = list[Finding](), list[str]()
    for entry in (entry for entry in encoding.classes if entry.name in nowhere):
        undrawn = _find_undrawn_class(surveyed, entry)
        findings += undrawn
        unexplained += [] if undrawn else [entry.name]
    if unexplained:
        fix = "Remove them from the classes, or label"
        findings.append(_say_absent(unexplained, "any mask", fix))
    for split, counts in present.items():
        absent = [name for k, name in enumerate(names) if not counts[k] and name not in nowhere]
        if absent:
            findings.append(_say_absent(absent, f"the {split} split", "Label"))
    return findings


def _find_undrawn_class(surveyed: Sequence[SampleFacts], entry: MaskClass) -> list[Finding]:
    """An error where the annotations have shapes of an absent class: none covers a pixel."""
    own = [
        (path, shape, mask.size)
        for facts, path, mask in readable_masks(surveyed)
        if isinstance(facts.found.mask, MaskShapes)
        for shape in facts.found.mask.shapes
        if shape.value == entry.value
    ]
    if any(covers_pixels(shape, (size[0], size[1])) for _, shape, size in own):
        return []  # others lie above them
    return make_finding(
        "absent-class",
        [path for path, _, _ in own],
        f"{{files}} have {len(own)} shapes of {entry.name}, none of which covers a pixel"
        f"{f' ({own[0][1].name})' if own else ''}.",
        "Export them with corners in pixels of these images, or remove them with their class.",
        "error",
    )


def _say_absent(names: Sequence[str], where: str, first: str) -> Finding:
    message = (
        f"{shorten(names, MAX_CLASSES_NAMED)} never appear{'s' * (len(names) == 1)} in {where}."
    )
    fix = f"{first} more images, or move some: every split should have every class."
    return make_general_finding("absent-class", message, fix)


def _find_imbalance(surveyed: Sequence[SampleFacts], encoding: MaskEncoding) -> list[Finding]:
    """Classes that have so few of the labelled pixels that a network may leave them out."""
    masks = [mask for _, _, mask in readable_masks(surveyed)]
    counts = sum((count_classes(mask, encoding) for mask in masks), np.zeros(1, dtype=np.int64))
    shares = counts / max(1, counts.sum())
    rare = [
        f"{name} ({100 * share:.2g} %)"
        for name, share in zip(encoding.class_names, shares, strict=True)
        if 0 < share < RARE_SHARE
    ]
    if not rare:
        return []
    message = (
        f"{shorten(rare, MAX_CLASSES_NAMED)} have "
        f"less than {100 * RARE_SHARE:g} % of the labelled pixels; {_most(encoding, shares)}."
    )
    fix = "Label more images with them, and judge them by their own scores, not by means."
    return [make_general_finding("class-imbalance", message, fix)]


def _most(encoding: MaskEncoding, shares: NDArray[np.float64]) -> str:
    top = int(shares.argmax())
    return f"{encoding.class_names[top]} has {100 * shares[top]:.3g} %"


def _find_inverted(surveyed: Sequence[SampleFacts], encoding: MaskEncoding) -> list[Finding]:
    """Masks of two classes whose foreground surrounds the picture, as a background does."""
    if len(encoding.classes) != 2 or not has_background(encoding):
        return []
    seen = [
        (path, _describe_foreground(mask, facts.pair, encoding))
        for facts, path, mask in readable_masks(surveyed)
        if facts.pair is not None and (count_classes(mask, encoding) > 0).all()
    ]
    if not seen:
        return []
    share, border, contrast = np.array([figures for _, figures in seen]).T
    is_around = (share > 0.5) & (border > FULL_BORDER)
    if is_around.mean() > CLEAR_CONTRAST:
        return _say_all_inverted([path for path, _ in seen], share, border)
    rest = ~is_around
    if rest.sum() < MIN_MASKS_TO_COMPARE:
        return []
    usual_sign = np.sign(np.median(contrast[rest]))
    agrees = (np.sign(contrast[rest]) == usual_sign).mean() >= CLEAR_CONTRAST
    is_inverted = is_around & (~agrees | (np.sign(contrast) != usual_sign))
    is_inverted &= 1 - share <= share[rest].max() * 1.5
    return make_finding(
        "inverted-mask",
        [seen[i][0] for i in np.flatnonzero(is_inverted)],
        "{files} look inverted: the foreground lies all around, as the background of the other "
        "masks does.",
        "Look at them, and swap the two values if they are inverted.",
    )


def _describe_foreground(
    mask: MaskFacts, pair: PairFacts, encoding: MaskEncoding
) -> tuple[float, float, float]:
    """Of the foreground: share of the pixels, share of the border, brightness above the rest."""
    counts = count_classes(mask, encoding)
    is_foreground = encoding.index_of(pair.values) == 1
    is_rest = encoding.index_of(pair.values) == 0
    contrast = 0.0
    if pair.brightness is not None and is_foreground.any() and is_rest.any():
        brightness = pair.brightness
        contrast = float(brightness[is_foreground].mean() - brightness[is_rest].mean())
    return float(counts[1] / counts.sum()), float(pair.border[is_foreground].sum()), contrast


def _say_all_inverted(
    files: Sequence[Path], share: NDArray[np.float64], border: NDArray[np.float64]
) -> list[Finding]:
    message = (
        f"the masks look inverted: the foreground has {100 * np.median(share):.0f} % of the pixels "
        f"and {100 * np.median(border):.0f} % of the border of the median image, as a background "
        "does."
    )
    fix = "If it is the background, swap the two: --foreground with the value of the objects."
    return make_finding("inverted-mask", files, message, fix)
