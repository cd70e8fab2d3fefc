"""Whether the intensities of an image are in the unit of those that a model was trained on.

    trained on              an image of                  is
    8 bits (uint8)          8 bits, however dark         taken as it is
    8 bits                  floats from 0 to 1           multiplied by 255, and that is said
    8 bits                  16 bits, up to 60,000        multiplied by 255 / 65,535, and said
    8 bits                  16 bits, up to 4,012         refused: 12, 14 or 16 bits?
    floats from 0 to 1      8 bits                       divided by 255, and that is said
    Hounsfield units        the same, int16 or float     taken as it is
    any                     the same type, far brighter  taken as it is, with a warning

A unit is named by its full scale: 1, 255, 1023, 4095, 16383 or 65535. What fits into several of
them could be any; what fits into none (Hounsfield units, z-scores) has a unit of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

FULL_SCALES = {1: "0 to 1", 255: "8 bits", 1023: "10 bits", 4095: "12 bits", 16383: "14 bits",
               65535: "16 bits"}  # fmt: skip
ROBUST = (0.1, 99.9)  # percentiles: a few hot or dead pixels say nothing about the unit
MAX_PIXELS = 65_536  # looked at in an image
OVERSHOOT = 1.05  # what resampling adds to the ends of a scale
FAR = 3.0  # widths of the training range that an image may reach beyond it
DIM = 8.0  # times darker than the darkest training image: another unit, if it fills that
FAINT = 16.0  # times darker than most training images, where the number type is another, too
BELOW = 0.03  # share of the range that lies below zero, from which on floats are unlike the others
SIGNED = 0.05  # the same, from which on a set has a unit of its own

Triple = tuple[float, float, float]


class IntensityFacts(BaseModel):
    """Type and robust range of images, as stored; lows and highs are over the images."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    dtype: str = Field(max_length=20)  # NumPy's name, or "mixed"
    lowest: float  # intensity of any pixel seen
    highest: float
    lows: Triple  # least, median and greatest 0.1 percentile of an image
    highs: Triple  # least, median and greatest 99.9 percentile
    is_whole: bool  # every intensity seen is a whole number

    @property
    def low(self) -> float:
        """The lowest intensity, a few pixels aside."""
        return self.lows[0]

    @property
    def high(self) -> float:
        """The highest intensity, a few pixels aside."""
        return self.highs[2]

    @property
    def is_float(self) -> bool:
        """Whether the numbers are floats."""
        return self.dtype.startswith(("float", "bfloat"))

    @property
    def is_signed(self) -> bool:
        """Whether a part of the range that matters lies below zero."""
        return self.low < -SIGNED * (self.high - self.low)

    def describe(self) -> str:
        """Type and range, for a sentence: "uint8 values from 3 to 254"."""
        return f"{self.dtype} values from {self.lowest:.4g} to {self.highest:.4g}"


@dataclass(frozen=True)
class Verdict:
    """What to do with an image: its intensities times `factor`, or why it cannot be used."""

    kind: Literal["as it is", "converted", "far", "refused"]
    factor: float = 1.0
    advice: str = ""  # for what is refused


AS_IT_IS, FAR_OUTSIDE = Verdict("as it is"), Verdict("far")


def look_at_intensities(images: Iterable[NDArray[Any]]) -> IntensityFacts:
    """Return the facts of images (C, *spatial) of any type; at least one."""
    return join_facts([_look_at(image) for image in images])


def join_facts(facts: Sequence[IntensityFacts]) -> IntensityFacts:
    """Return what is true of all images of several facts; each counts as one image."""
    types = {entry.dtype for entry in facts}
    lows, highs = [entry.lows[1] for entry in facts], [entry.highs[1] for entry in facts]
    return IntensityFacts(
        dtype=types.pop() if len(types) == 1 else "mixed",
        lowest=min(entry.lowest for entry in facts),
        highest=max(entry.highest for entry in facts),
        lows=(
            min(entry.lows[0] for entry in facts),
            float(np.median(lows)),
            max(entry.lows[2] for entry in facts),
        ),
        highs=(
            min(entry.highs[0] for entry in facts),
            float(np.median(highs)),
            max(entry.highs[2] for entry in facts),
        ),
        is_whole=all(entry.is_whole for entry in facts),
    )


def compare_intensities(own: IntensityFacts, trained: IntensityFacts) -> Verdict:
    """Decide what the intensities of an image, or of several, are to a model.

    Args:
        own: own of the image.
        trained: trained of the training images.

    Returns:
        As it is, converted by a factor, far outside of training, or refused.
    """
    if trained.dtype == "mixed" or own.lowest == own.highest == 0:
        return AS_IT_IS
    if own.dtype == trained.dtype and not own.is_float:
        return FAR_OUTSIDE if _is_far(own, trained) else AS_IT_IS
    if own.is_float and _is_plausible(own, trained):
        return AS_IT_IS
    units, known = units_of(own), units_of(trained, is_training=True)
    if units & known:
        return FAR_OUTSIDE if _is_far(own, trained) else AS_IT_IS
    if units and known:
        return _convert(own, units, known)
    if own.is_signed and trained.dtype.startswith("uint"):
        return Verdict("refused", advice="It goes below zero, which no training image does. ")
    if own.dtype in ("uint8", "bool"):
        return Verdict("refused", advice="What 8 bits mean in that unit is not known. ")
    return FAR_OUTSIDE if _is_far(own, trained) else AS_IT_IS


