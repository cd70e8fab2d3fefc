"""The house holds its rule: data walk one way, so imports point downwards only.

    cli    serve                      doors: nobody imports them
        workflows   segmenter
     training   report   export
       planning   doctor   inference
        metrics    objects
          data    network             know nothing of each other
                io
    task   device   errors            the ground: a subject each, one file each

All imports count: inside functions, and those for type checkers too.
"""

import ast
from pathlib import Path

import pytest

import pixelwise

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "pixelwise"
LINES = [  # from the ground up; rooms on one line do not know each other
    {"errors", "text", "elsewhere"},
    {"task", "device", "threads", "parallel", "memory"},
    {"colors", "callbacks", "optimizers"},
    {"io"},
    {"data", "network"},
    {"metrics", "objects"},
    {"planning", "doctor", "inference"},
    {"training", "report", "export"},
    {"workflows", "segmenter"},
    {"cli", "serve"},
    {"__init__", "__main__"},  # the package itself hands out what is below
]
HEIGHT = {room: height for height, line in enumerate(LINES) for room in line}
OPEN = {  # what other rooms may import of data and io, beside these two themselves
    "pixelwise.data.layouts",
    "pixelwise.data.masks",
    "pixelwise.data.survey",
    "pixelwise.data.cache",
    "pixelwise.data.synthetic",
}
WITHOUT_TORCH = (
    "io/",
    "data/",
    "metrics/",
    "doctor/",
    "report/",
    "cli/",
    "errors.py",
    "task.py",
    "text.py",
    "elsewhere.py",
    "parallel.py",
    "colors.py",
)


def source_files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def room_of(path: Path) -> str:
    """The first folder below the package, or the file's own name."""
    return path.parts[0].removesuffix(".py")


def imported_modules(text: str, path: Path) -> list[str]:
    """Dotted names that a file at `path` (below the package) imports, wherever in it."""
    modules = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = ["pixelwise", *path.parts[:-1]]
            base = parents[: len(parents) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "pixelwise":  # `from pixelwise import X`: the room or the home of X
                modules += [pixelwise._HOMES.get(a.name, f"pixelwise.{a.name}") for a in node.names]
            else:
                modules.append(module)
    return modules


def violations(text: str, path: Path) -> list[str]:
    """What a file imports against the rule, as "room imports room"."""
    room, found = room_of(path), []
    for module in imported_modules(text, path):
        parts = module.split(".")
        if parts[0] != "pixelwise" or len(parts) == 1 or parts[1].startswith("__"):
            continue
        other = parts[1]
        if other not in HEIGHT:
            found.append(f"{room} imports {other}, which is no room of the house")
        elif other != room and HEIGHT[other] >= HEIGHT[room]:
            found.append(f"{room} imports {other}")
    return found


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_downwards(path):
    assert violations(path.read_text(encoding="utf-8"), path.relative_to(SOURCE)) == []


def deep_imports(text: str, path: Path) -> list[str]:
    """Files of data and io that a file of another room imports past their packages."""
    return [
        module
        for module in imported_modules(text, path)
        for room in ("data", "io")
        if module.startswith(f"pixelwise.{room}.") and room_of(path) != room
        if module not in OPEN
    ]


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_other_rooms_import_data_and_io_by_their_packages(path):
    assert deep_imports(path.read_text(encoding="utf-8"), path.relative_to(SOURCE)) == []


def test_deep_imports_are_read_from_the_text():
    text = "from pixelwise.data.masks.facts import MaskFacts\nfrom pixelwise.io import write_text"
    assert deep_imports(text, Path("doctor/x.py")) == ["pixelwise.data.masks.facts"]
    assert deep_imports(text, Path("data/x.py")) == []


def test_every_file_is_in_a_known_room():
    assert {room_of(path.relative_to(SOURCE)) for path in source_files()} <= set(HEIGHT)


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("data/x.py", "from pixelwise.network import UNet", ["data imports network"]),
        ("network/x.py", "import pixelwise.data.samples", ["network imports data"]),
        ("io/x.py", "from pixelwise.data import Sample", ["io imports data"]),
        (
            "inference/x.py",
            "def f():\n    from pixelwise.training import a",
            ["inference imports training"],
        ),
        ("planning/x.py", "from pixelwise import evaluate as e", ["planning imports workflows"]),
        ("planning/x.py", "from ..inference.tiles import Tile", ["planning imports inference"]),
        ("training/x.py", "from .. import cli", ["training imports cli"]),
        ("workflows/x.py", "from pixelwise.segmenter import load", ["workflows imports segmenter"]),
        ("segmenter/x.py", "from .. import workflows", ["segmenter imports workflows"]),
        ("cli/x.py", "import pixelwise.serve", ["cli imports serve"]),
        (
            "errors.py",
            "if TYPE_CHECKING:\n    from pixelwise.data import Sample",
            ["errors imports data"],
        ),
        (
            "data/x.py",
            "import pixelwise.tools",
            ["data imports tools, which is no room of the house"],
        ),
        ("training/x.py", "from pixelwise.inference.tiles import plan_tiles", []),
        ("training/x.py", "from .watch import Watcher\nfrom . import loop", []),
        ("cli/x.py", "import pixelwise\nfrom pixelwise import workflows, __version__", []),
        ("data/x.py", "import numpy\nfrom collections import abc", []),
    ],
)
def test_the_rule_is_read_from_the_text(path, text, found):
    assert violations(text, Path(path)) == found


@pytest.mark.parametrize("start", WITHOUT_TORCH)
def test_rooms_of_plain_arrays_and_files_do_without_torch(start):
    for path in source_files():
        place = path.relative_to(SOURCE)
        if place.as_posix().startswith(start):
            modules = imported_modules(path.read_text(encoding="utf-8"), place)
            assert "torch" not in {module.split(".")[0] for module in modules}, place


# --- the README's tree ------------------------------------------------------------------------


def tree_paths(readme: str) -> list[str]:
    """Paths that the tree in the README names: indentation is the folder, two blanks a level."""
    tree = readme.split("## Where things are")[1].split("```")[1]
    folders, paths = [], []
    for line in tree.strip().splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        folders[depth:] = [name.rstrip("/")]
        paths.append("/".join(folders))
    return paths


def test_the_tree_is_read_by_its_indentation():
    readme = (
        "## Where things are\n\n```\nsrc/\n  a.py    one\n  b/      two\n    c.py  three\nd\n```"
    )
    assert tree_paths(readme) == ["src", "src/a.py", "src/b", "src/b/c.py", "d"]


def test_the_tree_in_the_readme_names_every_folder_and_only_what_exists():
    paths = set(tree_paths((ROOT / "README.md").read_text(encoding="utf-8")))
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    for path in source_files():
        assert path.parent.relative_to(ROOT).as_posix() in paths
