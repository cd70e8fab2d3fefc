"""Two ranks against one: gradients of every loss, a training, its validation.

    torchrun --nproc-per-node 2 tests/training/sharing.py FILE

Each rank computes both; the first one writes to FILE (JSON) what the tests look at.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from pixelwise.data import Sample
from pixelwise.network import IntensityScaling, Model, ModelConfig, UNet, UNetConfig
from pixelwise.planning import Augmentation, Plan
from pixelwise.task import Task
from pixelwise.training import Clock, Ranks, Timetable, Trainer, joined_ranks, loss_for
from pixelwise.training.objective import Objective
from pixelwise.training.ranks import Decision

CPU = torch.device("cpu")
CHANNELS = {Task.BINARY: 1, Task.MULTICLASS: 3, Task.MULTILABEL: 2}
PLAN = Plan(
    scaling=IntensityScaling(scheme="percentiles"),
    patch_size=(16, 16),
    batch_size=3,  # shares of 1 and 2
    widths=(4, 8, 8),
    deep_supervision=1,
    normalization="instance",
    loss="cross_entropy_dice",
    foreground_share=0.5,
    augmentation=Augmentation(
        flip_vertical=True, rotation_degrees=20, elastic_px=1, noise=0.2, gamma=1.5, blur_px=1
    ),
    learning_rate=0.1,
    average_share=0.1,
    num_steps=9,
    validate_every=5,
)


def gradients(ranks, name, task, num_images):
    """Loss and gradients of a batch of which each rank has its share; a quarter is ignored."""
    torch.manual_seed(0)
    network = UNet(
        UNetConfig(in_channels=1, out_channels=CHANNELS[task], widths=(4, 8), normalization="group")
    )
    images = torch.randn(num_images, 1, 8, 8)
    shape = (num_images, 2, 8, 8) if task == Task.MULTILABEL else (num_images, 8, 8)
    targets = torch.randint(0, 3 if task == Task.MULTICLASS else 2, shape).to(torch.uint8)
    targets[..., :4, :4] = 255
    start, stop, _ = ranks.share(num_images)
    if start == stop:  # as PatchSource does
        start, stop = 0, 1
        targets = torch.full_like(targets, 255)
    weights = (0.5, 1.0, 2.0) if task == Task.MULTICLASS else None
    loss = ranks.over_batch(loss_for(name, task, class_weights=weights))
    wrapped = ranks.wrap(network, CPU)  # it must live until the gradients are there
    value = loss(wrapped(images[start:stop]), targets[start:stop])
    value.backward()
    return [value.detach(), *(parameter.grad for parameter in network.parameters())]


def compare_gradients(ranks, num_images):
    """By loss and task: the largest difference, and the largest gradient."""
    found = {}
    for name in ("cross_entropy", "dice", "cross_entropy_dice", "focal", "tversky"):
        for task in CHANNELS:
            ours = gradients(ranks, name, task, num_images)
            alone = gradients(Ranks(), name, task, num_images)
            difference = max(float((a - b).abs().max()) for a, b in zip(ours, alone, strict=True))
            found[f"{name} {task}"] = difference, max(float(a.abs().max()) for a in alone[1:])
    return found


def samples(number, seed):
    """A bright square on a dark, noisy field, with its mask."""
    rng = np.random.default_rng(seed)
    result = []
    for index in range(number):
        mask = np.zeros((24, 24), np.uint8)
        top, left = rng.integers(0, 16, 2)
        mask[top : top + 8, left : left + 8] = 1
        image = (rng.normal(50, 5, mask.shape) + 100 * mask).astype(np.uint8)
        result.append(Sample(f"{seed}-{index}", image[None], mask, None))
    return result


def train(ranks, budget=None, change=lambda trainer: None):
    """Train on 7 samples (the last batch of an epoch is one image) and validate on 3."""
    torch.manual_seed(1)
    config = ModelConfig(
        network=UNetConfig(
            in_channels=1, out_channels=1, widths=PLAN.widths, normalization="instance"
        ),
        scaling=PLAN.scaling,
        task=Task.BINARY,
        class_names=("background", "square"),
        class_colors=("#000000", "#ffffff"),
    )
    model = Model(config, UNet(config.network))
    trainer = Trainer(
        model,
        PLAN,
        samples(7, seed=0),
        samples(3, seed=1),
        objective=Objective(
            loss_for("cross_entropy_dice", Task.BINARY),
            optimizer=torch.optim.SGD(model.network.parameters(), PLAN.learning_rate, momentum=0.9),
        ),
        timetable=Timetable(Clock(), num_steps=PLAN.num_steps, budget=budget, validate_every=5),
        device=CPU,
        ranks=ranks,
    )
    change(trainer)
    return trainer, trainer.run()


def weights_of(trainer):
    """All newest and averaged weights, (N,)."""
    networks = trainer.state.network, trainer.state.average.network
    return torch.cat([w.flatten() for network in networks for w in network.state_dict().values()])


def is_same_on_all(ranks, trainer):
    """Whether the weights of all ranks are the same, bit for bit."""
    return len(set(ranks.gather([weights_of(trainer).numpy().tobytes()]))) == 1


def train_by_the_clock(ranks):
    """The clocks of two ranks differ; the learning rate follows from the clock."""
    trainer, outcome = train(ranks, budget=1.0)
    return {
        "same_on_all": is_same_on_all(ranks, trainer),
        "num_steps": ranks.gather([outcome.num_steps]),
        "validated": ranks.gather([[row["step"] for row in outcome.history]]),
        "stopped": outcome.stopped,
    }


def lose_the_loss(ranks):
    """NaN at half the size after step 7, asked for at step 20, or where the first rank writes."""

    written = []

    def change(trainer):
        trainer._results._every, loss = 20, trainer._stepper._loss
        steps = []

        def lose_sixteenth(logits, target):
            steps.append(loss(logits, target))
            return steps[-1] * (np.nan if len(steps) == 16 else 1)

        trainer._stepper._loss = lose_sixteenth
        trainer.watcher.saves = ranks.is_first
        trainer.watcher.save = lambda checkpoint: written.append(checkpoint)
        type(trainer.timetable).is_checkpoint_due = True

    trainer, outcome = train(ranks, change=change)
    return {
        "same_on_all": is_same_on_all(ranks, trainer),
        "warnings": outcome.warnings,
        "has_written": ranks.gather([bool(written)]),
    }


def compare_trainings(ranks):
    """What two ranks give, and one."""
    trainer, outcome = train(ranks)
    alone, outcome_alone = train(Ranks())
    return {
        "same_on_all": is_same_on_all(ranks, trainer),
        "weights": float((weights_of(trainer) - weights_of(alone)).abs().max()),
        "losses": [[row["train_loss"] for row in o.history] for o in (outcome, outcome_alone)],
        "val_losses": [[row["val_loss"] for row in o.history] for o in (outcome, outcome_alone)],
        "names": [list(o.scores.names) for o in (outcome, outcome_alone)],
        "counts": [o.scores.counts.tolist() for o in (outcome, outcome_alone)],
        "scores": [o.scores.to_json() for o in (outcome, outcome_alone)],
    }


def main():
    ranks = joined_ranks()
    device = ranks.pick_device("auto")
    found = {
        "number": ranks.world_size,
        "device": ranks.describe(device),
        "first": ranks.broadcast(lambda: ranks.rank),
        "turn": ranks.decide(  # the last one hears Ctrl-C, and has a clock of its own
            Decision(
                is_asked=not ranks.is_first,
                is_over=False,
                is_validation_due=ranks.is_first,
                is_checkpoint_due=not ranks.is_first,
                num_steps=7 + ranks.rank,
            )
        ),
        "gathered": ranks.gather([f"{ranks.rank}{i}" for i in range(3 - ranks.rank)]),
        "unequal": compare_gradients(ranks, 3),
        "empty": compare_gradients(ranks, 1),
        "training": compare_trainings(ranks),
        "by_the_clock": train_by_the_clock(ranks),
        "lost": lose_the_loss(ranks),
    }
    found = ranks.gather([found])[-1]  # what the last one saw
    if ranks.is_first:
        Path(sys.argv[1]).write_text(json.dumps(found))


main()
