"""What was found in a data set: a `Finding` for each kind, with the files and the fix."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pixelwise.errors import DataError, FileError, LayoutError, MaskError

Severity = Literal["error", "warning", "note"]

ERROR_CLASSES: dict[str, type[DataError]] = {
    "layout": LayoutError,
    "unreadable": FileError,
    "mask-values": MaskError,
    "class-file": MaskError,
    "unknown-value": MaskError,
    "size-mismatch": MaskError,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of problem and the files that have it.

    Attributes:
        code: stable name, listed in docs/data.md.
        severity: "error" (training would be wrong), "warning" (look at it) or "note" (what was
            understood).
        files: every file concerned; none where it is the data set as a whole.
        message: what was found.
        fix: what to do.
    """

    code: str
    severity: Severity
    files: tuple[Path, ...]
    message: str
    fix: str

    @property
    def count(self) -> int:
        """Number of files concerned."""
        return len(self.files)

    def to_error(self, num_others: int = 0) -> DataError:
        """The exception for this finding, which mentions how many other errors there are."""
        others = f" ({num_others} more errors: pixelwise check lists them.)" if num_others else ""
        return ERROR_CLASSES.get(self.code, DataError)(f"{self.message} {self.fix}{others}")


def finding_of_error(code: str, files: Sequence[Path], error: Exception) -> Finding:
    """An error finding from an exception, whose last sentence is the fix by our convention."""
    what, _, advice = str(error).rpartition(". ")
    more = f" The same is wrong with {len(files) - 1} more files." if len(files) > 1 else ""
    return Finding(code, "error", tuple(files), f"{what}.{more}", advice)
