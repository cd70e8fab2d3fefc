"""`pixelwise demo`: the whole way, once, on generated images."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.command import Quiet, Verbose, clear_errors


@clear_errors
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the images, the run and the masks.")] = Path(
        "demo"
    ),
    budget: Annotated[str, typer.Option(help="Time to train for: 60s, 2min.")] = "60s",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Go the whole way once, on generated images: train, predict, evaluate.

    Example: [bold]pixelwise demo --budget 30s[/bold]
    """
    from pixelwise import workflows
    from pixelwise.workflows.progress import training_watcher

    with training_watcher(quiet=quiet, verbose=verbose) as watcher:
        workflows.demo(out, budget, watcher)
