"""`pixelwise train`: a folder of images and masks in, a run folder out."""

import time
from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.command import Device, Quiet, Verbose, clear_errors
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

LOGS = ("tensorboard", "mlflow", "wandb")


def _parse_log(names: list[str] | None) -> list[str] | None:
    unknown = [name for name in names or () if name not in LOGS]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is not one of {', '.join(LOGS)}.")
    return names


@clear_errors
def train(
    data: Annotated[Path, typer.Argument(help="Folder of images and masks.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Run folder to write.")] = Path("run"),
    budget: Annotated[
        str | None,
        typer.Option(
            help="Time for everything: 90s, 10min, 2h. Without, until validation stops improving."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the data, in place of a time.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="A plan.yaml, edited or from another run.")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", metavar="MODEL", help="Start from the weights of an earlier model."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Pretrained encoder of timm, such as resnet34."),
    ] = None,
    encoder_weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its weights. [default: timm's own]"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing run.")
    ] = False,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Train this many models by cross-validation.")
    ] = None,
    log: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            callback=_parse_log,
            help="Log to tensorboard, mlflow or wandb too; may be repeated.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Of every random choice: same seed, machine and plan (with a number of threads), "
            "same weights. [default: 0, or the plan's]"
        ),
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
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Plan, train, validate, and keep the best model in a run folder.

    Example: [bold]pixelwise train data --out run --budget 10min[/bold]

    Ctrl-C once ends training cleanly, with the best model so far saved.
    """
    if budget is not None and epochs is not None:
        raise typer.BadParameter("Give --budget or --epochs, not both.")
    if resume and overwrite:
        raise typer.BadParameter("Give --resume or --overwrite, not both.")
    began = time.monotonic()  # what is imported now takes seconds
    from pixelwise import workflows
    from pixelwise.workflows.progress import training_watcher

    with training_watcher(quiet=quiet, verbose=verbose) as watcher:
        workflows.train(
            data,
            out,
            budget=budget,
            epochs=epochs,
            plan=plan,
            start=start,
            encoder=encoder,
            encoder_weights=encoder_weights,
            resume=resume,
            overwrite=overwrite,
            folds=folds,
            log=log or (),
            seed=seed,
            device=device,
            read=read_options(images, masks, layout, foreground, ignore, split_by, accept),
            watcher=watcher,
            began=began,
        )
