"""The command line: one file a command, each of which parses, calls one function and prints.

Nothing heavy (torch, numpy, ...) is imported at the top of these files, so that `--help` is quick.
"""

from typing import Annotated

import typer

import pixelwise
from pixelwise.cli.check import check
from pixelwise.cli.command import Command, Commands
from pixelwise.cli.demo import demo
from pixelwise.cli.evaluate import evaluate
from pixelwise.cli.export import export
from pixelwise.cli.info import info
from pixelwise.cli.predict import predict
from pixelwise.cli.serve import serve
from pixelwise.cli.train import train

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for each in (demo, check, train, predict, evaluate, export, serve, info):
    app.command(cls=Command, hidden=each is serve)(each)  # which is to come


def _print_version(asked: bool) -> None:
    if asked:
        print(f"pixelwise {pixelwise.__version__}")
        raise typer.Exit


@app.callback()
def pixelwise_command(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Turn a folder of images and masks into a segmentation model, and use it.

    First steps: [bold]pixelwise demo[/bold], or [bold]pixelwise train DATA --out RUN[/bold].
    """


def main() -> None:
    """Run the command line; exit status 0 done, 1 could not, 2 wrong usage, 3 errors in data."""
    app(prog_name="pixelwise")
