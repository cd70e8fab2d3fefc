"""The working scale: images made smaller before the network sees them, results made larger again.

    image 480 x 360 ── 0.5 ──> 240 x 180 ── network ──> probabilities 240 x 180 ──> 480 x 360

A network that works at half the size sees four times as much of an image in the same time. Images
are averaged with an antialiasing filter, masks over the area of each new pixel, and probabilities
are interpolated: all by the same geometry, in which the corners of the image stay where they are,
so that nothing is moved.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from itertools import combinations, product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.task import IGNORE_INDEX

LINEAR = {2: "bilinear", 3: "trilinear"}
MAX_DENOMINATOR = 10_000  # of a working scale as a fraction
TIE = 2.0**-22  # of a pixel: rounding of shares is less
MAX_VOTES = 2**23  # of pixels for classes, that are counted at once
MAX_PLANES = 3  # classes, and ignored pixels, that are averaged one by one; more are counted
MAX_COMPARED = 8  # pixels of a new one that are compared with one another
FEW_CLASSES = 3  # that are quicker counted than compared
MAX_COUNTED = 16  # classes whose pixels are counted one by one, where new pixels hold whole ones
MAX_COUNT = 255  # pixels of a new one, in uint8
ABOVE_TIES = 512  # as many as there are class indices, and more
Windows = list[tuple[Tensor, Tensor]]


def working_size(size: Sequence[int], scale: float) -> tuple[int, ...]:
    """Size at a working scale, rounded (halves to the even number), at least one pixel.

    By whole numbers and without a branch, so that an export computes the very same: the scale is
    the decimal number that it is written as, up to four places.

    >>> working_size((480, 360), 0.5), working_size((1, 3, 5, 10, 30), 0.35)
    ((240, 180), (1, 1, 2, 4, 10))
    """
    fraction = Fraction(str(scale)).limit_denominator(MAX_DENOMINATOR)
    return tuple(_scale_length(length, fraction) for length in size)


def _scale_length(length: int, scale: Fraction) -> int:
    double = 2 * scale.denominator
    numerator = 2 * length * scale.numerator + scale.denominator
    rounded, rest = numerator // double, numerator % double
    rounded = rounded - is_zero(rest) * (rounded % 2)  # a half went up to an odd number
    return rounded + is_zero(rounded)  # 1 in place of 0


def is_zero(number: int) -> int:
    """1 for 0, and 0 for all that is greater; of a symbol that stands for a size, too.

    Not `1 // (1 + number)`: onnxruntime 1.32 takes `a * (1 // b)` for `a // b`.

    >>> is_zero(0), is_zero(1), is_zero(7)
    (1, 0, 0)
    """
    return (number + 2) // (number + 1) - 1


def resize_images(images: Tensor, size: Sequence[int]) -> Tensor:
    """Resample images (B, C, *spatial) float32 to another size, without aliasing.

    Smaller volumes are averaged over blocks, since torch has no antialiasing filter for them.
    """
    if tuple(images.shape[2:]) == tuple(size):
        return images
    is_smaller = all(new <= old for new, old in zip(size, images.shape[2:], strict=True))
    if images.ndim == 5 and is_smaller:
        return F.interpolate(images, size=tuple(size), mode="area")
    if images.ndim == 4 and is_smaller and images.shape[3] == 1:  # there torch 2.13 is wrong
        return resize_images(images.transpose(2, 3), size[::-1]).transpose(2, 3)
    return F.interpolate(
        images,
        size=tuple(size),
        mode=LINEAR[images.ndim - 2],
        align_corners=False,
        antialias=images.ndim == 4 and is_smaller,
    )


def average_planes(planes: Tensor, size: Sequence[int]) -> Tensor:
    """Average planes (..., *spatial) over the area of each pixel of a smaller grid: float32.

    A pixel that lies in two of the new ones counts in each by the share that lies there, so that
    nothing is moved.

    Args:
        planes: bool or numbers.
        size: size of the result along the last axes, none longer than it was.

    >>> average_planes(torch.tensor([0, 1, 1, 1, 0, 1]), [3])
    tensor([0.5000, 1.0000, 0.5000])
    """
    averaged = planes.float()
    for axis, new in enumerate(size, start=-len(size)):
        parts = [
            averaged.index_select(axis, places) * weights.view([-1] + [1] * (-1 - axis))
            for places, weights in _windows(averaged.shape[axis], new, planes.device)
        ]
        averaged = sum(parts[1:], parts[0])
    return averaged


def resize_masks(masks: Tensor, size: Sequence[int], num_classes: int | None = None) -> Tensor:
    """Make masks smaller: each pixel gets the class that takes most of its area.

    Ignored pixels are a plane of their own: a pixel is ignored where most of it is. Where two
    classes take equal areas, each gets every other pixel, as on a checkerboard, so that on the
    whole neither grows. Large masks are done in parts: many classes take no more memory.

    Args:
        masks: (..., *spatial) uint8 class index with IGNORE_INDEX; where classes overlap, a plane
            of 0 and 1 for each.
        size: one entry per spatial axis, none longer than it was.
        num_classes: of the indices; None looks for those that are there, which a GPU waits for.

    Returns:
        (..., *size) of the same type.

    >>> resize_masks(torch.tensor([[0, 1, 1, 1, 0, 0, 255, 255]]).byte(), [4])
    tensor([[  0,   1,   0, 255]], dtype=torch.uint8)
    """
    before = masks.shape[-len(size) :]
    if tuple(before) == tuple(size):
        return masks
    if all(old % new == 0 for old, new in zip(before, size, strict=True)):
        steps = [old // new for old, new in zip(before, size, strict=True)]
        number = math.prod(steps)
        if number <= MAX_COMPARED and (num_classes or math.inf) > FEW_CLASSES:
            return _elect_by_comparing(masks, steps)
        if num_classes and num_classes <= MAX_COUNTED and number <= MAX_COUNT:
            return _elect_by_counting(masks, steps, num_classes)
    is_ignored = True  # some pixel may be
    if num_classes is None:
        counts = masks.byte().flatten().bincount(minlength=IGNORE_INDEX + 1)
        classes, is_ignored = counts[:IGNORE_INDEX].nonzero()[:, 0], bool(counts[IGNORE_INDEX])
    else:
        classes = torch.arange(num_classes, device=masks.device)
    if len(classes) + is_ignored <= MAX_PLANES and masks.numel() <= MAX_VOTES:
        return _elect_by_planes(masks, size, classes, is_ignored=is_ignored)
    windows = [_windows(old, new, masks.device) for old, new in zip(before, size, strict=True)]
    flat = masks.reshape(-1, *before)  # (..., *spatial) -> (N, *spatial)
    num_votes = len(flat) * math.prod(size[1:]) * (len(classes) + 1)  # of a row
    at_once = max(1, MAX_VOTES // num_votes)
    parts = [
        _elect(flat, windows, classes, slice(row, min(row + at_once, size[0])))
        for row in range(0, size[0], at_once)
    ]
    small = torch.cat(parts, 1)
    return small.reshape(*masks.shape[: -len(size)], *size)


def _elect_by_counting(masks: Tensor, steps: Sequence[int], num_classes: int) -> Tensor:
    """The same as `resize_masks` where each new pixel holds ``prod(steps)`` whole ones.

    The time grows with the number of classes, and hardly with that of pixels in a new one.
    """
    most = _count_pixels(masks == 0, steps)
    best = torch.zeros_like(most, dtype=masks.dtype)
    is_odd = _checkerboard(most.shape[-len(steps) :], masks.device)
    for value in (*range(1, num_classes), IGNORE_INDEX):
        count = _count_pixels(masks == value, steps)
        is_more = count > most
        if value != IGNORE_INDEX:
            is_more |= (count == most) & is_odd
        best = best.masked_fill(is_more, value)
        most = torch.maximum(count, most)
    return best


def _count_pixels(planes: Tensor, steps: Sequence[int]) -> Tensor:
    """How many pixels are set in each new one, 255 at most: (..., *spatial) bool to uint8."""
    counts = planes.view(torch.uint8)
    for axis, step in enumerate(steps, start=-len(steps)):
        counts = reduce(torch.add, counts.unfold(axis, step, step).unbind(-1))
    return counts


def _elect_by_comparing(masks: Tensor, steps: Sequence[int]) -> Tensor:
    """The same as `resize_masks` where each new pixel holds ``prod(steps)`` whole ones.

    How often the class of each of these stands in the others is counted, so that the time does not
    grow with the number of classes.
    """
    starts = product(*(range(step) for step in steps))
    places: list[tuple[Any, ...]] = [
        (..., *(slice(first, None, step) for first, step in zip(start, steps, strict=True)))
        for start in starts
    ]
    chosen = [masks[place].to(torch.int16, copy=True) for place in places]  # (..., *size) each
    counts = [torch.ones_like(one, dtype=torch.uint8) for one in chosen]
    for first, second in combinations(range(len(chosen)), 2):
        is_same = chosen[first] == chosen[second]
        counts[first] += is_same
        counts[second] += is_same
    is_odd = _checkerboard(chosen[0].shape[-len(steps) :], masks.device)
    best, most = chosen[0], torch.full_like(chosen[0], -1)
    for one, count in zip(chosen, counts, strict=True):
        tie = torch.where(is_odd, one + 1, IGNORE_INDEX - one) * (one != IGNORE_INDEX)
        votes = count.to(torch.int16) * ABOVE_TIES + tie
        best = torch.where(votes > most, one, best)
        most = torch.maximum(votes, most)
    return best.to(masks.dtype)


def _elect_by_planes(
    masks: Tensor, size: Sequence[int], classes: Tensor, *, is_ignored: bool
) -> Tensor:
    """The same as `resize_masks` for a few classes; what others leave of a pixel is the last's."""
    ranks = _ranks(_checkerboard(size, masks.device), len(classes)).unbind(-1)
    values = [*classes, *([masks.new_full((), IGNORE_INDEX)] if is_ignored else [])]
    shape = (*masks.shape[: -len(size)], *size)
    left = torch.ones(shape, device=masks.device)
    best, most = torch.zeros_like(left, dtype=masks.dtype), torch.full_like(left, -1.0)
    for number, value in enumerate(values):
        is_last = number == len(values) - 1
        share = left if is_last else average_planes(masks == value, size)
        left = left - share
        votes = share + ranks[number] if number < len(ranks) else share
        best = torch.where(votes > most, value.to(masks.dtype), best)
        most = torch.maximum(votes, most)
    return best


