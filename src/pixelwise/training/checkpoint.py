"""The checkpoint: everything that resuming needs, in one safe file, written atomically.

Tensors (weights, moving average, optimizer state, best weights) and the rest as JSON metadata:
nothing in it is executed when it is read. Random state is not in it, because which batch a step
gets follows from the seed and the step's number.

    state.new           written, flushed to the disk, read back and compared
    state.safetensors   replaced by it in one step: at any moment there is one that can be read
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pixelwise.errors import TrainingError
from pixelwise.io import make_folder, write_checked

FILE_NAME = "state.safetensors"
NEW_NAME = "state.new"
METADATA_KEY = "checkpoint"
Tensors = dict[str, Tensor]
UNREADABLE = (  # what reading raises on a file that is none, is damaged or was edited
    SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError,
)  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after a step."""

    facts: dict[str, Any]  # step, elapsed seconds, history, losses since, best step and score
    network: Tensors
    average: Tensors
    optimizer: dict[int, Tensors]  # by parameter index
    best: Tensors

    def copy(self) -> "Checkpoint":
        """The same with tensors of its own, which training leaves alone."""
        return replace(
            self,
            network=_clone(self.network),
            average=_clone(self.average),
            optimizer={index: _clone(state) for index, state in self.optimizer.items()},
        )


def _clone(tensors: Tensors) -> Tensors:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


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
    write_checked(folder / FILE_NAME, data, folder / NEW_NAME)


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
        return _regroup(facts, tensors)
    except UNREADABLE as error:
        raise TrainingError(
            f"The checkpoint {path} cannot be read: {error}. Train anew with --overwrite; the "
            "model file beside it is still usable."
        ) from error


def _regroup(facts: dict[str, Any], tensors: Mapping[str, Tensor]) -> Checkpoint:
    """A checkpoint of its parts; TypeError, ValueError, AttributeError where they are none."""
    step, elapsed = facts.get("step", 0), facts.get("elapsed", 0.0)
    if step < 0 or not 0 <= elapsed < math.inf:
        raise ValueError(f"step {step} after {elapsed} s")
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
