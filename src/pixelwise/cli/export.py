"""`pixelwise export`: the model in another format."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.command import Quiet, Verbose, clear_errors, say


class Format(StrEnum):
    """What a model can be exported to."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    TORCH = "torch"
    BIOIMAGEIO = "bioimageio"


@clear_errors
def export(
    model: Annotated[
        Path, typer.Argument(help="Run folder or .safetensors file.", show_default=False)
    ],
    to: Annotated[
        Format,
        typer.Option(
            metavar="FORMAT", help="onnx, openvino, torch or bioimageio.", show_default=False
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write: .onnx, .xml for openvino, .pt2 for torch, .zip for bioimageio.",
            show_default=False,
        ),
    ],
    check_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INPUT",
            help="Pictures or a folder to compare on, too; may be given again.",
            show_default=False,
        ),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Whole numbers of 8 bits, as far as Dice allows.")
    ] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="Images and masks for --int8: ranges by the training images, the loss by the "
            "validation images.",
            show_default=False,
        ),
    ] = None,
    allow_loss: Annotated[
        float, typer.Option(min=0, max=1, help="Dice that --int8 may lose.")
    ] = 0.005,
    author: Annotated[
        list[str] | None,
        typer.Option(
            help="Author of a bioimageio package; may be given again.", show_default=False
        ),
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(help="Its licence, such as CC-BY-4.0.", show_default=False),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Export the model to another format, proven to compute the same before it is written.

    Example: [bold]pixelwise export run --to onnx --out model.onnx[/bold]
    """
    if int8 != (calibrate is not None):
        raise typer.BadParameter("--int8 and --calibrate DATA belong together: give both.")
    from pixelwise import workflows

    found = workflows.export(
        model,
        to.value,
        out,
        check_on=check_on,
        calibrate=calibrate,
        allow_loss=allow_loss,
        authors=author or (),
        license=license,
    )
    say(found.describe())
