"""Find what is wrong with the objects in the masks: too small, overlapping, or not in place."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pixelwise.data import Finding, MaskEncoding, make_finding
from pixelwise.data.survey import TINY_AREA_PX, Fit, SampleFacts, readable_masks
from pixelwise.doctor.check_masks import has_background

MAX_TINY_SHARE = 0.2  # of the area of all objects of a mask
CLEAR_SIGMA = 7.0  # of outlines on edges; chance gives up to 5
OTHER_SIGMA = 0.7  # of that: any third place must be worse, and the mask as it is far worse
HERE_SIGMA = 0.5
MIN_SHIFT_PX = 2


def check_objects(surveyed: Sequence[SampleFacts], encoding: MaskEncoding) -> list[Finding]:
    """Find what is wrong with the objects."""
    return [
        *_find_misplaced(surveyed),
        *_find_tiny(surveyed, encoding),
        *_find_out_of_bounds(surveyed),
        *([] if encoding.multilabel else _find_overlapping(surveyed)),
    ]


def is_shifted(fit: Fit) -> bool:
    """Whether the outlines lie clearly on the edges when moved, and clearly not where they are."""
    return (
        fit.there >= CLEAR_SIGMA
        and max(map(abs, fit.shift)) >= MIN_SHIFT_PX
        and fit.here < HERE_SIGMA * fit.there
        and fit.elsewhere < OTHER_SIGMA * fit.there
    )


def is_turned(fit: Fit) -> bool:
    """Whether the outlines lie clearly on the edges when turned, and clearly not as they are."""
    return fit.turned >= CLEAR_SIGMA and fit.here < HERE_SIGMA * fit.turned


def _fits(surveyed: Sequence[SampleFacts]) -> Iterator[tuple[Path, Fit]]:
    """Masks of the size of their images, with their fit."""
    for facts, path, _ in readable_masks(surveyed):
        fit = facts.pair.fit if facts.pair else None
        if fit is not None and not np.isnan(fit.here):
            yield path, fit


def _find_misplaced(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    turned = [(path, fit) for path, fit in _fits(surveyed) if is_turned(fit)]
    shifted = [
        (path, fit) for path, fit in _fits(surveyed) if is_shifted(fit) and not is_turned(fit)
    ]
    how = turned[0][1].turn if turned else ""
    rows, columns = shifted[0][1].shift if shifted else (0, 0)
    return make_finding(
        "turned-mask",
        [path for path, _ in turned],
        f"{{files}} do not lie on the edges of the image, but would if {how}.",
        "Look at it, and turn the mask as its image is.",
    ) + make_finding(
        "shifted-mask",
        [path for path, _ in shifted],
        f"{{files}} do not lie on the edges of the image, but would if moved by {rows} rows and "
        f"{columns} columns{' (the first)' * (len(shifted) > 1)}.",
        "Look at it, and export the mask again in the frame of its image.",
    )


def _find_tiny(surveyed: Sequence[SampleFacts], encoding: MaskEncoding) -> list[Finding]:
    """Masks whose objects are specks, by area: a few specks are in all masks drawn by hand."""
    if encoding.snap:  # grey edges would count as specks
        return []
    first = int(has_background(encoding))
    files, num_tiny = [], 0
    for facts, path, _ in readable_masks(surveyed):
        if facts.pair is None:
            continue
        index = encoding.index_of(facts.pair.values)
        is_object = (index >= first) & (index < len(encoding.classes))
        if facts.pair.tiny_area[is_object].sum() > MAX_TINY_SHARE * max(
            1, facts.pair.area[is_object].sum()
        ):
            files.append(path)
            num_tiny += int(facts.pair.num_tiny[is_object].sum())
    objects = "an object" if num_tiny == 1 else f"{num_tiny} objects"
    return make_finding(
        "tiny-objects",
        files,
        f"{{files}} hold {objects} of at most {TINY_AREA_PX} pixels and little else; a network "
        "cannot tell these from noise.",
        "Remove them if they are slips of the pen; otherwise use images of a higher resolution.",
    )


def _find_out_of_bounds(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    masks = [(path, facts, mask) for facts, path, mask in readable_masks(surveyed)]
    number = sum(mask.num_outside for _, _, mask in masks)
    return make_finding(
        "out-of-bounds",
        [facts.found.image for _, facts, mask in masks if mask.num_outside],
        f"{{files}} have shapes that reach beyond the image ({number} in all); they were cut.",
        "Check that the shapes were drawn on these images, in this size.",
    )


def _find_overlapping(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    masks = [(facts, mask) for facts, _, mask in readable_masks(surveyed)]
    number = sum(mask.num_overlap for _, mask in masks)
    return make_finding(
        "overlapping-objects",
        [facts.found.image for facts, mask in masks if mask.num_overlap],
        f"{{files}} have objects that overlap, in {number:,} pixels; these went to the object that "
        "comes last.",
        "Nothing, if a pixel may belong to one object only; otherwise draw them apart.",
    )
