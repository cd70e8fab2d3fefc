"""A training that is killed loses nothing; `python tests/workflows/killing.py` kills more often."""

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("killing", Path(__file__).with_name("killing.py"))
killing = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(killing)


@pytest.mark.slow
def test_killed_at_random_moments_and_resumed_each_time(tmp_path):
    seen = killing.kill_and_resume(tmp_path, times=3)
    assert seen.startswith("3 kills, ")
