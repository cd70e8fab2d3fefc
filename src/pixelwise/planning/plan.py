"""The plan: every decision of a training as a frozen value with its reason, as editable YAML."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pixelwise.device import Precision
from pixelwise.errors import PlanError
from pixelwise.io import decode_text, parse_yaml, read_bytes
from pixelwise.network import IntensityScaling
from pixelwise.network.model import MAX_SIDE
from pixelwise.network.unet import MAX_LEVELS, MAX_WIDTH
from pixelwise.planning.budget import format_seconds
from pixelwise.planning.fingerprint import Fingerprint
from pixelwise.planning.numbers import NUM_SEEDS
from pixelwise.planning.timing import Calibration
from pixelwise.text import count_of, show_number

HEADER = """\
# How this model was trained: each decision with its reason. Edit a value and give the file back
# with `pixelwise train DATA --out RUN --plan plan.yaml`.
"""
WITHOUT_VALUE = {
    "start": "fresh weights",
    "encoder": "the U-Net's own",
    "encoder_weights": "no file",
    "patch_size": "whole images",
    "num_threads": "the fastest at the time",
    "num_val_images": "all",
}  # in words for people
MAX_BATCH = 2**20  # images
MAX_THREADS = 1024
Width = Annotated[int, Field(ge=1, le=MAX_WIDTH)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
LossName = Literal["cross_entropy", "dice", "cross_entropy_dice", "focal", "tversky"]


class Augmentation(BaseModel):
    """Random changes to training patches. Geometry moves the mask too; 0 switches a change off."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    flip_vertical: bool = False
    flip_horizontal: bool = False
    right_angles: bool = False  # turns by 90, 180 or 270 degrees
    rotation_degrees: float = Field(default=0, ge=0, le=180)  # free rotation, up to this either way
    scale: float = Field(default=1, ge=1, le=4)  # zoom between 1 / scale and scale
    elastic_px: float = Field(default=0, ge=0, le=1000)  # displacement of a smooth random field
    moved_share: float = Field(default=1, ge=0, le=1)  # of patches that these three apply to
    brightness: float = Field(default=0, ge=0)  # added, in units of scaled intensity
    contrast: float = Field(default=1, ge=1)  # factor between 1 / contrast and contrast
    gamma: float = Field(default=1, ge=1)  # exponent between 1 / gamma and gamma
    noise: float = Field(default=0, ge=0)  # largest standard deviation, scaled intensity
    blur_px: float = Field(default=0, ge=0, le=100)  # largest standard deviation of a Gaussian
    color: float = Field(default=0, ge=0)  # brightness of each channel on its own
    invert: float = Field(default=0, ge=0, le=1)  # share of patches with dark and bright swapped

    @property
    def mirror_axes(self) -> tuple[int, ...]:
        """Axes along which images are mirrored, counted from the last."""
        mirrored = ((-2, self.flip_vertical), (-1, self.flip_horizontal))
        return tuple(axis for axis, is_mirrored in mirrored if is_mirrored)

    @property
    def has_free_moves(self) -> bool:
        """Whether pixels move other than by mirrors and right angles."""
        return self.rotation_degrees > 0 or self.scale > 1 or self.elastic_px > 0


