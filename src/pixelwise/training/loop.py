"""The training loop: one story, in a fixed order: validate, keep, stop, step, log."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.data import Sample
from pixelwise.errors import TrainingError
from pixelwise.inference import Predictor
from pixelwise.inference.evaluate import Counted, summarize_samples
from pixelwise.memory import keeping_freed_memory
from pixelwise.metrics import Scores
from pixelwise.network import Model, UNet
from pixelwise.planning import Plan
from pixelwise.threads import Threads, free_threads, using_threads
from pixelwise.training.batches import Batch, BatchQueue, BatchSource, WaitTime
from pixelwise.training.checkpoint import Best, Checkpoint, Row, State, copy_weights
from pixelwise.training.collapse import CollapseWatch
from pixelwise.training.interrupt import ANSWER, Interruption, noticing_interrupts
from pixelwise.training.objective import Objective
from pixelwise.training.patches import patch_source
from pixelwise.training.postprocessing import Way, WayCounts, choose_way, counts_of
from pixelwise.training.ranks import ALL_DONE, Decision, Ranks
from pixelwise.training.schedule import (
    Plateau,
    Timetable,
    crowding_of,
    find_overfitting,
    find_plateau,
    learning_rate_at,
    learning_rate_until,
)
from pixelwise.training.step import LOSS, LostLoss, Stepper, StepResults, weighted_means
from pixelwise.training.validate import validate
from pixelwise.training.watcher import Watcher

LOSS_STEP = 2  # pixels: of a validation's loss, which decides only where Dice is not defined
ASKED = "it was asked to end"  # by who watches it
MAX_RETREATS = 2  # to the last good state, where the loss was lost
RETREAT_FACTOR = 0.3  # on the learning rate, at each
BEST_KEPT = "The best weights are kept."
FLAT = "validation stopped improving"
NOTHING_LEARNT = (
    "The budget was used before the first step, so this model has learnt nothing. Give a longer "
    "budget, or end other programs that use the processor."
)
LAST_KEPT = "The last weights are kept, not the best ones."


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


class Trainer:
    """Trains one model on samples by a plan.

    Args:
        model: what to train; its network is changed in place.
        plan: how.
        train: samples with masks.
        val: samples with masks; may be empty, then the last weights are the best.
        objective: what is minimized and measured; of several ranks the loss is one of `loss_for`,
            and there are no metrics.
        timetable: the clock and the number of steps.
        device: to train on.
        watcher: is told what happens, and keeps it.
        keep_last: end with the last weights rather than the best (what Keras users expect).
        ranks: processes that train together.
        source: of the batches; None: crops of `train`, as the plan says.
    """

    def __init__(
        self,
        model: Model,
        plan: Plan,
        train: Sequence[Sample],
        val: Sequence[Sample],
        *,
        objective: Objective,
        timetable: Timetable,
        device: torch.device,
        watcher: Watcher | None = None,
        keep_last: bool = False,
        ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
        source: BatchSource | None = None,
    ) -> None:
        self.model, self.plan, self.val = model, plan, val
        self.objective, self.timetable, self.device = objective, timetable, device
        self.watcher, self.keep_last, self.ranks = watcher or Watcher(), keep_last, ranks
        stepper = Stepper(model.single_network, plan, objective, device, ranks=ranks)
        network, average = stepper.network, stepper.average
        best = Best(weights=copy_weights(network))
        self.state = State(network, stepper.heads, average, stepper.optimizer, best)
        self.threads = Threads(device, plan.num_threads, _first_threads(plan, device))
        averaged = Model(model.config, average.network)
        self.predictor = Predictor(
            averaged, device=device, threads=Threads(device, plan.num_threads), in_place=True
        )
        self.source = source or patch_source(model, plan, train, ranks)
        self.warnings: list[str] = []
        self._stepper = stepper
        self._collapse = CollapseWatch(ranks)
        self._first_biases = network.head_biases() if isinstance(network, UNet) else None
        self._overfitting = ""  # what was said of it
        self._good: Checkpoint | None = None  # to go back to; its tensors are copies
        self._num_retreats = 0
        self._results = StepResults(device)
        self._wait, self._recent_wait = WaitTime(), WaitTime()  # for data: of all, and of those

    def run(self) -> Outcome:
        """Train until the steps are done, the budget is used, or the user asks to stop.

        Where the loss becomes NaN or infinite, training goes back to the last validation and on
        from there at a lower learning rate, twice at most.

        Raises:
            TrainingError: the loss was lost too often; the model has the best weights so far.
        """
        self._good = self._good or self.checkpoint().copy()
        with keeping_freed_memory(large=True), noticing_interrupts() as wish:
            while True:
                try:
                    stopped = self._advance(wish)
                    break
                except LostLoss as lost:
                    self._go_back(lost)
                except Exception:
                    self.ranks.ignore_termination()
                    raise
        self._settle()
        best = self.state.best
        if self.state.step == 0 and self.timetable.is_over:
            self.warnings.append(NOTHING_LEARNT)
            self.watcher.note(NOTHING_LEARNT)
        return Outcome(
            model=self.model,
            history=self.state.history,
            scores=best.scores,
            best_step=best.step,
            num_steps=self.state.step,
            stopped=stopped,
            warnings=[*self.warnings, *filter(None, [self._overfitting])],
            data_wait_share=self._wait.share,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""
        self.state.restore(checkpoint)
        self.timetable.resumed(self.state.history)
        self._expect_end()
        self._good = self.checkpoint().copy()

    def _advance(self, wish: Interruption) -> str:
        """Train on until there is a reason to stop, and return it; raise LostLoss."""
        state, timetable = self.state, self.timetable
        with BatchQueue(self.source, self.device, state.step) as queue:
            while True:
                stopped, decision = self._why_stop(wish)
                if (stopped or decision.is_validation_due) and state.step != state.validated_step:
                    self._validate()
                    if not stopped:  # it may have taken the time left
                        stopped, decision = self._why_stop(wish)
                if stopped:
                    return stopped
                if decision.is_checkpoint_due:
                    self._save()
                started = time.monotonic()
                batch = queue.take()
                waited = time.monotonic() - started
                crowding = self._take_step(batch)
                self._note_wait(waited, time.monotonic() - started)
                state.step += 1
                if self._results.is_full:
                    self._collect()
                timetable.stepped(state.step, time.monotonic() - started, crowding)
                self.watcher.step(
                    state.step, timetable.num_steps, self._newest_loss(), self._seconds_left()
                )

    def _why_stop(self, wish: Interruption) -> tuple[str, Decision]:
        """Return why training is to end now, or nothing, and what else is due on every rank."""
        timetable, step = self.timetable, self.state.step
        decision = self.ranks.decide(
            Decision(
                is_asked=wish.is_asked,
                is_over=timetable.is_over,
                is_validation_due=timetable.is_validation_due(step),
                is_checkpoint_due=self.watcher.saves and timetable.is_checkpoint_due,
                num_steps=timetable.num_steps,
            )
        )
        timetable.num_steps = decision.num_steps
        if decision.is_asked:
            self.watcher.note(ANSWER)
        stopped = decision.why_stop(step, has_budget=timetable.budget is not None)
        if self.watcher.wants_end():
            stopped = stopped or ASKED
        if stopped == ALL_DONE and self.plan.schedule == "plateau":
            stopped = FLAT
        return stopped, decision

    def _take_step(self, crops: Batch) -> float:
        """Update the weights by one batch; return how crowded the processor is (see Timetable)."""
        began, computed = time.monotonic(), time.thread_time()
        step, num_steps = self.state.step, self.timetable.num_steps
        rate = self.state.rate_factor * self._learning_rate()
        looks = self.objective.optimizer is None and self._collapse.wants_look(step)
        with self.threads.timed(len(crops.images)):
            measured = self._stepper.take(crops, step, num_steps, rate, look=looks)
        self._results.add(measured)
        if measured.answers is not None:
            self._look_for_collapse(measured.answers)
        if self.device.type != "cpu":
            return 1.0
        return crowding_of(time.monotonic() - began, time.thread_time() - computed)

    def _learning_rate(self) -> float:
        """Of the next step, as planned."""
        plan, step = self.plan, self.state.step
        if plan.schedule == "plateau":
            return learning_rate_until(step, self._find_plateau(), plan.learning_rate)
        return learning_rate_at(
            step / self.timetable.num_steps,
            plan.learning_rate,
            warmup_share=plan.warmup_share,
            schedule=plan.schedule,
        )

    def _expect_end(self) -> None:
        """Where validation ends training, plan for the steps that it now has."""
        if self.plan.schedule == "plateau":
            self.timetable.num_steps = self._find_plateau().end_step

    def _find_plateau(self) -> Plateau:
        return find_plateau(self.state.history, self.plan.validate_every)

    def _collect(self) -> None:
        """Enter the losses of the last steps; raise LostLoss where one is none."""
        self.state.recent += self._results.collect(self.state.step)

    def _newest_loss(self) -> float:
        """The last one that is known: of some devices losses come by the dozen."""
        if self.state.recent:
            return self.state.recent[-1][LOSS]
        return self.state.history[-1][LOSS] if self.state.history else math.nan

    def _note_wait(self, waited: float, seconds: float) -> None:
        """Take note of the seconds of a step, and of those in which it waited for its batch."""
        self._wait.add(waited, seconds)
        self._recent_wait.add(waited, seconds)

    def _validate(self) -> None:
        """Score the averaged weights, keep them where they are the best, tell and write."""
        state = self.state
        self._collect()
        if not state.is_finite:
            raise LostLoss(math.nan, state.step)
        started = time.monotonic()
        row: Row = {"step": state.step, "seconds": round(self.timetable.clock.elapsed, 2)}
        row |= weighted_means(state.recent)
        state.recent.clear()
        scores, counts = None, []
        score, error = float(state.step), 0.0  # without validation samples the newest is the best
        if self.val:
            # last weights were not chosen, and neither is what is made of their probabilities
            ways = None if self.keep_last else WayCounts(self.model.config)
            scores, means = self._score(ways)
            counts = ways.images if ways else []
            gain = choose_way(counts, self.model.config)  # which the kept model would use
            used = self._scores_in(gain.way, counts) if gain else scores
            dice = used.mean["dice"]
            score, error = (dice.mean, dice.standard_error) if dice else (-means["loss"], 0.0)
            row |= {f"val_{name}": value for name, value in means.items()}
            row.setdefault("val_dice", scores.mean_dice)
        row["learning_rate"] = state.optimizer.param_groups[0]["lr"]
        row["data_wait"] = self._recent_wait.share
        self._recent_wait = WaitTime()
        state.history.append(row)
        if self.keep_last or self._is_best(score, error):
            weights = copy_weights(state.average.network)
            state.best = Best(score, state.step, weights, scores, counts)
        self._look_for_overfitting()
        self._expect_end()
        self._good = self.checkpoint().copy()
        newest = Model(self.model.config, state.average.network)
        self.watcher.keep(newest, state.best, state.history, self._good)
        self.timetable.checkpointed()
        self.timetable.validated(state.step, time.monotonic() - started)
        self.watcher.validated(row)

    def _is_best(self, score: float, error: float) -> bool:
        """Whether the newest weights are those to keep; `error` is the score's standard error.

        Later weights are better as a rule, and what earlier ones are ahead by is partly luck of
        few images: over a whole training one standard error of it is forgiven, over half of one
        half.
        """
        best, num_steps = self.state.best, max(1, self.timetable.num_steps)
        return score > best.score - error * (self.state.step - best.step) / num_steps

    def _score(self, ways: WayCounts | None) -> tuple[Scores, dict[str, float]]:
        """Validate; the threads that steps take now are those to begin with."""
        objective = self.objective
        self.predictor.threads.go_on_from(self.threads)
        with using_threads(self.threads.chosen if self.device.type == "cpu" else None):
            return validate(
                self.predictor,
                self.val,
                objective.loss,
                objective.metrics,
                self.ranks,
                ways,
                1 if self.keep_last else LOSS_STEP,
            )

    def _save(self) -> None:
        """Write a checkpoint between validations."""
        started = time.monotonic()
        checkpoint = self.checkpoint()  # on every rank, since it looks at the losses
        if self.watcher.saves:
            self.watcher.save(checkpoint)
        self.timetable.checkpointed(time.monotonic() - started)

    def _look_for_overfitting(self) -> None:
        found = find_overfitting(self.state.history)
        if found:
            found += f" {LAST_KEPT if self.keep_last else BEST_KEPT}"
        if found and not self._overfitting:
            self.watcher.note(found)
        self._overfitting = found or self._overfitting

    def _look_for_collapse(self, answers: Tensor) -> None:
        """Let the last layer start anew where the network gives one class everywhere."""
        assert self._first_biases is not None
        self._collapse.add(answers)
        if self._collapse.is_noticed(self.state.step / self.timetable.num_steps):
            said = self._collapse.restart(self.state, self._first_biases, self.plan.seed)
            self.watcher.note(said)
            self.warnings.append(said)

    def checkpoint(self) -> Checkpoint:
        """Where training stands, between two steps; its tensors are those of the training."""
        self._collect()
        return self.state.to_checkpoint(self.timetable.clock.elapsed)

    def _go_back(self, lost: LostLoss) -> None:
        """Return to the last good state at a lower learning rate, or give up."""
        assert self._good is not None
        rate = self.state.optimizer.param_groups[0]["lr"]
        self._results.clear()
        if self._num_retreats == MAX_RETREATS:
            self._settle()
            said = lost.describe(MAX_RETREATS, self.state.best, rate, keep_last=self.keep_last)
            raise TrainingError(said)
        self._num_retreats += 1
        factor = self.state.rate_factor * RETREAT_FACTOR
        self.state.restore(self._good.copy())
        self.state.rate_factor = factor
        said = (
            f"The loss became {lost.loss} at step {lost.step}. Training went back to step "
            f"{self.state.step}, and goes on at {RETREAT_FACTOR} times the learning rate."
        )
        self.watcher.note(said)
        self.warnings.append(said)

    def _settle(self) -> None:
        """Give the model the weights to keep, and what is clearly best to make of their answers."""
        best = self.state.best
        self.state.network.load_state_dict(best.weights)
        self.state.network.eval()
        gain = choose_way(best.counts, self.model.config)
        if gain is not None:
            self.model = self.model.with_config(**gain.way._asdict())
            best.scores = self._scores_in(gain.way, best.counts)
            self.watcher.note(gain.describe())

    def _scores_in(self, way: Way, counts: Sequence[Counted]) -> Scores:
        config = self.model.config
        return summarize_samples(counts_of(way, counts, config), config)

    def _seconds_left(self) -> float:
        return self.timetable.seconds_for(self.timetable.num_steps - self.state.step)


def _first_threads(plan: Plan, device: torch.device) -> int | None:
    """To begin with where the plan leaves the number open: as many as are free, as measured."""
    if device.type != "cpu" or plan.num_threads is not None:
        return None
    return free_threads(plan.calibration.num_threads if plan.calibration else None)
