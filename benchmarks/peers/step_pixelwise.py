"""Training steps of pixelwise itself, from its own training loop.

Options: `door` "train", the loop as `pixelwise train` runs it (bfloat16 and channels-last where the
device has them, gradient limit, averaged weights), on whole images; or "fit", the arrays of the
tutorial. `normalization` in place of the case's.
"""

import time

import numpy as np
import torch
from protocol import Case, read_case, serve
from step_torch import megabytes

import pixelwise as pw
from pixelwise.data import Sample
from pixelwise.device import has_bfloat16
from pixelwise.network import IntensityScaling
from pixelwise.planning import Plan
from pixelwise.task import Task
from pixelwise.training import Clock, Objective, Timetable, Trainer, Watcher, loss_for


class Stopwatch(Watcher):
    """Times the steps after the first, so that what surrounds the loop is left out."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._times: list[float] = []

    def step(self, step: int, num_steps: int, loss: float, seconds_left: float) -> None:
        """Take the time."""
        if self._device.type == "cuda" and step in (1, num_steps):
            torch.cuda.synchronize()
        self._times.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """From the end of the first step to that of the last."""
        return self._times[-1] - self._times[0]


def plan_for(case: Case, normalization: str, num_steps: int, device: torch.device) -> Plan:
    """The decisions that `pixelwise train` makes, without augmentation."""
    return Plan(
        scaling=IntensityScaling(),
        patch_size=None,
        batch_size=case.batch_size,
        widths=case.widths,
        normalization=normalization,
        loss=case.loss,
        learning_rate=1e-3,
        weight_decay=1e-2,
        average_share=0.02,
        num_steps=num_steps,
        validate_every=num_steps,
        precision="bfloat16" if has_bfloat16(device) else "float32",
        channels_last=True,
    )


def main() -> None:
    """Build, then answer."""
    case = read_case()
    device = torch.device(case.device)
    normalization = case.options.get("normalization", case.normalization)
    rng = np.random.default_rng(0)
    images = rng.standard_normal(case.shape, np.float32)
    masks = rng.integers(0, 2, case.shape[:3]).astype(np.uint8)
    model = pw.unet(
        case.shape[1:], widths=case.widths, normalization=normalization, device=case.device
    )
    samples = [
        Sample(str(n), image.transpose(2, 0, 1), mask, None)
        for n, (image, mask) in enumerate(zip(images, masks, strict=True))
    ]

    def run_train(num_steps: int) -> float:
        plan = plan_for(case, normalization, num_steps + 1, device)
        watch = Stopwatch(device)
        Trainer(
            model.model,
            plan,
            samples,
            [],
            objective=Objective(loss_for(plan.loss, Task.BINARY)),
            timetable=Timetable(
                Clock(), num_steps=num_steps + 1, budget=None, validate_every=num_steps + 1
            ),
            device=device,
            watcher=watch,
        ).run()
        return watch.seconds

    def run_fit(num_steps: int) -> float:
        x, y = np.tile(images, (num_steps, 1, 1, 1)), np.tile(masks, (num_steps, 1, 1))
        start = time.perf_counter()
        model.fit(x, y, batch_size=case.batch_size, verbose=False)
        return time.perf_counter() - start

    model.compile("adam", "binary_crossentropy")
    run = run_fit if case.options.get("door") == "fit" else run_train
    facts = {"versions": {"pixelwise": pw.__version__, "torch": torch.__version__}}
    serve(run, facts, lambda: megabytes(case))


if __name__ == "__main__":
    main()
