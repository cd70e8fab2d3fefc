"""The benchmarks compare like with like: the same network, the same score, honest tables."""

import importlib
import json
import math
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.plans import small_plan

from pixelwise.metrics import count_pixels, summarize
from pixelwise.network import UNet, UNetConfig, cross_entropy_dice_loss
from pixelwise.planning.timing import Calibration, Timing

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
WIDTHS = (4, 8, 16)


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), str(BENCHMARKS / "peers"), *sys.path])


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_the_plain_network_is_that_of_pixelwise(normalization):
    plain_unet = importlib.import_module("plain_unet")
    config = UNetConfig(in_channels=3, out_channels=1, widths=WIDTHS, normalization=normalization)
    ours, plain = UNet(config), plain_unet.PlainUNet(3, WIDTHS, normalization)
    pairs = [
        *zip(ours.encoder, plain.down, strict=False),
        (ours.bottleneck, plain.down[-1]),
        *zip(reversed(ours.decoder), plain.up, strict=True),
        (ours.head, plain.head),
    ]
    for our, other in pairs:
        other.load_state_dict(dict(zip(other.state_dict(), our.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, 16, 24)
    torch.testing.assert_close(plain(images), ours(images))


def test_the_plain_loss_is_that_of_pixelwise():
    plain_unet = importlib.import_module("plain_unet")
    logits, target = torch.randn(2, 1, 8, 8), torch.randint(2, (2, 8, 8))
    ours = cross_entropy_dice_loss(logits, target)
    torch.testing.assert_close(plain_unet.CrossEntropyDice()(logits, target[:, None].float()), ours)


def test_the_loss_of_classes_is_that_of_pixelwise_where_all_are_there():
    plain_unet = importlib.import_module("plain_unet")
    logits = torch.randn(2, 3, 8, 8)
    target = torch.arange(128).view(2, 8, 8) % 3  # a class that a batch lacks is ours to leave out
    plain = plain_unet.ClassesCrossEntropyDice()(logits, target[:, None].float())
    torch.testing.assert_close(plain, cross_entropy_dice_loss(logits, target))


def test_peers_are_scored_by_classes_as_pixelwise_is():
    common = importlib.import_module("common")
    rng = np.random.default_rng(0)
    masks = [rng.integers(0, 3, (6, 7)).astype(np.uint8) for _ in range(4)]
    images = [np.repeat(rng.integers(0, 3, (6, 7, 1)), 3, -1) for _ in masks]
    masks[0][masks[0] == 2] = 0  # neither in mask nor in prediction: left out
    images[0][images[0] == 2] = 0
    counts = [
        count_pixels(image[..., 0].astype(np.uint8), mask, 3)
        for image, mask in zip(images, masks, strict=True)
    ]
    ours = summarize(counts, list("abcd"), ["background", "a", "b"], background=True)
    samples = list(zip(images, masks, strict=True))
    scores = common.score_images(lambda image: image[..., 0], samples, 3)
    assert common.mean_dice(scores) == pytest.approx(ours.mean_dice)
    low, high = common.interval(scores)
    assert low < ours.mean_dice < high


def test_peers_are_scored_as_pixelwise_is():
    common = importlib.import_module("common")
    rng = np.random.default_rng(0)
    masks = [rng.random((5, 6)) > 0.5 for _ in range(3)] + [np.zeros((4, 4), bool)]
    samples = [(rng.random((*m.shape, 3)) > 0.5, m.astype(np.uint8)) for m in masks]
    samples[-1] = (np.zeros((4, 4, 3), bool), samples[-1][1])  # nothing there, nothing found
    counts = [count_pixels(image[..., 0].astype(np.uint8), mask, 2) for image, mask in samples]
    ours = summarize(counts, list("abcd"), ["background", "nucleus"], background=True)
    scores = common.score_images(lambda image: image[..., 0], samples)
    assert common.mean_dice(scores) == pytest.approx(ours.mean_dice)


def test_the_clock_stands_still_while_a_peer_is_validated(tmp_path, monkeypatch):
    common = importlib.import_module("common")
    now = [100.0]
    monkeypatch.setattr(common.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(common, "read_split", lambda *_: [])
    given = {"minutes": 1, "started": 90.0, "data": tmp_path}
    given |= {"test": False, "images": None, "classes": 1, "validations": 4}
    clock = common.Clock(Namespace(**given))
    assert clock.elapsed == 10
    with clock.stopped():
        now[0] += 1000
    assert clock.elapsed == 10
    assert not clock.is_validation_due
    now[0] += 5
    assert clock.is_validation_due  # a quarter of the minute
    now[0] += 45
    assert clock.is_over
    assert clock.learning_rate(1.0) == pytest.approx(0)


def test_small_images_are_mirrored_to_the_size_of_a_crop():
    common = importlib.import_module("common")
    image = np.arange(100 * 300 * 3, dtype=np.uint32).reshape(100, 300, 3)
    crop, mask = common.random_crop((image, image[..., 0]), np.random.default_rng(0))
    assert crop.shape == (192, 192, 3)
    np.testing.assert_array_equal(crop[..., 0], mask)


def test_the_score_is_reached_where_any_run_first_has_it():
    time_to_score = importlib.import_module("time_to_score")
    runs = {
        "pixelwise": {
            1.0: [{"seconds": 60.0, "dice": 0.85}],
            2.0: [{"seconds": 60.0, "dice": 0.7}, {"seconds": 115.0, "dice": 0.9}],
        },
        "peer": {
            1.0: [{"seconds": 60.0, "dice": 0.5}],
            2.0: [{"seconds": 60.0, "dice": 0.6}, {"seconds": 120.0, "dice": 0.8}],
        },
    }
    heads, _, ours, peer = time_to_score.table(runs, None).splitlines()
    assert heads == "| | 1 min | 2 min | s to 0.800 | test |"
    assert ours == "| pixelwise | 0.850 | 0.900 | 60 |  |"
    assert peer == "| peer | 0.500 | 0.800 | 120 |  |"


def test_of_equal_lines_the_one_with_a_test_score_is_the_best():
    time_to_score = importlib.import_module("time_to_score")
    lines = [{"dice": 0.9000000001}, {"dice": 0.9, "test_dice": 0.8}, {"dice": 0.7}]
    assert time_to_score.best(lines) == lines[1]


def test_shares_of_the_peak_are_of_the_work_that_all_do():
    training = importlib.import_module("training")

    def row(seconds, gflop=None, own_network=False):
        return {
            "seconds": seconds,
            "images_per_second": 4 / seconds,
            "gflop": gflop,
            "own_network": own_network,
            "megabytes": 1000.0,
        }

    rows = {
        "bfloat16": row(0.1, 80),  # 800 GFLOP/s
        "float32": row(0.1, 40),
        "pixelwise train": row(0.5),
        "PyTorch, plain": row(1.0, 200),
        "smp.Unet": row(0.25, 50, own_network=True),
    }
    lines = training.table({"case": "unet-4", "load": [1.0, 2.0], "rows": rows}).splitlines()
    assert "800 GFLOP/s bfloat16, 400 float32; load average 1.0 to 2.0" in lines[0]
    assert lines[4] == "| pixelwise train | 500.0 | 8.00 | 1.00 | 50 % | 100 % | 1000 |"
    assert lines[5] == "| PyTorch, plain | 1000.0 | 4.00 | 2.00 | 25 % | 50 % | 1000 |"
    assert lines[6].startswith("| smp.Unet (other network, 50 GFLOP) | 250.0 | 16.00 | 0.50 | 25 %")


def test_steps_beside_other_programs_are_shares_of_those_alone():
    busy = importlib.import_module("busy")
    steps = {("pixelwise", 0): [700, 800], ("pixelwise", 2): [360, 390], ("PyTorch", 0): [400]}
    heads, _, ours, peer = busy.table(steps | {("PyTorch", 2): [30]}, [0, 2]).splitlines()
    assert heads == "| | alone | beside 2 |"
    assert ours == "| pixelwise | 750 (100 %) | 375 (50 %) |"
    assert peer == "| PyTorch | 400 (100 %) | 30 (8 %) |"


def test_programs_beside_a_training_are_ended_with_it():
    busy = importlib.import_module("busy")
    with pytest.raises(ZeroDivisionError), busy.beside(2) as programs:
        assert all(program.poll() is None for program in programs)
        1 / 0  # noqa: B018
    assert all(program.poll() is not None for program in programs)


def test_nothing_in_both_is_no_score():
    common = importlib.import_module("common")
    nothing = np.zeros((2, 2), bool)
    assert math.isnan(common.dice(nothing, nothing))
    assert common.dice(nothing, ~nothing) == 0


def test_the_script_for_gpus_runs_without_one():
    script = [sys.executable, str(BENCHMARKS / "gpu.py"), "--device", "cpu", "--quick"]
    done = subprocess.run(
        [*script, "--seconds", "10"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| 4 to 16, 64 x 64, ") == 4
    for part in ("Peak of a 3x3", "Training of 10 s", "Prediction of 256 x 256"):
        assert part in done.stdout


class TestPanel:
    def row(self, name, peer, dice, minutes=2.0, seed=0):
        key = {"set": name, "peer": peer, "minutes": minutes, "seed": seed, "seconds": 121}
        return key | {"test_dice": dice, "test_low": dice - 0.1, "test_high": dice + 0.1}

    def test_seeds_are_averaged_and_gaps_are_to_the_best_peer(self):
        panel = importlib.import_module("panel")
        rows = [
            self.row("a", "pixelwise", 0.8), self.row("a", "pixelwise", 0.9, seed=1),
            self.row("a", "MONAI", 0.7), self.row("a", "PyTorch", 0.6),
            self.row("b", "pixelwise", 0.5), self.row("b", "MONAI", 0.6),
            self.row("b", "MONAI", 0.9, minutes=5.0),
        ]  # fmt: skip
        heads, _, first, second, _, summary = panel.table(rows, 2.0).splitlines()
        assert heads == "| 2 min | pixelwise | PyTorch | MONAI | ahead of the best peer | rank |"
        assert first.startswith("| a | 0.850 [0.700, 0.900] (0.800, 0.900) 121 s | 0.600 ")
        assert first.endswith("| +0.150 | 1 of 3 |")
        assert "| not measured |" in second
        assert second.endswith("| -0.100 | 2 of 2 |")
        assert summary == "2 min: median +0.025, worst -0.100 (b), 2 sets."

    def test_what_was_done_is_not_done_again(self, tmp_path, monkeypatch, capsys):
        panel = importlib.import_module("panel")
        for name in ("a", "b"):
            (tmp_path / "data" / name / "train").mkdir(parents=True)
        results = tmp_path / "rows.jsonl"
        results.write_text(json.dumps(self.row("a", "MONAI", 0.7)) + "\n")
        trained = []

        def train(peer, minutes, options):
            trained.append((options.data.name, peer, minutes, options.seed))
            return [{"dice": 0.5, "test_dice": 0.5, "test_low": 0.4, "test_high": 0.6}]

        monkeypatch.setattr(panel, "train", train)
        options = ["--minutes", "2", "--seeds", "1", "--peers", "MONAI", "--results", str(results)]
        for _ in range(2):
            monkeypatch.setattr(sys, "argv", ["panel.py", str(tmp_path / "data"), *options])
            panel.main()
        assert trained == [("b", "MONAI", 2.0, 0)]
        assert len(results.read_text().splitlines()) == 2
        assert "| b | 0.500" in capsys.readouterr().out


def test_a_forecast_stands_beside_what_was_done(monkeypatch, tmp_path):
    """Of 200 steps in 60 s 150 were done in 61.5 s."""
    forecast = importlib.import_module("forecast")
    now, run = [0.0], tmp_path / "run"

    def pretend(command, **_):
        assert command[3:] == [
            "train", "data/cells", "--out", str(run), "--budget", "60s", "--seed", "3",
        ]  # fmt: skip
        now[0] += 61.5
        timing = {"batch_size": 2, "widths": (4, 8), "precision": "float32", "channels_last": False}
        calibration = Calibration(
            device="cpu", num_threads=1, seconds_per_step=0.1, seconds_per_validation=1.0,
            num_steps=200, timings=[Timing(**timing, seconds_per_step=0.1)],
        )  # fmt: skip
        run.mkdir()
        (run / "plan.yaml").write_text(small_plan(calibration=calibration).to_yaml())
        (run / "history.csv").write_text("step,val_dice\n100,0.5\n150,0.75\n")

    monkeypatch.setattr(forecast.subprocess, "run", pretend)
    monkeypatch.setattr(forecast.time, "monotonic", lambda: now[0])
    row = forecast.train(Path("data/cells"), 1.0, 3, run)
    assert row == "| cells | 1 min | 200 | 150 | -25% | 61.5 s | +2.5% | 0.750 |"
