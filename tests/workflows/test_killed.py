"""A training that is killed loses nothing; `python tests/workflows/killing.py` kills more often."""

from pathlib import Path

import pytest
from tests.files import load_file

killing = load_file(Path(__file__).with_name("killing.py"))


@pytest.mark.slow
def test_killed_at_random_moments_and_resumed_each_time(tmp_path):
    seen = killing.kill_and_resume(tmp_path, times=3)
    assert seen.startswith("3 kills, ")
