"""The checkpoint: everything that resuming needs, in one safe file, written atomically.

Tensors (weights, moving average, optimizer state, best weights) and the rest as JSON metadata:
nothing in it is executed when it is read. Random state is not in it, because which batch a step
gets follows from the seed and the step's number.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pixelwise.data import make_folder, write_bytes
from pixelwise.errors import TrainingError

FILE_NAME = "state.safetensors"
METADATA_KEY = "checkpoint"
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after a step."""

    facts: dict[str, Any]  # step, elapsed seconds, history, best step and score
    network: Tensors
    average: Tensors
    optimizer: dict[int, Tensors]  # by parameter index
    best: Tensors


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint so that an interruption leaves the earlier one readable.

    Raises:
        OutputError: the folder cannot be written.
    """
    groups = {
        "network": checkpoint.network,
        "average": checkpoint.average,
        "best": checkpoint.best,
        **{f"optimizer.{index}": state for index, state in checkpoint.optimizer.items()},
    }
    tensors = {
        f"{group}/{name}": tensor.detach().cpu().contiguous().clone()
        for group, content in groups.items()
        for name, tensor in content.items()
    }
    data = save(tensors, metadata={METADATA_KEY: json.dumps(checkpoint.facts)})
    make_folder(folder)
    write_bytes(folder / FILE_NAME, data)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint back.

    Raises:
        TrainingError: there is none, or it is damaged.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise TrainingError(
            f"There is no checkpoint {path} to resume from. Train without --resume."
        )
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})[METADATA_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as error:
        raise TrainingError(
            f"The checkpoint {path} cannot be read: {error}. Train anew with --overwrite; the "
            "model file beside it is still usable."
        ) from error
    return _regroup(facts, tensors)


def _regroup(facts: dict[str, Any], tensors: Mapping[str, Tensor]) -> Checkpoint:
    groups: dict[str, Tensors] = {"network": {}, "average": {}, "best": {}}
    for key, tensor in tensors.items():
        group, name = key.split("/", 1)
        groups.setdefault(group, {})[name] = tensor
    optimizer = {
        int(group.split(".")[1]): state
        for group, state in groups.items()
        if group.startswith("optimizer.")
    }
    return Checkpoint(facts, groups["network"], groups["average"], optimizer, groups["best"])
