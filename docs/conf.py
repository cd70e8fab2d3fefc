"""The documentation as a site: `scripts/check docs` builds it into site/.

Two pages follow from the code and are written before each build: every public name from its
docstring, every command from its own help.
"""

import inspect
import re
from pathlib import Path
from typing import Any

import typer
from sphinx.application import Sphinx

import pixelwise
from pixelwise.cli import app as commands

ROOT = Path(__file__).resolve().parents[1]
OWN = ROOT / "docs" / "reference"  # written here, and not kept

project = "pixelwise"
author = "the pixelwise authors"
version = release = pixelwise.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["images/*.py"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
html_theme = "furo"
html_title = "pixelwise"
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6e69", "color-brand-content": "#0b6e69"},
    "dark_css_variables": {"color-brand-primary": "#5cc8bd", "color-brand-content": "#5cc8bd"},
}
autodoc_typehints = "none"  # the texts say shapes and types, and signatures stay short
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
default_role = "code"
suppress_warnings = ["myst.header"]

GROUPS = {
    "Folders": ("check", "train", "evaluate", "predict"),
    "Models and arrays": ("unet", "load", "from_keras", "wrap", "show", "Segmenter", "History"),
    "Parts of compile and fit": ("callbacks", "optimizers"),
}


def setup(app: Sphinx) -> None:
    """Write pages before the build, and let links to files of the repository lead to pages."""
    app.connect("builder-inited", lambda _: write_pages())
    app.connect("source-read", _turn_links)


def write_pages() -> None:
    """Write the pages that follow from the code."""
    OWN.mkdir(exist_ok=True)
    (OWN / "python.md").write_text(python_page(), encoding="utf-8")
    (OWN / "commands.md").write_text(commands_page(), encoding="utf-8")


def python_page() -> str:
    """Every public name below the heading of its group; errors last."""
    named = {name for names in GROUPS.values() for name in names}
    rest = tuple(name for name in pixelwise.__all__ if name not in named and name[0] != "_")
    lines = ["# Python", "", "`import pixelwise as pw`; names are imported when first used.", ""]
    for title, names in {**GROUPS, "What can go wrong": rest}.items():
        lines += [f"## {title}", ""]
        for name in names:
            lines += ["```{eval-rst}", *_directive(name), "```", ""]
    return "\n".join(lines)


def _directive(name: str) -> list[str]:
    value = getattr(pixelwise, name)
    if inspect.ismodule(value):
        return [f".. automodule:: pixelwise.{name}", "   :members:"]
    if not inspect.isclass(value):
        return [f".. autofunction:: pixelwise.{name}"]
    return [f".. autoclass:: pixelwise.{name}", "   :members:"]


def commands_page() -> str:
    """Every command that `pixelwise --help` lists, with its arguments and options."""
    listed: dict[str, Any] = typer.main.get_command(commands).commands  # type: ignore[attr-defined]
    lines = ["# Commands", ""]
    for name, command in listed.items():
        if command.hidden:
            continue
        text = re.sub(r"\[/?bold\]", "`", inspect.cleandoc(command.help or ""))
        lines += [f"## pixelwise {name}", "", text, "", "| option | |", "|---|---|"]
        lines += [_row(one) for one in command.params if not getattr(one, "hidden", False)]
        lines.append("")
    return "\n".join(lines)


def _row(option: Any) -> str:  # noqa: ANN401
    """An option, or an argument in capital letters, and what it is for."""
    is_option = option.opts[0].startswith("-")
    names = ", ".join(f"`{one if is_option else one.upper()}`" for one in option.opts)
    text = " ".join((getattr(option, "help", "") or "").split()).replace("|", "\\|")
    return f"| {names} | {text} |"


def _turn_links(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = source[0].replace("](../README.md", "](index.md")
