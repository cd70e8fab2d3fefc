"""Lay one thumbnail upon another that shows a little more or less at its edges.

one -> moved and stretched along rows and columns -> as near to other as it can be
       (Gauss-Newton: 2 shifts, 2 stretches, brightness and contrast, solved for all pairs at once)

Source: Lucas and Kanade, An iterative image registration technique, 1981.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

NUM_STEPS = 4
MAX_MOVE = 1.2  # pixels of the thumbnail, of the middle and of the edges: crops of up to 4 %
EDGE_PX = 2  # left out: they may show what the other does not


def align(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Move the first of each pair upon the second.

    Args:
        one: (N, S, S) thumbnails.
        other: (N, S, S) thumbnails.

    Returns:
        Both without their edges, (N, S - 4, S - 4), smoothed alike since moving smooths.
    """
    one, other = smooth(one), smooth(other)
    inner = slice(EDGE_PX, -EDGE_PX)
    target = other[:, inner, inner]
    moves = np.zeros((len(one), 4), dtype=np.float32)
    for _ in range(NUM_STEPS):
        moves = np.clip(moves + _step(move(one, moves), target), -MAX_MOVE, MAX_MOVE)
    return move(one, moves)[:, inner, inner], target


def smooth(thumbnails: Floats) -> Floats:
    """Weigh each pixel of (N, S, S) with its neighbours, 1 to 2 to 1 along rows and columns."""
    padded = np.pad(thumbnails, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    return np.asarray((rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4)


def move(thumbnails: Floats, moves: Floats) -> Floats:
    """Look at (N, S, S) thumbnails elsewhere, with linear interpolation.

    Args:
        thumbnails: to look at.
        moves: (N, 4) pixels: of the middle down, of the lower edge away from the middle, of the
            middle to the right, of the right edge away from the middle.
    """
    rows = _weights(moves[:, 0], moves[:, 1], thumbnails.shape[1])
    columns = _weights(moves[:, 2], moves[:, 3], thumbnails.shape[2])
    return np.asarray(rows @ thumbnails @ columns.swapaxes(1, 2))


def _weights(shift: Floats, stretch: Floats, side: int) -> Floats:
    """(N, side, side) weights of the pixels along one axis for each pixel of the result."""
    place = np.arange(side) + shift[:, np.newaxis] + stretch[:, np.newaxis] * _from_middle(side)
    distance = np.abs(np.clip(place, 0, side - 1)[..., np.newaxis] - np.arange(side))
    return np.asarray(np.maximum(0, 1 - distance), dtype=np.float32)


def _from_middle(side: int) -> Floats:
    return np.asarray(np.linspace(-1, 1, side), dtype=np.float32)


def _step(moved: Floats, target: Floats) -> Floats:
    """(N, 4) what to add to the moves so that `moved` comes nearer to `target`."""
    inner = slice(EDGE_PX, -EDGE_PX)
    down, right = (np.asarray(np.gradient(moved, axis=axis)) for axis in (1, 2))
    place = _from_middle(moved.shape[1])
    parts = (down, down * place[:, np.newaxis], right, right * place, moved, np.ones_like(moved))
    design = np.stack([part[:, inner, inner].reshape(len(moved), -1) for part in parts], axis=2)
    normal = design.swapaxes(1, 2) @ design  # (N, 6, 6)
    damping = 1e-3 * design.shape[1] * np.eye(len(parts), dtype=np.float32)  # where nothing is seen
    right_side = design.swapaxes(1, 2) @ target.reshape(len(moved), -1, 1)
    solved = np.linalg.solve(normal + damping, right_side)[..., 0]
    contrast = np.maximum(np.abs(solved[:, 4:5]), 0.5)  # by which the gradients are too small
    return np.asarray(solved[:, :4] / contrast)
