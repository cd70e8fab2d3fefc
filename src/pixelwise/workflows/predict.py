"""Predict images in files and folders.

    DIR/.predictions.json   by which model and how the masks in DIR were made
    DIR/errors.csv          images that could not be predicted, and why

A run that was interrupted goes on where it ended: what it finished is left as it is, since every
file is whole or not there. Masks of another model, or made in another way, are made again.
"""

import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from pixelwise.data import find_images
from pixelwise.errors import DataError, PixelwiseWarning, PlanError
from pixelwise.inference.precision import file_predictor
from pixelwise.inference.predictor import TILINGS, Quality
from pixelwise.inference.runtimes import AskedPrecision, AskedRuntime
from pixelwise.io import import_extra, make_folder
from pixelwise.memory import free_memory, keeping_freed_memory, parse_memory, peak_megabytes
from pixelwise.network import Model
from pixelwise.workflows.given_model import AnyModel, GivenModel, refuse_swapped, take_model
from pixelwise.workflows.prediction.files import FilePredictor
from pixelwise.workflows.prediction.inputs import expand_inputs, share_of
from pixelwise.workflows.prediction.loading import Job
from pixelwise.workflows.prediction.outcome import Predictions, write_errors
from pixelwise.workflows.prediction.targets import (
    SAVES,
    MaskFormat,
    Record,
    is_done,
    plan_targets,
)
from pixelwise.workflows.progress import CountImages, ShowProgress, showing

NUM_COLORS = 3  # channels of images on which glass is known
DEFAULT_MEMORY = 2**32  # bytes, where the system does not tell what is free
FORMATS = get_args(MaskFormat)
AnyPath = str | os.PathLike[str]