def units_of(facts: IntensityFacts, *, is_training: bool = False) -> frozenset[int]:
    """Return the full scales that intensities may have; none where they have a unit of their own.

    Args:
        facts: facts of the images.
        is_training: of a whole set, of which none is more than 1: then 1 may be the full scale of
            integers, too.
    """
    if facts.dtype == "bool":
        return frozenset({1})
    if facts.dtype == "uint8":
        return frozenset({1, 255} if is_training and facts.highest <= 1 else {255})
    if facts.is_signed:
        return frozenset()
    above = frozenset(scale for scale in FULL_SCALES if max(facts.high, 2) <= scale)
    if not facts.is_float:
        return above
    if facts.high <= OVERSHOOT and facts.highest <= 1.5:
        return frozenset({1})
    for scale in (255, 65535):  # as programs convert them to floats
        if scale / 2 < facts.high - facts.low and facts.high <= OVERSHOOT * scale:
            return frozenset({scale})
    return above if facts.is_whole else frozenset()


def _convert(own: IntensityFacts, units: frozenset[int], known: frozenset[int]) -> Verdict:
    """Convert where there is one reading; where there are several, name them."""
    (unit, *other_units), (target, *other_targets) = sorted(units), sorted(known)
    is_binary = not own.is_float and own.highest <= 1  # 0 and 1: of 1, or nearly black of 255?
    if not other_units and not other_targets and not (is_binary and target == 1):
        return Verdict("converted", target / unit)
    whose, several = ("It", units) if len(units) > 1 else ("The training images", known)
    names = [FULL_SCALES[scale] for scale in sorted(several)]
    readings = f"{whose} may be of {' or '.join(names)}: " if len(names) > 1 else ""
    return Verdict(
        "refused",
        advice=f"{readings}it is not guessed which. Where it has {FULL_SCALES[unit]}, and they "
        f"{FULL_SCALES[target]}, multiply it by {target} / {unit}. ",
    )


def _is_plausible(own: IntensityFacts, trained: IntensityFacts) -> bool:
    """Whether floats may be in the unit of training, by their range alone."""
    if _is_far(own, trained) or own.high < trained.highs[1] / DIM:
        return False
    return own.is_signed <= trained.is_signed


def _is_far(own: IntensityFacts, trained: IntensityFacts) -> bool:
    """Whether an image is so unlike all of training that a person should look."""
    if own.lowest == own.highest:
        return False
    reach = FAR * (trained.high - trained.low)
    if own.high > trained.high + reach or own.low < trained.low - reach:
        return True
    is_other_type = own.dtype != trained.dtype
    if not trained.is_signed:
        is_faint = is_other_type and own.high < trained.highs[1] / FAINT
        is_dim = own.high < trained.highs[0] / DIM and _fills_a_scale(own)
        is_below = own.is_float and own.low < trained.low - BELOW * (own.high - own.low)
        return is_faint or is_dim or (is_below and own.low < 0)
    all_signed = trained.lows[2] < -SIGNED * (trained.high - trained.low)
    is_unsigned = own.low >= 0 and (is_other_type or units_of(own) == {1})
    return all_signed and is_unsigned


def _fills_a_scale(own: IntensityFacts) -> bool:
    """Whether the range is most of a full scale, as that of a dim image is not."""
    scales = [scale for scale in FULL_SCALES if own.is_float or scale > 1]
    return any(scale / 2 < own.high - own.low and own.high <= scale * OVERSHOOT for scale in scales)


def _look_at(image: NDArray[Any]) -> IntensityFacts:
    """The facts of one image; constant zeros where nothing in it is finite."""
    every = max(1, round((image[0].size / MAX_PIXELS) ** (1 / max(1, image.ndim - 1))))
    seen = image[(slice(None), *[slice(None, None, every)] * (image.ndim - 1))].ravel()
    if seen.dtype.kind == "f":
        seen = seen[np.isfinite(seen)].astype(np.float64)
    if not seen.size:
        seen = np.zeros(1, image.dtype)
    lowest, highest = float(seen.min()), float(seen.max())
    places = [round(percent / 100 * (seen.size - 1)) for percent in ROBUST]
    low, high = (float(value) for value in np.partition(seen, places)[places])
    return IntensityFacts(
        dtype=image.dtype.name,
        lowest=lowest,
        highest=highest,
        lows=(low,) * 3,
        highs=(high,) * 3,
        is_whole=seen.dtype.kind != "f" or bool((seen == np.rint(seen)).all()),
    )
