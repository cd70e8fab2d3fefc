"""The model: a network together with everything that using it needs, saved as one safe file."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from pixelwise.device import Precision
from pixelwise.errors import ModelFileError
from pixelwise.io import write_bytes
from pixelwise.network.ensemble import Ensemble
from pixelwise.network.intensities import IntensityFacts, join_facts
from pixelwise.network.scaling import IntensityScaling
from pixelwise.network.unet import UNet, UNetConfig
from pixelwise.network.wrapped import WrappedConfig, WrappedNetwork, code_of
from pixelwise.task import Task

FORMAT_VERSION = 1
METADATA_KEY = "pixelwise"
MODEL_FILE_NAME = "model.safetensors"
MAX_MEMBERS = 1000
MAX_SIDE = 2**20  # pixels
ClassName = Annotated[str, Field(max_length=1000)]
ClassColor = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
MirrorAxis = Annotated[int, Field(ge=-3, le=-1)]


UNET, WRAPPED = "U-Net", "wrapped"  # kinds of networks


def _kind_of_network(given: Any) -> str:  # noqa: ANN401
    is_wrapped = isinstance(given, WrappedConfig) or (isinstance(given, dict) and "code" in given)
    return WRAPPED if is_wrapped else UNET


class ModelConfig(BaseModel):
    """Everything beside the weights that prediction needs, and where the model came from.

    The number of logits follows from the task: 1 for `binary` (class 1 against class 0),
    one per class for `multiclass` (softmax) and `multilabel` (a sigmoid each).
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    format_version: int = Field(default=FORMAT_VERSION, ge=1)
    network: Annotated[
        Annotated[UNetConfig, Tag(UNET)] | Annotated[WrappedConfig, Tag(WRAPPED)],
        Discriminator(_kind_of_network),
    ]
    num_members: int = Field(default=1, ge=1, le=MAX_MEMBERS)  # networks; several are an ensemble
    scaling: IntensityScaling = IntensityScaling()
    working_scale: float = Field(
        default=1.0, ge=0.01, le=1
    )  # 0.5: the network sees half-size images
    # axes, counted from the last, along which training mirrored images; None: not known, so any
    mirror_axes: tuple[MirrorAxis, ...] | None = Field(default=None, max_length=3)
    # type and range of the training images; None in files of older versions
    intensities: IntensityFacts | None = None
    float_images: bool = False  # trained on floats as they were: integers would mean others
    task: Task
    class_names: tuple[ClassName, ...] = Field(min_length=1)
    class_colors: tuple[ClassColor, ...]  # "#rrggbb", one per class
    threshold: float = Field(default=0.5, gt=0, lt=1)  # probability from which a sigmoid says yes
    min_area: int = Field(default=1, ge=1)  # pixels of the smallest region that stays in masks
    patch_size: tuple[Side, ...] = Field(
        default=(), max_length=3
    )  # pixels per spatial axis in training; empty: whole images
    precision: Precision = "float32"  # as trained and validated
    provenance: dict[str, Any] = {}
    scores: dict[str, Any] = {}  # validation scores, in the form of metrics.json

    @model_validator(mode="after")
    def _check_classes(self) -> "ModelConfig":
        num_classes = len(self.class_names)
        if num_classes != len(self.class_colors):
            raise ValueError(f"{num_classes} class names but {len(self.class_colors)} colours")
        if self.task is not self.task.of_pixels:
            raise ValueError(f"a network of pixels has no {self.task} task")
        if self.task.has_one_logit and num_classes != 2:
            raise ValueError(f"{num_classes} class names for a {self.task} task, which has 2")
        expected = self.task.num_logits(num_classes)
        if isinstance(self.network, WrappedConfig) and self.num_members > 1:
            raise ValueError(f"{self.num_members} members of a wrapped network, which has one")
        if self.network.out_channels != expected:
            raise ValueError(
                f"{self.network.out_channels} logits for a {self.task} task of {num_classes} "
                f"classes; expected {expected}"
            )
        return self

    @model_validator(mode="after")
    def _check_scaling(self) -> "ModelConfig":
        num_channels, scaling = self.network.in_channels, self.scaling
        numbers = (len(scaling.mean), len(scaling.std))
        if scaling.scheme == "statistics" and numbers != (num_channels, num_channels):
            raise ValueError(
                f"{num_channels} channels but scaling statistics of {numbers[0]} means and "
                f"{numbers[1]} deviations"
            )
        return self

    @property
    def num_classes(self) -> int:
        """K, background included for binary and multi-class tasks."""
        return len(self.class_names)


Network = UNet | WrappedNetwork | Ensemble


