"""On an NVIDIA GPU everything gives what it gives on a CPU. Skipped where there is none."""

import csv
import signal
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from tests.plans import small_plan

import pixelwise as pw
from pixelwise import PlanError
from pixelwise.data import Sample
from pixelwise.device import has_bfloat16, pick_device
from pixelwise.inference import Predictor
from pixelwise.network import IntensityScaling, Model, ModelConfig, UNet, UNetConfig
from pixelwise.planning import parse_plan
from pixelwise.task import Task
from pixelwise.training import Watcher, loss_for
from pixelwise.training.batches import Batch
from pixelwise.training.checkpoint import Best, State
from pixelwise.training.objective import Objective
from pixelwise.training.step import Stepper

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")


@pytest.fixture(autouse=True)
def exact():
    """Convolutions in float32, not in tensor cores' shorter format, and the same every time."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False, deterministic=True):
        yield


@pytest.fixture
def data(tmp_path):
    """A folder of twelve pictures of discs."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :80]
    for number in range(12):
        mask = np.zeros((64, 80), bool)
        for row, column, radius in random.integers((10, 10, 5), (54, 70, 10), (4, 3)):
            mask |= (rows - row) ** 2 + (columns - column) ** 2 < radius**2
        image = (mask * 120 + random.integers(0, 60, mask.shape)).astype(np.uint8)
        for kind, pixels in (("images", image), ("masks", mask * np.uint8(255))):
            path = tmp_path / "data" / kind / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return tmp_path / "data"


def history(run):
    with (run / "history.csv").open() as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def make_model(task, dims=2, precision="float32", **options):
    torch.manual_seed(0)
    network = UNetConfig(
        in_channels=2, out_channels=task.num_logits(3), widths=(8, 16, 32), spatial_dims=dims
    )
    names = ("background", "a", "b")[: task.num_classes(network.out_channels)]
    config = ModelConfig(
        network=network,
        scaling=IntensityScaling(scheme="percentiles"),
        task=task,
        class_names=names,
        class_colors=("#000000",) * len(names),
        precision=precision,
        **options,
    )
    return Model(config, UNet(network))


def test_auto_takes_the_gpu():
    assert pick_device("auto").type == "cuda"
    with pytest.raises(PlanError, match="cuda:99"):
        pick_device("cuda:99")


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS, Task.MULTILABEL])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    "options", [{}, {"tile_size": 32}, {"tta": True}], ids=["whole", "tiles", "tta"]
)
def test_probabilities(task, dims, options):
    model = make_model(task, dims)
    size = (50, 70) if dims == 2 else (20, 40, 36)
    image = np.random.default_rng(0).integers(0, 255, (2, *size), dtype=np.uint8)
    on_cpu = Predictor(model, device="cpu", **options).probabilities(image)
    on_gpu = Predictor(model, device="cuda", **options).probabilities(image)
    assert next(model.network.parameters()).device.type == "cpu"  # that of the caller stays
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-4)


def test_probabilities_in_bfloat16():
    """Rounding differs; classes do in a few pixels where two of them are as likely."""
    if not has_bfloat16(torch.device("cuda")):
        pytest.skip("this GPU emulates bfloat16")
    model = make_model(Task.MULTICLASS, precision="bfloat16")
    image = np.random.default_rng(0).integers(0, 255, (2, 160, 160), dtype=np.uint8)
    on_cpu = Predictor(make_model(Task.MULTICLASS), device="cpu").probabilities(image)
    on_gpu = Predictor(model, device="cuda").probabilities(image)
    np.testing.assert_allclose(on_gpu, on_cpu, atol=0.05)
    assert (on_gpu.argmax(0) == on_cpu.argmax(0)).mean() > 0.95


def test_a_working_scale_below_1():
    model = make_model(Task.BINARY, working_scale=0.5)
    image = np.random.default_rng(0).integers(0, 255, (2, 61, 75), dtype=np.uint8)
    on_cpu = Predictor(model, device="cpu").probabilities(image)
    on_gpu = Predictor(model, device="cuda").probabilities(image)
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-4)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("loss", ["cross_entropy_dice", "dice", "cross_entropy", "focal"])
def test_losses_fall_as_on_the_cpu(data, tmp_path, loss, optimizer):
    """The same crops and weights: the losses agree but for rounding."""
    plan = small_plan(
        loss=loss, optimizer=optimizer, num_steps=12, validate_every=6, deep_supervision=1,
        learning_rate=5e-3,
    )  # fmt: skip
    found = {}
    for device in ("cpu", "cuda"):
        pw.train(data, tmp_path / device, plan=plan, device=device, progress=False)
        found[device] = [row["train_loss"] for row in history(tmp_path / device)]
    np.testing.assert_allclose(found["cuda"], found["cpu"], rtol=0.02)


def test_from_data_to_masks(data, tmp_path):
    """Train by the tool's own plan, score and predict on the GPU; the CPU finds the same."""
    run = tmp_path / "run"
    pw.train(data, run, budget="25s", device="cuda", progress=False)
    assert parse_plan((run / "plan.yaml").read_text()).calibration.device == "cuda"
    dice, read = {}, {}
    for device in ("cuda", "cpu"):
        scores = pw.evaluate(run, data, split="val", device=device, progress=False)
        dice[device] = scores.mean_dice
        out = tmp_path / device
        pw.predict(run, data / "images", out, device=device, progress=False)
        read[device] = np.stack([np.asarray(Image.open(p)) for p in sorted(out.rglob("*.png"))])
    assert dice["cuda"] > 0.95
    assert abs(dice["cuda"] - dice["cpu"]) < 0.002
    assert ((read["cuda"] > 0) == (read["cpu"] > 0)).mean() > 0.999
    truth = np.stack([np.asarray(Image.open(p)) for p in sorted((data / "masks").iterdir())])
    assert ((read["cuda"] > 0) == (truth > 0)).mean() > 0.97


