"""`pixelwise export`: the model in another format."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.command import Quiet, Verbose, clear_errors, fail


class Format(StrEnum):
    """What a model can be exported to."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    BIOIMAGEIO = "bioimageio"


@clear_errors
def export(
    model: Annotated[
        Path, typer.Argument(help="Run folder or .safetensors file.", show_default=False)
    ],
    to: Annotated[Format, typer.Option(help="The format.", show_default=False)],
    out: Annotated[Path, typer.Option(help="File or folder to write.", show_default=False)],
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Export the model to another format (comes later).

    Example: [bold]pixelwise export run --to onnx --out model.onnx[/bold]
    """
    fail(f"`export --to {to}` comes in a later version; `predict` uses the model as it is.")