def predict(
    model: AnyModel,
    inputs: AnyPath | Sequence[AnyPath],
    out: AnyPath = "masks",
    *,
    save: Sequence[str] = ("mask",),
    format: MaskFormat = "auto",
    min_area: int | None = None,
    tta: bool = False,
    device: str = "auto",
    runtime: AskedRuntime = "auto",
    precision: AskedPrecision = "auto",
    quality: Quality = "normal",
    memory: str | int | None = None,
    shard: str | None = None,
    skip_background: bool = False,
    overwrite: bool = False,
    recursive: bool = True,
    take_all: bool = False,
    progress: ShowProgress = True,
) -> list[Path]:
    """Write a mask for every image, in the image's own size and place.

    Args:
        model: run folder, model file, run, Segmenter, or a file that `pixelwise export` wrote
            (.onnx; .xml with its .bin).
        inputs: images, folders of them, patterns such as ``"day*/*.tif"``, or a .txt file that
            names one a line. Of a folder all pictures are taken, those of the folders inside it
            too; what looks like a mask or an earlier result is left out with a warning.
        out: folder for the results, in the same tree as the images: NAME.png (palette PNG: class
            index as value, class colour as palette), NAME.tif (the same as TIFF; where classes
            overlap one plane of 0 and 1 a class) or NAME.ome.zarr (the same as OME-Zarr);
            NAME_probability.tif (a plane a class, 0 to 255 for probabilities from 0 to 1),
            NAME_uncertainty.tif (0 for certain to 255, see `--save uncertainty` in
            docs/prediction.md), NAME_overlay.png (a TIFF of images that are read in parts),
            NAME_objects.csv (a row for each connected region), NAME_polygons.geojson (their
            outlines, in coordinates of the map where the image is a GeoTIFF), NAME_coco.json (the
            same as COCO annotations, in pixels). Where names would be alike, the ending of the
            image is added: k_png.png and k_tif.png.
        save: any of "mask", "probability", "uncertainty", "overlay", "table", "polygons", "coco".
        format: of the masks: "png", "tif", "zarr", or "auto": Zarr of a Zarr image; TIFF of a
            GeoTIFF, of an image that knows the size of its pixels, and of one that is read in
            parts; else PNG.
        min_area: pixels of the image that a connected region of a class must have; smaller ones,
            holes too, get the class of most of their border, see docs/prediction.md. 1 leaves
            masks as they are; None: as the model says, whose validation images chose it.
            Probabilities are not changed.
        tta: average over mirrored copies of each image (test-time augmentation).
        device: "auto", "cpu", "cuda", "mps".
        runtime: what computes: "torch", "openvino" or "onnx" (ONNX Runtime), these two on the CPU;
            "auto": torch, or for an exported file that of its format. What they make of a network
            is kept in .compiled beside the model.
        precision: "float32", "bfloat16", or "auto": as the model was validated. One that never was
            is run in bfloat16 where the device has it: that takes a third to all of the time, and
            changes a few pixels where two classes are about as likely.
        quality: of images too large for one piece: "fast", "normal" or "best", see
            docs/prediction.md.
        memory: that the process may take, such as "2GB"; None: half of what is free. Large TIFF,
            .npy and Zarr images are predicted in parts within it; others must fit.
        shard: "3/16" predicts the third of 16 shares of the images, for job arrays.
        skip_background: of images that are read in parts, such as whole slides, tiles that show
            bright glass and no colour are background without being computed.
        overwrite: predict again what an earlier run finished.
        recursive: take the pictures of the folders inside a folder, too.
        take_all: take what looks like a mask or an earlier result, too.
        progress: True shows it, as the command line does; a function is called with (done, total).

    Returns:
        The files written, and those that an earlier run of the same model had finished.

    Images in another unit than those of training, such as floats from 0 to 1 for 8 bits, are
    converted where there is one reading, and a warning says so.

    Example:
        >>> import pixelwise as pw
        >>> run = pw.train("data", out="run", epochs=2, progress=False)
        >>> len(pw.predict(run, "data/images", out="masks", progress=False))
        10

    Raises:
        ModelFileError: the model cannot be used.
        PlanError: a setting that cannot be used.
        MissingExtraError: the library of the runtime is not installed.
        DataError: no images, or some that cannot be read; all others are predicted first, and
            errors.csv in the folder for the results says why each was not.
        OutputError: a result cannot be written, or would replace a file that is no prediction.
    """
    predictions = predict_images(
        model,
        inputs,
        out,
        save=save,
        format=format,
        min_area=min_area,
        tta=tta,
        device=device,
        runtime=runtime,
        precision=precision,
        quality=quality,
        memory=memory,
        shard=shard,
        skip_background=skip_background,
        overwrite=overwrite,
        recursive=recursive,
        take_all=take_all,
        progress=progress,
    )
    if predictions.failed:
        raise DataError(predictions.describe_failed())
    return predictions.written