@pytest.mark.parametrize(("first", "then"), [("cuda", "cpu"), ("cpu", "cuda")])
def test_resumed_on_the_other_device(data, tmp_path, first, then):
    """A training that was interrupted goes on wherever there is a place."""
    plan = small_plan(num_steps=40, validate_every=10, learning_rate=5e-3)

    class Stop(Watcher):
        def step(self, step, num_steps, loss, seconds_left):
            if step == 25:
                signal.raise_signal(signal.SIGINT)

    part = pw.train(data, tmp_path / "run", plan=plan, device=first, watcher=Stop())
    assert part.stopped == "it was interrupted"
    run = pw.train(data, tmp_path / "run", resume=True, device=then, progress=False)
    assert run.num_steps == 40
    losses = [row["train_loss"] for row in history(tmp_path / "run")]
    assert losses[-1] < losses[0]


def test_on_the_cpu_nothing_touches_the_gpu(data, tmp_path):
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.max_memory_allocated()
    pw.train(data, tmp_path / "run", plan=small_plan(), device="cpu", progress=False)
    pw.evaluate(tmp_path / "run", data, split="val", device="cpu", progress=False)
    pw.predict(tmp_path / "run", data / "images", tmp_path / "masks", device="cpu", progress=False)
    assert torch.cuda.max_memory_allocated() == before


def test_a_segmenter(tmp_path):
    random = np.random.default_rng(0)
    masks = np.zeros((8, 32, 32, 1), np.uint8)
    for mask, (row, column) in zip(masks, random.integers(0, 20, (8, 2)), strict=True):
        mask[row : row + 12, column : column + 12] = 1
    images = (masks + random.normal(0, 0.1, masks.shape)).astype(np.float32)
    model = pw.unet((32, 32, 1), widths=(8, 16), seed=0, device="cuda")
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(images, masks, epochs=60, batch_size=4, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0] / 2
    model.save(tmp_path / "model.safetensors")
    again = pw.load(tmp_path / "model.safetensors", device="cpu")
    np.testing.assert_allclose(again.predict(images), model.predict(images), atol=0.02)


def test_samples_of_one_device(data):
    """Arrays of the CPU go in and come out, whatever computes."""
    sample = Sample("a", np.zeros((2, 32, 32), np.uint8), None, None)
    mask = Predictor(make_model(Task.BINARY), device="cuda").segment(sample.image)
    assert isinstance(mask, np.ndarray) and mask.dtype == np.uint8


class Steps:
    """Steps of a small training: on random batches, one in three smaller than the others."""

    def __init__(self, optimizer):
        plan = small_plan(optimizer=optimizer, deep_supervision=1, average_share=0.5)
        torch.manual_seed(0)
        network = UNet(UNetConfig(in_channels=2, out_channels=1, widths=(8, 16)))
        objective = Objective(loss_for("cross_entropy_dice", Task.BINARY))
        self.stepper = Stepper(network, plan, objective, torch.device("cuda"))
        stepper = self.stepper
        self.state = State(
            stepper.network, stepper.heads, stepper.average, stepper.optimizer, Best()
        )

    def take(self, *numbers):
        losses = []
        for number in numbers:
            random = torch.Generator().manual_seed(number)
            images = torch.randn(3 if number % 3 == 2 else 4, 2, 32, 32, generator=random)
            batch = Batch(images, (images[:, 0] > 0).byte())
            losses.append(self.stepper.take(batch, number, 30, 0.01 / (1 + number)).loss.item())
        return losses

    def averages(self):
        return torch.cat([each.flatten() for each in self.state.average.network.parameters()])


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_recorded_steps(monkeypatch, optimizer):
    """The loss of each step and the averaged weights are those of steps call by call."""
    recorded, usual = Steps(optimizer), Steps(optimizer)
    found = recorded.take(*range(12))
    assert recorded.stepper._recorded._graph is not None
    monkeypatch.setattr("pixelwise.training.recorded.NUM_USUAL", 1000)
    np.testing.assert_allclose(found, usual.take(*range(12)), rtol=1e-3)
    assert usual.stepper._recorded._graph is None
    difference = (recorded.averages() - usual.averages()).abs().max()
    assert difference < 2e-3
    assert found[-1] < found[0]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_recorded_steps_after_going_back(optimizer):
    """What was recorded before does not move what was put in place of it."""
    steps = Steps(optimizer)
    steps.take(*range(7))
    kept = steps.state.to_checkpoint(0.0).copy()
    first = steps.take(*range(7, 14))
    steps.state.restore(kept)
    np.testing.assert_allclose(steps.take(*range(7, 14)), first, rtol=1e-3)


def test_what_cannot_be_recorded():
    """A loss that looks at a value is computed call by call."""
    steps = Steps("adamw")
    usual = steps.stepper._loss
    steps.stepper._loss = lambda logits, target: (
        usual(logits, target) + 0 * logits.detach().max().item()
    )
    losses = steps.take(*range(9))
    assert not steps.stepper._recorded.is_possible
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def test_batches_are_prepared_while_a_step_is_recorded():
    """Memory of new sizes is pinned all the while, which the whole process may else not do."""
    is_over, errors = threading.Event(), []

    def pin():
        number = 0
        while not is_over.is_set():
            number += 1
            try:
                torch.empty(4096 * number).pin_memory()
            except RuntimeError as error:
                errors.append(error)

    thread = threading.Thread(target=pin)
    thread.start()
    try:
        for _ in range(5):
            steps = Steps("muon")
            steps.take(*range(6))
            assert steps.stepper._recorded._graph is not None
    finally:
        is_over.set()
        thread.join()
    assert not errors
