"""Pages that follow from code say what the code does; packages are as they are described."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pixelwise
from pixelwise.planning import Plan

ROOT = Path(__file__).resolve().parents[1]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_decision_of_a_plan_is_described():
    described = set(
        re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", read("docs/plan.md"), re.M)))
    )
    assert described == set(Plan.model_fields) - {"fingerprint", "calibration", "reasons"}


@pytest.mark.parametrize("name", sorted(set(pixelwise.__all__) - {"__version__"}))
def test_every_public_function_has_an_example(name):
    value = getattr(pixelwise, name)
    if name[0].islower() and callable(value):
        assert ">>> " in value.__doc__ or "Example" in value.__doc__


def test_all_packages_are_permissive_and_listed():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "licences.py"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    names = re.compile(r"^\| ([\w-]+) \|", re.M)
    installed, listed = (
        set(names.findall(text)) for text in (done.stdout, read("docs/licences.md"))
    )
    assert installed <= listed, "run: python scripts/licences.py > docs/licences.md"


def test_every_page_is_in_the_table_of_contents():
    pages = {
        str(path.relative_to(ROOT / "docs").with_suffix(""))
        for path in (ROOT / "docs").rglob("*.md")
        if "reference" not in path.parts
    } - {"index"}
    listed = set(re.findall(r"^([\w/-]+)$", read("docs/index.md"), re.M))
    assert pages <= listed


def test_versions_are_pinned_for_what_the_project_needs():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    pinned = {
        re.split("==", line)[0].lower().replace("_", "-")
        for line in read("constraints.txt").split()
    }
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["docs"]]:
        name = re.split(r"[><=\[; ]", requirement)[0].lower()
        assert name in pinned, f"{name} is not in constraints.txt"


def test_the_workflow_runs_the_checks_and_nothing_else():
    runs = re.findall(r"^\s*- run: (.*)$", read(".github/workflows/checks.yml"), re.M)
    assert runs == ["./.ci/run"]
