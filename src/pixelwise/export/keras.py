"""Read a U-Net that Keras 3 saved, without Keras or TensorFlow, and without running code from it.

A ``.keras`` file is a zip of ``config.json`` (the layers and who feeds whom) and
``model.weights.h5``. A ``.weights.h5`` file has no layers, only numbers in the order of the layers,
so that the architecture has to be given.

What the two sides write differently:

    Keras                                            here
    kernel (row, column, in, out)                    weight (out, in, row, column)
    transposed kernel (row, column, out, in)         weight (in, out, row, column)
    Concatenate([skip, up])                          (up, skip): the kernel's inputs are swapped
    normalization by sqrt(variance + 0.001)          sqrt(variance + 0.00001): the variance grows
    convolution with a bias before normalization     no bias: it is taken off the running mean
    some convolutions with normalization, some not   all: one that only adds the bias
"""

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from pixelwise.errors import MissingExtraError, ModelFileError
from pixelwise.export.keras_graph import Head, Source, follow_layers, sources_in_order
from pixelwise.export.keras_layers import Layer
from pixelwise.network.unet import UNet, UNetConfig

KERAS_EPSILON = 1e-3  # of a BatchNormalization of which only the weights are known
LARGEST_EXPANSION = 100  # a zip that grows more than this was not written by Keras
MALFORMED = (
    *(AttributeError, EOFError, IndexError, KeyError, MemoryError, NotImplementedError, OSError),
    *(RecursionError, RuntimeError, TypeError, ValueError),
    *(struct.error, zipfile.BadZipFile, zlib.error),
)


def read_keras(path: Path | str, architecture: UNetConfig | None = None) -> tuple[UNet, Head]:
    """Read a U-Net saved by Keras 3.

    Args:
        path: a ``.keras`` file, or a ``.weights.h5`` file.
        architecture: of a ``.weights.h5`` file, which does not say. There skips are taken to be
            concatenated as ``[up, skip]`` and batch normalizations to have Keras's epsilon of
            0.001; a ``.keras`` file says both. With a ``.keras`` file it must be what is found.

    Returns:
        The network in evaluation mode, giving logits, and what Keras applied to them: "sigmoid",
        "softmax" or "linear" (nothing). From a ``.weights.h5`` file, "sigmoid" for one output
        channel and "softmax" for more.

    Raises:
        ModelFileError: for a file that is damaged or not of Keras 3, and for a network that is no
            `UNet`; it names the layer.
        MissingExtraError: where h5py is not installed.
    """
    path = Path(path)
    try:
        if path.suffix == ".keras":
            return _read_archive(path, architecture)
        if path.name.endswith(".weights.h5"):
            return _read_weights_file(path, architecture)
        raise ModelFileError(
            "not the name of a Keras 3 file, which ends in .keras or .weights.h5. Load it in Keras "
            "and save it with model.save('model.keras')."
        )
    except (ModelFileError, MissingExtraError) as error:
        raise type(error)(f"{path}: {error}") from None
    except FileNotFoundError:
        raise ModelFileError(f"{path}: there is no such file.") from None
    except MALFORMED as error:
        raise ModelFileError(
            f"{path}: not a Keras 3 file, or a damaged one ({type(error).__name__}: {error}). "
            "Save it again from Keras 3 with model.save('model.keras')."
        ) from error


def _read_archive(path: Path, architecture: UNetConfig | None) -> tuple[UNet, Head]:
    """Read a ``.keras`` file."""
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST_EXPANSION * path.stat().st_size:
            raise ModelFileError(f"the zip would grow to {size:,} bytes; Keras writes none such.")
        version = str(json.loads(archive.read("metadata.json"))["keras_version"])
        if not version.startswith("3."):
            raise ModelFileError(f"of Keras {version}; load it in Keras 3 and save it from there.")
        config, sources, head = follow_layers(json.loads(archive.read("config.json")))
        if architecture not in (None, config):
            raise ModelFileError(f"it holds {config!r}, not {architecture!r}. Leave that out.")
        weights = io.BytesIO(archive.read("model.weights.h5"))
    return _build(config, sources, weights), head


def _read_weights_file(path: Path, architecture: UNetConfig | None) -> tuple[UNet, Head]:
    """Read a ``.weights.h5`` file, whose layers are known by their order alone."""
    if architecture is None:
        raise ModelFileError(
            "a weights file does not say what network it is for. Give its architecture, a "
            "UNetConfig; or save the whole model from Keras with model.save('model.keras')."
        )
    if architecture.spatial_dims != 2 or architecture.normalization in ("instance", "group"):
        raise ModelFileError(
            "Keras weights go into networks of 2 spatial dimensions with normalization none or "
            f"batch, but {architecture!r} was given."
        )
    network = _build(architecture, sources_in_order(architecture), path)
    return network, "sigmoid" if architecture.out_channels == 1 else "softmax"


def _build(config: UNetConfig, sources: list[Source], file: Path | io.BytesIO) -> UNet:
    """Make the network and give it the weights of an HDF5 file."""
    with WeightsFile(file) as weights:
        weights.check_complete(sources)
        with torch.device("meta"):  # takes no memory: a damaged width could ask for any
            num_bytes = 2 * UNet(config).num_parameters
        if num_bytes > weights.num_bytes:
            raise ModelFileError(f"{weights.num_bytes:,} bytes cannot hold weights for {config!r}.")
        network = UNet(config)
        for source in sources:
            _fill(network, source, weights)
    return network.eval()


