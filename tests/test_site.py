"""The pages of the documentation that follow from the code hold all of it."""

import re
from pathlib import Path

import pytest
import typer
from tests.files import load_file

import pixelwise
from pixelwise.cli import app

pytest.importorskip("sphinx")
CONF = Path(__file__).resolve().parents[1] / "docs" / "conf.py"


@pytest.fixture(scope="module")
def conf():
    """The module that the site is built by."""
    return load_file(CONF)


def test_every_public_name_has_its_place_once(conf):
    page = conf.python_page()
    found = re.findall(r"^\.\. auto\w+:: pixelwise\.(\w+)$", page, re.M)
    assert sorted(found) == sorted(set(pixelwise.__all__) - {"__version__"})


def test_modules_functions_and_classes_are_told_apart(conf):
    page = conf.python_page()
    assert ".. automodule:: pixelwise.callbacks" in page
    assert ".. autofunction:: pixelwise.train" in page
    assert ".. autoclass:: pixelwise.Segmenter\n   :members:" in page


def test_every_command_has_all_its_options(conf):
    page = conf.commands_page()
    commands = typer.main.get_command(app).commands
    for name, command in commands.items():
        assert (f"## pixelwise {name}\n" in page) is not command.hidden
        for option in command.params if not command.hidden else ():
            if option.opts[0].startswith("--"):
                assert f"`{option.opts[0]}`" in page


def test_tables_are_not_broken_by_what_is_in_them(conf):
    rows = [line for line in conf.commands_page().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows)


def test_links_to_the_readme_lead_to_the_first_page(conf):
    source = ["see [the README](../README.md#start) and [data](data.md)"]
    conf._turn_links(None, "quickstart", source)
    assert source == ["see [the README](index.md#start) and [data](data.md)"]
