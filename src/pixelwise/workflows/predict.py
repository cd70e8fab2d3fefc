"""Predict images in files and folders."""

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pixelwise.data import FoundImages, find_images, overlay, to_channels
from pixelwise.errors import DataError, ModelFileError, OutputError, PixelwiseWarning, PlanError
from pixelwise.inference import IntensityCheck, Predictor
from pixelwise.io import (
    is_result,
    make_folder,
    read_image,
    write_image,
    write_mask,
    write_planes,
    write_probabilities,
    write_text,
)
from pixelwise.network import Model, load_model
from pixelwise.text import format_csv
from pixelwise.workflows.progress import ShowProgress, showing
from pixelwise.workflows.result_names import ENDS, name_results

SAVES = tuple(ENDS)
ERRORS_FILE = "errors.csv"
ERRORS_COLUMNS = ("file", "message")
NUM_SHOWN = 3
AnyPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a prediction wrote, left out and could not do.

    Attributes:
        folder: folder of the results.
        num_images: that were to be predicted.
        written: the files, image by image.
        left_out: pictures in the folders given that were not taken, and why.
        failed: images that could not be predicted, and why.
    """

    folder: Path
    num_images: int
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
    tta: bool = False,
    device: str = "auto",
    recursive: bool = True,
    take_all: bool = False,
    progress: ShowProgress = True,
) -> list[Path]:
    """Write a mask for every image, in the image's own size.

    Args:
        model: run folder or model file.
        inputs: images, or folders of them. Of a folder all pictures are taken, those of the folders
            inside it too; what looks like a mask or an earlier result is left out with a warning.
        out: folder for the results, in the same tree as the images: NAME.png (palette PNG: class
            index as value, class colour as palette; where classes overlap NAME.tif, one plane of 0
            and 1 a class), NAME_probability.tif (float32, K x H x W), NAME_overlay.png. Where
            names would be alike, the ending of the image is added: k_png.png and k_tif.png.
        save: any of "mask", "probability", "overlay".
        tta: average over mirrored copies of each image (test-time augmentation).
        device: "auto", "cpu", "cuda", "mps".
        recursive: take the pictures of the folders inside a folder, too.
        take_all: take what looks like a mask or an earlier result, too.
        progress: True shows it, as the command line does; a function is called with (done, total).

    Returns:
        The files written.

    Images in another unit than those of training, such as floats from 0 to 1 for 8 bits, are
    converted where there is one reading, and a warning says so.

    Raises:
        ModelFileError: the model cannot be used.
        DataError: no images, or some that cannot be read; all others are predicted first, and
            errors.csv in the folder for the results says why each was not.
        OutputError: a result cannot be written, or would replace a file that is no prediction.
    """
    predictions = predict_images(
        model,
        inputs,
        out,
        save=save,
        tta=tta,
        device=device,
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
    tta: bool = False,
    device: str = "auto",
    recursive: bool = True,
    take_all: bool = False,
    progress: ShowProgress = True,
) -> Predictions:
    """Predict as `predict` does, but return what failed in place of an error at the end."""
    unknown = [name for name in save if name not in SAVES]
    if unknown or not save:
        raise PlanError(f"Cannot save {unknown or 'nothing'}. Choose from {', '.join(SAVES)}.")
    folder = Path(out)
    paths = [Path(path) for path in _as_list(inputs)]
    found = find_images(paths, recursive=recursive, take_all=take_all, out=folder)
    predictor = Predictor(load_for_files(Path(model)), device=device, tta=tta, in_place=True)
    targets = _plan_targets(found, folder, predictor.model, save)
    result = Predictions(make_folder(folder), len(targets), left_out=found.left_out)
    if found.left_out:
        warnings.warn(result.describe_left_out(), PixelwiseWarning, stacklevel=3)
    check = IntensityCheck(predictor.model.config)
    with showing(progress, "predicting") as count:
        for index, (path, files) in enumerate(targets.items()):
            try:
                result.written.extend(_predict_file(predictor, check, path, files))
            except OutputError:
                raise
            except DataError as error:
                result.failed[path] = str(error)
                _remove(files.values())  # an earlier run's would be taken for those of this one
            if count is not None:
                count(index + 1, len(targets))
    check.warn()
    _write_errors(result)
    return result


def _plan_targets(
    found: FoundImages, folder: Path, model: Model, save: Sequence[str]
) -> dict[Path, dict[str, Path]]:
    """Every file to be written, by its image and by what it saves.

    Raises:
        OutputError: one would replace, or lie among, files that are no results.
    """
    names = name_results(list(found.places.values()))
    mask_end = ".tif" if model.config.task.can_overlap else ".png"
    suffixes = {"mask": mask_end, "probability": ".tif", "overlay": ".png"}
    targets = {
        path: {
            what: folder / f"{name}{ENDS[what]}{suffixes[what]}" for what in SAVES if what in save
        }
        for path, name in zip(found.places, names, strict=True)
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


def _predict_file(
    predictor: Predictor, check: IntensityCheck, path: Path, files: Mapping[str, Path]
) -> list[Path]:
    """Predict one image and write what was asked for."""
    image = read_image(path)
    in_channels = predictor.model.config.network.in_channels
    channels = check.take(to_channels(image, in_channels, str(path)), str(path))
    probabilities = predictor.probabilities(channels)
    mask, colors = predictor.to_mask(probabilities), predictor.model.config.class_colors
    for what, target in files.items():
        make_folder(target.parent)
        if what == "probability":
            write_probabilities(target, probabilities)
        elif what == "overlay":
            write_image(target, overlay(image, mask, colors), signed=True)
        elif mask.dtype == np.bool_:
            write_planes(target.with_name(target.name.removesuffix(".tif")), mask)
        else:
            write_mask(target, mask, colors)
    return list(files.values())


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
        if target in folders or (target.exists() and not is_result(target)):
            raise OutputError(
                f"{target} is there already and is no result that pixelwise wrote: it may be a "
                "mask that a person drew. Choose another output folder, or move the file away."
            )


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _write_errors(result: Predictions) -> None:
    """Write errors.csv where images failed; remove that of an earlier run where none did."""
    place = result.folder / ERRORS_FILE
    if result.failed:
        rows = [(str(path), text) for path, text in result.failed.items()]
        write_text(place, format_csv(ERRORS_COLUMNS, rows))
    else:
        _remove([place])


def _is_errors_file(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.readline().decode("utf-8", "replace").strip() == ",".join(ERRORS_COLUMNS)
    except OSError:
        return False
