"""Predict images in files and folders."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pixelwise.data import (
    find_images,
    is_written_mask,
    make_folder,
    overlay,
    read_image,
    to_channels,
    write_image,
    write_mask,
    write_probabilities,
)
from pixelwise.errors import DataError, ModelFileError, OutputError, PlanError
from pixelwise.folders.planes import is_written_planes, write_planes
from pixelwise.folders.progress import ShowProgress, showing
from pixelwise.network import Model, load_model
from pixelwise.predict import IntensityCheck, Predictor

SAVES = ("mask", "probability", "overlay")
AnyPath = str | os.PathLike[str]


def predict(
    model: AnyPath,
    inputs: AnyPath | Sequence[AnyPath],
    out: AnyPath,
    *,
    save: Sequence[str] = ("mask",),
    tta: bool = False,
    device: str = "auto",
    progress: ShowProgress = True,
) -> list[Path]:
    """Write a mask for every image, in the image's own size.

    Args:
        model: run folder or model file.
        inputs: images, or folders of them.
        out: folder for the results: NAME.png (palette PNG: class index as value, class colour as
            palette; where classes overlap NAME.tif, one plane of 0 and 1 a class),
            NAME_probability.tif (float32, K x H x W), NAME_overlay.png.
        save: any of "mask", "probability", "overlay".
        tta: average over mirrored copies of each image (test-time augmentation).
        device: "auto", "cpu", "cuda", "mps".
        progress: True shows it, as the command line does; a function is called with (done, total).

    Returns:
        The files written.

    Images in another unit than those of training, such as floats from 0 to 1 for 8 bits, are
    converted where there is one reading, and a warning says so.

    Raises:
        ModelFileError: the model cannot be used.
        DataError: no images, or some that cannot be read; all others are predicted first.
        OutputError: a result cannot be written, or would replace a file that is no prediction.
    """
    unknown = [name for name in save if name not in SAVES]
    if unknown or not save:
        raise PlanError(f"Cannot save {unknown or 'nothing'}. Choose from {', '.join(SAVES)}.")
    paths = find_images([Path(path) for path in _as_list(inputs)])
    names = unique_names(paths)
    predictor = Predictor(load_for_files(Path(model)), device=device, flip_average=tta)
    folder = make_folder(Path(out))
    _refuse_overwriting(paths, names, folder, predictor.model)
    check = IntensityCheck(predictor.model.config)
    written, failures = [], []
    with showing(progress, "predicting") as count:
        for index, (path, name) in enumerate(zip(paths, names, strict=True)):
            try:
                written += _predict_file(predictor, check, path, folder / name, save)
            except OutputError:
                raise
            except DataError as error:
                failures.append(str(error))
            if count is not None:
                count(index + 1, len(paths))
    check.warn()
    if failures:
        others = "" if len(failures) == len(paths) else f"; the masks of the others are in {folder}"
        raise DataError(
            f"{len(failures)} of {len(paths)} images could not be predicted{others}. "
            + " ".join(failures[:3])
        )
    return written


def _predict_file(
    predictor: Predictor, check: IntensityCheck, path: Path, target: Path, save: Sequence[str]
) -> list[Path]:
    """Predict one image and write what was asked for; `target` has no suffix yet."""
    image = read_image(path)
    in_channels = predictor.model.config.network.in_channels
    channels = check.take(to_channels(image, in_channels, str(path)), str(path))
    probabilities = predictor.probabilities(channels)
    mask, colors = predictor.to_mask(probabilities), predictor.model.config.class_colors
    written = []
    if "mask" in save and mask.dtype == np.bool_:
        written.append(write_planes(target, mask))
    elif "mask" in save:
        written.append(write_mask(target.with_name(target.name + ".png"), mask, colors))
    if "probability" in save:
        written.append(target.with_name(target.name + "_probability.tif"))
        write_probabilities(written[-1], probabilities)
    if "overlay" in save:
        written.append(target.with_name(target.name + "_overlay.png"))
        write_image(written[-1], overlay(image, mask, colors))
    return written


def _as_list(inputs: AnyPath | Sequence[AnyPath]) -> Sequence[AnyPath]:
    return [inputs] if isinstance(inputs, str | os.PathLike) else inputs


def unique_names(paths: Iterable[Path]) -> list[str]:
    """Name results by their images' stems; with the folder or suffix where stems are alike."""
    paths = list(paths)
    for name_of in (_stem, _stem_and_suffix, _folder_and_stem):
        names = [name_of(path) for path in paths]
        if len(set(names)) == len(names):
            return names
    repeated = next(name for name, count in Counter(names).items() if count > 1)
    raise DataError(
        f"Several images would all be written as {repeated}. Predict their folders one at a time, "
        "each into an output folder of its own."
    )


def _stem(path: Path) -> str:
    return path.stem


def _stem_and_suffix(path: Path) -> str:
    return path.name.replace(".", "_")


def _folder_and_stem(path: Path) -> str:
    return f"{path.resolve().parent.name}_{path.stem}"


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


def _refuse_overwriting(
    paths: Sequence[Path], names: Sequence[str], folder: Path, model: Model
) -> None:
    """Replace earlier predictions, but no image and no mask that somebody else made."""
    same = next((path for path in paths if path.resolve().parent == folder.resolve()), None)
    if same is not None:
        raise OutputError(
            f"{folder} holds the image {same.name}; its mask would replace it or be taken for an "
            "image. Choose another output folder."
        )
    has_planes, colors = model.config.task == "multilabel", model.config.class_colors
    for name in names:
        target = folder / f"{name}{'.tif' if has_planes else '.png'}"
        if target.exists() and not (
            is_written_planes(target) if has_planes else is_written_mask(target, colors)
        ):
            raise OutputError(
                f"{target} is there already and is no mask that this model wrote: it may be one "
                "that a person drew. Choose another output folder, or move the file away."
            )
