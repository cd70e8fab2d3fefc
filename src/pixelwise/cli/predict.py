"""`pixelwise predict`: a mask for every image, in the image's own size."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.door import Device, Json, Quiet, Verbose, clear_errors, say, write_json

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
    device: Device = "auto",
    json: Json = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a mask for every image.

    Example: [bold]pixelwise predict run new_images --out masks --save mask,overlay[/bold]
    """
    from pixelwise import folders
    from pixelwise.cli.progress import count_images

    with count_images("predicting", quiet=quiet) as progress:
        written = folders.predict(
            model,
            inputs,
            out,
            save=tuple(save.split(",")),
            tta=tta,
            device=device,
            progress=progress,
        )
    if not write_json(json, {"written": [str(path) for path in written]}):
        say(f"{len(written)} files written to {out}")
