"""Training samples at the working scale: made smaller once, as the predictor makes them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.data import CachedSamples, FolderSamples, Sample
from pixelwise.network import IntensityScaling, resize_images, resize_masks, working_size

MEMORY_LIMIT = 2 * 2**30  # bytes of small samples in memory; the rest is mapped from disk
COARSE = 1 / 16  # of scaled intensity: where integers are further apart, they are too few

Array = NDArray[Any]


class Coefficients:
    """Offset and gain of each sample's intensities, from its image in its own size.

    They are looked up once, in any thread, and kept as two numbers a channel.
    """

    def __init__(self, samples: Sequence[Sample], scaling: IntensityScaling) -> None:
        self._samples, self._scaling = samples, scaling
        self._found: NDArray[np.float32] | None = None  # (N, 2, C), NaN where not known yet

    def of(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give (offset, gain), each (C,) float32, of a sample."""
        found = self._found
        if found is None:
            size = (len(self._samples), 2, self._samples[index].image.shape[0])
            found = self._found = np.full(size, np.nan, np.float32)
        if np.isnan(found[index]).any():
            found[index] = self._scaling.coefficients(self._samples[index].image)
        offset, gain = found[index].copy()
        return offset, gain


class WorkingSamples(CachedSamples):
    """Samples made smaller, of intensities as they are stored.

    Integers stay integers, rounded, unless they are so few that rounding would show. Small samples
    of files that have no room in memory come from the cache on disk; those of arrays are made
    smaller at each use. Samples that are no `FolderSamples` are the caller's, who has the larger
    ones in memory: all small ones are kept beside them.

    Args:
        samples: in their own size, with masks.
        scaling: of the model; by the statistics of the whole image in its own size.
        scale: the working scale, below 1.
        memory_limit: bytes of small samples of files that are kept in memory.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        scaling: IntensityScaling,
        scale: float,
        memory_limit: float = MEMORY_LIMIT,
    ) -> None:
        super().__init__(memory_limit if isinstance(samples, FolderSamples) else math.inf)
        self.coefficients = Coefficients(samples, scaling)
        self._samples, self._scale = samples, scale

    def __len__(self) -> int:
        """Number of samples."""
        return len(self._samples)

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        """Spatial size of each sample."""
        return [working_size(size, self._scale) for size in sizes_of(self._samples)]

    def _make(self, index: int) -> Sample:
        sample = self._samples[index]
        mask = None if sample.mask is None else self._small_mask(sample)
        return Sample(sample.name, self._small_image(index, sample), mask, sample.path)

    def _map_from_disk(self, index: int) -> Sample:
        samples = self._samples
        assert isinstance(samples, FolderSamples)  # others have no memory limit
        files, how = samples.files[index], ("working scale", self._scale)

        def make_image() -> Array:
            return self._small_image(index, samples[index])

        def make_mask() -> Array:
            return self._small_mask(samples[index])

        image = samples.stored(index, "image", (*how, self._is_coarse(index)), make_image)
        mask = None
        if files.mask is not None:
            mask = samples.stored(index, "mask", how, make_mask)
        return Sample(files.name, image, mask, files.file)

    def _small_image(self, index: int, sample: Sample) -> Array:
        size = working_size(sample.image.shape[1:], self._scale)
        image = torch.from_numpy(sample.image.astype(np.float32))[None]
        small: NDArray[np.float32] = resize_images(image, size)[0].numpy()
        if sample.image.dtype.kind not in "ui" or self._is_coarse(index):
            return small
        return np.rint(small).astype(sample.image.dtype)

    def _is_coarse(self, index: int) -> bool:
        """Whether whole numbers are so few in an image that rounding would show."""
        _, gain = self.coefficients.of(index)
        return float(gain.max()) > COARSE

    def _small_mask(self, sample: Sample) -> Array:
        """(*spatial), or (K, *spatial) where classes overlap, at the working size."""
        assert sample.mask is not None
        size = working_size(sample.image.shape[1:], self._scale)
        masks = torch.from_numpy(np.array(sample.mask))  # a mask may be read-only
        small: Array = resize_masks(masks, size).numpy()
        return small


def sizes_of(samples: Sequence[Sample]) -> list[tuple[int, ...]]:
    """Spatial size of each sample, without reading files where they need not be read."""
    if isinstance(samples, CachedSamples):
        return samples.sizes
    return [sample.image.shape[1:] for sample in samples]
