"""The optimizers of a plan, and the moving average of the weights that is validated and saved.

Muon turns the averaged gradient of a convolution, as a matrix of (outputs, inputs x pixels of the
kernel), into the nearest matrix whose singular values are alike: directions that are rare in the
gradients count as much as those that dominate them. In short trainings it reaches what AdamW takes
several times the steps for (docs/log.md).

Source: Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024; the size of
updates after Liu et al., Muon is Scalable for LLM Training, 2025.
"""

import math
from collections.abc import Iterable
from copy import deepcopy

import torch
from torch import Tensor, nn

from pixelwise.network import UNet, WrappedNetwork
from pixelwise.planning import Plan

MOMENTUM = 0.95
UPDATE_SIZE = 0.4  # root mean square of an update at learning rate 1; AdamW's are about half of it
ITERATIONS = 5
QUINTIC = 3.4445, -4.7750, 2.0315  # a s + b s^3 + c s^5 brings s in (0.002, 1] near 1 in five turns
TINY = 1e-7
ENDS = "encoder.0.conv1.weight", "head.weight"


def make_optimizer(
    network: UNet | WrappedNetwork, plan: Plan, more: Iterable[Tensor] = ()
) -> torch.optim.Optimizer:
    """Return the optimizer of a plan for the weights of a network, and `more` that AdamW moves."""
    if plan.optimizer == "muon":
        return Muon(network, plan.learning_rate, plan.weight_decay, more)
    weights = [*network.parameters(), *more]
    return torch.optim.AdamW(
        weights, plan.learning_rate, weight_decay=plan.weight_decay, fused=True
    )


class Muon(torch.optim.Optimizer):
    """Muon for the convolutions between features, AdamW for all other weights.

    The first convolution and the head, which join features with pixels and classes, the
    normalizations and the biases are the others.

    Args:
        network: whose weights to update.
        learning_rate: the same for both.
        weight_decay: decoupled, the same for both.
        more: weights for AdamW.
    """

    def __init__(
        self,
        network: UNet | WrappedNetwork,
        learning_rate: float,
        weight_decay: float,
        more: Iterable[Tensor] = (),
    ) -> None:
        matrices: list[Tensor] = []
        others: list[Tensor] = []
        for name, weight in network.named_parameters():
            is_matrix = weight.ndim >= 4 and name not in ENDS
            (matrices if is_matrix else others).append(weight)
        others.extend(more)
        self._adamw = torch.optim.AdamW(
            others, learning_rate, weight_decay=weight_decay, fused=True
        )
        super().__init__([{"params": matrices}, {"params": others}], self._adamw.defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the weights by their gradients."""
        matrices, others = self.param_groups
        for weight in matrices["params"]:
            if weight.grad is None:
                continue
            state = self.state[weight]
            if not state:
                state["momentum"] = torch.zeros_like(weight)
            momentum = state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
            update, size = orthogonal_update(weight.grad.lerp(momentum, MOMENTUM))
            weight.mul_(1 - matrices["lr"] * matrices["weight_decay"])
            weight.add_(update, alpha=-matrices["lr"] * UPDATE_SIZE * size)
        self._adamw.param_groups, self._adamw.state = [others], self.state
        self._adamw.step()


def orthogonal_update(gradient: Tensor) -> tuple[Tensor, float]:
    """Make the gradient of a convolution orthogonal.

    Args:
        gradient: (width, C, *kernel) float32.

    Returns:
        The orthogonal matrix in the shape of the gradient, and the factor that brings the root
        mean square of its values near 1.
    """
    last = gradient.movedim(1, -1)  # as channels-last weights lie in memory: no copy
    matrix = last.reshape(len(gradient), -1)
    update = orthogonalize(matrix).reshape(last.shape).movedim(-1, 1)
    return update, math.sqrt(max(matrix.shape))


def orthogonalize(matrix: Tensor) -> Tensor:
    """Bring all singular values of a matrix near 1 (0.7 to 1.2) and keep its singular vectors.

    The polynomials of Newton and Schulz act on the singular values alone, so all of them are
    worked out on the small square of the matrix, and the matrix itself is multiplied once.

    Args:
        matrix: (M, N) float32.
    """
    rows, columns = matrix.shape
    wide = matrix if rows <= columns else matrix.T
    wide = wide / (wide.norm() + TINY)
    square = wide @ wide.T
    factor = turn = _polynomial(square)
    for _ in range(ITERATIONS - 1):
        square = turn @ square @ turn
        turn = _polynomial(square)
        factor = turn @ factor
    wide = factor.matmul(wide)
    return wide if rows <= columns else wide.T


def _polynomial(square: Tensor) -> Tensor:
    """The polynomial a + b S + c S^2, which brings the roots of the values of S nearer to 1."""
    first, third, fifth = QUINTIC
    polynomial = torch.addmm(square, square, square, beta=third, alpha=fifth)
    polynomial.diagonal().add_(first)
    return polynomial


class AveragedWeights:
    """An exponential moving average of a network's weights and running statistics.

    Its memory grows with the training, up to a share of all steps, so that the first, poor
    weights are soon forgotten. A share of 0 follows the network without delay.

    Source: Polyak and Juditsky, 1992; with the warm-up that TensorFlow's averages use.
    """

    def __init__(self, network: UNet | WrappedNetwork, share: float) -> None:
        self.network = deepcopy(network).eval().requires_grad_(False)
        self._share = share

    @torch.no_grad()
    def update(self, network: nn.Module, step: int, num_steps: int) -> None:
        """Take in the weights after step `step` (from 1) of `num_steps`."""
        memory = max(1.0, self._share * num_steps)
        weight = max(1 / memory, 9 / (10 + step)) if self._share > 0 else 1.0
        averages, currents = self.network.state_dict(), network.state_dict()
        for name, average in averages.items():
            _move(average, currents[name], weight)


def _move(average: Tensor, current: Tensor, weight: float) -> None:
    if average.is_floating_point():
        average.lerp_(current, weight)
    else:
        average.copy_(current)
