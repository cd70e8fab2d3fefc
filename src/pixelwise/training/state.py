"""Where a training stands: everything that going on needs, and nothing else.

What a step does follows from the seed and its number, so that no random state is kept, and a
training can go on after any step.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from pixelwise.metrics import Scores
from pixelwise.network import UNet
from pixelwise.training.average import AveragedWeights
from pixelwise.training.checkpoint import Checkpoint

HEADS = "deep."  # before the names of their weights, in a checkpoint

Row = dict[str, float]


@dataclass
class Best:
    """The best weights so far, and where they stand."""

    score: float = -math.inf
    step: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    scores: Scores | None = None


@dataclass
class State:
    """The state of a training between two steps.

    Attributes:
        network: with the newest weights.
        heads: of deep supervision.
        average: of the weights.
        optimizer: of the network and the heads.
        best: the best weights so far.
        step: steps done.
        rate_factor: on the planned learning rate; lower where the loss was lost.
        history: a row for each validation.
        recent: losses and metrics of the steps since the last validation.
    """

    network: UNet
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
        self.best = Best(facts["best_score"], facts["best_step"], checkpoint.best, scores)


def copy_weights(network: UNet) -> dict[str, Tensor]:
    """The weights of a network as they are now."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
