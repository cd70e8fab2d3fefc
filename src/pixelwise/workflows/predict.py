"""Predict images in files and folders.

    DIR/.predictions.json   by which model and how the masks in DIR were made
    DIR/errors.csv          images that could not be predicted, and why

A run that was interrupted goes on where it ended: what it finished is left as it is, since every
file is whole or not there. Masks of another model, or made in another way, are made again.
"""

import hashlib
import json
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from pixelwise.data import FoundImages, find_images
from pixelwise.errors import DataError, ModelFileError, OutputError, PixelwiseWarning, PlanError
from pixelwise.inference.precision import AskedPrecision, file_predictor
from pixelwise.inference.predictor import TILINGS, Quality
from pixelwise.io import (
    is_result,
    make_folder,
    open_windows,
    read_place,
    read_start,
    write_json,
    write_text,
)
from pixelwise.memory import free_memory, keeping_freed_memory, parse_memory, peak_megabytes
from pixelwise.network import Model, load_model
from pixelwise.objects import TABLE_START
from pixelwise.text import format_csv
from pixelwise.workflows.predict_files import FilePredictor, Job
from pixelwise.workflows.predict_inputs import expand_inputs, share_of
from pixelwise.workflows.progress import ShowProgress, showing
from pixelwise.workflows.result_names import ENDS, name_results
from pixelwise.workflows.start import fingerprint_of

SAVES = tuple(ENDS)
SUFFIXES = {
    "probability": ".tif",
    "overlay": ".png",
    "table": ".csv",
    "polygons": ".geojson",
}
ERRORS_FILE = "errors.csv"
ERRORS_COLUMNS = ("file", "message")
NUM_SHOWN = 3
RECORD_FILE = ".predictions.json"
DEFAULT_MEMORY = 2**32  # bytes, where the system does not tell what is free
MaskFormat = Literal["auto", "png", "tif"]
AnyPath = str | os.PathLike[str]


