"""The checkpoint: everything that resuming needs, in one safe file, written atomically.

Tensors (weights, moving average, optimizer state, best weights) and the rest as JSON metadata:
nothing in it is executed when it is read. Random state is not in it, because which batch a step
gets follows from the seed and the step's number.

    state.new           written, flushed to the disk, read back and compared
    state.safetensors   replaced by it in one step: at any moment there is one that can be read

What a step does follows from the seed and its number, so that no random state is kept, and a
training can go on after any step.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from pixelwise.errors import TrainingError
from pixelwise.inference.evaluate import Counted
from pixelwise.io import make_folder, write_checked
from pixelwise.metrics import Scores
from pixelwise.network import UNet, WrappedNetwork
from pixelwise.training.optimizer import AveragedWeights

FILE_NAME = "state.safetensors"
NEW_NAME = "state.new"
METADATA_KEY = "checkpoint"
Tensors = dict[str, Tensor]
UNREADABLE = (  # what reading raises on a file that is none, is damaged or was edited
    SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError,
)  # fmt: skip

HEADS = "deep."  # before the names of their weights, in a checkpoint
Row = dict[str, float]


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
            f"The checkpoint {path} cannot be read: {error}. Train again with --overwrite; the "
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


@dataclass
class Best:
    """The best weights so far, and where they stand."""

    score: float = -math.inf
    step: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    scores: Scores | None = None
    counts: list[Counted] = field(default_factory=list)  # of validation, see WayCounts


@dataclass
class State:
    """The state of a training between two steps.

    Attributes:
        network: with the newest weights.
        heads: heads of deep supervision.
        average: average of the weights.
        optimizer: optimizer of the network and the heads.
        best: the best weights so far.
        step: steps done.
        rate_factor: on the planned learning rate; lower where the loss was lost.
        history: a row for each validation.
        recent: losses and metrics of the steps since the last validation.
    """

    network: UNet | WrappedNetwork
    heads: nn.Module
    average: AveragedWeights
    optimizer: torch.optim.Optimizer
    best: Best
    step: int = 0
    rate_factor: float = 1.0
    history: list[Row] = field(default_factory=list)
    recent: list[Row] = field(default_factory=list)

    @property
    def validated_step(self) -> int:
        """Step of the last validation; -1 before the first."""
        return int(self.history[-1]["step"]) if self.history else -1

    @property
    def is_finite(self) -> bool:
        """Whether no weight is NaN or infinite."""
        return all(bool(tensor.isfinite().all()) for tensor in self.network.parameters())

    def to_checkpoint(self, elapsed: float) -> Checkpoint:
        """Everything that going on from here needs; the tensors are those of the training."""
        facts: dict[str, Any] = {
            "step": self.step,
            "elapsed": elapsed,
            "rate_factor": self.rate_factor,
            "history": list(self.history),
            "recent": list(self.recent),
            "best_step": self.best.step,
            "best_score": self.best.score,
            "best_scores": self.best.scores and self.best.scores.to_json(),
            "best_counts": [(one.name, one.counts.tolist(), one.group) for one in self.best.counts],
        }
        return Checkpoint(
            facts,
            self.network.state_dict() | self.heads.state_dict(prefix=HEADS),
            self.average.network.state_dict(),
            self.optimizer.state_dict()["state"],
            self.best.weights,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Stand where the training stood at a checkpoint."""
        weights = checkpoint.network
        heads = {name: weights[name] for name in weights if name.startswith(HEADS)}
        self.network.load_state_dict({name: weights[name] for name in weights.keys() - heads})
        self.heads.load_state_dict({name.removeprefix(HEADS): heads[name] for name in heads})
        self.average.network.load_state_dict(checkpoint.average)
        state = self.optimizer.state_dict()
        state["state"] = checkpoint.optimizer
        self.optimizer.load_state_dict(state)
        for parameter, moments in self.optimizer.state.items():
            for name, moment in moments.items():  # fused updates want the layout of the weights
                if moment.shape == parameter.shape:
                    moments[name] = torch.empty_like(parameter).copy_(moment)
        facts = checkpoint.facts
        self.step, self.rate_factor = facts["step"], facts["rate_factor"]
        self.history, self.recent = list(facts["history"]), list(facts["recent"])
        scores = Scores.from_json(facts["best_scores"]) if facts["best_scores"] else None
        counts = [
            Counted(name, np.array(values, np.int64), group)
            for name, values, group in facts.get("best_counts", [])
        ]
        self.best = Best(facts["best_score"], facts["best_step"], checkpoint.best, scores, counts)


def copy_weights(network: UNet | WrappedNetwork) -> dict[str, Tensor]:
    """The weights of a network as they are now."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
