"""Ready-made encoders: networks of the timm library, and weights that were learnt on photographs.

An encoder gives its features at 1/2, 1/4, ... of the image's size. Networks that begin by a larger
stride have no features at half the size and cannot be one.
"""

import os
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from pixelwise.errors import MissingExtraError, PlanError

EXAMPLES = "resnet18, resnet34, resnet50, efficientnet_b0 or mobilenetv3_large_100"


def make_encoder(name: str, in_channels: int, depth: int) -> nn.Module:
    """Build an encoder with fresh weights.

    Args:
        name: name of a timm network.
        in_channels: in channels of the images.
        depth: number of features, the last at ``1 / 2**depth`` of the size.

    Returns:
        A module from (B, C, H, W) to a list of `depth` features.

    Raises:
        MissingExtraError: timm is not installed, or cannot be imported.
        PlanError: timm has no such network, or it has no such features.
    """
    return _create(name, in_channels, depth)


def channels_of(encoder: nn.Module) -> list[int]:
    """Channels of each of an encoder's features, the largest features first."""
    return cast(list[int], cast(Any, encoder).feature_info.channels())


@torch.no_grad()
def load_encoder(
    encoder: nn.Module,
    name: str,
    in_channels: int,
    path: str | os.PathLike[str] | None = None,
) -> None:
    """Give an encoder pretrained weights, in place.

    For images of other than three channels timm sums or repeats the weights of the first layer.

    Args:
        encoder: as `make_encoder` made it.
        name: name of its timm network.
        in_channels: in channels of the images.
        path: a weight file of timm or torchvision (.safetensors, .pth); None for timm's own,
            from its cache or downloaded.

    Raises:
        MissingExtraError: as for `make_encoder`.
        PlanError: there are no weights, or they are not of that network.
    """
    if path is not None:
        _check_weights(name, path)
    overlay = None if path is None else {"file": os.fspath(path)}
    loaded = _create(
        name,
        in_channels,
        len(channels_of(encoder)),
        pretrained=True,
        pretrained_cfg_overlay=overlay,
    )
    encoder.load_state_dict(loaded.state_dict())


def check_encoder(name: str, depth: int, path: str | os.PathLike[str] | None = None) -> None:
    """Refuse names and weight files that cannot be used, before anything else is done.

    Args:
        name: name of a timm network.
        depth: number of features.
        path: a weight file; None where timm is to find the weights, which is then not tried.

    Raises:
        MissingExtraError: as for `make_encoder`.
        PlanError: as for `make_encoder` and `load_encoder`.
    """
    with torch.device("meta"):
        make_encoder(name, 3, depth)
    if path is not None:
        _check_weights(name, path)


def refuse_weights_alone(name: str | None, path: str | os.PathLike[str] | None) -> None:
    """Raise PlanError where weights of an encoder are given without its name."""
    if name is None and path is not None:
        raise PlanError(
            f"{path} was given as weights of an encoder, but no encoder. Name it, such as resnet34."
        )


def _check_weights(name: str, path: str | os.PathLike[str]) -> None:
    """Refuse files that lack weights of a network, or have some that it lacks.

    timm leaves out what does not fit.
    """
    if not Path(path).is_file():
        raise PlanError(f"{path} is not a file. Give the weights of {name} as a file.")
    timm, path = _import_timm(), os.fspath(path)
    try:
        network = timm.create_model(name, num_classes=0)
        odd = timm.models.load_checkpoint(network, path, strict=False)
    except Exception as error:  # whatever the reading of a file raises
        raise PlanError(_explain_weights(name, path, error)) from error
    heads = network.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    lacking = [key for key in odd.missing_keys if not key.endswith("num_batches_tracked")]
    foreign = [key for key in odd.unexpected_keys if not key.startswith(heads)]
    if lacking:
        raise PlanError(_explain_weights(name, path, f"it lacks {lacking[0]}"))
    if foreign:
        raise PlanError(_explain_weights(name, path, f"it has {foreign[0]}, which {name} has not"))


def _create(name: str, in_channels: int, depth: int, **given: Any) -> nn.Module:  # noqa: ANN401
    """An encoder, checked; with weights where `given` says which."""
    timm = _import_timm()
    try:
        if not timm.is_model(name):
            raise PlanError(f"timm has no network called {name}. Name one such as {EXAMPLES}.")
        encoder = timm.create_model(
            name,
            features_only=True,
            in_chans=in_channels,
            out_indices=tuple(range(depth)),
            **given,
        )
        strides = list(encoder.feature_info.reduction())
    except PlanError:
        raise
    except Exception as error:  # whatever timm, its download and the reading of a file raise
        if given:
            overlay = given["pretrained_cfg_overlay"] or {}
            raise PlanError(_explain_weights(name, overlay.get("file"), error)) from error
        raise PlanError(_explain_features(name, depth, error)) from error
    if strides != [2**level for level in range(1, depth + 1)]:
        raise PlanError(_explain_features(name, depth, f"they have strides {strides}"))
    return cast(nn.Module, encoder)


def _explain_features(name: str, depth: int, problem: object) -> str:
    """Say that a network cannot be an encoder."""
    return (
        f"{name} has no features at 1/2 to 1/{2**depth} of the image's size, which an encoder of "
        f"{depth} levels has ({_first_line(problem)}). Name one such as {EXAMPLES}."
    )


def _explain_weights(name: str, path: str | None, problem: object) -> str:
    """Say that weights cannot be had."""
    if path is None:
        return (
            f"The weights of {name} are not in timm's cache and cannot be downloaded "
            f"({_first_line(problem)}). Give them as a file, or train without an encoder."
        )
    return (
        f"{path} does not hold the weights of {name} ({_first_line(problem)}). Give a weight file "
        "of that network, as timm or torchvision write it: .safetensors or .pth."
    )


def _first_line(problem: object) -> str:
    """What went wrong, in a line; its kind where it says nothing."""
    lines = str(problem).strip().splitlines()
    return " ".join(line.strip() for line in lines[:2]) if lines else type(problem).__name__


def _import_timm() -> Any:  # noqa: ANN401
    """The timm library.

    Raises:
        MissingExtraError: it is not installed, or its torchvision does not fit this torch.
    """
    try:
        import timm
    except ImportError as error:
        raise MissingExtraError(
            f"Ready-made encoders are networks of timm, which cannot be imported ({error}). "
            f'Install it with pip install "pixelwise[encoders]".'
        ) from error
    except (RuntimeError, AttributeError) as error:  # torchvision was built for another torch
        raise MissingExtraError(
            f"timm, which ready-made encoders come from, needs the torchvision that was built for "
            f"torch {torch.__version__}, and the one here was not ({error}). Install both from the "
            "same place, for example pip install torch torchvision in a new environment."
        ) from error
    return timm
