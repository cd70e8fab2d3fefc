"""The proof of an export: the file, run by its own runtime, against the model it was made from.

Pictures of many sizes, most of which the export has never seen, go through both. Probabilities and
classes are compared; where they differ by more than rounding, the export is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.device import Precision
from pixelwise.errors import ExportError
from pixelwise.inference import Predictor
from pixelwise.network import Model, ModelConfig, evaluating

TRIAL_SIZES = ((64, 64), (1, 1), (1, 17), (23, 1), (2, 50), (37, 45), (101, 77), (160, 128))
DARK_SIZE = (256, 320)  # of a picture that is dark but for a corner: means of it need care
TRIAL_BATCH = 3  # pictures of the last size, given together
LEAST_EQUAL = 0.9999  # share of the classes of pixels
MOST_DIFFERENT = 1e-3  # probability of any pixel
WHOLE = 2**20  # pixels of a tile: pictures are computed in one piece

Picture = NDArray[np.float32]  # (C, H, W)
Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (B, C, H, W) -> (B, K, H, W)


class Figures(Protocol):
    """How near an export comes to its model, in numbers."""

    def to_json(self) -> dict[str, float]:
        """Plain numbers."""
        ...

    def describe(self) -> str:
        """The figures in a line."""
        ...


Found = TypeVar("Found", bound=Figures)
Measure = Callable[[Run], Found]  # raises ExportError for what must not be written


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well an export agrees with its model.

    Attributes:
        num_pictures: that were compared; those that a person gave among them.
        num_given: that a person gave.
        num_pixels: of all pictures.
        max_difference: greatest difference of a probability.
        equal_share: share of the pixels that get the same class; where classes can overlap, of the
            answers yes and no.
    """

    num_pictures: int
    num_given: int
    num_pixels: int
    max_difference: float
    equal_share: float

    def to_json(self) -> dict[str, float]:
        """Plain numbers."""
        return {name: getattr(self, name) for name in self.__slots__}

    def describe(self) -> str:
        """The figures in a line."""
        own = f", {self.num_given} of them given" if self.num_given else ""
        return (
            f"{self.num_pictures} pictures{own} ({self.num_pixels:,} pixels): probabilities within "
            f"{self.max_difference:.1e}, classes equal in {_percent(self.equal_share)} of pixels"
        )


def verify(
    run: Run, model: Model, name: str, given: Mapping[str, Picture] | None = None
) -> Agreement:
    """Compare an export with its model.

    Args:
        run: computes probabilities by the export.
        model: the model.
        name: of the export, for messages.
        given: pictures by name, as the model takes them; compared beside the random ones.

    Raises:
        ExportError: it fails on a picture, or gives another answer.
    """
    given = given or {}
    pictures = [(f"a random picture of {p.shape[1:]} pixels", p) for p in trials(model.config)]
    pictures += list(given.items())
    predict = exact_predictor(model).probabilities
    expected = [predict(picture) for _, picture in pictures]
    found = [_run(run, picture[None], name, what)[0] for what, picture in pictures]
    _check_batch(run, model, name)
    differences = [_difference(a, b, name, pictures[n][0]) for n, (a, b) in _pairs(expected, found)]
    equal = [_equal(model.config, a, b) for _, (a, b) in _pairs(expected, found)]
    agreement = Agreement(
        num_pictures=len(pictures),
        num_given=len(given),
        num_pixels=sum(p[0].size for _, p in pictures),
        max_difference=max(differences),
        equal_share=sum(map(float, map(np.sum, equal))) / sum(each.size for each in equal),
    )
    _judge(agreement, name, pictures[int(np.argmax(differences))][0])
    return agreement


class ExactRuntime:
    """Computes with the model's own network in float32, in the layout where rounding is least.

    `TorchRuntime` keeps channels last, which is faster; torch then adds up a plane number by
    number where instance normalization takes its mean, and dark pictures differ by 0.006.
    """

    name = "torch"
    precision: Precision = "float32"
    takes_stored = False

    def __init__(self, model: Model) -> None:
        self.device = torch.device("cpu")
        self._is_exclusive = model.config.task.is_exclusive
        network = deepcopy(model.network).to(self.device).float()
        for weight in network.parameters():
            weight.data = weight.data.contiguous()
        self._network = network

    def __call__(self, batch: Tensor) -> Tensor:
        """Give the probabilities (B, K, H, W) of a batch (B, C, H, W)."""
        with evaluating(self._network):
            logits: Tensor = self._network(batch.contiguous())
        return logits.softmax(1) if self._is_exclusive else logits.sigmoid()


def exact_predictor(model: Model) -> Predictor:
    """A predictor of whole pictures in float32 on the CPU, however the model was trained."""
    return Predictor(model, runtime=ExactRuntime(model), tile_size=WHOLE)


