"""Find what is wrong with the pixels: what they cannot show, and what does not go with the rest."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import Finding, make_finding, make_general_finding
from pixelwise.data.survey import ImageFacts, SampleFacts, readable_images
from pixelwise.io import same_spacing, show_spacing
from pixelwise.text import show_number, show_size

MAX_SATURATED = 0.5  # share of pixels; what most images have is not a fault
USUAL_SATURATED = 0.1
WIDE_FACTOR = 4  # between the areas of the largest and the smallest image
CLEAR_SPACING_FACTOR = 1.25  # between pixels: objects look clearly larger or smaller
MIN_IMAGES_TO_COMPARE = 5
WILD_FACTOR = 10.0  # between the bright end of an image and that of the median image
USUAL_RANGE = (5, 95)  # percentiles of images: a split whose median lies outside is another world

Named = Sequence[tuple[SampleFacts, ImageFacts]]


def check_pixels(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    """Find what is wrong with the pixels of images."""
    images = readable_images(surveyed)
    return [
        *_find_non_finite(images),
        *_find_constant(images),
        *_find_saturated(images),
        *_find_mixed_types(images),
        *_find_mixed_sizes(images),
        *_find_mixed_spacing(images),
        *_find_alpha(images),
        *_find_wild_images(images),
    ]


def _find_non_finite(images: Named) -> list[Finding]:
    return make_finding(
        "non-finite",
        [facts.found.image for facts, image in images if not image.is_finite],
        "{files} hold NaN or infinite pixels.",
        "Replace these pixels by a number, for example by the smallest of the image.",
    )


def _find_constant(images: Named) -> list[Finding]:
    return make_finding(
        "constant-image",
        [facts.found.image for facts, image in images if image.is_constant],
        "{files} hold one value in every pixel.",
        "Check that they are what they should be, or remove them.",
    )


def _find_saturated(images: Named) -> list[Finding]:
    """Images with far more pixels at the top than the others; white backgrounds are usual."""
    if not images or np.median([image.saturated for _, image in images]) > USUAL_SATURATED:
        return []
    found = [
        (facts.found.image, image.saturated)
        for facts, image in images
        if image.saturated > MAX_SATURATED and not image.is_constant
    ]
    worst = max((share for _, share in found), default=0.0)
    return make_finding(
        "saturated",
        [path for path, _ in found],
        f"{{files}} have up to {100 * worst:.0f} % of their pixels at the highest value, where "
        "nothing can be told apart.",
        "Nothing, if that is a white background; otherwise export them again with less gain.",
    )


def _find_mixed_types(images: Named) -> list[Finding]:
    by_type: dict[str, list[Path]] = {}
    for facts, image in images:
        by_type.setdefault(image.dtype, []).append(facts.found.image)
    if len(by_type) < 2:
        return []
    counts = ", ".join(f"{len(files)} {dtype}" for dtype, files in sorted(by_type.items()))
    fix = "Export all images with one bit depth, since brightness cannot be compared between them."
    message = f"the images have several number types ({counts})."
    return make_finding("mixed-depth", sorted(by_type.values(), key=len)[0], message, fix)


def _find_mixed_sizes(images: Named) -> list[Finding]:
    """Sizes that differ so much that objects may, too."""
    sizes = sorted({image.size for _, image in images}, key=math.prod)
    if len({len(size) for size in sizes}) > 1:
        return _find_mixed_dims(images)
    if not sizes or math.prod(sizes[-1]) < WIDE_FACTOR * math.prod(sizes[0]):
        return []
    small, large = (show_size(size) for size in (sizes[0], sizes[-1]))
    axes = "height x width" if len(sizes[0]) == 2 else "depth x height x width"
    message = f"the images have {len(sizes)} sizes, from {small} to {large} ({axes})."
    return [
        make_general_finding(
            "mixed-sizes", message, "Nothing, if objects are about equally large in all of them."
        )
    ]


def _find_mixed_dims(images: Named) -> list[Finding]:
    """Volumes among pictures, or pictures among volumes: the rarer are named."""
    volumes = [facts.found.image for facts, image in images if len(image.size) == 3]
    pictures = [facts.found.image for facts, image in images if len(image.size) == 2]
    rare, what, others = (
        (volumes, "volumes", "pictures")
        if len(volumes) <= len(pictures)
        else (pictures, "pictures", "volumes")
    )
    return make_finding(
        "mixed-sizes",
        rare,
        f"{{files}} have the shape of {what}, where the other images are {others}.",
        "Keep them in folders of their own: one model takes one or the other.",
        "warning",
    )


def _find_mixed_spacing(images: Named) -> list[Finding]:
    """Pixels of several physical sizes; the files that differ from the usual one are named."""
    known = [(f.found.image, i.spacing_um) for f, i in images if i.spacing_um]
    if not known:
        return []
    by_spacing = Counter(spacing for _, spacing in known)
    usual = by_spacing.most_common(1)[0][0]
    small, large = (
        choose(by_spacing, key=lambda spacing: math.prod(spacing) ** (1 / len(spacing)))
        for choose in (min, max)
    )
    factors = [
        max(a / b, b / a)
        for spacing in by_spacing
        for a, b in zip(spacing[-2:], usual[-2:], strict=True)
    ]
    return make_finding(
        "mixed-spacing",
        [path for path, spacing in known if not same_spacing(spacing, usual)],
        f"{{files}} have pixels of another physical size than most: from {show_spacing(small)} to "
        f"{show_spacing(large)} in all.",
        "Nothing, if objects are to be found at any size; otherwise resample images and masks to "
        "one spacing, masks without interpolation.",
        "warning" if max(factors) >= CLEAR_SPACING_FACTOR else "note",
    )


def _find_alpha(images: Named) -> list[Finding]:
    return make_finding(
        "alpha-data",
        [
            facts.found.image
            for facts, image in images
            if image.channels in (2, 4) and not image.has_constant_alpha
        ],
        "{files} have an alpha channel that is not the same everywhere; it is taken for data.",
        "Save the images without alpha if it says nothing.",
    )


def _find_wild_images(images: Named) -> list[Finding]:
    """Images of one number type whose bright end is many times that of the median image."""
    found: list[Path] = []
    factor = 1.0
    for group in _by_type(images).values():
        if len(group) < MIN_IMAGES_TO_COMPARE:
            continue
        tops = np.array([_top(image) for _, image in group])
        usual = max(float(np.median(tops)), 1e-30)
        factors = np.maximum(tops / usual, usual / np.maximum(tops, 1e-30))
        found += [group[i][0].found.image for i in np.flatnonzero(factors > WILD_FACTOR)]
        factor = max(factor, float(factors.max()))
    return make_finding(
        "intensity-range",
        found,
        f"{{files}} have intensities up to {show_number(factor, 3)} times larger or smaller than "
        "the other images.",
        "Export all images with one scale of intensities, or remove those that are something else.",
    )


def check_split_ranges(surveyed: Sequence[SampleFacts], splits: Mapping[str, str]) -> list[Finding]:
    """Find a split whose median image is brighter or darker than nearly all others."""
    images = [(f, image) for f, image in readable_images(surveyed) if not image.is_constant]
    findings: list[Finding] = []
    for split in dict.fromkeys(splits.values()):
        own = [image for facts, image in images if splits[facts.found.name] == split]
        others = [image for facts, image in images if splits[facts.found.name] != split]
        if min(len(own), len(others)) < MIN_IMAGES_TO_COMPARE:
            continue
        here, there = _levels(own), _levels(others)
        low, high = np.percentile(there, USUAL_RANGE, axis=0)
        middle = np.median(here, axis=0)
        if not ((middle < low) | (middle > high)).all():
            continue
        message = (
            f"the images of the {split} split are {'darker' if middle[0] < low[0] else 'brighter'} "
            f"than nearly all others (median intensity {show_number(middle[0], 3)} against "
            f"{show_number(float(np.median(there[:, 0])), 3)})."
        )
        fix = "Check that all splits were recorded and exported alike; scores may not compare."
        findings.append(make_general_finding("intensity-range", message, fix))
        break  # where two splits differ from each other, one is enough to say so
    return findings


def _by_type(images: Named) -> dict[str, list[tuple[SampleFacts, ImageFacts]]]:
    groups: dict[str, list[tuple[SampleFacts, ImageFacts]]] = {}
    for facts, image in images:
        if not image.is_constant and image.is_finite:
            groups.setdefault(image.dtype, []).append((facts, image))
    return groups


def _top(image: ImageFacts) -> float:
    """The bright end: the percentile that is farthest from 0, over all channels."""
    return float(np.abs(image.levels).max())


def _levels(images: Sequence[ImageFacts]) -> NDArray[np.float32]:
    """(N, 2) median and bright end of each image, over all channels."""
    return np.array([(image.levels[:, 1].mean(), image.levels[:, 2].max()) for image in images])
