"""Write a text while it is being made; the file is whole at the end, or not there."""

from pathlib import Path
from types import TracebackType
from typing import TextIO

from pixelwise.io.writers import remove_file, temporary_beside, write_error


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
        try:
            self._file = self._temporary.open(
                "w", encoding="utf-8", errors="surrogateescape", newline=""
            )
        except OSError as error:
            raise write_error(self._path, error) from error
        return self

    def write(self, text: str) -> None:
        """Add a piece; OutputError where it cannot be written."""
        try:
            self._file.write(text)
        except OSError as error:
            raise write_error(self._path, error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the file into its place, or remove it; OutputError where it cannot be written."""
        try:
            self._file.close()
            if kind is None:
                self._temporary.replace(self._target)
        except OSError as reason:
            if kind is None:
                raise write_error(self._path, reason) from reason
        finally:
            remove_file(self._temporary)
