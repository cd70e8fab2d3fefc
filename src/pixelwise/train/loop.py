"""The training loop: one story, in a fixed order: validate, keep, stop, step, log."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pixelwise.data import Sample
from pixelwise.errors import TrainingError
from pixelwise.evaluate import Scores, has_background
from pixelwise.network import Model, UNet
from pixelwise.plan import Plan
from pixelwise.predict import Predictor, autocast
from pixelwise.train.augment import augment, crop_size_for
from pixelwise.train.average import AveragedWeights
from pixelwise.train.checkpoint import Checkpoint
from pixelwise.train.interrupt import ANSWER, Interruption, noticing_interrupts
from pixelwise.train.objective import Loss
from pixelwise.train.overfitting import find_overfitting
from pixelwise.train.pace import Pace
from pixelwise.train.patches import Batch, BatchQueue, PatchSource, WaitTime
from pixelwise.train.schedule import learning_rate_at
from pixelwise.train.validate import Metric, validate
from pixelwise.train.watch import Watcher

Row = dict[str, float]
BEST_KEPT = "The best weights, from before the rise, are kept."
LAST_KEPT = "The last weights are kept, not the best ones."


@dataclass
class Best:
    """The best weights so far, and where they stand."""

    score: float = -math.inf
    step: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    scores: Scores | None = None


@dataclass(frozen=True)
class Outcome:
    """What training gave. The model carries the weights that were kept."""

    model: Model
    history: list[Row]
    scores: Scores | None  # of the kept weights on the validation samples; None without any
    best_step: int
    num_steps: int
    stopped: str  # why training ended, as a clause: "the budget was used"
    warnings: list[str]
    data_wait_share: float = 0.0  # of the time of the steps, spent waiting for their batches


Keep = Callable[[Model, Best, list[Row], Checkpoint], None]  # called after each validation


class Trainer:
    """Trains one model on samples by a plan.

    Args:
        model: what to train; its network is changed in place.
        plan: how.
        train: samples with masks.
        val: samples with masks; may be empty, then the last weights are the best.
        loss: (logits, target) -> scalar.
        pace: the clock and the number of steps.
        device: where.
        metrics: measured on training batches, averaged between validations.
        watcher: is told what happens.
        keep: called after each validation, to write files.
        keep_last: end with the last weights rather than the best (what Keras users expect).
    """

    def __init__(
        self,
        model: Model,
        plan: Plan,
        train: Sequence[Sample],
        val: Sequence[Sample],
        *,
        loss: Loss,
        pace: Pace,
        device: torch.device,
        metrics: Mapping[str, Metric] | None = None,
        watcher: Watcher | None = None,
        keep: Keep | None = None,
        keep_last: bool = False,
        optimizer: torch.optim.Optimizer | None = None,
    ) -> None:
        self.model, self.plan, self.val = model, plan, val
        self.loss, self.pace, self.device = loss, pace, device
        self.metrics = metrics or {}
        self.watcher = watcher or Watcher()
        self.keep, self.keep_last = keep, keep_last
        self.network = _place(model.network, device, channels_last=plan.channels_last)
        self.average = AveragedWeights(self.network, plan.average_share)
        self.predictor = Predictor(Model(model.config, self.average.network), device=device)
        self.optimizer = optimizer or torch.optim.AdamW(
            self.network.parameters(),
            plan.learning_rate,
            weight_decay=plan.weight_decay,
            fused=True,
        )
        self._rate_factors = [  # an optimizer of several groups keeps their ratios
            group["lr"] / plan.learning_rate for group in self.optimizer.param_groups
        ]
        self.source = PatchSource(
            train,
            crop_size=plan.patch_size and crop_size_for(plan.patch_size, plan.augmentation),
            batch_size=plan.batch_size,
            scaling=plan.scaling,
            foreground_share=plan.foreground_share,
            background=has_background(model.config.task, model.config.class_names),
            seed=plan.seed,
        )
        self.step = 0
        self._validated = -1  # step of the last validation
        self.history: list[Row] = []
        self.warnings: list[str] = []
        self.best = Best(weights=_copy(self.network))
        self._recent: list[Row] = []  # losses and metrics of the steps since the last validation
        self._wait, self._recent_wait = WaitTime(), WaitTime()  # for data: of all, and of those

    def run(self) -> Outcome:
        """Train until the steps are done, the budget is used, or the user asks to stop.

        Raises:
            TrainingError: the loss became NaN or infinite; the model has the best weights so far.
        """
        with noticing_interrupts() as wish, BatchQueue(self.source, self.step) as queue:
            while True:
                stopped = self._why_stop(wish)
                is_due = stopped or self.pace.is_validation_due(self.step)
                if is_due and self.step != self._validated:
                    self._validate()
                    stopped = stopped or self._why_stop(wish)  # it may have taken the time left
                if stopped:
                    break
                started = time.monotonic()
                batch = queue.take()
                waited = time.monotonic() - started
                loss = self._take_step(batch)
                self._note_wait(waited, time.monotonic() - started)
                self.step += 1
                self.average.update(self.network, self.step, self.pace.num_steps)
                self.pace.stepped(self.step, time.monotonic() - started)
                self.watcher.step(self.step, self.pace.num_steps, loss, self._seconds_left())
        self._settle()
        return Outcome(
            self.model,
            self.history,
            self.best.scores,
            self.best.step,
            self.step,
            stopped,
            self.warnings,
            self._wait.share,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""
        self.network.load_state_dict(checkpoint.network)
        self.average.network.load_state_dict(checkpoint.average)
        state = self.optimizer.state_dict()
        state["state"] = checkpoint.optimizer
        self.optimizer.load_state_dict(state)
        for parameter, moments in self.optimizer.state.items():
            for name, moment in moments.items():  # fused updates want the layout of the weights
                if moment.shape == parameter.shape:
                    moments[name] = torch.empty_like(parameter).copy_(moment)
        facts = checkpoint.facts
        self.step, self.history = facts["step"], facts["history"]
        self._validated = self.step
        scores = Scores.from_json(facts["best_scores"]) if facts["best_scores"] else None
        self.best = Best(facts["best_score"], facts["best_step"], checkpoint.best, scores)

    def _why_stop(self, wish: Interruption) -> str:
        """Return why training is to end now, or nothing."""
        if wish.is_asked:
            self.watcher.note(ANSWER)
            return "it was interrupted"
        if self.pace.is_over:
            return "the budget was used"
        if self.step >= self.pace.num_steps:
            return "all steps were done" if self.pace.budget is None else "the budget was used"
        return ""

    def _take_step(self, crops: Batch) -> float:
        """Update the weights by one batch; return its loss."""
        batch = self._prepare(crops)
        rate = learning_rate_at(
            self.step / self.pace.num_steps,
            self.plan.learning_rate,
            warmup_share=self.plan.warmup_share,
            schedule=self.plan.schedule,
        )
        for group, factor in zip(self.optimizer.param_groups, self._rate_factors, strict=True):
            group["lr"] = rate * factor
        self.network.train()
        with autocast(self.device, self.plan.precision):
            logits = self.network(batch.images)
        loss = self.loss(logits.float(), batch.targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.plan.max_gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.max_gradient_norm)
        value = loss.item()
        if not math.isfinite(value):
            self._give_up(value)
        self.optimizer.step()
        with torch.no_grad():
            measured = {
                name: float(metric(logits.detach().float(), batch.targets))
                for name, metric in self.metrics.items()
            }
        self._recent.append({"train_loss": value, **measured, "weight": len(batch.images)})
        return value

    def _note_wait(self, waited: float, seconds: float) -> None:
        """Take note of the seconds of a step, and of those in which it waited for its batch."""
        self._wait.add(waited, seconds)
        self._recent_wait.add(waited, seconds)

    def _prepare(self, crops: Batch) -> Batch:
        """Move a batch of crops to the device and augment it there."""
        batch = Batch(crops.images.to(self.device), crops.targets.to(self.device))
        if self.plan.patch_size is not None:
            generator = torch.Generator().manual_seed((self.plan.seed << 32) + self.step)
            batch = augment(batch, self.plan.patch_size, self.plan.augmentation, generator)
        if self.plan.channels_last:
            images = batch.images.contiguous(memory_format=torch.channels_last)
            batch = Batch(images, batch.targets)
        return batch

    def _validate(self) -> None:
        """Score the averaged weights, keep them where they are the best, tell and write."""
        started = time.monotonic()
        row: Row = {"step": self.step, "seconds": round(self.pace.clock.elapsed, 2)}
        row |= _weighted_means(self._recent)
        self._recent.clear()
        scores = None
        score = float(self.step)  # without validation samples the newest is the best
        if self.val:
            scores, means = validate(self.predictor, self.val, self.loss, self.metrics)
            score = scores.mean_dice if not math.isnan(scores.mean_dice) else -means["loss"]
            row |= {f"val_{name}": value for name, value in means.items()}
            row.setdefault("val_dice", scores.mean_dice)
        row["learning_rate"] = self.optimizer.param_groups[0]["lr"]
        row["data_wait"] = self._recent_wait.share
        self._recent_wait = WaitTime()
        self.history.append(row)
        if score > self.best.score or self.keep_last:
            self.best = Best(score, self.step, _copy(self.average.network), scores)
        self._look_for_overfitting()
        if self.keep is not None:
            kept = Model(self.model.config, self.average.network)
            self.keep(kept, self.best, self.history, self._checkpoint())
        self._validated = self.step
        self.pace.validated(self.step, time.monotonic() - started)
        self.watcher.validated(row)

    def _look_for_overfitting(self) -> None:
        found = find_overfitting(self.history)
        if found:
            found += f" {LAST_KEPT if self.keep_last else BEST_KEPT}"
        if found and not self.warnings:
            self.watcher.note(found)
        if found:
            self.warnings = [found]

    def _checkpoint(self) -> Checkpoint:
        """Everything that going on from here needs."""
        facts: dict[str, Any] = {
            "step": self.step,
            "elapsed": self.pace.clock.elapsed,
            "history": self.history,
            "best_step": self.best.step,
            "best_score": self.best.score,
            "best_scores": self.best.scores and self.best.scores.to_json(),
        }
        return Checkpoint(
            facts,
            self.network.state_dict(),
            self.average.network.state_dict(),
            self.optimizer.state_dict()["state"],
            self.best.weights,
        )

    def _give_up(self, loss: float) -> None:
        """Keep the best weights and say at which step the loss was lost."""
        self._settle()
        kept = (
            f"The weights of step {self.best.step}, the {'last' if self.keep_last else 'best'} "
            "validated ones, were kept"
            if self.best.step
            else "No weights had been validated yet, so those from before training were kept"
        )
        raise TrainingError(
            f"The loss became {loss} at step {self.step + 1}. {kept}. Use a lower learning rate "
            f"(it was {self.optimizer.param_groups[0]['lr']:.3g}), and look for extreme "
            "intensities in the images with `pixelwise check`."
        )

    def _settle(self) -> None:
        """Give the model the weights to keep."""
        self.network.load_state_dict(self.best.weights)
        self.network.eval()

    def _seconds_left(self) -> float:
        return self.pace.seconds_for(self.pace.num_steps - self.step)


def _place(network: UNet, device: torch.device, *, channels_last: bool) -> UNet:
    """Move a network to its device and memory layout."""
    network = network.to(device)
    if channels_last:
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    return network


def _copy(network: UNet) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _weighted_means(rows: Sequence[Mapping[str, float]]) -> Row:
    """Mean of each column over rows, weighted by the number of images; without the weights."""
    total = sum(row["weight"] for row in rows)
    return {
        name: sum(row[name] * row["weight"] for row in rows) / total
        for name in (rows[0] if rows else {})
        if name != "weight"
    }
