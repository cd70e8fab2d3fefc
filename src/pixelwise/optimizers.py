"""Optimizers by Keras's names and arguments, for `Segmenter.compile`.

    model.compile(optimizer=pw.optimizers.Adam(learning_rate=1e-3), loss="binary_crossentropy")

Each is a function that makes the torch optimizer of a network's parameters, so that none has to be
named here. Defaults are Keras's.
"""

from collections.abc import Callable, Iterable
from inspect import signature
from typing import Any

from pixelwise.errors import PlanError


class Optimizer:
    """A kind of torch optimizer and its settings; called with parameters it makes one.

    All weights are updated by one call where torch has such a form of the optimizer; calls for each
    weight take two to four times as long (docs/log.md).

    Args:
        kind: name in `torch.optim`.
        learning_rate: step of the updates.
        settings: of the torch optimizer.
    """

    def __init__(self, kind: str, learning_rate: float, **settings: Any) -> None:  # noqa: ANN401
        if callable(learning_rate) or not isinstance(learning_rate, int | float):
            raise PlanError(
                f"learning_rate={learning_rate!r} is no number. For a schedule give fit the "
                "callback pw.callbacks.LearningRateScheduler."
            )
        self.kind, self.learning_rate, self.settings = kind, float(learning_rate), settings

    def __call__(self, parameters: Iterable[Any]) -> Any:  # noqa: ANN401
        """Make the torch optimizer of parameters."""
        import torch

        make: Callable[..., Any] = getattr(torch.optim, self.kind)
        fused = {"fused": True} if "fused" in signature(make).parameters else {}
        return make(parameters, lr=self.learning_rate, **self.settings, **fused)

    def __repr__(self) -> str:
        """Its name and rate."""
        return f"{self.kind}(learning_rate={self.learning_rate:g})"


class Adam(Optimizer):
    """Kingma and Ba, Adam, 2015."""

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(
            "Adam", learning_rate, betas=(beta_1, beta_2), eps=epsilon, amsgrad=amsgrad
        )


class AdamW(Optimizer):
    """Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019."""

    def __init__(
        self,
        learning_rate: float = 1e-3,
        weight_decay: float = 4e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(
            "AdamW", learning_rate, weight_decay=weight_decay, betas=(beta_1, beta_2),
            eps=epsilon, amsgrad=amsgrad,
        )  # fmt: skip


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted."""

    def __init__(
        self,
        learning_rate: float = 1e-2,
        momentum: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__("SGD", learning_rate, momentum=momentum, nesterov=nesterov)


class RMSprop(Optimizer):
    """Tieleman and Hinton, RMSprop, 2012."""

    def __init__(
        self,
        learning_rate: float = 1e-3,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
    ) -> None:
        super().__init__(
            "RMSprop", learning_rate, alpha=rho, momentum=momentum, eps=epsilon, centered=centered
        )