def _ranks(is_odd: Tensor, num_classes: int) -> Tensor:
    """(*size, K): less than any share, by which equal ones are decided; rising or falling."""
    order = torch.arange(1, num_classes + 1, device=is_odd.device)
    return torch.where(is_odd.unsqueeze(-1), order, order.flip(0)) * TIE


def _checkerboard(size: Sequence[int], device: torch.device, first_row: int = 0) -> Tensor:
    """(*size) bool: where the sum of the indices is odd."""
    is_odd = torch.full((), bool(first_row % 2), device=device)
    for side in size:
        is_odd = is_odd.unsqueeze(-1) ^ (torch.arange(side, device=device) % 2 == 1)
    return is_odd


def _elect(masks: Tensor, windows: Sequence[Windows], classes: Tensor, rows: slice) -> Tensor:
    """Give some rows of the result: (N, *spatial) -> (N, rows, ...).

    Votes for a class are shares of a pixel's area. All classes begin with less than counts, by
    which equal shares are decided: rising on half of a checkerboard, falling on the other.
    """
    windows = [[(places[rows], weights[rows]) for places, weights in windows[0]], *windows[1:]]
    is_odd = _checkerboard([len(parts[0][0]) for parts in windows], masks.device, rows.start)
    rank = _ranks(is_odd, len(classes))
    votes = F.pad(rank, (0, 1)).repeat(len(masks), *[1] * rank.ndim)  # (N, *size, K + 1)
    column = torch.full((IGNORE_INDEX + 1,), len(classes), device=masks.device)
    column[classes] = torch.arange(len(classes), device=masks.device)
    for window in product(*windows):  # the first pixel of each, the one beside it, and so on
        chosen, share = masks, torch.ones((), device=masks.device)
        for axis, (places, weights) in enumerate(window, start=1):
            chosen = chosen.index_select(axis, places)
            share = share.unsqueeze(-1) * weights
        index = column[chosen.long()].unsqueeze(-1)  # (N, *size, 1)
        votes.scatter_add_(-1, index, share.expand_as(chosen).unsqueeze(-1))
    values = F.pad(classes, (0, 1), value=IGNORE_INDEX)
    return values[votes.argmax(-1)].to(masks.dtype)


def _windows(old: int, new: int, device: torch.device) -> Windows:
    """Which pixels of an axis lie in each of the new ones, and what share of it each takes up.

    Returns:
        (new,) places and (new,) weights of the first old pixel in each, of the second, and so on.
    """
    starts = torch.arange(new, device=device) * old  # in units of 1 / new of an old pixel
    found = []
    for number in range(-(-old // new) + int(old % new != 0)):
        pixel = starts // new + number
        inside = torch.minimum(starts + old, (pixel + 1) * new) - torch.maximum(starts, pixel * new)
        found.append((pixel.clamp(max=old - 1), inside.clamp(min=0) / old))
    return found
