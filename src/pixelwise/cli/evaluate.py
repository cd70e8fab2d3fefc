"""`pixelwise evaluate`: how good masks are, with intervals."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.command import (
    Device,
    Json,
    Quiet,
    Verbose,
    clear_errors,
    print_table,
    say,
    tell,
    write_json,
)
from pixelwise.cli.data_options import (
    Accept,
    Foreground,
    Ignore,
    Images,
    LayoutName,
    Masks,
    MaxPixels,
    SplitBy,
    read_options,
)
from pixelwise.text import count_of

VALUES = ("index", "stored")

if TYPE_CHECKING:
    from pixelwise.metrics.scores import Scores


def _parse_values(text: str | None) -> str | None:
    if text not in (None, *VALUES):
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(VALUES)}.")
    return text


@clear_errors
def evaluate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[MODEL] DATA",
            help="Run folder or model file, and folder of images and masks.",
            show_default=False,
        ),
    ],
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Score these masks in place of a model's."),
    ] = None,
    values: Annotated[
        str | None,
        typer.Option(
            metavar="index|stored",
            callback=_parse_values,
            help="What predictions hold: class indices, or the values of the data's own masks.",
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Which images: train, val, test or all.")] = "test",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for metrics.json, metrics.csv and report.html."),
    ] = None,
    device: Device = "auto",
    images: Images = None,
    masks: Masks = None,
    layout: LayoutName = None,
    foreground: Foreground = None,
    ignore: Ignore = None,
    split_by: SplitBy = None,
    max_pixels: MaxPixels = None,
    accept: Accept = None,
    json: Json = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Score a model, or existing masks, against a data folder.

    Example: [bold]pixelwise evaluate run data --split test --out scores[/bold]

    Example: [bold]pixelwise evaluate --predictions masks data[/bold]
    """
    model, data = _model_and_data(paths, predictions)
    from pixelwise import workflows
    from pixelwise.workflows.progress import count_images

    with count_images("evaluating", quiet=quiet) as progress:
        scores = workflows.evaluate(
            model,
            data,
            predictions=predictions,
            values=values,
            split=split,
            out=out,
            device=device,
            read=read_options(images, masks, layout, foreground, ignore, split_by, accept),
            progress=progress,
        )
    if not write_json(json, scores.to_json()):
        _print_scores(scores)
        if out is not None:
            say(f"Details: {out / 'report.html'}")


def _model_and_data(paths: list[Path], predictions: Path | None) -> tuple[Path | None, Path]:
    """Tell `MODEL DATA` from `--predictions DIR DATA`."""
    if predictions is not None and len(paths) == 1:
        return None, paths[0]
    if predictions is None and len(paths) == 2:
        return paths[0], paths[1]
    raise typer.BadParameter("Give MODEL and DATA, or --predictions DIR and DATA.")


def _print_scores(scores: "Scores") -> None:
    from pixelwise.metrics.scores import TABLE_COLUMNS

    for warning in scores.warnings:
        tell(f"WARNING: {warning}")
    print_table(TABLE_COLUMNS, scores.table_rows)
    say(f"{scores.of or count_of(scores.num_images, 'image')}. {scores.policy}")
    for note in scores.notes:
        say(note)
