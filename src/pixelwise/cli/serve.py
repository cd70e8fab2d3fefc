"""`pixelwise serve`: the model behind HTTP, with a web page."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.command import Quiet, Verbose, clear_errors, fail


@clear_errors
def serve(
    model: Annotated[
        Path, typer.Argument(help="Run folder or .safetensors file.", show_default=False)
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Serve the model as a web page (comes later).

    Example: [bold]pixelwise serve run --port 8000[/bold]
    """
    fail("`serve` comes in a later version; `pixelwise predict` uses the model now.")