class WeightsFile:
    """The HDF5 file in which Keras keeps weights, as arrays by layer and number."""

    def __init__(self, file: Path | io.BytesIO) -> None:
        """Open it; nothing is read yet."""
        try:
            import h5py
        except ImportError:
            raise MissingExtraError(
                'reading Keras files needs h5py: pip install "pixelwise[keras]"'
            ) from None
        self.h5py = h5py
        self.file = h5py.File(file, "r")
        self.num_bytes: int = self.file.id.get_filesize()

    def __enter__(self) -> "WeightsFile":
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.file.close()

    def check_complete(self, sources: list[Source]) -> None:
        """Check that the file has weights for the network's layers, and for no others."""
        layers = [layer for source in sources for layer in (source.layer, source.normalization)]
        expected = {layer.group: layer for layer in layers if layer is not None}
        groups = self._child(self.file, "layers", self.h5py.Group)
        kept = [group for group in groups if len(self._variables(group))]
        missing = [str(layer) for group, layer in expected.items() if group not in kept]
        extra = [group for group in kept if group not in expected]
        if missing or extra:
            raise ModelFileError(
                f"the weights are of another network: there are none for "
                f"{', '.join(missing[:3]) or 'nothing'}, and some for "
                f"{', '.join(extra[:3]) or 'nothing'} that it has not."
            )

    def count(self, layer: Layer) -> int:
        """How many arrays a layer has."""
        return len(self._variables(layer.group))

    def read(self, layer: Layer, number: int, shape: tuple[int, ...]) -> Tensor:
        """Read one array of a layer, which must have this shape."""
        array = self._child(self._variables(layer.group), str(number), self.h5py.Dataset)
        if array.external or array.is_virtual:
            raise ModelFileError(f"the weights of {layer} are not in the file itself.")
        if array.shape != shape or array.dtype.kind != "f":
            raise ModelFileError(
                f"{layer} has weights of shape {array.shape} and type {array.dtype}, where a U-Net "
                f"of these widths has floats of shape {shape}."
            )
        return torch.from_numpy(np.asarray(array[()], dtype=np.float32))

    def _variables(self, group: str) -> Any:  # noqa: ANN401  h5py has no types
        layers = self._child(self.file, "layers", self.h5py.Group)
        return self._child(self._child(layers, group, self.h5py.Group), "vars", self.h5py.Group)

    def _child(self, parent: Any, name: str, kind: type) -> Any:  # noqa: ANN401
        """A member of a group, which must lie in this file: a link could name any other."""
        if not isinstance(parent.get(name, getlink=True), self.h5py.HardLink):
            raise ModelFileError(f"its weights have no {parent.name}/{name} in the file itself.")
        if not isinstance(child := parent[name], kind):
            raise ModelFileError(f"its {child.name} is no HDF5 {kind.__name__}.")
        return child


def _fill(network: UNet, source: Source, weights: WeightsFile) -> None:
    """Put the weights of one convolution, and of its normalization, into the network."""
    module = cast("nn.Conv2d", network.get_submodule(source.module))
    out_or_in, in_or_out, *kernel = module.weight.shape
    kernel_shape = (*kernel, in_or_out, out_or_in)
    weight = weights.read(source.layer, 0, kernel_shape).permute(3, 2, 0, 1)
    weight = torch.cat((weight[:, source.skip_channels :], weight[:, : source.skip_channels]), 1)
    bias = torch.zeros(module.out_channels)
    if weights.count(source.layer) > 1:
        bias = weights.read(source.layer, 1, (module.out_channels,))
    with torch.no_grad():
        module.weight.copy_(weight)
        if module.bias is not None:
            module.bias.copy_(bias)
        else:
            name = source.module.replace("conv", "norm")
            norm = cast("nn.BatchNorm2d", network.get_submodule(name))
            _fill_normalization(norm, source.normalization, bias, weights)


def _fill_normalization(
    norm: nn.BatchNorm2d, layer: Layer | None, bias: Tensor, weights: WeightsFile
) -> None:
    """Make ``norm(x)`` what Keras's layer makes of ``x + bias``, at prediction.

    Keras: scale * (x + bias - mean) / sqrt(variance + its epsilon) + center.
    """
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    if layer is None:  # nothing to normalize: keep x, add the bias
        mean.zero_()
        variance.fill_(1 - norm.eps)
        norm.weight.fill_(1)
        norm.bias.copy_(bias)
        return
    settings: dict[str, Any] = {"scale": True, "center": True, "epsilon": KERAS_EPSILON}
    settings |= layer.settings
    shape, number = (norm.num_features,), 0
    for is_there, parameter in (
        (settings["scale"], norm.weight),
        (settings["center"], norm.bias),
        (True, mean),
        (True, variance),
    ):
        if is_there:  # else it stays what a fresh normalization has: scale 1, center 0
            parameter.copy_(weights.read(layer, number, shape))
            number += 1
    mean -= bias
    variance += settings["epsilon"] - norm.eps
