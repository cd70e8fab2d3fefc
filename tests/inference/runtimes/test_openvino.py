"""OpenVINO leaves the process as it was."""

import subprocess
import sys
from pathlib import Path

from tests.export.models import make_model

from pixelwise.inference.runtimes.graph import network_graph

GONE_IN_ANOTHER_THREAD = """
import signal, sys, threading
from pathlib import Path
from pixelwise.inference.runtimes import OpenVinoRuntime
graph = Path(sys.argv[1]).read_bytes()
models = [OpenVinoRuntime(graph), OpenVinoRuntime(graph)]
del models[0]
thread = threading.Thread(target=models.clear)
thread.start()
thread.join()
signal.signal(signal.SIGINT, lambda *_: print("noticed", flush=True))
for _ in range(3):
    signal.raise_signal(signal.SIGINT)
"""


def test_ctrl_c_is_noticed_after_its_models_are_gone(tmp_path):
    """A core's end frees the stack on which signals are handled, see `core_of`."""
    (tmp_path / "graph.onnx").write_bytes(network_graph(make_model(), tmp_path))
    command = [sys.executable, "-c", GONE_IN_ANOTHER_THREAD, str(tmp_path / "graph.onnx")]
    root = Path(__file__).resolve().parents[3]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "noticed\n" * 3), ended
