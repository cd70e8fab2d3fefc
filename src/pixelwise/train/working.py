"""Training samples at the working scale: made smaller once, as the predictor makes them."""

import threading
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.data import FolderSamples, Sample
from pixelwise.network import IntensityScaling, resize_images, resize_masks, working_size

MEMORY_LIMIT = 2 * 2**30  # bytes of small samples that are kept; others are made at each use


class WorkingSamples(Sequence[Sample]):
    """Samples with smaller images, whose intensities are scaled already (float32).

    Args:
        samples: in their own size, with masks.
        scaling: of the model; by the statistics of the whole image in its own size.
        scale: the working scale, below 1.
        memory_limit: bytes of small samples that are kept.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        scaling: IntensityScaling,
        scale: float,
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        self._samples, self._scaling, self._scale = samples, scaling, scale
        self._memory_limit, self._num_bytes = memory_limit, 0
        self._kept: dict[int, Sample] = {}
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
        return kept or self._keep(position, self._shrink(self._samples[position]))

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        """Spatial size of each sample."""
        return [working_size(size, self._scale) for size in sizes_of(self._samples)]

    def _keep(self, position: int, sample: Sample) -> Sample:
        with self._lock:
            fits = self._num_bytes + sample.num_bytes <= self._memory_limit
            if fits and position not in self._kept:
                self._kept[position] = sample
                self._num_bytes += sample.num_bytes
        return sample

    def _shrink(self, sample: Sample) -> Sample:
        size = working_size(sample.image.shape[1:], self._scale)
        image = torch.from_numpy(self._scaling.apply(sample.image))[None]
        small = resize_images(image, size)[0].numpy()
        mask = None if sample.mask is None else _shrink_mask(sample.mask, size)
        return Sample(sample.name, small, mask, sample.path)


def _shrink_mask(mask: NDArray[Any], size: tuple[int, ...]) -> NDArray[Any]:
    """(*spatial), or (K, *spatial) where classes overlap, to the working size."""
    masks = torch.from_numpy(np.array(mask))[None]  # a mask may be read-only
    small: NDArray[Any] = resize_masks(masks, size)[0].numpy()
    return small


def sizes_of(samples: Sequence[Sample]) -> list[tuple[int, ...]]:
    """Spatial size of each sample, without reading files where they need not be read."""
    if isinstance(samples, FolderSamples | WorkingSamples):
        return samples.sizes
    return [sample.image.shape[1:] for sample in samples]