@dataclass(slots=True)
class Predictions:
    """What a prediction wrote, left out and could not do.

    Attributes:
        folder: folder of the results.
        num_images: that were to be predicted.
        written: the files, image by image; with those of an earlier run that was interrupted.
        num_kept: images that an earlier run had finished.
        num_pixels: of the images predicted.
        seconds: that it took, the loading of the model included.
        computed: on which device, in which number format, and with how much memory.
        left_out: pictures in the folders given that were not taken, and why.
        failed: images that could not be predicted, and why.
    """

    folder: Path
    num_images: int
    num_kept: int = 0
    num_pixels: int = 0
    seconds: float = 0.0
    computed: str = ""
    written: list[Path] = field(default_factory=list)
    left_out: Mapping[Path, str] = field(default_factory=dict)
    failed: dict[Path, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Plain lists and texts."""
        return {
            "written": [str(path) for path in self.written],
            "left_out": [{"file": str(p), "reason": why} for p, why in self.left_out.items()],
            "failed": [{"file": str(p), "message": text} for p, text in self.failed.items()],
        }

    def describe(self, *, verbose: bool = False) -> str:
        """What was written, how much that was, and how fast; verbose: and how it was computed."""
        number = len(self.written)
        texts = [f"{number} file{'' if number == 1 else 's'} written to {self.folder}"]
        if self.num_pixels:
            mega, seconds = self.num_pixels / 1e6, max(self.seconds, 1e-3)
            speed = f" ({mega / seconds:.2g} a second)" if mega >= 1 else ""
            amount = f"{mega:,.0f}" if mega >= 10 else f"{mega:.2g}"
            texts.append(f"{amount} megapixels in {seconds:.1f} s{speed}")
        if self.num_kept:
            kept = "1 image was" if self.num_kept == 1 else f"{self.num_kept} images were"
            texts.append(f"{kept} done before, and kept (--overwrite does them again)")
        if verbose:
            texts.append(self.computed)
        return "; ".join(texts) + "."

    def describe_left_out(self) -> str:
        """How many, an example, and how to take them."""
        first, why = next(iter(self.left_out.items()))
        number = len(self.left_out)
        what = "a picture that looks" if number == 1 else f"{number} pictures that look"
        example = f"{first}" if number == 1 else f"for example {first}"
        return (
            f"left out {what} like masks or earlier results, {example} ({why}). Predict all with "
            "--all (take_all=True)."
        )

    def describe_failed(self, num_shown: int = NUM_SHOWN) -> str:
        """How many, the first few, and where all are."""
        texts, where = list(self.failed.values()), self.folder / ERRORS_FILE
        is_all = len(texts) == self.num_images
        others = "" if is_all else f"; the masks of the others are in {self.folder}"
        left = len(texts) - num_shown
        more = f"And {left} more in {where}." if left > 0 else f"See {where}."
        start = f"{len(texts)} of {self.num_images} images could not be predicted{others}."
        between = "\n" if num_shown > NUM_SHOWN else " "  # many are a list, few a sentence
        return between.join([start, *texts[:num_shown], more])


def predict(
    model: AnyPath,
    inputs: AnyPath | Sequence[AnyPath],
    out: AnyPath,
    *,
    save: Sequence[str] = ("mask",),
    format: MaskFormat = "auto",
    tta: bool = False,
    device: str = "auto",
    precision: AskedPrecision = "auto",
    quality: Quality = "normal",
    memory: str | int | None = None,
    shard: str | None = None,
    overwrite: bool = False,
    recursive: bool = True,
    take_all: bool = False,
    progress: ShowProgress = True,
) -> list[Path]:
    """Write a mask for every image, in the image's own size and place.

    Args:
        model: run folder or model file.
        inputs: images, folders of them, patterns such as "day*/*.tif", or a .txt file that names
            one a line. Of a folder all pictures are taken, those of the folders inside it too; what
            looks like a mask or an earlier result is left out with a warning.
        out: folder for the results, in the same tree as the images: NAME.png (palette PNG: class
            index as value, class colour as palette) or NAME.tif (the same as TIFF; where classes
            overlap one plane of 0 and 1 a class), NAME_probability.tif (float32, K x H x W),
            NAME_overlay.png, NAME_objects.csv (a row for each connected region),
            NAME_polygons.geojson (their outlines, in coordinates of the map where the image is a
            GeoTIFF). Where names would be alike, the ending of the image is added: k_png.png and
            k_tif.png.
        save: any of "mask", "probability", "overlay", "table", "polygons".
        format: of the masks: "png", "tif", or "auto": TIFF of a GeoTIFF, of an image that knows the
            size of its pixels, and of one that is read in parts; else PNG.
        tta: average over mirrored copies of each image (test-time augmentation).
        device: "auto", "cpu", "cuda", "mps".
        precision: "float32", "bfloat16", or "auto": as the model was validated. One that never was
            is run in bfloat16 where the device has it: that takes a third to all of the time, and
            changes a few pixels where two classes are about as likely.
        quality: of images too large for one piece: "fast", "normal" or "best", see
            docs/prediction.md.
        memory: that the process may take, such as "2GB"; None: half of what is free. Large TIFF,
            .npy and Zarr images are predicted in parts within it; others must fit.
        shard: "3/16" predicts the third of 16 shares of the images, for job arrays.
        overwrite: predict again what an earlier run finished.
        recursive: take the pictures of the folders inside a folder, too.
        take_all: take what looks like a mask or an earlier result, too.
        progress: True shows it, as the command line does; a function is called with (done, total).

    Returns:
        The files written, and those that an earlier run of the same model had finished.

    Images in another unit than those of training, such as floats from 0 to 1 for 8 bits, are
    converted where there is one reading, and a warning says so.

    Raises:
        ModelFileError: the model cannot be used.
        PlanError: a setting that cannot be used.
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
        tta=tta,
        device=device,
        precision=precision,
        quality=quality,
        memory=memory,
        shard=shard,
        overwrite=overwrite,
        recursive=recursive,
        take_all=take_all,
        progress=progress,
    )
    if predictions.failed:
        raise DataError(predictions.describe_failed())
    return predictions.written


