"""Samples of a data set: decoded on demand, kept as the integers they are in memory or on disk."""

import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.array_source import ArraySource, ImageSource, paths_of
from pixelwise.data.cache import ArrayCache, cache_at, default_folder, make_key
from pixelwise.data.channels import to_channels
from pixelwise.data.masks.encoding import MaskEncoding, instances_of
from pixelwise.data.masks.read import describe_size_mismatch, read_mask, read_stored_mask
from pixelwise.data.masks.sources import MaskParts, MaskSource
from pixelwise.data.splits import Split
from pixelwise.data.survey.image_facts import read_source
from pixelwise.errors import MaskError
from pixelwise.parallel import map_in_threads

Array = NDArray[Any]
MEMORY_LIMIT = 2 * 2**30  # bytes of decoded samples in memory; the rest is mapped from disk


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with its mask; the arrays are shared between threads: never change them.

    Attributes:
        name: unique in its data set.
        image: (C, *spatial) in the stored type.
        mask: (*spatial) uint8 class index with IGNORE_INDEX, or (K, *spatial) bool where classes
            overlap, or None where there is none.
        path: path of the image file; None where there is none.
        group: patient, plate or scene, where known.
    """

    name: str
    image: NDArray[Any]
    mask: NDArray[Any] | None
    path: Path | None
    group: str | None = None

    @property
    def num_bytes(self) -> int:
        """Memory that the arrays take."""
        return self.image.nbytes + (0 if self.mask is None else self.mask.nbytes)


@dataclass(frozen=True, slots=True)
class SampleFiles:
    """Where one sample comes from, its split and its size.

    Attributes:
        name: unique in the data set.
        images: the image file, or one file a channel, or an array.
        mask: where the mask comes from; None where there is none.
        split: train, val, test or unlabelled.
        size: (height, width), or (depth, height, width), of image and mask.
        group: patient, plate or scene, where known.
    """

    name: str
    images: ImageSource
    mask: MaskSource | None
    split: Split
    size: tuple[int, ...]
    group: str | None = None

    @property
    def image(self) -> Path:
        """The image file; the first where there are several."""
        return paths_of(self.images)[0]

    @property
    def file(self) -> Path | None:
        """The image file; None for an array."""
        return None if isinstance(self.images, ArraySource) else self.image


class LazySamples(Sequence[Sample]):
    """A sequence of samples that are made when they are asked for."""

    @abstractmethod
    def _sample_at(self, index: int) -> Sample:
        """Give the sample at an index from 0 to the length."""

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...

    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        """The sample at an index, or those of a slice, as of a list."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._sample_at(range(len(self))[index])


class CachedSamples(LazySamples):
    """Samples that are kept in memory once they are made; from any number of threads.

    When one is made for which `memory_limit` leaves no room, memory is full: from then on those
    that are not in it are mapped from the cache on disk.

    Args:
        memory_limit: bytes that the samples in memory may take together.
    """

    def __init__(self, memory_limit: float = MEMORY_LIMIT) -> None:
        self.memory_limit = memory_limit
        self._kept: dict[int, Sample] = {}
        self._num_bytes = 0
        self._is_full = False
        self._lock = threading.Lock()

    @property
    @abstractmethod
    def sizes(self) -> list[tuple[int, ...]]:
        """Spatial size of each sample, without making it."""

    @abstractmethod
    def _make(self, index: int) -> Sample:
        """Make a sample in memory."""

    @abstractmethod
    def _map_from_disk(self, index: int) -> Sample:
        """Map a sample from the cache on disk, into which it is written first where needed."""

    def load(self, num_threads: int | None = None) -> Self:
        """Make ahead, in threads, as many samples as the memory limit lets in; return self."""

        def load_one(index: int) -> None:
            if not self._is_full:
                self[index]

        map_in_threads(load_one, range(len(self)), num_threads)
        return self

    def __repr__(self) -> str:
        """Number of samples, and of those in memory."""
        return f"{type(self).__name__}({len(self)} samples, {len(self._kept)} in memory)"

    def _sample_at(self, index: int) -> Sample:
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        if self._is_full:
            return self._map_from_disk(index)
        return self._keep(index, self._make(index))

    def _keep(self, index: int, sample: Sample) -> Sample:
        """Keep a sample where there is room; return the one of another thread that was faster."""
        with self._lock:
            if index in self._kept:
                return self._kept[index]
            if self._num_bytes + sample.num_bytes <= self.memory_limit:
                self._kept[index] = sample
                self._num_bytes += sample.num_bytes
            else:
                self._is_full = True
        return sample


