"""`pixelwise info --system`."""

import json
import platform

import torch
from typer.testing import CliRunner

import pixelwise
from pixelwise.cli import app
from pixelwise.parallel import available_cores
from pixelwise.workflows.system import PACKAGES, describe_system


def test_versions_and_machine():
    facts = describe_system()
    assert facts["pixelwise"] == pixelwise.__version__
    assert facts["Python"].startswith(platform.python_version())
    assert facts["torch"] == torch.__version__ or torch.__version__.startswith(facts["torch"])
    assert facts["processor"].endswith(f", {available_cores()} cores")
    assert set(PACKAGES) <= set(facts)


def test_what_is_not_installed_says_so(monkeypatch):
    monkeypatch.setattr("pixelwise.workflows.system.PACKAGES", ("no-such-package",))
    assert describe_system()["no-such-package"] == "not installed"


def test_nothing_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("PIXELWISE_CACHE", str(tmp_path / "secret"))
    monkeypatch.setenv("HOME", str(tmp_path / "secret"))
    assert "secret" not in str(describe_system())


def test_the_command():
    runner = CliRunner()
    done = runner.invoke(app, ["info", "--system"])
    assert done.exit_code == 0
    assert f"pixelwise     {pixelwise.__version__}" in done.output
    found = json.loads(runner.invoke(app, ["info", "--system", "--json", "-"]).output)
    assert found.keys() == describe_system().keys()