def predict_images(
    model: AnyPath,
    inputs: AnyPath | Sequence[AnyPath],
    out: AnyPath,
    *,
    save: Sequence[str] = ("mask",),
    format: MaskFormat = "auto",
    tta: bool = False,
    device: str = "auto",
    precision: AskedPrecision = "auto",
    quality: Quality = "normal",
    memory: str | int | None = None,
    shard: str | None = None,
    overwrite: bool = False,
    recursive: bool = True,
    take_all: bool = False,
    progress: ShowProgress = True,
) -> Predictions:
    """Predict as `predict` does, but return what failed in place of an error at the end."""
    started = time.monotonic()
    unknown = [name for name in save if name not in SAVES]
    if unknown or not save:
        raise PlanError(f"Cannot save {unknown or 'nothing'}. Choose from {', '.join(SAVES)}.")
    if format not in get_args(MaskFormat):
        raise PlanError(f"{format!r} is no format of masks. Choose auto, png or tif.")
    if quality not in TILINGS:
        raise PlanError(f"{quality!r} is no quality. Choose {', '.join(TILINGS)}.")
    num_bytes = _memory(memory)
    folder = Path(out)
    paths = expand_inputs(_as_list(inputs))
    found = find_images(paths, recursive=recursive, take_all=take_all, out=folder)
    loaded = load_for_files(Path(model))
    targets = share_of(_plan_targets(found, folder, loaded, save, format), shard)
    record = _Record(folder, loaded, {"tta": tta, "precision": precision, "quality": quality})
    since = None if overwrite else record.since
    todo = {path: files for path, files in targets.items() if not _is_done(path, files, since)}
    predictor = file_predictor(loaded, device=device, precision=precision, tta=tta, quality=quality)
    result = Predictions(make_folder(folder), len(targets), len(targets) - len(todo))
    result.left_out = found.left_out
    if found.left_out:
        warnings.warn(result.describe_left_out(), PixelwiseWarning, stacklevel=3)
    if since is None:
        record.write()
    files = FilePredictor(predictor, num_bytes)
    can_overlap = loaded.config.task.can_overlap
    with keeping_freed_memory(), showing(progress, "predicting") as count:
        jobs = [Job(path, files, can_overlap) for path, files in todo.items()]
        for number, outcome in enumerate(files.run(jobs), 1):
            if outcome.error:
                result.failed[outcome.job.path] = outcome.error
            result.num_pixels += outcome.num_pixels
            if count is not None:
                count(number, len(jobs))
    files.check.warn()
    good = (files for path, files in targets.items() if path not in result.failed)
    result.written = [file for files in good for file in files.values()]
    result.seconds = time.monotonic() - started
    used = getattr(predictor.runtime, "precision", "a format of its own")
    result.computed = f"computed on {predictor.device} in {used}"
    megabytes = peak_megabytes(predictor.device)
    if megabytes is not None:
        result.computed += f", {megabytes:,.0f} MB of memory at most"
    _write_errors(result)
    return result


