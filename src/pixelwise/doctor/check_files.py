"""Find what is wrong with files and pairs: damaged, missing, of another size, turned."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import UnidentifiedImageError

from pixelwise.data import Finding, finding_of_error, make_finding, make_general_finding
from pixelwise.data.masks import MaskShapes, SizeError, describe_size_mismatch
from pixelwise.data.survey import ImageFacts, SampleFacts, readable_images, readable_masks
from pixelwise.errors import FileError, MaskError
from pixelwise.text import show_size

FEW_IMAGES = 10
MAX_UNDRAWN = 0.5  # share of the shapes of a data set
CLEAR_TURN_SIGMA = 5.0  # outlines lie on edges as far as chance would take them once in 10^6

Failed = list[tuple[Path, Exception]]


def check_files(surveyed: Sequence[SampleFacts], lone_masks: Sequence[Path]) -> list[Finding]:
    """Find what is wrong with single files and pairs, before the masks are understood."""
    return [
        *_find_unreadable(surveyed),
        *_find_unclear_masks(surveyed),
        *_find_size_mismatch(surveyed),
        *_find_undrawn(surveyed),
        *_find_unpaired(surveyed, lone_masks),
        *_find_few(surveyed),
        *_find_turned(surveyed),
        *_find_assumed_axes(surveyed),
    ]


def _find_unreadable(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    failed: Failed = []
    for facts in surveyed:
        if isinstance(facts.image, FileError):
            failed.append((facts.found.image, facts.image))
        if isinstance(facts.mask, FileError) and facts.found.mask:
            failed.append((facts.found.mask.path, facts.mask))
    others = [(path, e) for path, e in failed if isinstance(e.__cause__, UnidentifiedImageError)]
    return _of_errors("unreadable", [one for one in failed if one not in others]) + _of_errors(
        "not-an-image", others
    )


def _find_unclear_masks(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    return _of_errors(
        "mask-values",
        [
            (f.found.mask.path, f.mask)
            for f in surveyed
            if f.found.mask and isinstance(f.mask, MaskError) and not isinstance(f.mask, SizeError)
        ],
    )


def _find_size_mismatch(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    failed: Failed = [
        (f.found.mask.path, f.mask)
        for f in surveyed
        if f.found.mask and isinstance(f.mask, SizeError)
    ]
    failed += [
        (path, _describe_mismatch(facts, facts.image, path, mask.size))
        for facts, path, mask in readable_masks(surveyed)
        if isinstance(facts.image, ImageFacts) and facts.image.size != mask.size
    ]
    return _of_errors("size-mismatch", failed)


def _find_undrawn(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    """Annotations most of whose shapes cover no pixel: their corners are in other units."""
    shapes = [
        (facts.found.mask, mask)
        for facts, _, mask in readable_masks(surveyed)
        if isinstance(facts.found.mask, MaskShapes)
    ]
    total = sum(len(source.shapes) for source, _ in shapes)
    lost = sum(mask.num_undrawn for _, mask in shapes)
    if lost <= MAX_UNDRAWN * total:
        return []
    first, mask = next((source, mask) for source, mask in shapes if mask.num_undrawn)
    return make_finding(
        "broken-shape",
        [source.path for source, mask in shapes if mask.num_undrawn],
        f"{{files}} have shapes that cover no pixel, {lost} of {total}: those of the first lie "
        f"{_describe_corners(first)}, its image has {show_size(mask.size)} pixels.",
        "Export them with corners in pixels of these images.",
        "error",
    )


def _describe_corners(mask: MaskShapes) -> str:
    """Where the shapes of a mask lie."""
    rings = [ring for shape in mask.shapes for ring in shape.polygons]
    if not rings:
        return "nowhere"
    low, high = np.concatenate(rings).min(axis=0), np.concatenate(rings).max(axis=0)
    return f"in rows {low[0]:.4g} to {high[0]:.4g} and columns {low[1]:.4g} to {high[1]:.4g}"


def _describe_mismatch(
    facts: SampleFacts, image: ImageFacts, path: Path, mask_size: tuple[int, ...]
) -> MaskError:
    """What differs, and whether turning the mask would correct it."""
    sizes = f"({show_size(mask_size)} against {show_size(image.size)}, height x width)"
    if mask_size != image.size[::-1]:
        return MaskError(describe_size_mismatch(path, mask_size, facts.found.image, image.size))
    if image.turned:
        return MaskError(
            f"{facts.found.image} is turned by its EXIF data and {path} is not {sizes}. Turn the "
            "mask in the same way, or remove the pair."
        )
    fit = facts.pair.fit if facts.pair else None
    if fit and fit.turned >= CLEAR_TURN_SIGMA:
        return MaskError(
            f"{path} lies across {facts.found.image} {sizes}; {fit.turn} it would fit its edges. "
            "Turn the mask so, or remove the pair."
        )
    return MaskError(
        f"{path} lies across {facts.found.image} {sizes}; a quarter turn or a transpose would "
        "correct the size. Turn the mask as its image is, or remove the pair."
    )


def _find_unpaired(surveyed: Sequence[SampleFacts], lone_masks: Sequence[Path]) -> list[Finding]:
    unlabelled = [facts.found.image for facts in surveyed if facts.found.mask is None]
    return make_finding(
        "missing-mask",
        unlabelled,
        "{files} have no mask: left out of training and scores.",
        "Add a mask with the name of each image; an all-background mask where there is nothing "
        "in it.",
    ) + make_finding(
        "missing-image",
        lone_masks,
        "{files} have no image: left out.",
        "Add the images, or give each mask the name of its image.",
    )


def _find_few(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    number = sum(facts.found.mask is not None for facts in surveyed)
    if number >= FEW_IMAGES or not number:  # none at all is an error of its own
        return []
    what = (
        "there is only 1 image with a mask"
        if number == 1
        else f"there are only {number} images with masks"
    )
    fix = "Label more images: scores on few are uncertain, and one leaves none to validate on."
    return [make_general_finding("few-images", f"{what}.", fix)]


def _find_turned(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    return make_finding(
        "exif-turned",
        [facts.found.image for facts, image in readable_images(surveyed) if image.turned],
        "{files} were turned as their EXIF data say.",
        "Check that their masks were drawn on the turned images.",
    )


def _find_assumed_axes(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    noted = [
        *((facts.found.image, image.note) for facts, image in readable_images(surveyed)),
        *((path, mask.note) for _, path, mask in readable_masks(surveyed)),
    ]
    noted = [(path, note) for path, note in noted if note]
    fix = (
        "Save the files with named axes (tifffile: metadata={'axes': 'CYX'}; ZYX for a volume) to "
        "leave no doubt."
    )
    message = f"{noted[0][1]}." if noted else ""
    return make_finding("assumed-axes", [path for path, _ in noted], message, fix)


def _of_errors(code: str, failed: Iterable[tuple[Path, Exception]]) -> list[Finding]:
    """One finding from the errors of files: the first is told, the others are counted."""
    failed = list(failed)
    return [finding_of_error(code, [path for path, _ in failed], failed[0][1])] if failed else []
