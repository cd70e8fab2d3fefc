"""Intensities of files and data sets: as a model or a plan knows them from its training."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from pixelwise.data import LazySamples, Sample
from pixelwise.errors import PlanError
from pixelwise.inference import IntensityCheck
from pixelwise.network import (
    IntensityFacts,
    compare_intensities,
    join_facts,
    look_at_intensities,
)
from pixelwise.planning import Plan

MAX_SAMPLES = 300  # looked at, evenly spread


class CheckedSamples(LazySamples):
    """Samples with their images brought to the intensities that a model was trained on."""

    def __init__(self, samples: Sequence[Sample], check: IntensityCheck) -> None:
        """Take the samples; each is checked when it is asked for."""
        self._samples, self._check = samples, check

    def __len__(self) -> int:
        """Number of samples."""
        return len(self._samples)

    def _sample_at(self, index: int) -> Sample:
        """Check a sample; ArrayError where its unit is not plain."""
        sample = self._samples[index]
        name = str(sample.path or sample.name)
        return replace(sample, image=self._check.take(sample.image, name))


def intensities_of(train: Sequence[Sample], plan: Plan, *, is_given: bool) -> IntensityFacts:
    """Return the facts of training images; those of a plan's fingerprint, if it is of these.

    Raises:
        PlanError: a plan that was given is for images of another unit.
    """
    planned = plan.fingerprint.intensities if plan.fingerprint is not None else None
    if planned is not None and not is_given:
        return planned
    number = min(len(train), MAX_SAMPLES)
    chosen = [int(i) for i in np.linspace(0, len(train) - 1, number)]
    with ThreadPoolExecutor() as pool:
        looks = pool.map(lambda i: look_at_intensities([train[i].image]), chosen)
        own = join_facts(list(looks))
    if planned is not None and plan.scaling.scheme == "statistics":
        _refuse_other_unit(own, planned)
    return own


def _refuse_other_unit(own: IntensityFacts, planned: IntensityFacts) -> None:
    if compare_intensities(own, planned).kind in ("converted", "refused"):
        raise PlanError(
            f"The plan was made for images of {planned.describe()}, but these have "
            f"{own.describe()}: scaled by its statistics they would be next to nothing. Plan again "
            "without --plan, or give images in that unit."
        )
