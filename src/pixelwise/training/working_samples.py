"""Training samples at the working scale: made smaller once, as the predictor makes them."""

import threading
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.data import FolderSamples, Sample
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


class WorkingSamples(Sequence[Sample]):
    """Samples made smaller, of intensities as they are stored.

    Integers stay integers, rounded, unless they are so few that rounding would show. What has no
    room in memory comes from the cache on disk. Arrays are never written there: those that are in
    memory anyway are kept, others, which a caller makes when asked, are made smaller at each use.

    Args:
        samples: in their own size, with masks.
        scaling: scaling of the model; by the statistics of the whole image in its own size.
        scale: the working scale, below 1.
        memory_limit: bytes of small samples that are kept in memory.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        scaling: IntensityScaling,
        scale: float,
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        self.coefficients = Coefficients(samples, scaling)
        self._samples, self._scale = samples, scale
        self._memory_limit, self._num_bytes = memory_limit, 0
        self._kept: dict[int, Sample] = {}
        self._is_full = False  # memory
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Number of samples."""
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...

    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        """The sample at an index, at the working scale; from any thread."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        kept = self._kept.get(position)
        if kept is not None:
            return kept
        if self._is_full and isinstance(self._samples, FolderSamples):
            return self._from_disk(position, self._samples)
        return self._keep(position, self._shrink(position))

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        """Spatial size of each sample."""
        return [working_size(size, self._scale) for size in sizes_of(self._samples)]

    def _keep(self, position: int, sample: Sample) -> Sample:
        is_ours = isinstance(self._samples, FolderSamples)  # else the caller has larger ones
        with self._lock:
            fits = not is_ours or self._num_bytes + sample.num_bytes <= self._memory_limit
            if fits and position not in self._kept:
                self._kept[position] = sample
                self._num_bytes += sample.num_bytes
            self._is_full |= not fits
        return sample

    def _shrink(self, position: int) -> Sample:
        sample = self._samples[position]
        mask = None if sample.mask is None else self._small_mask(sample)
        return Sample(sample.name, self._small_image(position, sample), mask, sample.path)

    def _from_disk(self, position: int, samples: FolderSamples) -> Sample:
        """The small sample, mapped from the cache."""
        files, how = samples.files[position], ("working scale", self._scale)

        def make_image() -> Array:
            return self._small_image(position, samples[position])

        def make_mask() -> Array:
            return self._small_mask(samples[position])

        image = samples.stored(position, "image", (*how, self._is_coarse(position)), make_image)
        mask = None
        if files.mask is not None:
            mask = samples.stored(position, "mask", how, make_mask)
        return Sample(files.name, image, mask, files.file)

    def _small_image(self, position: int, sample: Sample) -> Array:
        size = working_size(sample.image.shape[1:], self._scale)
        image = torch.from_numpy(sample.image.astype(np.float32))[None]
        small: NDArray[np.float32] = resize_images(image, size)[0].numpy()
        if sample.image.dtype.kind not in "ui" or self._is_coarse(position):
            return small
        return np.rint(small).astype(sample.image.dtype)

    def _is_coarse(self, position: int) -> bool:
        """Whether whole numbers are so few in an image that rounding would show."""
        _, gain = self.coefficients.of(position)
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
    if isinstance(samples, FolderSamples | WorkingSamples):
        return samples.sizes
    return [sample.image.shape[1:] for sample in samples]
