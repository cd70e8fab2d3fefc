"""docs/data.md describes every finding; every test that it names is there; code of docs runs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pixelwise.data.findings import KINDS
from pixelwise.workflows import check, summarize_check

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in TEXT.splitlines()
        if line.startswith("| ")]  # fmt: skip


@pytest.mark.parametrize("code", KINDS)
def test_every_finding_is_described_with_its_severities(code):
    (row,) = [row for row in ROWS if row[0] == f"`{code}`"]
    kind = KINDS[code]
    assert set(row[1].split(", ")) == {kind.severity, *([kind.also] if kind.also else [])}
    assert len(row[2]) > 10
    assert (row[3:] in ([], [""])) == (not kind.repair)


def test_no_finding_is_described_that_does_not_exist():
    start = TEXT.index("## Findings")
    table = TEXT[start : TEXT.index("\n## ", start + 1)]
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.M)) == set(KINDS)


def test_the_json_that_is_shown_has_the_fields_that_are_written(tmp_path):
    (example,) = re.findall(r"^```json\n(\{\"layout\".*?)^```", TEXT, re.M | re.S)
    shown, written = json.loads(example), summarize_check(check(tmp_path))
    assert list(shown) == list(written)
    assert list(shown["findings"][0]) == list(written["findings"][0])
    assert list(shown["classes"][0]) == ["index", "name", "source"]


def test_the_code_for_keras_users_runs_as_it_is_written(tmp_path):
    text = (ROOT / "docs" / "from-keras.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "Epoch 3/3" in done.stdout
    written = {path.name for path in tmp_path.iterdir()}
    assert written >= {"best.safetensors", "history.csv", "model.safetensors"}
