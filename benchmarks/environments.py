"""One virtual environment for each peer that the benchmarks compare with, from pinned requirements.

    python benchmarks/environments.py [NAME...] [--folder benchmarks/.venvs]

Names are those of the files in benchmarks/requirements; without any, all are made. An environment
that is there already is left alone: remove its folder to make it anew. All of them take 15 GB,
most of it the CUDA builds of PyTorch that torchvision wants (smp, nnunet).
"""

import argparse
import subprocess
import sys
import venv
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent
REQUIREMENTS = BENCHMARKS / "requirements"
FOLDER = BENCHMARKS / ".venvs"


def names() -> list[str]:
    """Every environment that can be made."""
    return sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))


def python_of(name: str, folder: Path = FOLDER) -> Path:
    """The interpreter of an environment, which may not be there yet."""
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    return folder / name / scripts / "python"


def make(name: str, folder: Path) -> None:
    """Make one environment; where its packages cannot be installed, say so and end."""
    done = folder / name / "complete"
    if done.exists():
        print(f"{name}: is there")
        return
    print(f"{name}: installing")
    venv.create(folder / name, with_pip=True, clear=True)
    install = [python_of(name, folder), "-m", "pip", "install", "-q"]
    # from the root, where `-e .` in pixelwise.txt is this project
    requirements = ["-r", str(REQUIREMENTS / f"{name}.txt")]
    subprocess.run([*map(str, install), *requirements], check=True, cwd=BENCHMARKS.parent)
    done.touch()


def main() -> None:
    """Make what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    args = parser.parse_args()
    unknown = set(args.names) - set(names())
    if unknown:
        parser.error(f"no requirements for {', '.join(sorted(unknown))}; there are {names()}")
    for name in args.names or names():
        make(name, args.folder.resolve())


if __name__ == "__main__":
    main()
