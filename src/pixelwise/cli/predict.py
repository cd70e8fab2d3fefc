"""`pixelwise predict`: a mask for every image, in the image's own size."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.data_options import MaxPixels
from pixelwise.cli.door import Device, Json, Quiet, Verbose, clear_errors, fail, say, write_json

SAVED = ("mask", "probability", "overlay")


def _parse_save(text: str) -> str:
    unknown = [name for name in text.split(",") if name not in SAVED]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is not one of {', '.join(SAVED)}.")
    return text


@clear_errors
def predict(
    model: Annotated[
        Path, typer.Argument(help="Run folder or .safetensors file.", show_default=False)
    ],
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="Images, or folders.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the masks.", show_default=False)],
    save: Annotated[
        str,
        typer.Option(callback=_parse_save, help="What to write: mask,probability,overlay."),
    ] = "mask",
    tta: Annotated[
        bool, typer.Option("--tta", help="Average over mirror images: better, 2 to 4 times slower.")
    ] = False,
    no_recursive: Annotated[
        bool, typer.Option("--no-recursive", help="Leave out the folders inside those given.")
    ] = False,
    take_all: Annotated[
        bool, typer.Option("--all", help="Take what looks like a mask or an earlier result, too.")
    ] = False,
    device: Device = "auto",
    max_pixels: MaxPixels = None,
    json: Json = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a mask for every image: those given, and all pictures of the folders given.

    Example: [bold]pixelwise predict run new_images --out masks --save mask,overlay[/bold]
    """
    from pixelwise import workflows
    from pixelwise.workflows.progress import count_images

    with count_images("predicting", quiet=quiet) as progress:
        result = workflows.predict_images(
            model,
            inputs,
            out,
            save=tuple(save.split(",")),
            tta=tta,
            device=device,
            recursive=not no_recursive,
            take_all=take_all,
            progress=progress,
        )
    is_on_screen = write_json(json, result.to_json())
    if result.failed:
        fail(result.describe_failed(len(result.failed)) if verbose else result.describe_failed())
    if not is_on_screen:
        say(f"{len(result.written)} files written to {out}")
