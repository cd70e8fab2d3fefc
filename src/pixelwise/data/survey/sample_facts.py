"""Look once at every file of a data set, in threads, and keep only a few facts of each.

Memory does not grow with the images: what is kept of a sample (`ImageFacts`, `MaskFacts`,
`PairFacts`) takes less than 4 kB, whatever the size of its files.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pixelwise.data.layouts.found import FoundSample
from pixelwise.data.masks.facts import MaskFacts, describe_mask
from pixelwise.data.masks.read import read_stored_mask
from pixelwise.data.survey.image_facts import ImageFacts, describe_image, read_source
from pixelwise.data.survey.pair_facts import PairFacts, describe_pair
from pixelwise.errors import FileError, MaskError
from pixelwise.io import Pixels
from pixelwise.parallel import Progress, map_in_threads


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """A pair of files with what is known of them, or the error that reading them gave.

    Attributes:
        found: the files.
        image: facts of the image.
        mask: facts of the mask; None where there is none.
        pair: facts of both together; None unless both can be read.
    """

    found: FoundSample
    image: ImageFacts | FileError
    mask: MaskFacts | FileError | MaskError | None
    pair: PairFacts | None = None


def survey_samples(
    samples: Iterable[FoundSample],
    num_threads: int | None = None,
    progress: Progress | None = None,
) -> list[SampleFacts]:
    """Read every image and mask once, in threads, and keep the facts; bad files raise nothing.

    Args:
        samples: the files.
        num_threads: as many as there are cores by default.
        progress: called with (number done, number of all) after each sample.
    """
    return map_in_threads(_survey_sample, list(samples), num_threads, progress)


def readable_images(surveyed: Iterable[SampleFacts]) -> list[tuple[SampleFacts, ImageFacts]]:
    """Pairs whose image could be read, with its facts."""
    return [(facts, facts.image) for facts in surveyed if isinstance(facts.image, ImageFacts)]


def readable_masks(surveyed: Iterable[SampleFacts]) -> list[tuple[SampleFacts, Path, MaskFacts]]:
    """Pairs whose mask could be read, with its path and facts."""
    return [
        (facts, facts.found.mask.path, facts.mask)
        for facts in surveyed
        if facts.found.mask is not None and isinstance(facts.mask, MaskFacts)
    ]


def _survey_sample(found: FoundSample) -> SampleFacts:
    pixels: Pixels | None = None
    image: ImageFacts | FileError
    try:
        pixels = read_source(found.images)
        image = describe_image(pixels)
    except FileError as error:
        image = error
    if found.mask is None:
        return SampleFacts(found, image, None)
    try:
        stored = read_stored_mask(found.mask, pixels.values.shape[:-1] if pixels else None)
        mask = describe_mask(stored, found.mask)
    except (FileError, MaskError) as error:
        return SampleFacts(found, image, error)
    pair = describe_pair(pixels.values, stored) if pixels else None
    return SampleFacts(found, image, mask, pair)
