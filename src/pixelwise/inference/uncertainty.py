"""How uncertain a prediction is, pixel by pixel."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from pixelwise.task import Task


def normalized_entropy(probabilities: NDArray[Any], task: Task) -> NDArray[np.float32]:
    """The entropy of the class probabilities, over the greatest that it can be.

    For K classes that exclude each other this is -sum(p log p) / log K (Shannon 1948), for a
    binary model the same of p and 1 - p; of classes that overlap it is the greatest of the classes,
    each of which is there or not. Of averaged probabilities (mirrored copies, the networks of an
    ensemble) it is the entropy of the mean.

    Args:
        probabilities: (K, *S) in [0, 1].
        task: what the probabilities are of.

    Returns:
        (*S) in [0, 1]: 0 is certain, 1 is all classes alike.

    >>> normalized_entropy(np.array([[0.5, 1.0, 0.25]]), Task.BINARY).round(3).tolist()
    [1.0, 0.0, 0.8109999895095825]
    """
    values = np.asarray(probabilities, np.float32)
    if task.is_exclusive:
        entropy = entr(values).sum(0) / math.log(len(values))
    else:
        entropy = (entr(values) + entr(1 - values)).max(0) / math.log(2)
    found: NDArray[np.float32] = np.clip(entropy, 0, 1).astype(np.float32)
    return found
