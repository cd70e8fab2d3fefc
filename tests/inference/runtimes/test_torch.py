"""The runtime: what computes can be exchanged, and the caller's network is left alone."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from pixelwise.inference import Predictor, TorchRuntime
from pixelwise.network import IntensityScaling, Model, ModelConfig, UNet, UNetConfig, evaluating
from pixelwise.task import Task

CPU = torch.device("cpu")


def make_model(task=Task.MULTICLASS, **options):
    torch.manual_seed(0)
    network = UNetConfig(in_channels=2, out_channels=task.num_logits(3), widths=(4, 8))
    names = ("background", "a", "b")[: task.num_classes(network.out_channels)]
    config = ModelConfig(
        network=network, scaling=IntensityScaling(), task=task, class_names=names,
        class_colors=("#000000",) * len(names), **options,
    )  # fmt: skip
    return Model(config, UNet(network))


IMAGE = np.random.default_rng(0).random((2, 16, 24), np.float32)


def layouts(network):
    return [weight.stride() for weight in network.parameters()]


def test_the_network_of_the_caller_is_not_moved_nor_changed_of_mode():
    model = make_model()
    before = layouts(model.network)
    model.network.train()
    Predictor(model, device="cpu").probabilities(IMAGE)
    assert layouts(model.network) == before
    assert model.network.training


@pytest.mark.parametrize("fails", [False, True])
def test_a_network_partly_in_training_is_so_afterwards(fails):
    """A head that trains on a frozen encoder; also where the computation breaks off."""
    network = make_model().single_network.eval()
    network.head.train()
    with pytest.raises(ZeroDivisionError) if fails else nullcontext(), evaluating(network):
        assert not any(module.training for module in network.modules())
        _ = 1 / (not fails)
    assert [name for name, module in network.named_modules() if module.training] == ["head"]


def test_in_place_it_is_and_gives_the_same():
    kept, moved = make_model(), make_model()
    expected = Predictor(kept, device="cpu").probabilities(IMAGE)
    found = Predictor(moved, device="cpu", in_place=True).probabilities(IMAGE)
    np.testing.assert_array_equal(found, expected)
    assert layouts(moved.network) != layouts(kept.network)


def test_in_place_it_computes_with_the_weights_of_the_moment():
    model = make_model()
    predictor = Predictor(model, device="cpu", in_place=True)
    before = predictor.probabilities(IMAGE)
    with torch.no_grad():
        model.single_network.head.bias += torch.tensor([0.0, 9.0, 0.0])
    assert (predictor.probabilities(IMAGE)[1] > before[1]).all()


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS, Task.MULTILABEL])
def test_probabilities_of_a_batch(task):
    batch = torch.from_numpy(IMAGE)[None]
    model = make_model(task)
    with torch.inference_mode():
        logits = model.network.eval()(batch)
        found = TorchRuntime(model, CPU)(batch)
    expected = logits.softmax(1) if task is Task.MULTICLASS else logits.sigmoid()
    torch.testing.assert_close(found, expected)


class Shares:
    """A runtime that has no network: the first channel is the probability."""

    device = CPU
    takes_stored = False

    def __init__(self):
        self.shapes = []

    def __call__(self, batch):
        self.shapes.append(tuple(batch.shape))
        return batch[:, :1].clamp(0, 1)


@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize("tile_size", [None, 8])
def test_another_runtime_gets_tiles_and_gives_what_is_blended(tile_size, tta):
    runtime = Shares()
    predictor = Predictor(make_model(Task.BINARY), tile_size=tile_size, tta=tta, runtime=runtime)
    found = predictor.probabilities(IMAGE)
    np.testing.assert_allclose(found[0], IMAGE[0], atol=1e-6)
    assert {shape[2:] for shape in runtime.shapes} == {(8, 8) if tile_size else (16, 24)}
    assert (len(runtime.shapes) > 3) == (tile_size is not None or tta)


def test_a_runtime_works_at_the_working_size():
    runtime = Shares()
    model = make_model(Task.BINARY, working_scale=0.5)
    assert Predictor(model, runtime=runtime).probabilities(IMAGE).shape == (1, 16, 24)
    assert runtime.shapes == [(1, 2, 8, 12)]