class Plan(BaseModel):
    """What to train and how. Frozen; `reasons` says why, by field name."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    start: str | None = None  # run folder or model file that gives the first weights; None: fresh
    encoder: str | None = None  # timm network in place of the U-Net's own blocks; None: those
    encoder_weights: str | None = None  # file of the encoder's first weights; None: timm's own
    scaling: IntensityScaling
    # side of an image as the network sees it: 0.5 is half the size in the file
    working_scale: float = Field(default=1.0, ge=0.01, le=1)
    # pixels per spatial axis; None: whole images of one size
    patch_size: tuple[Side, ...] | None = Field(min_length=2, max_length=3)
    batch_size: int = Field(ge=1, le=MAX_BATCH)
    widths: tuple[Width, ...] = Field(
        min_length=2, max_length=MAX_LEVELS
    )  # channels per level, bottleneck last
    normalization: Literal["none", "batch", "instance", "group"]
    upsampling: Literal["nearest", "linear", "transposed"] = "nearest"
    loss: Literal[LossName, "custom"]
    # levels of the decoder below full size that are compared with smaller masks too, if there are
    deep_supervision: int = Field(default=0, ge=0, le=MAX_LEVELS)
    class_weights: tuple[float, ...] | None = None  # in the cross-entropy; None: all alike
    foreground_share: float = Field(default=0, ge=0, le=1)  # patches centred on a foreground pixel
    augmentation: Augmentation = Augmentation()
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = Field(gt=0)  # the highest
    weight_decay: float = Field(default=0, ge=0)
    max_gradient_norm: float | None = Field(default=5.0, gt=0)  # longer gradients are cut; None: no
    warmup_share: float = Field(default=0, ge=0, lt=1)  # of all steps
    # "plateau": constant until validation has stopped improving, whatever num_steps says
    schedule: Literal["cosine", "constant", "plateau"] = "cosine"
    average_share: float = Field(default=0, ge=0, lt=1)  # moving average's memory, of all steps
    num_steps: int = Field(ge=1, lt=NUM_SEEDS)  # a step's number is in its seed
    budget_seconds: float | None = Field(default=None, gt=0)  # None: all num_steps, however long
    validate_every: int = Field(ge=1)  # steps
    # validation images scored, evenly chosen; None: all
    num_val_images: int | None = Field(default=None, ge=1)
    precision: Precision = "float32"
    channels_last: bool = False
    num_threads: int | None = Field(
        default=None, ge=1, le=MAX_THREADS
    )  # of a CPU; None: the fastest, measured again
    seed: int = Field(default=0, ge=0, lt=NUM_SEEDS)
    fingerprint: Fingerprint | None = None
    calibration: Calibration | None = None
    reasons: dict[str, str] = {}

    def to_rows(self) -> list[tuple[str, str, str]]:
        """Return (name, value, reason) of every decision, for people."""
        values = self.model_dump(mode="json", exclude={"fingerprint", "calibration", "reasons"})
        return [
            (name.replace("_", " "), _spoken(value, name), self.reasons.get(name, ""))
            for name, value in values.items()
        ]

    def describe_forecast(self) -> str:
        """What training will take, as measured before it; nothing where nothing was measured."""
        measured, data = self.calibration, self.fingerprint
        if measured is None or data is None:
            return ""
        seconds = measured.num_steps * measured.seconds_per_step
        validations = -(-measured.num_steps // self.validate_every)
        memory = measured.megabytes and f", memory up to {format_megabytes(measured.megabytes)}"
        least = "at least " if self.schedule == "plateau" else ""
        passes = measured.num_steps * self.batch_size / data.num_train
        return (
            f"{least}{measured.num_steps:,} steps in {format_seconds(seconds)}, about "
            f"{show_number(passes)} passes over the images, "
            f"{count_of(validations, 'validation')}{memory or ''}"
        )

    def to_yaml(self) -> str:
        """Return the plan as YAML: what was seen, what was measured, what was decided and why."""
        values = self.model_dump(mode="json")
        reasons = values.pop("reasons")
        document = {
            "fingerprint": values.pop("fingerprint"),
            "calibration": values.pop("calibration"),
            "decisions": {
                name: {"value": value, "reason": reasons.get(name, "")}
                for name, value in values.items()
            },
        }
        body = yaml.dump(document, Dumper=_PlanDumper, sort_keys=False, width=100)
        return HEADER + body


def format_megabytes(megabytes: float) -> str:
    """Return an amount of memory for a person.

    >>> format_megabytes(320.4), format_megabytes(2150)
    ('320 MB', '2.1 GB')
    """
    return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1024:.1f} GB"


class _PlanDumper(yaml.SafeDumper):
    """Writes short lists of numbers on one line, and every value out: references are not read."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    is_flat = all(not isinstance(value, list | dict) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=is_flat)


_PlanDumper.add_representer(list, _represent_list)


def read_plan(plan: str | os.PathLike[str]) -> Plan:
    """Read the file of a plan.

    Raises:
        FileError: it cannot be read.
        PlanError: it is none; see `parse_plan`.
    """
    path = Path(plan)
    return parse_plan(decode_text(read_bytes(path), path), str(plan))


def parse_plan(text: str, source: str = "plan.yaml") -> Plan:
    """Read a plan back from YAML, with whatever a person edited.

    Raises:
        PlanError: the text is not YAML, or a value is missing, unknown or out of range.
    """
    try:
        document = parse_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # dates and numbers out of range
        raise PlanError(f"{source} is not valid YAML: {error}. Mend the line it names.") from error
    if not isinstance(document, Mapping) or not isinstance(document.get("decisions"), Mapping):
        raise PlanError(
            f"{source} is not a plan: it has no `decisions`. Give the plan.yaml of a run folder."
        )
    decisions = {
        str(name): entry.get("value") if isinstance(entry, Mapping) and "value" in entry else entry
        for name, entry in document["decisions"].items()
    }
    reasons = {
        str(name): str(entry["reason"])
        for name, entry in document["decisions"].items()
        if isinstance(entry, Mapping) and entry.get("reason")
    }
    seen = {name: document.get(name) for name in ("fingerprint", "calibration")}
    try:
        return Plan.model_validate({**decisions, **seen, "reasons": reasons})
    except ValidationError as error:
        raise PlanError(f"{source}: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    """Say the first thing that pydantic found wrong, with its place and what arrived."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    arrived = "" if problem["type"] == "missing" else f" (arrived: {repr(problem['input'])[:80]})"
    return f"`{place}`: {problem['msg']}{arrived}. Mend the value, or plan again without --plan."


def _spoken(value: object, name: str = "") -> str:
    """A value as a person would write it: sizes with an x, other lists with commas."""
    if value is None:
        return WITHOUT_VALUE.get(name, "none")
    if isinstance(value, dict):
        return ", ".join(f"{k.replace('_', ' ')} {_spoken(v)}" for k, v in value.items() if v)
    if isinstance(value, list):
        separator = " x " if name.endswith("size") else ", "
        return separator.join(_spoken(v) for v in value) if value else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
