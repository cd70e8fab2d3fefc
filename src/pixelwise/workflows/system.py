"""What a report of a fault should say of the machine: versions, processor, memory, GPUs."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import torch

from pixelwise.data.cache import default_folder
from pixelwise.device import has_bfloat16, pick_device
from pixelwise.memory import free_memory
from pixelwise.parallel import available_cores
from pixelwise.planning import format_megabytes

PACKAGES = (
    "torch", "numpy", "scipy", "scikit-image", "pillow", "tifffile", "imagecodecs", "safetensors",
    "timm", "onnx", "onnxruntime", "openvino", "h5py", "zarr", "nibabel",
)  # fmt: skip


def describe_system() -> dict[str, str]:
    """Return names and values for people and for `--json`; nothing of the user or their files."""
    from pixelwise import __version__

    free = free_memory()
    facts = {
        "pixelwise": __version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": platform.platform(),
        "processor": f"{_processor()}, {available_cores()} cores",
        "memory": "unknown" if free is None else f"{format_megabytes(free / 1e6)} free",
        "device": _device(),
        "threads": f"{torch.get_num_threads()} (OMP_NUM_THREADS "
        f"{os.environ.get('OMP_NUM_THREADS', 'not set')})",
        "cache": _cache(),
    }
    return facts | _versions()


def _cache() -> str:
    if os.environ.get("PIXELWISE_CACHE"):
        return "PIXELWISE_CACHE is set"
    return "in use" if default_folder().exists() else "empty"


def _processor() -> str:
    """The processor's own name where the system tells it."""
    file = Path("/proc/cpuinfo")
    if sys.platform == "linux" and file.exists():
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _device() -> str:
    """The device that `--device auto` takes, and in which formats it computes."""
    device = pick_device("auto")
    formats = "bfloat16 and float32" if has_bfloat16(device) else "float32"
    if device.type != "cuda":
        return f"{device.type}, {formats}"
    names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return f"cuda ({torch.version.cuda}): {', '.join(names)}, {formats}"


def _versions() -> dict[str, str]:
    """Versions of the packages that matter; "not installed" of those that are not."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
