"""The optimizers of a plan, and the moving average of the weights that is validated and saved.

Muon turns the averaged gradient of a convolution, as a matrix of (outputs, inputs x pixels of the
kernel), into the nearest matrix whose singular values are alike: directions that are rare in the
gradients count as much as those that dominate them. In short trainings it reaches what AdamW takes
several times the steps for (docs/log.md).

Source: Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024; the size of
updates after Liu et al., Muon is Scalable for LLM Training, 2025.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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
        weights = [weight for weight in matrices["params"] if weight.grad is not None]
        directions = []
        for weight in weights:
            state = self.state[weight]
            if not state:
                state["momentum"] = torch.zeros_like(weight)
            momentum = state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
            directions.append(weight.grad.lerp(momentum, MOMENTUM))
        for weight, (update, size) in zip(weights, orthogonal_updates(directions), strict=True):
            weight.mul_(1 - matrices["lr"] * matrices["weight_decay"])
            _subtract(weight, update, matrices["lr"], UPDATE_SIZE * size)
        self._adamw.param_groups, self._adamw.state = [others], self.state
        self._adamw.step()


def _subtract(weight: Tensor, update: Tensor, rate: float | Tensor, factor: float) -> None:
    """Subtract an update, times the rate and a factor."""
    if isinstance(rate, Tensor):
        weight.addcmul_(update, rate, value=-factor)
    else:
        weight.add_(update, alpha=-rate * factor)


@contextmanager
def rates_as(
    optimizer: torch.optim.Optimizer, rate: float | Tensor, factors: Iterable[float]
) -> Iterator[None]:
    """Give the groups of an optimizer a rate that is a tensor for the while, as a recording needs.

    Args:
        optimizer: one of `make_optimizer`, whose groups have their rates as numbers.
        rate: a number, which is that of the groups already; or a tensor ().
        factors: of each group, on the rate.
    """
    if not isinstance(rate, Tensor):
        yield
        return
    before = [group["lr"] for group in optimizer.param_groups]
    for group, factor in zip(optimizer.param_groups, factors, strict=True):
        group |= {"lr": rate * factor, "capturable": True}
    try:
        yield
    finally:
        for group, number in zip(optimizer.param_groups, before, strict=True):
            group |= {"lr": number, "capturable": False}


def orthogonal_updates(gradients: Sequence[Tensor]) -> list[tuple[Tensor, float]]:
    """Make the gradients of convolutions orthogonal.

    Args:
        gradients: (width, C, *kernel) float32 each.

    Returns:
        For each the orthogonal matrix in the shape of the gradient, and the factor that brings the
        root mean square of its values near 1.
    """
    last = [each.movedim(1, -1) for each in gradients]  # as channels-last weights lie: no copy
    matrices = [each.reshape(len(each), -1) for each in last]
    return [
        (update.reshape(each.shape).movedim(-1, 1), math.sqrt(max(update.shape)))
        for update, each in zip(orthogonalize(matrices), last, strict=True)
    ]


def orthogonalize(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Bring all singular values of matrices near 1 (0.7 to 1.2) and keep their singular vectors.

    The polynomials of Newton and Schulz act on the singular values alone, so all of them are
    worked out on the small square of a matrix, and the matrix itself is multiplied once. Squares of
    one size are worked on together.

    Args:
        matrices: (M, N) float32 each.
    """
    wide = [each if each.shape[0] <= each.shape[1] else each.T for each in matrices]
    by_size: dict[int, list[int]] = {}
    for index, each in enumerate(wide):
        by_size.setdefault(len(each), []).append(index)
    found = list(wide)
    for indices in by_size.values():
        scaled = [wide[index] / (wide[index].norm() + TINY) for index in indices]
        factors = _factors(torch.stack([each @ each.T for each in scaled]))
        for index, factor, each in zip(indices, factors, scaled, strict=True):
            found[index] = factor @ each
    return [
        update if update.shape == each.shape else update.T
        for update, each in zip(found, matrices, strict=True)
    ]


def _factors(squares: Tensor) -> Tensor:
    """What brings matrices with these squares (B, M, M) near orthogonal ones, from the left."""
    factors = turns = _polynomials(squares)
    for _ in range(ITERATIONS - 1):
        squares = turns @ squares @ turns
        turns = _polynomials(squares)
        factors = turns @ factors
    return factors


def _polynomials(squares: Tensor) -> Tensor:
    """The polynomial a + b S + c S^2, which brings the roots of the values of S nearer to 1."""
    first, third, fifth = QUINTIC
    found = torch.baddbmm(squares, squares, squares, beta=third, alpha=fifth)
    found.diagonal(dim1=1, dim2=2).add_(first)
    return found


class AveragedWeights:
    """An exponential moving average of a network's weights and running statistics.

    Its memory grows with the training, up to a share of all steps, so that the first, poor
    weights are soon forgotten. A share of 0 follows the network without delay.

    Source: Polyak and Juditsky, 1992; with the warm-up that TensorFlow's averages use.
    """

    def __init__(self, network: UNet | WrappedNetwork, share: float) -> None:
        self.network = deepcopy(network).eval().requires_grad_(False)
        self._share = share

    def weight_of(self, step: int, num_steps: int) -> float:
        """The weight of the newest weights after step `step` (from 1) of `num_steps`."""
        memory = max(1.0, self._share * num_steps)
        return max(1 / memory, 9 / (10 + step)) if self._share > 0 else 1.0

    @torch.no_grad()
    def update(self, network: nn.Module, weight: float | Tensor) -> None:
        """Take in the newest weights, with a weight in (0, 1]."""
        averages, currents = self.network.state_dict(), network.state_dict()
        for name, average in averages.items():
            _move(average, currents[name], weight)


def _move(average: Tensor, current: Tensor, weight: float | Tensor) -> None:
    if average.is_floating_point():
        average.lerp_(current, weight)
    else:
        average.copy_(current)
