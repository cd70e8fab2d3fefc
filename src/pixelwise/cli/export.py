"""`pixelwise export`: the model in another format."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer

from pixelwise.cli.command import Quiet, Verbose, clear_errors, fail, say


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
    to: Annotated[Format, typer.Option(help="The format.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write: .onnx, .xml for openvino, .pt2 for torch.", show_default=False
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
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Export the model to another format, proven to compute the same before it is written.

    Example: [bold]pixelwise export run --to onnx --out model.onnx[/bold]
    """
    if to is Format.BIOIMAGEIO:
        fail(f"`export --to {to}` comes in a later version; `predict` uses the model as it is.")
    from pixelwise import workflows

    format = cast(workflows.ExportFormat, to.value)
    say(workflows.export(model, format, out, check_on=check_on).describe())
