"""The weights of a network as arrays, in and out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from pixelwise.errors import ArrayError, ModelFileError
from pixelwise.network import Model, load_model


def get_arrays(network: nn.Module) -> list[NDArray[Any]]:
    """Copies of all weights, in the order of the network."""
    return [tensor.detach().cpu().numpy().copy() for tensor in network.state_dict().values()]


def set_arrays(network: nn.Module, weights: Sequence[ArrayLike]) -> None:
    """Set all weights.

    Raises:
        ArrayError: other numbers or shapes than those of `get_arrays`.
    """
    own = network.state_dict()
    arrays = [np.asarray(one) for one in weights]
    expected = [tuple(tensor.shape) for tensor in own.values()]
    if [array.shape for array in arrays] != expected:
        raise ArrayError(
            f"{len(arrays)} weights were given that do not fit this network, which has "
            f"{len(expected)}. Take those of get_weights of a model that is built like it."
        )
    given = {
        name: torch.from_numpy(np.array(array)) for name, array in zip(own, arrays, strict=True)
    }
    network.load_state_dict(given)


def load_into(model: Model, path: Path, module: nn.Module | None) -> None:
    """Give a model the weights of a file or run folder of the same network.

    Args:
        model: changed in place.
        path: file or folder.
        module: a copy of the model's own, where that is a wrapped one.

    Raises:
        ModelFileError: it is no model, or one of another network.
    """
    other = load_model(path, module=module)
    if other.config.network != model.config.network:
        raise ModelFileError(
            f"{path} is of another network ({other.config.network}) than this model "
            f"({model.config.network}). pixelwise.load(path) reads it as it is."
        )
    model.network.load_state_dict(other.network.state_dict())
