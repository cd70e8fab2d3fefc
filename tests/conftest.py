"""Fixtures for all rooms, and which examples the property tests draw."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image

# The same examples every time, so that a failure belongs to the change; `scripts/check fuzz` draws
# fresh ones. What it finds is kept as an @example beside the test.
PHASES = [phase for phase in hypothesis.Phase if phase.name != "explain"]  # it takes minutes
hypothesis.settings.register_profile("same", derandomize=True, deadline=None, phases=PHASES)
hypothesis.settings.register_profile(
    "fresh", database=None, print_blob=True, deadline=None, phases=PHASES
)
hypothesis.settings.load_profile(os.environ.get("PIXELWISE_EXAMPLES", "same"))

Save = Callable[..., Path]

SHARED_DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test data; skips where it is absent, as on a bare clone."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the shared test data are not at {SHARED_DATA}")
    return SHARED_DATA.resolve()


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Keep decoded samples and timings of tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXELWISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def timm():
    """The timm library, which the extra `encoders` installs.

    timm imports torchvision. Where that was built for another torch than the one here (there is no
    build for the CPU's), its operators are missing. timm's encoders use none of them, but the
    import asks for the names of two.
    """
    if not hasattr(torch.ops.torchvision, "nms"):
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        NAMED.append(library)
    import timm

    return timm


NAMED: list[torch.library.Library] = []  # a name is gone with its library


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """save("images/a.png", values): write a file below tmp_path, in the format of its suffix."""

    def write(name: str, values: NDArray[Any], **options: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".tif", ".tiff"):
            tifffile.imwrite(path, values, **options)
        else:
            Image.fromarray(values).save(path, **options)
        return path

    return write


@pytest.fixture
def save_pairs(save: Save, tmp_path: Path) -> Callable[..., Path]:
    """save_pairs(masks): images/ of random grey pixels and masks/ with the arrays given."""

    def write(
        masks: list[NDArray[Any]], folder: str = "", suffix: str = ".png", start: int = 0
    ) -> Path:
        random = np.random.default_rng(start)
        for number, mask in enumerate(masks, start):
            pixels = random.integers(0, 256, mask.shape[:2], dtype=np.uint8)
            save(f"{folder}/images/{number:03}.png".lstrip("/"), pixels)
            save(f"{folder}/masks/{number:03}{suffix}".lstrip("/"), mask)
        return tmp_path

    return write


@pytest.fixture
def disc() -> NDArray[np.uint8]:
    """A filled disc of ones, 32 x 32, on zeros."""
    rows, columns = np.mgrid[:32, :32]
    return ((rows - 16) ** 2 + (columns - 16) ** 2 < 100).astype(np.uint8)
