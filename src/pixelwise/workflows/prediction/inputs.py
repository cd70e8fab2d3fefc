"""What a person gives to be predicted: files, folders, patterns, lists; and shares of them."""

import glob
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pixelwise.errors import FileError, PlanError
from pixelwise.io import decode_text, read_bytes

Value = TypeVar("Value")


def expand_inputs(inputs: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The files and folders that are meant.

    Args:
        inputs: files and folders; patterns such as "day*/*.tif" where no file has that name; .txt
            files that name one a line, relative to where they lie; "-" for such lines on stdin.

    Raises:
        FileError: a pattern fits nothing, or a list cannot be read or names nothing.
    """
    return [path for one in inputs for path in _expand(one)]


def _expand(one: str | os.PathLike[str]) -> list[Path]:
    text, path = os.fspath(one), Path(one)
    if text == "-":
        return _listed(sys.stdin.read(), Path(), "stdin")
    if path.suffix.lower() == ".txt" and path.is_file():
        return _listed(decode_text(read_bytes(path), path), path.parent, text)
    if glob.has_magic(text) and not path.exists():
        found = sorted(glob.glob(text, recursive=True))
        if not found:
            raise FileError(f"no file or folder fits the pattern {text}. Check it.")
        return [Path(name) for name in found]
    return [path]


def _listed(text: str, folder: Path, name: str) -> list[Path]:
    lines = [line.strip() for line in text.splitlines()]
    paths = [folder / line for line in lines if line and not line.startswith("#")]
    if not paths:
        raise FileError(f"{name} names no images. Write one file or folder a line.")
    return paths


def share_of(items: Mapping[Path, Value], shard: str | None) -> dict[Path, Value]:
    """The share "3/16" of items: the 3rd, the 19th, ...; all of them for None.

    Raises:
        PlanError: it is no share.
    """
    if shard is None:
        return dict(items)
    number, _, total = shard.partition("/")
    if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
        raise PlanError(f"--shard {shard} is no share. Write 3/16 for the third of 16 shares.")
    chosen = list(items.items())[int(number) - 1 :: int(total)]
    return dict(chosen)