@dataclass(frozen=True)
class Model:
    """A network and how to use it."""

    config: ModelConfig
    network: Network

    @property
    def single_network(self) -> UNet | WrappedNetwork:
        """The network, to be trained or to start from.

        Raises:
            ModelFileError: there are several.
        """
        if isinstance(self.network, Ensemble):
            raise ModelFileError(
                f"This model is an ensemble of {self.config.num_members} networks, of which each "
                "was trained on its own. Train or start from one of them: the model of a fold, "
                "such as RUN/fold1."
            )
        return self.network

    @property
    def unet(self) -> UNet:
        """The U-Net, whose parts have known names.

        Raises:
            ModelFileError: there are several, or it is another network.
        """
        network = self.single_network
        if isinstance(network, WrappedNetwork):
            raise ModelFileError(
                f"This model's network is {network.config.code}, which only `fit` of a Segmenter "
                "trains. Train on a folder, or start from, a U-Net of pixelwise."
            )
        return network

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits of the weights."""
        digest = hashlib.sha256()
        for name, tensor in self.network.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:12]

    def with_config(self, **changes: Any) -> "Model":  # noqa: ANN401
        """Return the same network with changed configuration values."""
        return replace(self, config=self.config.model_copy(update=changes))


def join_models(models: Sequence[Model]) -> Model:
    """Make one model of several: the mean of their probabilities, thresholds and least areas.

    Args:
        models: two or more that take the same images and know the same classes; the configuration
            is that of the first.

    Raises:
        ModelFileError: they differ in how images are prepared, in their network or their classes.
    """
    first = models[0].config
    for name in ("network", "scaling", "working_scale", "float_images", "task", "class_names"):
        values = [getattr(model.config, name) for model in models]
        other = next((n for n, value in enumerate(values) if value != values[0]), None)
        if other is not None:
            raise ModelFileError(
                f"Model {other + 1} of {len(models)} has another {name.replace('_', ' ')} than the "
                f"first ({values[other]}, not {values[0]}), so they cannot predict together. Train "
                "them by one plan on the same data."
            )
    network = Ensemble([model.unet for model in models], softmax=first.task.is_exclusive)
    known = [model.config.intensities for model in models]
    changes = {
        "num_members": len(models),
        "threshold": sum(model.config.threshold for model in models) / len(models),
        "min_area": round(sum(model.config.min_area for model in models) / len(models)),
        "intensities": join_facts([facts for facts in known if facts]) if all(known) else None,
    }
    return Model(first.model_copy(update=changes), network)


def save_model(path: Path, model: Model) -> None:
    """Write a model file atomically; weights as float32 in standard layout.

    Raises:
        OutputError: the file cannot be written.
    """
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in model.network.state_dict().items()
    }
    data = save(tensors, metadata={METADATA_KEY: model.config.model_dump_json()})
    write_bytes(path, data)


def load_model(
    path: Path, device: torch.device | str = "cpu", module: nn.Module | None = None
) -> Model:
    """Read a model file, or the `model.safetensors` of a run folder. Nothing in it is executed.

    Args:
        path: file or folder.
        device: for the network.
        module: that a wrapped network was made of, built as it was then; it gets the weights.

    Raises:
        ModelFileError: the file is missing, is not a pixelwise model, is damaged, or was written
            by a newer version; or the module is missing, or another.
    """
    path = _model_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            config = _find_config(path, file.metadata() or {})
            network = _build(path, config, file, module)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            f"{path} is not a model file: {error}. pixelwise models are .safetensors files that "
            "`pixelwise train` or `Segmenter.save` wrote."
        ) from error
    _check_types(path, network.state_dict(), tensors)
    network.load_state_dict(tensors, assign=module is None)
    return Model(config, network.to(device).eval())


def _build(
    path: Path,
    config: ModelConfig,
    file: Any,  # noqa: ANN401
    module: nn.Module | None,
) -> Network:
    """The network or ensemble of a configuration; of a U-Net without memory for its weights.

    What the file claims is compared with its header while there is one network only.
    """
    network = _wrapped(path, config, module)
    with torch.device("meta"):
        first = network or make_network(config.model_copy(update={"num_members": 1}))
        count = config.num_members
        prefixes = [""] if count == 1 else [f"members.{index}." for index in range(count)]
        own = {name: list(tensor.shape) for name, tensor in first.state_dict().items()}
        stored = set(file.keys())
        if len(stored) != count * len(own):
            if network is not None:
                name = min(stored ^ own.keys())
                raise _other_module(path, network.config.code, name, in_file=name in stored)
            raise _unfit(path, f"{len(stored)} tensors for num_members {count} of {len(own)} each")
        for name in (prefix + name for prefix in prefixes for name in own):
            shape = file.get_slice(name).get_shape() if name in stored else None
            if shape != own[name.removeprefix(_member_of(name, count))]:
                if network is not None:
                    raise _other_module(path, network.config.code, name, in_file=shape is not None)
                raise _unfit(path, f"`{name}` is {'missing' if shape is None else shape}")
        return first if count == 1 else make_network(config)


def _wrapped(path: Path, config: ModelConfig, module: nn.Module | None) -> WrappedNetwork | None:
    """The module that was given, in place of the one that the file's weights are of."""
    own = config.network
    if isinstance(own, UNetConfig):
        if module is not None:
            raise ModelFileError(
                f"{path} holds a U-Net of pixelwise, but a module was given. Load it without."
            )
        return None
    if module is None:
        raise ModelFileError(
            f"{path} holds the weights of a {own.code}, and not its code. Build that module as it "
            "was, and give it: pixelwise.load(path, module=module)."
        )
    if code_of(module) != own.code:
        raise ModelFileError(
            f"{path} holds the weights of a {own.code}, and a {code_of(module)} was given. Build "
            "the module as it was when it was wrapped."
        )
    return WrappedNetwork(module, own)