def predict_images(
    model: AnyModel,
    inputs: AnyPath | Sequence[AnyPath],
    out: AnyPath,
    *,
    save: Sequence[str] = ("mask",),
    format: MaskFormat = "auto",
    min_area: int | None = None,
    tta: bool = False,
    device: str = "auto",
    runtime: AskedRuntime = "auto",
    precision: AskedPrecision = "auto",
    quality: Quality = "normal",
    memory: str | int | None = None,
    shard: str | None = None,
    skip_background: bool = False,
    overwrite: bool = False,
    recursive: bool = True,
    take_all: bool = False,
    progress: ShowProgress = True,
) -> Predictions:
    """Predict as `predict` does, but return what failed in place of an error at the end."""
    started = time.monotonic()
    _check_results(save, format, min_area)
    if quality not in TILINGS:
        raise PlanError(f"{quality!r} is no quality. Choose {', '.join(TILINGS)}.")
    num_bytes = _memory(memory)
    given = _take_model(model, inputs, min_area)
    loaded = given.model
    folder = Path(out)
    paths = expand_inputs(_as_list(inputs))
    found = find_images(paths, recursive=recursive, take_all=take_all, out=folder)
    targets = share_of(plan_targets(found, folder, loaded, save, format), shard)
    if skip_background:
        _refuse_without_background(loaded)
    settings = {
        "tta": tta,
        "runtime": runtime,
        "precision": precision,
        "quality": quality,
        "min_area": loaded.config.min_area,
        "skip_background": skip_background,
    }
    record = Record(folder, loaded, settings)
    since = None if overwrite else record.since
    todo = {path: files for path, files in targets.items() if not is_done(path, files, since)}
    predictor = file_predictor(
        loaded,
        device=device,
        runtime=runtime,
        precision=precision,
        tta=tta,
        quality=quality,
        folder=given.folder,
    )
    result = Predictions(make_folder(folder), len(targets), len(targets) - len(todo))
    result.left_out = found.left_out
    if found.left_out:
        warnings.warn(result.describe_left_out(), PixelwiseWarning, stacklevel=3)
    if since is None:
        record.write()
    jobs = [Job(path, files) for path, files in todo.items()]
    files = FilePredictor(predictor, num_bytes, skip_background=skip_background)
    with keeping_freed_memory(), showing(progress, "predicting") as count:
        _predict_jobs(files, jobs, result, count)
    good = (files for path, files in targets.items() if path not in result.failed)
    result.written = [file for files in good for file in files.values()]
    result.seconds = time.monotonic() - started
    used = predictor.runtime
    result.computed = f"computed by {used.name} on {used.device} in {used.precision}"
    if skipped := predictor.tiles.describe():
        result.computed += f", {skipped}"
    megabytes = peak_megabytes(predictor.device)
    if megabytes is not None:
        result.computed += f", {megabytes:,.0f} MB of memory at most"
    write_errors(result)
    return result


def _predict_jobs(
    files: FilePredictor, jobs: Sequence[Job], result: Predictions, count: CountImages | None
) -> None:
    """Predict all images, note in the result what became of them, and say how many are done."""
    done = 0

    def tell(share: float) -> None:
        if count is not None:
            count(done + share, len(jobs))

    files.on_part = tell
    for outcome in files.run(jobs):
        if outcome.error:
            result.failed[outcome.job.path] = outcome.error
        result.num_pixels += outcome.num_pixels
        done += 1
        tell(0)
    files.check.warn()


def _check_results(save: Sequence[str], format: str, min_area: int | None) -> None:
    """PlanError for results that there are not; MissingExtraError for those of an extra."""
    unknown = [name for name in save if name not in SAVES]
    if unknown or not save:
        raise PlanError(f"Cannot save {unknown or 'nothing'}. Choose from {', '.join(SAVES)}.")
    if format not in FORMATS:
        raise PlanError(f"{format!r} is no format of masks. Choose {', '.join(FORMATS)}.")
    if format == "zarr":
        import_extra("zarr", "volumes", "Zarr masks", "written")
    if min_area is not None and min_area < 1:
        raise PlanError(
            f"A least area of {min_area} pixels is none. Give 1, which changes nothing, or more."
        )


def _memory(asked: str | int | None) -> int:
    """Bytes that the process may take."""
    if asked is not None:
        return parse_memory(asked)
    free = free_memory()
    return DEFAULT_MEMORY if free is None else max(2**29, free // 2)


def _refuse_without_background(model: Model) -> None:
    """PlanError where glass is no class of the model, or cannot be told without colours."""
    config = model.config
    if config.task.has_background(config.class_names) and config.network.in_channels == NUM_COLORS:
        return
    raise PlanError(
        "--skip-background makes bright glass class 0, for models of colour images whose class 0 "
        f"is background; this one has {config.network.in_channels} channels and the classes "
        f"{', '.join(config.class_names)}. Leave it out."
    )


def _take_model(
    model: AnyModel, inputs: AnyPath | Sequence[AnyPath], min_area: int | None
) -> GivenModel:
    """The model, with another least area where one is asked for."""
    refuse_swapped(model, inputs)
    given = take_model(model)
    if min_area is None:
        return given
    return given._replace(model=given.model.with_config(min_area=min_area))


def _as_list(inputs: AnyPath | Sequence[AnyPath]) -> Sequence[AnyPath]:
    return [inputs] if isinstance(inputs, str | os.PathLike) else inputs
