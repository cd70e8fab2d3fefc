"""One predictor called by many threads at once gives, bit for bit, what it gives to one.

The number of threads that torch computes with is fixed here: another number may round otherwise.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from tests.export.models import make_model

import pixelwise as pw
from pixelwise.inference import Predictor
from pixelwise.inference.runtimes import OnnxRuntime, OpenVinoRuntime, TorchRuntime
from pixelwise.inference.runtimes.graph import network_graph
from pixelwise.threads import Threads

CPU = torch.device("cpu")
NUM_THREADS, NUM_CALLS = 8, 64
RANDOM = np.random.default_rng(0)
IMAGES = [RANDOM.integers(0, 256, (2, 40 + 8 * n, 50), np.uint8) for n in range(8)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("graphs")


def make_runtime(name, model, folder):
    if name == "torch":
        return TorchRuntime(model, CPU, in_place=True)
    made = {"onnx": OnnxRuntime, "openvino": OpenVinoRuntime}[name]
    return made(network_graph(model, folder))


def call_at_once(call, number=NUM_CALLS):
    """What a function gives for 0, 1, 2 and so on, called by 8 threads."""
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        return list(pool.map(call, range(number)))


@pytest.mark.parametrize("name", ["torch", "onnx", "openvino"])
def test_every_runtime(name, folder):
    model = make_model(widths=(4, 8, 16))
    runtime = make_runtime(name, model, folder)
    model.network.train()  # as training leaves it: batches would be normalized by their own means
    predictor = Predictor(model, runtime=runtime, threads=Threads(CPU, number=2))
    expected = [predictor.probabilities(image) for image in IMAGES]
    masks = [predictor.segment(image) for image in IMAGES]
    found = call_at_once(
        lambda n: (predictor.probabilities(IMAGES[n % 8]), predictor.segment(IMAGES[n % 8]))
    )
    for number, (probabilities, mask) in enumerate(found):
        np.testing.assert_array_equal(probabilities, expected[number % 8])
        np.testing.assert_array_equal(mask, masks[number % 8])
    assert all(module.training for module in model.network.modules())


def test_while_the_number_of_threads_is_being_looked_for():
    """Trials come and go between the calls: nothing fails, and results differ by rounding alone."""
    predictor = Predictor(make_model(), device="cpu", threads=Threads(CPU))
    expected = [predictor.probabilities(image) for image in IMAGES]
    before = torch.get_num_threads()
    for number, found in enumerate(call_at_once(lambda n: predictor.probabilities(IMAGES[n % 8]))):
        np.testing.assert_allclose(found, expected[number % 8], atol=1e-5)
    assert torch.get_num_threads() == before


def test_one_batch_is_computed_at_a_time():
    """The memory that was planned is that of one."""
    running, most = [], []

    class Slow:
        name, device, precision, takes_stored = "torch", CPU, "float32", False

        def __call__(self, batch):
            running.append(1)
            most.append(len(running))
            torch.ones(200, 200) @ torch.ones(200, 200)
            running.pop()
            return batch[:, :1].clamp(0, 1)

    predictor = Predictor(make_model(), runtime=Slow(), threads=Threads(CPU, number=1))
    call_at_once(lambda n: predictor.probabilities(IMAGES[0]))
    assert len(most) == NUM_CALLS
    assert max(most) == 1


def test_a_segmenter_that_many_threads_call_makes_one_predictor(monkeypatch):
    made = []

    class Counted(Predictor):
        def __init__(self, *args, **options):
            made.append(1)
            time.sleep(0.05)  # in which all the others arrive
            super().__init__(*args, **options | {"threads": Threads(CPU, number=1)})

    monkeypatch.setattr("pixelwise.segmenter.segmenter.Predictor", Counted)
    segmenter = pw.unet((None, None, 2), widths=(4, 8), seed=0, device="cpu")
    pictures = [np.moveaxis(image, 0, -1) for image in IMAGES]
    found = call_at_once(lambda n: segmenter.segment(pictures[n % 8]))
    assert len(made) == 1
    for number, mask in enumerate(found):
        np.testing.assert_array_equal(mask, segmenter.segment(pictures[number % 8]))
    assert len(made) == 1
