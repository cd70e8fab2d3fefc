"""`pixelwise predict`: a mask for every image, in the image's own size and place."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.command import (
    Device,
    Json,
    Quiet,
    Verbose,
    clear_errors,
    fail,
    say,
    write_json,
)
from pixelwise.cli.data_options import MaxPixels

SAVED = ("mask", "probability", "uncertainty", "overlay", "table", "polygons", "coco")


class MaskFormat(StrEnum):
    """How masks are written."""

    AUTO = "auto"
    PNG = "png"
    TIF = "tif"
    ZARR = "zarr"


class Quality(StrEnum):
    """How large images are cut."""

    FAST = "fast"
    NORMAL = "normal"
    BEST = "best"


class Precision(StrEnum):
    """Which number format a model is run in."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Runtime(StrEnum):
    """What computes."""

    AUTO = "auto"
    TORCH = "torch"
    OPENVINO = "openvino"
    ONNX = "onnx"


def _parse_save(text: str) -> str:
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in SAVED]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is not one of {', '.join(SAVED)}.")
    return ",".join(names)


@clear_errors
def predict(
    model: Annotated[
        Path,
        typer.Argument(
            help="Run folder, .safetensors file, or exported .onnx or .xml.", show_default=False
        ),
    ],
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Images, folders, patterns, .txt lists, or - for a list on stdin.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the masks.")] = Path("masks"),
    save: Annotated[
        str,
        typer.Option(
            callback=_parse_save,
            help=f"What to write: {', '.join(SAVED)}; commas between.",
        ),
    ] = "mask",
    format: Annotated[
        MaskFormat,
        typer.Option(
            help="Format of the masks; auto: TIFF where the image knows its place or is large, "
            "Zarr of a Zarr image."
        ),
    ] = MaskFormat.AUTO,
    min_area: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Give regions and holes below N pixels the class around them.",
            show_default="as the model's validation images chose, mostly none",
        ),
    ] = None,
    tta: Annotated[
        bool, typer.Option("--tta", help="Average over mirror images: better, 2 to 4 times slower.")
    ] = False,
    no_recursive: Annotated[
        bool, typer.Option("--no-recursive", help="Leave out the folders inside those given.")
    ] = False,
    take_all: Annotated[
        bool, typer.Option("--all", help="Take what looks like a mask or an earlier result, too.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do again what an interrupted run finished.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Only the K-th of N shares.", show_default=False),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory that may be taken, as 2GB; large TIFF, .npy and Zarr images go in parts.",
            show_default="half of what is free",
        ),
    ] = None,
    precision: Annotated[
        Precision,
        typer.Option(
            metavar="FORMAT",
            help="float32, bfloat16 or auto: as the model was validated, else the fastest.",
        ),
    ] = Precision.AUTO,
    runtime: Annotated[
        Runtime,
        typer.Option(
            metavar="NAME",
            help="Computes by torch, openvino, onnx or auto: torch, for exports their own.",
        ),
    ] = Runtime.AUTO,
    quality: Annotated[
        Quality, typer.Option(help="Tiles of large images: their size and overlap.")
    ] = Quality.NORMAL,
    skip_background: Annotated[
        bool,
        typer.Option(
            "--skip-background", help="On whole slides, tiles of bright glass are background."
        ),
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
            format=format.value,
            min_area=min_area,
            tta=tta,
            device=device,
            runtime=runtime.value,
            precision=precision.value,
            quality=quality.value,
            memory=memory,
            shard=shard,
            skip_background=skip_background,
            overwrite=overwrite,
            recursive=not no_recursive,
            take_all=take_all,
            progress=progress,
        )
    is_on_screen = write_json(json, result.to_json())
    if result.failed:
        fail(result.describe_failed(len(result.failed)) if verbose else result.describe_failed())
    if not is_on_screen:
        say(result.describe(verbose=verbose))
