"""Model -> a bioimage.io package: a .zip with its description, weights and a picture to try.

    rdf.yaml          the description, after the specification 0.5, as bioimageio.spec writes it
    weights.onnx      the whole model, opset 20
    weights.pt        the same as TorchScript, which QuPath and deepImageJ run
    test_input.npy    (1, C, H, W) float32, and test_output.npy (1, K, H, W), to check a tool with
    cover.png         that picture, and the mask over it
    README.md         what the numbers mean, and the scores

Scaling, working scale and padding are inside the weights, so that there is no pre-processing.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data import overlay, to_rgb
from pixelwise.errors import ExportError, PlanError
from pixelwise.export.bioimageio_description import describe, read_me, smallest_side
from pixelwise.export.onnx import build_onnx, write_onnx
from pixelwise.export.torch import build_torchscript
from pixelwise.export.verify import Agreement, Picture, exact_predictor, trial_picture, verify
from pixelwise.io import import_extra, read_bytes, write_bytes, write_image, write_text
from pixelwise.network import Model, ModelConfig

TEST_SIDE = 256  # of the picture to try, where the network is content with that


def export_bioimageio(
    model: Model,
    path: Path,
    given: Mapping[str, Picture] | None = None,
    *,
    authors: Sequence[str] = (),
    license: str | None = None,
) -> Agreement:
    """Write a model as a bioimage.io package, after both its weights were compared with the model.

    Args:
        model: a model of pictures.
        path: .zip file to write.
        given: pictures (C, H, W) by name, to compare on beside random ones; the middle of the first
            is the picture to try.
        authors: their names.
        license: its SPDX name, such as "CC-BY-4.0".

    Returns:
        The agreement of the worse of both weights.

    Raises:
        MissingExtraError: a package is not installed.
        PlanError: an author or a licence is none.
        ModelFileError: it is a model of volumes.
        ExportError: weights do not agree with the model, or bioimageio.spec refuses the package;
            nothing is written.
        OutputError: the file cannot be written.
    """
    spec = import_extra("bioimageio.spec", "bioimageio", "bioimage.io packages", "written")
    credits = _credits(authors, license)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        agreement = _write_weights(model, folder, str(path), given)
        _write_example(model, next(iter((given or {}).values()), None), folder)
        write_text(folder / "README.md", read_me(model.config, path.stem, agreement))
        try:
            description = describe(model.config, path.stem, folder, agreement, credits)
            spec.save_bioimageio_package(description, output_path=folder / "package.zip")
        except ValueError as error:  # pydantic's, of what the specification does not allow
            raise ExportError(
                f"{path} was not written: bioimageio.spec refuses the description ({error})."
            ) from error
        write_bytes(path, read_bytes(folder / "package.zip"))
    return agreement


def _credits(authors: Sequence[str], license: str | None) -> dict[str, Any]:
    """Authors and licence as the description has them."""
    from bioimageio.spec.generic import v0_3

    try:
        return {
            "authors": [v0_3.Author(name=name) for name in authors],
            "license": v0_3.LicenseId(license) if license else None,
        }
    except ValueError as error:
        raise PlanError(
            f"The specification of bioimage.io refuses the author or the licence ({error}). Give "
            "names without a slash, and a licence by its SPDX name, such as CC-BY-4.0."
        ) from error


def _write_weights(
    model: Model, folder: Path, name: str, given: Mapping[str, Picture] | None
) -> Agreement:
    """Write both weights; return what is true of both."""
    script, second = build_torchscript(model, f"{name} (TorchScript)", given)
    write_bytes(folder / "weights.pt", script)
    first = write_onnx(
        build_onnx(model),
        model.config,
        folder / "weights.onnx",
        lambda run: verify(run, model, f"{name} (ONNX)", given),
    )
    return replace(
        first,
        max_difference=max(first.max_difference, second.max_difference),
        equal_share=min(first.equal_share, second.equal_share),
    )


def example_picture(config: ModelConfig, picture: Picture | None) -> Picture:
    """A square (C, side, side) of a size that the description allows.

    The middle of a picture, of which the last pixels are repeated where it is too small; a random
    one where there is none.
    """
    least, step, _ = smallest_side(config)
    if picture is None:
        picture = trial_picture(config, (TEST_SIDE, TEST_SIDE), np.random.default_rng(0))
    shorter = min(*picture.shape[1:], max(TEST_SIDE, least))
    side = least + max(0, shorter - least) // step * step
    top, left = ((length - side) // 2 if length > side else 0 for length in picture.shape[1:])
    cut = picture[:, top : top + side, left : left + side]
    missing = ((0, 0), *((0, side - length) for length in cut.shape[1:]))
    return np.pad(cut, missing, mode="edge")


def _write_example(model: Model, picture: Picture | None, folder: Path) -> None:
    """Write the picture to try, what the model makes of it, and both to look at."""
    example, predictor = example_picture(model.config, picture), exact_predictor(model)
    probabilities = predictor.probabilities(example)
    np.save(folder / "test_input.npy", example[None])
    np.save(folder / "test_output.npy", probabilities[None])
    every = ceil(example.shape[1] / TEST_SIDE)  # pixels: covers are small
    image = example[:, ::every, ::every].transpose(1, 2, 0)
    mask = predictor.to_mask(probabilities)[..., ::every, ::every]
    shown = [to_rgb(image), overlay(image, mask, model.config.class_colors)]
    write_image(folder / "cover.png", np.concatenate(shown, axis=1))
