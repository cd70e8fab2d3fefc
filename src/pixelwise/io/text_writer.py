"""Write a text while it is being made; the file is whole at the end, or not there."""

from contextlib import suppress
from pathlib import Path
from typing import TextIO

from pixelwise.io.writers import naming_failures, remove_file, temporary_beside


class TextWriter:
    """A UTF-8 text that is written piece by piece.

    Used as a context: at its end the file is there; where an error leaves it, what was there
    before still is.

    Args:
        path: path of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._target = path.resolve()  # a link stays one
        self._temporary = temporary_beside(self._target)
        self._file: TextIO

    def __enter__(self) -> "TextWriter":
        """Begin; OutputError where the file cannot be written."""
        with naming_failures(self._path):
            self._file = self._temporary.open(
                "w", encoding="utf-8", errors="surrogateescape", newline=""
            )
        return self

    def write(self, text: str) -> None:
        """Add a piece; OutputError where it cannot be written."""
        with naming_failures(self._path):
            self._file.write(text)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Put the file into its place, or remove it; OutputError where it cannot be written."""
        try:
            # of two failures the first is told
            with naming_failures(self._path) if kind is None else suppress(OSError):
                self._file.close()
                if kind is None:
                    self._temporary.replace(self._target)
        finally:
            remove_file(self._temporary)
