"""What a person may say about a data folder: the same options on check, train and evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pixelwise.doctor import ReadOptions

PANEL = "The data, where they are not understood by themselves"

Images = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of the images.", rich_help_panel=PANEL),
]
Masks = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder of the masks, or annotation file.", rich_help_panel=PANEL
    ),
]
LAYOUTS = "manifest, coco, labelme, via, yolo, kaggle, voc, nnunet, objects, class-files, folders"
LayoutName = Annotated[
    str | None,
    typer.Option(
        "--layout", metavar="NAME", help=f"How it is arranged: {LAYOUTS}.", rich_help_panel=PANEL
    ),
]
Foreground = Annotated[
    int | None,
    typer.Option(
        metavar="V", help="Value of the foreground in masks of two values.", rich_help_panel=PANEL
    ),
]
Ignore = Annotated[
    list[int] | None,
    typer.Option(
        metavar="V", help="Value in the masks to leave out; may be repeated.", rich_help_panel=PANEL
    ),
]
SplitBy = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="What of a name is its group (patient, plate), kept in one split; or none.",
        rich_help_panel=PANEL,
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Read files that claim up to so many pixels, however small they are.",
        rich_help_panel=PANEL,
    ),
]
Accept = Annotated[
    str | None,
    typer.Option(
        metavar="CODE[,CODE]",
        help="Errors of the data to go on in spite of, such as split-leak.",
        rich_help_panel=PANEL,
    ),
]


def read_options(
    images: Path | None,
    masks: Path | None,
    layout: str | None,
    foreground: int | None,
    ignore: list[int] | None,
    split_by: str | None,
    accept: str | None = None,
) -> "ReadOptions":
    """Gather the options of a command line for the function that reads the data."""
    from pixelwise.data.layouts import LayoutOptions
    from pixelwise.doctor import ReadOptions

    return ReadOptions(
        foreground=foreground,
        ignore=ignore or None,
        split_by=split_by,
        layout=LayoutOptions(images, masks, layout),
        accept=tuple(code.strip() for code in (accept or "").split(",") if code.strip()),
    )