class FolderSamples(CachedSamples):
    """Samples of one split, decoded from their files when they are asked for.

    Those that are mapped from the cache on disk have read-only arrays. What a caller gave as arrays
    is never written there.
    """

    def __init__(
        self,
        files: Sequence[SampleFiles],
        in_channels: int,
        encoding: MaskEncoding,
        memory_limit: float = MEMORY_LIMIT,
        cache: ArrayCache | None = None,
    ) -> None:
        """Take the files; nothing is read yet. Without a cache that of the user is taken."""
        super().__init__(memory_limit)
        self.files = tuple(files)
        self.in_channels = in_channels
        self.encoding = encoding
        self.cache = cache or cache_at(default_folder())

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.files)

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        """Spatial size of each sample, without reading it."""
        return [files.size for files in self.files]

    def instances(self, index: int) -> NDArray[np.int32] | None:
        """Object ids of a sample, read from its files at each call.

        Returns:
            (*S) int32, 0 outside objects; None where there is no mask, or one without objects.

        Raises:
            FileError, MaskError: the mask cannot be read.
        """
        files = self.files[index]
        if files.mask is None:
            return None
        return instances_of(read_stored_mask(files.mask, files.size), self.encoding)

    def stored(
        self, index: int, part: Literal["image", "mask"], how: object, make: Callable[[], Array]
    ) -> Array:
        """An array made from the image or the mask of a sample, through the cache on disk.

        Args:
            index: index of the sample.
            part: what the array is made from.
            how: it is made: whatever it depends on beside that part (see `make_key`).
            make: makes it, where it is not in the cache. Always, where the sample is an array.
        """
        files = self.files[index]
        paths, own = self._origin(files, part)
        return _cached(self.cache, paths, (*own, how), make)

    def _make(self, index: int) -> Sample:
        return self._read(self.files[index])

    def _map_from_disk(self, index: int) -> Sample:
        return self._read(self.files[index], self.cache)

    def _read(self, files: SampleFiles, cache: ArrayCache | None = None) -> Sample:
        """Decode a sample, or map it from a cache."""
        image = _cached(cache, *self._origin(files, "image"), lambda: self._read_image(files))
        mask = None
        if files.mask is not None:
            mask = _cached(cache, *self._origin(files, "mask"), lambda: self._read_mask(files))
        if mask is not None and mask.shape[-len(image.shape[1:]) :] != image.shape[1:]:
            assert files.mask is not None
            raise MaskError(
                describe_size_mismatch(files.mask.path, mask.shape, files.image, image.shape[1:])
            )
        return Sample(files.name, image, mask, files.file, files.group)

    def _origin(self, files: SampleFiles, part: str) -> tuple[Sequence[Path], tuple[object, ...]]:
        """The files that an image or a mask comes from, none for arrays, and how it is read."""
        if part == "image":
            paths = () if isinstance(files.images, ArraySource) else files.images
            return paths, ("image", self.in_channels)
        assert files.mask is not None
        return _mask_paths(files.mask), ("mask", self._encoding_text, files.size, files.mask)

    def _read_image(self, files: SampleFiles) -> NDArray[Any]:
        return to_channels(read_source(files.images).values, self.in_channels, str(files.image))

    def _read_mask(self, files: SampleFiles) -> NDArray[Any]:
        assert files.mask is not None
        return read_mask(files.mask, files.size, self.encoding)

    @cached_property
    def _encoding_text(self) -> str:
        return self.encoding.model_dump_json()


def _cached(
    cache: ArrayCache | None, paths: Sequence[Path], how: object, make: Callable[[], Array]
) -> Array:
    """Make an array, through the cache where one is given and it comes from files."""
    if cache is None or not paths:
        return make()
    try:
        key = make_key(paths, how)
    except OSError:  # a file is gone: reading it says so
        return make()
    return cache.get_or_make(key, make)


def _mask_paths(source: MaskSource) -> tuple[Path, ...]:
    """Its files; none for an array."""
    if isinstance(source, ArraySource):
        return ()
    return source.paths if isinstance(source, MaskParts) else (source.path,)
