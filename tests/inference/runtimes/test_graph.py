"""Graphs that are kept beside a model: found again, and never used where they are not its own."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.export.models import make_model

from pixelwise.errors import ModelFileError
from pixelwise.inference.runtimes import OnnxRuntime, OpenVinoRuntime, graph
from pixelwise.inference.runtimes.graph import network_graph

DATA = b"a graph"


@pytest.fixture
def made(monkeypatch):
    """Counts how often a graph is made, which is quick here."""
    counts = []

    class Message:
        def SerializeToString(self):
            return DATA

    def make(module, in_channels):
        counts.append(in_channels)
        return Message()

    monkeypatch.setattr(graph, "to_onnx", make)
    return counts


def only_file(folder):
    (path,) = (folder / ".compiled").iterdir()
    return path


def test_it_is_made_once_for_the_same_weights(made, tmp_path):
    assert network_graph(make_model(), tmp_path) == DATA
    assert network_graph(make_model(), tmp_path) == DATA
    assert made == [2]


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"activation": "leaky_relu"}, {"num_members": 2}], ids=str
)
def test_it_is_another_one_for_another_network(made, tmp_path, other):
    network_graph(make_model(), tmp_path)
    network_graph(make_model(**other), tmp_path)
    assert len(made) == 2


@pytest.mark.parametrize("library", ["pixelwise", "torch"])
def test_it_is_another_one_for_another_version(made, tmp_path, library, monkeypatch):
    network_graph(make_model(), tmp_path)
    monkeypatch.setattr(f"{library}.__version__", "99.0")
    network_graph(make_model(), tmp_path)
    assert len(made) == 2


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_made_again(made, tmp_path, data):
    network_graph(make_model(), tmp_path)
    path = only_file(tmp_path)
    content = path.read_bytes()
    kept = data.draw(st.integers(0, len(content) - 1))
    changed = data.draw(st.sampled_from([b"", bytes([content[kept] ^ 1]) + content[kept + 1 :]]))
    path.write_bytes(content[:kept] + changed)
    made.clear()
    assert network_graph(make_model(), tmp_path) == DATA
    assert made == [2]
    assert path.read_bytes() == content


def test_a_file_under_the_name_of_another_is_made_again(made, tmp_path):
    network_graph(make_model(), tmp_path)
    own = only_file(tmp_path)
    content = own.read_bytes()
    own.unlink()
    network_graph(make_model(seed=1), tmp_path)
    only_file(tmp_path).rename(own)
    made.clear()
    network_graph(make_model(), tmp_path)
    assert made == [2]
    assert own.read_bytes() == content


def test_a_folder_that_cannot_be_written_to_is_no_failure(made, tmp_path):
    (tmp_path / ".compiled").write_text("a file where the folder would be")
    assert network_graph(make_model(), tmp_path) == DATA
    assert network_graph(make_model(), None) == DATA
    assert len(made) == 2


@pytest.mark.parametrize("runtime", [OnnxRuntime, OpenVinoRuntime])
def test_the_graph_of_a_network_computes_its_probabilities(runtime, tmp_path):
    model = make_model(widths=(2, 3), num_classes=2)
    batch = torch.from_numpy(np.random.default_rng(0).random((2, 2, 9, 11), np.float32))
    with torch.inference_mode():
        expected = model.network(batch).softmax(1)
    for _ in range(2):  # the second time from the file
        found = runtime(network_graph(model, tmp_path))(batch)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("runtime", [OnnxRuntime, OpenVinoRuntime])
def test_what_is_no_graph_is_one_message(runtime):
    with pytest.raises(ModelFileError, match="cannot read this graph"):
        runtime(b"\x08\x01 no graph")