def trials(config: ModelConfig) -> list[Picture]:
    """Random pictures of the trial sizes and a dark one, in the model's own range."""
    rng = np.random.default_rng(0)
    dark = trial_picture(config, DARK_SIZE, rng)
    dark[:, 16:] = dark[:, :, 16:] = dark.min((1, 2), keepdims=True)
    return [*(trial_picture(config, size, rng) for size in TRIAL_SIZES), dark]


def trial_picture(config: ModelConfig, size: Sequence[int], rng: np.random.Generator) -> Picture:
    """A random picture (C, *size): coarse patches with noise, in the range of training."""
    height, width = size
    coarse = rng.random((config.network.in_channels, -(-height // 8), -(-width // 8)))
    patches = coarse.repeat(8, 1).repeat(8, 2)[:, :height, :width]
    shares = 0.7 * patches + 0.3 * rng.random(patches.shape)  # from 0 to 1
    low, high = intensity_range(config)
    values = low + shares * (high - low)
    return (values if config.float_images else values.round()).astype(np.float32)


def intensity_range(config: ModelConfig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high intensities (C, 1, 1) of training images, or what is likely."""
    shape = (config.network.in_channels, 1, 1)
    scaling, facts = config.scaling, config.intensities
    if scaling.scheme == "statistics":
        mean, std = (np.reshape(each, shape) for each in (scaling.mean, scaling.std))
        return mean - 2 * std, mean + 2 * std
    low, high = (facts.low, facts.high) if facts else (0.0, 1.0 if config.float_images else 255.0)
    return np.full(shape, low), np.full(shape, high)


def _pairs(first: Sequence[Any], second: Sequence[Any]) -> Any:  # noqa: ANN401
    return enumerate(zip(first, second, strict=True))


def _run(run: Run, batch: Picture, name: str, what: str) -> NDArray[np.float32]:
    """Run the export; whatever its runtime raises is one error."""
    try:
        return run(batch)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportError(
            f"{name} was not written: its runtime fails on {what} ({reason[:300]}). Please report "
            "this with the versions of torch and of the runtime."
        ) from error


def run_trials(run: Run, model: Model, name: str) -> None:
    """Check that an export takes pictures of many sizes and gives finite probabilities.

    Raises:
        ExportError: it fails on one, or gives another shape or no numbers.
    """
    for picture in trials(model.config):
        what = f"a random picture of {picture.shape[1:]} pixels"
        found = _run(run, picture[None], name, what)[0]
        expected = np.zeros((model.config.network.out_channels, *picture.shape[1:]), np.float32)
        if not np.isfinite(_difference(expected, found, name, what)):
            raise _unequal(name, f"{what} gives no numbers")


def _check_batch(run: Run, model: Model, name: str) -> None:
    """Several pictures together must be what each is alone."""
    rng = np.random.default_rng(1)
    batch = np.stack([trial_picture(model.config, TRIAL_SIZES[-1], rng)] * TRIAL_BATCH)
    batch[1:] = batch[1:, :, ::-1]
    together = _run(run, batch, name, f"a batch of {TRIAL_BATCH} pictures")
    for number, picture in enumerate(batch):
        alone = _run(run, picture[None], name, "a picture of a batch")[0]
        worst = _difference(alone, together[number], name, "a picture of a batch")
        if worst > MOST_DIFFERENT:
            raise _unequal(name, f"a picture in a batch of {TRIAL_BATCH} differs by {worst:.2g}")


def _difference(
    expected: NDArray[np.float32], found: NDArray[np.float32], name: str, what: str
) -> float:
    """Greatest difference of two arrays of probabilities; of other shapes they are no answer."""
    if expected.shape != found.shape:
        raise _unequal(name, f"{what} gives {found.shape} probabilities, not {expected.shape}")
    difference = float(np.abs(expected - found).max())
    return difference if np.isfinite(difference) else float("inf")


def _equal(
    config: ModelConfig, expected: NDArray[np.float32], found: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Where two arrays of probabilities mean the same class."""
    masks = [config.task.to_mask(each, config.threshold) for each in (expected, found)]
    same: NDArray[np.bool_] = masks[0] == masks[1]
    return same


def _judge(agreement: Agreement, name: str, worst: str) -> None:
    """Refuse what differs by more than rounding."""
    if agreement.equal_share < LEAST_EQUAL or agreement.max_difference > MOST_DIFFERENT:
        raise _unequal(
            name,
            f"{agreement.describe()}; at least {_percent(LEAST_EQUAL)} and at most "
            f"{MOST_DIFFERENT:g} are asked for. The greatest difference is in {worst}",
        )


def _unequal(name: str, what: str) -> ExportError:
    return ExportError(
        f"{name} was not written, since it does not compute what the model does: {what}. Export to "
        "another format, or please report this with the versions of torch and of the runtime."
    )


def _percent(share: float) -> str:
    """A share in per cent, never rounded up to all."""
    return "100 %" if share == 1 else f"{np.floor(share * 1e5) / 1e3:.3f} %"
