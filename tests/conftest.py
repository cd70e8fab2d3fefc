"""Fixtures for all rooms."""

from pathlib import Path

import pytest

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
