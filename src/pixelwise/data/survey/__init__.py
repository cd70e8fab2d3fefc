"""One look at every file of a data set, of which a few facts are kept."""

from pixelwise.data.survey.duplicates import find_twins, group_twins
from pixelwise.data.survey.edges import Fit
from pixelwise.data.survey.image_facts import ImageFacts, read_source
from pixelwise.data.survey.pair_facts import TINY_AREA_PX, PairFacts
from pixelwise.data.survey.sample_facts import (
    SampleFacts,
    readable_images,
    readable_masks,
    survey_samples,
)

__all__ = [
    "TINY_AREA_PX",
    "Fit",
    "ImageFacts",
    "PairFacts",
    "SampleFacts",
    "find_twins",
    "group_twins",
    "read_source",
    "readable_images",
    "readable_masks",
    "survey_samples",
]
