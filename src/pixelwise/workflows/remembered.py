"""How long steps took on this machine in earlier trainings, by versions and by what was measured.

Formats are ranked by what is remembered, so that a short training need not measure them again. What
a plan finally chooses is measured anew each time: other programs may use the machine today.
"""

import json
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from pixelwise import __version__
from pixelwise.data.cache import default_folder
from pixelwise.errors import OutputError
from pixelwise.io import make_folder, write_text
from pixelwise.planning import Plan, Timing

FILE = "calibration.json"
MAX_ENTRIES = 500
MEASURED = (  # what of a plan the time of a step depends on
    "patch_size", "batch_size", "widths", "normalization", "upsampling", "loss", "precision",
    "channels_last", "num_threads", "optimizer", "encoder", "deep_supervision",
)  # fmt: skip


class RememberedTimings:
    """Timings in a file that is read once, and written at each new one.

    A file that cannot be read or written is done without.

    Args:
        device: that was measured.
        channels: of images and logits.
        path: of the file; None for the user's cache folder.
    """

    def __init__(
        self, device: torch.device, channels: tuple[int, int], path: Path | None = None
    ) -> None:
        self._path = path or default_folder() / FILE
        self._machine = [__version__, torch.__version__, describe_processor(device), *channels]
        self._entries = self._read()

    def find(self, plan: Plan) -> Timing | None:
        """What a plan's step took, or None."""
        with suppress(ValidationError):
            return Timing.model_validate(self._entries.get(self._key(plan)))
        return None

    def keep(self, plan: Plan, timing: Timing) -> None:
        """Remember a timing; the oldest ones give way."""
        key = self._key(plan)
        entries = self._read() or self._entries  # other trainings write too
        entries.pop(key, None)
        entries[key] = timing.model_dump(mode="json")
        self._entries = dict(list(entries.items())[-MAX_ENTRIES:])
        with suppress(OutputError, OSError):
            make_folder(self._path.parent)
            write_text(self._path, json.dumps(self._entries, indent=0))

    def _key(self, plan: Plan) -> str:
        values = plan.model_dump(mode="json", include=set(MEASURED))
        return json.dumps([*self._machine, [values[name] for name in MEASURED]])

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            entries = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(entries, dict):
                return entries
        return {}


def describe_processor(device: torch.device) -> str:
    """Name of a GPU; of a CPU its kind, what it can compute, and how many threads torch uses."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    able = torch.backends.cpu.get_cpu_capability()
    model = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return f"{device.type} {model} {able} {torch.get_num_threads()}"
