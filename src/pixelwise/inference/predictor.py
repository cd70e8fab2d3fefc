"""The predictor: an image of any size in, probabilities or a mask of the same size out.

Validation during training, `Segmenter`, the command line and the server all use this one.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations
from threading import Lock
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.device import pick_device
from pixelwise.errors import ArrayError
from pixelwise.inference.bands import Band, WindowReader, join_bands, predict_bands
from pixelwise.inference.runtimes import Runtime, TorchRuntime
from pixelwise.inference.skipping import TileComputer, TileCounts
from pixelwise.inference.windows import refuse_nan
from pixelwise.network import Model, resize_images, scale_intensities, working_size
from pixelwise.objects import clean_mask
from pixelwise.text import show_size
from pixelwise.threads import Threads, free_threads

MAX_WHOLE_PIXELS = 48_000_000  # divided by the first width: pixels predicted in one piece
BATCH_PIXELS = {"cpu": 2**18}  # of images that are predicted together: more take more memory,
GPU_BATCH_PIXELS = 2**22  # and are faster on a GPU alone (docs/log.md)
TILE_OVERLAP_SHARE = 4  # tiles overlap by a quarter of their shorter side at most
Quality = Literal["fast", "normal", "best"]


class Tiling(NamedTuple):
    """Tiles of images that are too large for one piece, in pixels as the network sees them."""

    side: int
    overlap: int


TILINGS: dict[Quality, Tiling] = {  # measured, see docs/prediction.md
    "fast": Tiling(512, 16),
    "normal": Tiling(512, 32),
    "best": Tiling(1024, 64),
}


class Predictor:
    """Runs a model on images (C, *spatial) with intensities as they are stored.

    Images up to a size that fits in memory are predicted in one piece, which is fastest and has
    no seams; larger ones in overlapping tiles that are blended smoothly. Many threads may call it
    at once.

    Args:
        model: the model.
        device: "auto", "cpu", "cuda" or any torch device; that of the runtime, where one is given.
        tile_size: tile side in pixels, same for every axis; None lets size and quality decide.
        tta: test-time augmentation: average over the mirrored copies of the image that training
            would make; all of them where the model does not say.
        threads: that a CPU computes with; None: as many as turn out to be the fastest.
        in_place: whether the model's network may be moved to the device, and into the layout that
            is fastest there; else a copy of it is, where it has to be moved.
        runtime: what computes the probabilities; None for the model's network.
        quality: of large images: how large tiles are, and how far they overlap.

    Attributes:
        tiles: how many there were so far, and how many of them were not computed.
    """

    def __init__(
        self,
        model: Model,
        *,
        device: str | torch.device = "auto",
        tile_size: int | None = None,
        tta: bool = False,
        threads: Threads | None = None,
        in_place: bool = False,
        runtime: Runtime | None = None,
        quality: Quality = "normal",
    ) -> None:
        self.model, self.tile_size, self.tta, self.quality = model, tile_size, tta, quality
        self.tiles = TileCounts()
        self.runtime = runtime or TorchRuntime(model, pick_device(device), in_place=in_place)
        self.device = self.runtime.device
        self._lock = Lock()
        is_cpu = self.device.type == "cpu"
        self.threads = threads or Threads(self.device, first=free_threads() if is_cpu else None)

    def with_model(self, model: Model) -> "Predictor":
        """A predictor of another model (which may be moved) with the same settings."""
        return Predictor(
            model,
            device=self.device,
            tile_size=self.tile_size,
            tta=self.tta,
            threads=self.threads,
            in_place=True,
            quality=self.quality,
        )

    def segment(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the mask (*spatial) uint8 of an image (C, *spatial): class index per pixel.

        For a multi-label model the mask is bool (K, *spatial).
        """
        bands = self.bands(image)  # the image is checked
        masks = (Band(window, self.to_mask(values)) for window, values in bands)
        return self.clean(join_bands(masks, image.shape[1:]))

    def to_mask(self, probabilities: NDArray[np.float32]) -> NDArray[Any]:
        """Return the mask that probabilities (K, *spatial) of an image, or a part, stand for."""
        return self.model.config.task.to_mask(probabilities, self.model.config.threshold)

    def clean(self, mask: NDArray[Any]) -> NDArray[Any]:
        """Give small regions of the mask of a whole image the class around them."""
        min_area = self.model.config.min_area
        return mask if min_area == 1 else clean_mask(mask, min_area)

    def probabilities(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Return probabilities (K, *spatial) in [0, 1] for an image (C, *spatial).

        K is 1 for a binary model (the probability of class 1).

        Raises:
            ArrayError: the image has the wrong number of axes or channels, or no pixels.
        """
        return join_bands(self.bands(image), image.shape[1:])

    def bands(
        self, image: NDArray[Any] | WindowReader, tile_side: int | None = None
    ) -> Iterator[Band]:
        """Predict an image (C, *spatial) part by part, in the memory of a few tiles.

        Args:
            image: an array, or what is read in windows and has an overview to scale it by.
            tile_side: of tiles, in pixels; None lets the predictor choose.

        Returns:
            Probabilities (K, *band) in row order, each pixel once. Small images are one band.

        Raises:
            ArrayError: as for `probabilities`, at once.
        """
        seen = image if isinstance(image, np.ndarray) else image.overview
        self._check(image, seen)
        offset, gain = self.model.config.scaling.coefficients(seen)
        tile_size, overlap = self._plan_tiles(image.shape[1:], tile_side)
        self._refuse_own_percentiles(image.shape[1:], tile_size)
        compute = TileComputer(partial(self._predict, offset=offset, gain=gain), self.tiles)
        return predict_bands(image, tile_size, overlap, compute, self._leave_out, self._step)

    def batch_probabilities(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return probabilities (N, K, *spatial) for images (N, C, *spatial) of one size.

        Small images run some at a time, others one after the other.
        """
        number = self.batch_size(images.shape[2:])
        if number == 1:
            return np.stack([self.probabilities(image) for image in images])
        for image in images:
            self._check(image, image)
        parts = [images[start : start + number] for start in range(0, len(images), number)]
        return np.concatenate([self._predict_together(part) for part in parts])

    def batch_size(self, size: Sequence[int]) -> int:
        """How many images of a size are best predicted together."""
        most = BATCH_PIXELS.get(self.device.type, GPU_BATCH_PIXELS)
        return max(1, most // max(1, int(np.prod(size))))

    def _predict_together(self, images: NDArray[Any]) -> NDArray[np.float32]:
        scaling = self.model.config.scaling
        scaled = np.stack([self._scale(image, *scaling.coefficients(image)) for image in images])
        return self.predict_batch(torch.from_numpy(scaled).to(self.device)).cpu().numpy()

    def _predict(
        self, image: NDArray[Any], offset: NDArray[np.float32], gain: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Predict one tile or whole image: (C, *spatial) in, probabilities (K, *spatial) out."""
        scaled = self._scale(image, offset, gain)
        batch = torch.from_numpy(np.ascontiguousarray(scaled))[None].to(self.device)
        return self.predict_batch(batch)[0].cpu().numpy()

    def _scale(
        self, image: NDArray[Any], offset: NDArray[np.float32], gain: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """An image, or a tile of it, as the runtime takes it."""
        if self.runtime.takes_stored:
            return image.astype(np.float32)
        return scale_intensities(image, offset, gain)

    def _leave_out(self, size: Sequence[int]) -> NDArray[np.float32]:
        """Probabilities (K, *size) of class 0, or of no class where classes may overlap."""
        self.tiles.add(left_out=True)
        config = self.model.config
        probabilities = np.zeros((config.network.out_channels, *size), np.float32)
        if config.task.is_exclusive:
            probabilities[0] = 1
        return probabilities

    @torch.inference_mode()
    def predict_batch(self, batch: Tensor) -> Tensor:
        """Return float32 probabilities (B, K, *spatial) of a batch (B, C, *spatial).

        Its images are scaled, or as they are stored where the runtime takes them so. One batch is
        computed at a time, whichever thread brings it: it takes all cores, and the memory of one.
        """
        scale = 1.0 if self.runtime.takes_stored else self.model.config.working_scale
        with self._lock, self.threads.timed(batch.numel()):
            size = batch.shape[2:]
            batch = resize_images(batch, working_size(size, scale))
            views = [self._compute_mirrored(batch, axes) for axes in self._views(batch)]
            mean = torch.stack(views).mean(0) if len(views) > 1 else views[0]
            return resize_images(mean, size)

    def _views(self, batch: Tensor) -> list[tuple[int, ...]]:
        """Sets of axes along which the images are mirrored to be computed; none first."""
        if not self.tta:
            return [()]
        axes = self.model.config.mirror_axes
        axes = tuple(range(2, batch.ndim)) if axes is None else axes
        return [chosen for count in range(len(axes) + 1) for chosen in combinations(axes, count)]

    def _compute_mirrored(self, batch: Tensor, axes: tuple[int, ...]) -> Tensor:
        """Compute a mirrored copy, and mirror the result back."""
        probabilities = self.runtime(batch.flip(axes) if axes else batch)
        return probabilities.flip(axes) if axes else probabilities

    def _plan_tiles(self, size: Sequence[int], side: int | None) -> tuple[tuple[int, ...], int]:
        """Size and overlap of the tiles of an image, in pixels."""
        tile_size = self._plan_tile_size(size, side or self.tile_size)
        cut_sides = [side for side, length in zip(tile_size, size, strict=True) if side < length]
        most = min(cut_sides, default=0) // TILE_OVERLAP_SHARE
        return tile_size, min(self.overlap, most)

    @property
    def _step(self) -> int:
        """Pixels of the image that the network sees as one at its lowest level."""
        config = self.model.config
        side = config.network.multiple / config.working_scale
        return int(max(1, round(side)))

    @property
    def overlap(self) -> int:
        """Pixels by which tiles overlap, where they are large enough."""
        return round(TILINGS[self.quality].overlap / self.model.config.working_scale)

    def tile_side(self, side: int | None = None) -> int:
        """The side of tiles in pixels of the image, of one in pixels of the network.

        Args:
            side: as the network sees it; None: that of the quality.
        """
        wanted = (side or TILINGS[self.quality].side) / self.model.config.working_scale
        return int(max(1, round(wanted / self._step)) * self._step)

    def _plan_tile_size(self, size: Sequence[int], side: int | None) -> tuple[int, ...]:
        """Tiles of a side; without one the whole image where it fits, else those of the quality."""
        if side is not None:
            return tuple(min(side, length) for length in size)
        config, scale = self.model.config.network, self.model.config.working_scale
        max_pixels = int(MAX_WHOLE_PIXELS // config.width / scale ** len(size))
        if int(np.prod(size)) <= max_pixels:
            return tuple(size)
        side = self.tile_side() if len(size) == 2 else int(max_pixels ** (1 / 3))
        side = min(side, int(max_pixels ** (1 / len(size)))) // self._step * self._step
        return tuple(min(side, length) for length in size)

    def _refuse_own_percentiles(self, size: Sequence[int], tile_size: Sequence[int]) -> None:
        """ArrayError where each tile would be scaled by its own percentiles, not the image's."""
        is_by_image = self.model.config.scaling.scheme == "percentiles"
        if self.runtime.takes_stored and is_by_image and tuple(size) != tuple(tile_size):
            raise ArrayError(
                f"The image has {show_size(size)} pixels, too many for one piece, and this "
                "exported model scales what it is given by its own percentiles: each tile would "
                "be scaled in another way. Predict with the run folder or model file that it was "
                "exported from."
            )

    def _check(self, image: NDArray[Any] | WindowReader, seen: NDArray[Any]) -> None:
        """Refuse what is no image of this model, by its shape and by the pixels seen of it."""
        config = self.model.config.network
        if len(image.shape) != config.spatial_dims + 1 or 0 in image.shape:
            raise ArrayError(
                f"The image has shape {image.shape}; expected (channels, "
                f"{'depth, ' if config.spatial_dims == 3 else ''}height, width), none of them 0."
            )
        if image.shape[0] != config.in_channels:
            raise ArrayError(
                f"The image has {image.shape[0]} channels (shape {image.shape}); this model was "
                f"trained on {config.in_channels}. Convert the image, or train on such images."
            )
        if self.model.config.float_images and seen.dtype.kind in "biu":
            raise ArrayError(
                f"The image has {seen.dtype} values, but the model was trained on float arrays "
                "that the caller had scaled. Scale it in the same way, for example with "
                "image.astype('float32') / 255."
            )
        refuse_nan(seen)