def _memory(asked: str | int | None) -> int:
    """Bytes that the process may take."""
    if asked is not None:
        return parse_memory(asked)
    free = free_memory()
    return DEFAULT_MEMORY if free is None else max(2**29, free // 2)


class _Record:
    """By which model and how the masks of a folder were made, as it stands beside them.

    Masks that are older than it were made before, in another way.
    """

    def __init__(self, folder: Path, model: Model, settings: Mapping[str, object]) -> None:
        self._path = folder / RECORD_FILE
        config = hashlib.sha256(model.config.model_dump_json().encode()).hexdigest()[:12]
        weights = fingerprint_of(model)
        self._content = {"model": f"{weights} {config}", **settings}

    @property
    def since(self) -> int | None:
        """Time from which on masks were made in this way; None where they never were."""
        try:
            is_same = json.loads(self._path.read_text()) == self._content
            return self._path.stat().st_mtime_ns if is_same else None
        except (OSError, ValueError):
            return None

    def write(self) -> None:
        """From now on masks are made in this way."""
        write_json(self._path, self._content)


def _is_done(path: Path, files: Mapping[str, Path], since: int | None) -> bool:
    """Whether all files of an image were made since a time, and after the image was changed."""
    if since is None:
        return False
    try:
        changed = max(since, path.stat().st_mtime_ns)
        return all(is_own(f) and f.stat().st_mtime_ns >= changed for f in files.values())
    except OSError:
        return False


def is_own(path: Path) -> bool:
    """Whether a file is a result that pixelwise wrote, a table of objects among them."""
    return _begins_with(path, TABLE_START) if path.suffix == ".csv" else is_result(path)


def _begins_with(path: Path, text: str) -> bool:
    """Whether a file begins with a text in plain letters; False where it cannot be read."""
    try:
        return read_start(path, len(text)) == text.encode()
    except DataError:
        return False


def _plan_targets(
    found: FoundImages, folder: Path, model: Model, save: Sequence[str], format: MaskFormat
) -> dict[Path, dict[str, Path]]:
    """Every file to be written, by its image and by what it saves.

    Raises:
        OutputError: one would replace, or lie among, files that are no results.
    """
    names = name_results(list(found.places.values()))
    can_overlap = model.config.task.can_overlap
    targets = {}
    for path, name in zip(found.places, names, strict=True):
        mask_end = ".tif" if can_overlap else f".{_mask_format(path, format)}"
        suffixes = {"mask": mask_end} | SUFFIXES
        targets[path] = {
            what: folder / f"{name}{ENDS[what]}{suffixes[what]}" for what in SAVES if what in save
        }
    _refuse_to_mix(targets)
    _refuse_overwriting([file for files in targets.values() for file in files.values()])
    errors = folder / ERRORS_FILE
    if errors.exists() and not _is_errors_file(errors):
        raise OutputError(
            f"{errors} is there already and is no list of errors that pixelwise wrote. Choose "
            "another output folder, or move the file away."
        )
    return targets


def _mask_format(path: Path, asked: MaskFormat) -> str:
    """TIFF of images that know where they are, or are read in parts; else PNG."""
    if asked != "auto":
        return asked
    try:
        return "tif" if read_place(path) or open_windows(path) is not None else "png"
    except DataError:
        return "png"  # it cannot be read, which is said when its turn comes


def _as_list(inputs: AnyPath | Sequence[AnyPath]) -> Sequence[AnyPath]:
    return [inputs] if isinstance(inputs, str | os.PathLike) else inputs


def load_for_files(path: Path) -> Model:
    """Load a model whose masks files can hold: those of pictures.

    Raises:
        ModelFileError: it is no model, or one for volumes.
    """
    model = load_model(path)
    if model.config.network.spatial_dims != 2:
        raise ModelFileError(
            f"{path} is a model for volumes, which files of masks cannot hold yet. Use it in "
            "Python: pixelwise.load(...).predict(arrays)."
        )
    return model


def _refuse_to_mix(targets: Mapping[Path, Mapping[str, Path]]) -> None:
    """Keep results and images apart: no folder gets results that holds images."""
    folders = {file.parent.resolve() for files in targets.values() for file in files.values()}
    same = next((path for path in targets if path.resolve().parent in folders), None)
    if same is not None:
        raise OutputError(
            f"{same.parent} holds the image {same.name}; its mask would replace it or be taken for "
            "an image. Choose another output folder."
        )


def _refuse_overwriting(targets: Sequence[Path]) -> None:
    """Replace earlier results, but no image and no mask that somebody else made."""
    folders = {folder for target in targets for folder in target.parents}
    for target in targets:
        if target in folders or (target.exists() and not is_own(target)):
            raise OutputError(
                f"{target} is there already and is no result that pixelwise wrote: it may be a "
                "mask that a person drew. Choose another output folder, or move the file away."
            )


def _write_errors(result: Predictions) -> None:
    """Write errors.csv where images failed; remove that of an earlier run where none did."""
    place = result.folder / ERRORS_FILE
    if result.failed:
        rows = [(str(path), text) for path, text in result.failed.items()]
        write_text(place, format_csv(ERRORS_COLUMNS, rows))
    else:
        place.unlink(missing_ok=True)


def _is_errors_file(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.readline().decode("utf-8", "replace").strip() == ",".join(ERRORS_COLUMNS)
    except OSError:
        return False
