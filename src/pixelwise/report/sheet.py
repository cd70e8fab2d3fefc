"""The contact sheet of a data set: its images with their masks as they were understood."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.report.pictures import is_small, to_data_uri

MAX_PNG_BYTES = 16_000  # of a thumbnail; above it a photograph, which JPEG keeps in less


@dataclass(frozen=True, slots=True)
class SheetClass:
    """One line of the legend.

    Attributes:
        name: name of the class.
        color: "#rrggbb".
        source: what stands for it in the masks, such as "value 255".
        share: share of all labelled pixels, in [0, 1]; None where it was not counted.
    """

    name: str
    color: str
    source: str
    share: float | None = None


@dataclass(frozen=True, slots=True)
class SheetTile:
    """One sample: the image, and beside it the same with its mask; uint8 (H, W, 3).

    Attributes:
        name: name of the sample.
        note: split and size, for example "train, 512x512".
        codes: severity and code of each finding that concerns it.
        image: the picture; None where it cannot be read.
        overlay: the picture with its mask; None where there is none that fits.
        missing: why a picture is missing.
    """

    name: str
    note: str
    codes: Sequence[tuple[str, str]] = ()
    image: NDArray[np.uint8] | None = None
    overlay: NDArray[np.uint8] | None = None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class SheetFinding:
    """One finding as it is shown."""

    severity: str
    code: str
    count: int
    message: str
    fix: str
    files: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SheetContent:
    """Everything on the page; what is empty is left out."""

    title: str
    facts: Sequence[tuple[str, str]]
    classes: Sequence[SheetClass]
    has_ignored: bool
    findings: Sequence[SheetFinding]
    flagged: Sequence[SheetTile]
    others: Sequence[SheetTile]
    num_images: int


def build_sheet(content: SheetContent) -> str:
    """Build the page: one HTML file that holds its pictures and asks the network for nothing."""
    from jinja2 import Environment, StrictUndefined

    source = resources.files(__package__).joinpath("sheet.html").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    counts = [
        (name, sum(finding.severity == name for finding in content.findings))
        for name in ("error", "warning", "note")
    ]
    return environment.from_string(source).render(
        content=content,
        counts=[(name, count) for name, count in counts if count],
        flagged=[_tile(tile) for tile in content.flagged],
        others=[_tile(tile) for tile in content.others],
    )


def _tile(tile: SheetTile) -> dict[str, Any]:
    return {
        "name": tile.name,
        "note": tile.note,
        "codes": tile.codes,
        "missing": tile.missing,
        "image": _picture(tile.image),
        "overlay": _picture(tile.overlay),
    }


def _picture(image: NDArray[np.uint8] | None) -> dict[str, Any] | None:
    if image is None:
        return None
    return {
        "source": to_data_uri(image, MAX_PNG_BYTES),
        "height": image.shape[0],
        "width": image.shape[1],
        "small": is_small(image),
    }