def _other_module(path: Path, code: str, name: str, *, in_file: bool) -> ModelFileError:
    found = "differs" if in_file else "is not in the file"
    return ModelFileError(
        f"The {code} that was given is built in another way than the one of {path}: its "
        f"`{name.removeprefix('module.')}` {found}. Give it the settings that it had."
    )


def make_network(config: ModelConfig) -> Network:
    """The network or ensemble of a configuration, with fresh weights; of a wrapped one no code."""
    own = config.network
    if isinstance(own, WrappedConfig):
        return WrappedNetwork(nn.Identity(), own)
    members = [UNet(own) for _ in range(config.num_members)]
    if len(members) == 1:
        return members[0]
    return Ensemble(members, softmax=config.task.is_exclusive)


def _member_of(name: str, count: int) -> str:
    """The first part of a tensor's name in an ensemble: "members.3."; nothing in one network."""
    return "" if count == 1 else ".".join(name.split(".")[:2]) + "."


def _check_types(path: Path, own: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> None:
    """Refuse weights of another type."""
    for name, tensor in stored.items():
        if tensor.dtype != own[name].dtype:
            raise _unfit(path, f"`{name}` is {tensor.dtype}, not {own[name].dtype}")


def _unfit(path: Path, what: str) -> ModelFileError:
    return ModelFileError(
        f"{path} holds weights that do not fit the network it describes ({what}). The file is "
        "damaged or was edited; use an intact copy."
    )


def _model_file(path: Path) -> Path:
    """Return the model file that a path names, a run folder's own one included."""
    if path.is_dir():
        if not (path / MODEL_FILE_NAME).is_file():
            raise ModelFileError(
                f"{path} has no {MODEL_FILE_NAME}. Give a run folder that `pixelwise train` "
                "finished, or a model file."
            )
        return path / MODEL_FILE_NAME
    if not path.exists():
        raise ModelFileError(
            f"{path} does not exist. Give a run folder or a .safetensors model file."
        )
    return path


def _find_config(path: Path, metadata: dict[str, str]) -> ModelConfig:
    """Return the model's configuration from the file's metadata."""
    if METADATA_KEY not in metadata:
        raise ModelFileError(
            f"{path} is a safetensors file but not a pixelwise model: its metadata has no "
            f"`{METADATA_KEY}` entry. Give a file that `pixelwise train` or `Segmenter.save` wrote."
        )
    return parse_config(path, metadata[METADATA_KEY])


def parse_config(path: Path, text: str) -> ModelConfig:
    """Return a model's configuration from JSON.

    Args:
        path: of the file that it stands in, for messages.
        text: as `ModelConfig.model_dump_json` writes it.

    Raises:
        ModelFileError: it cannot be read, or was written by a newer version.
    """
    try:
        values = json.loads(text)
        version = values.get("format_version") if isinstance(values, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise ModelFileError(
                f"{path} has format version {version}; this pixelwise reads up to "
                f"{FORMAT_VERSION}. Update pixelwise."
            )
        return ModelConfig.model_validate(values)
    except (ValueError, RecursionError) as error:  # no JSON, absurd numbers, invalid values
        raise ModelFileError(
            f"{path} describes its model in a way that cannot be read: "
            f"{_first_problem(error)}. The file is damaged or was edited; use an intact copy."
        ) from error


def _first_problem(error: Exception) -> str:
    """What is wrong in a line, with the name of the field and what arrived."""
    if not isinstance(error, ValidationError):
        return str(error).splitlines()[0]
    problem = error.errors()[0]
    message = problem["msg"].removeprefix("Value error, ").rstrip(".")
    place = ".".join(str(part) for part in problem["loc"] if part not in (UNET, WRAPPED))
    arrived = repr(problem["input"])
    shown = f", arrived: {arrived[:40]}" if place and problem["type"] != "missing" else ""
    return f"{f'`{place}`: ' if place else ''}{message}{shown}"
