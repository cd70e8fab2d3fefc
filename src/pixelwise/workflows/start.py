"""Fine-tuning: an earlier model, as far as it fits, gives the first weights of a new training."""

from dataclasses import dataclass
from pathlib import Path

from pixelwise.errors import ModelFileError, PlanError
from pixelwise.network import (
    Model,
    ModelConfig,
    UNetConfig,
    WrappedConfig,
    load_encoder,
    load_model,
    transfer_weights,
)
from pixelwise.planning import Plan, read_plan
from pixelwise.planning.follow import NETWORK_DECISIONS
from pixelwise.training import RunFolder, Watcher

START_FACTS = ("start", "start_fingerprint", "start_data")  # in the provenance of a model


@dataclass(frozen=True)
class Start:
    """The model that a training starts from, and the path by which the user names it."""

    path: str
    model: Model | None  # None where a checkpoint goes on, which has its own weights


def choose_start(asked: str | None, plan: Plan | None, resumed: RunFolder | None) -> Start | None:
    """Read the model to start from: as asked, or as the plan says; in a resumed training, its own.

    Raises:
        ModelFileError: it cannot be used.
        PlanError: the training to resume started from another one, or the plan has another network.
    """
    path = asked or (plan.start if plan is not None else None)
    if resumed is not None and resumed.plan.is_file():
        own = read_plan(resumed.plan).start
        if asked not in (None, own):
            raise PlanError(
                f"{resumed.path} started from {own or 'fresh weights'}, not from {asked}. Resume "
                "without it, or start over with --overwrite."
            )
        path = own
    if path is None:
        return None
    if resumed is not None and resumed.has_checkpoint:
        return Start(path, None)
    model = _read_model(path)
    _check_network(path, model.config.network, plan)
    return Start(path, model)


def origin_of(start: Start | None, folder: RunFolder) -> dict[str, str]:
    """What a model says about where it started; of a training that goes on, what it said before."""
    if start is None:
        return {}
    if start.model is not None:
        data = str(start.model.config.provenance.get("data", "unknown"))
        return dict(zip(START_FACTS, (start.path, start.model.fingerprint, data), strict=True))
    said = load_model(folder.model).config.provenance if folder.model.is_file() else {}
    return {"start": start.path} | {key: text for key, text in said.items() if key in START_FACTS}


def start_weights(earlier: Model, model: Model) -> None:
    """Give a new model the weights of the earlier one, as far as they mean the same, in place."""
    with_head = has_same_classes(earlier.config, model.config)
    transfer_weights(earlier.unet, model.unet, with_head=with_head)


def start_from(path: str, earlier: Model, model: Model, plan: Plan, watcher: Watcher) -> Plan:
    """Give the model the weights of an earlier one, and say what of it is kept."""
    start_weights(earlier, model)
    kept = describe_start(path, earlier.config, model.config)
    watcher.note(kept)
    return plan.model_copy(update={"reasons": {**plan.reasons, "start": kept}})


def start_encoder(model: Model, plan: Plan, watcher: Watcher) -> Plan:
    """Give the ready-made encoder of a plan its pretrained weights, and say which they are."""
    network = model.unet
    assert network.backbone is not None and plan.encoder is not None
    load_encoder(network.backbone, plan.encoder, network.config.in_channels, plan.encoder_weights)
    said = (
        f"The encoder {plan.encoder} starts from the weights "
        f"{'in ' + plan.encoder_weights if plan.encoder_weights else 'that timm has'}."
    )
    watcher.note(said)
    return plan.model_copy(update={"reasons": {**plan.reasons, "encoder_weights": said}})


def describe_start(path: str, earlier: ModelConfig, config: ModelConfig) -> str:
    """Say what of the earlier model is kept, and what starts from new weights."""
    text = f"Training starts from the weights of {path}."
    if not has_same_classes(earlier, config):
        text += (
            f" Its classes are {', '.join(earlier.class_names)}, those of the data "
            f"{', '.join(config.class_names)}: the last layer starts from new weights."
        )
    channels = earlier.network.in_channels, config.network.in_channels
    if channels[0] != channels[1]:
        text += (
            f" Its images have {channels[0]} channels, these {channels[1]}: each gets the mean of "
            "the first layer's weights."
        )
    return text


def has_same_classes(one: ModelConfig, other: ModelConfig) -> bool:
    """Whether the last layers of two models mean the same."""
    return (one.task, one.class_names) == (other.task, other.class_names)


def _read_model(path: str) -> Model:
    model = load_model(Path(path))
    if model.config.network.spatial_dims != 2:
        raise ModelFileError(
            f"{path} is a model for volumes, and training on files takes pictures. Start from a "
            "model that was trained on pictures."
        )
    if model.config.num_members > 1:
        raise ModelFileError(
            f"{path} holds the {model.config.num_members} networks of a cross-validation. Start "
            "from one of them: the folder of a fold, such as fold1 in it."
        )
    return model


def _check_network(path: str, network: UNetConfig | WrappedConfig, plan: Plan | None) -> None:
    """Refuse networks that training on folders does not have, and other ones than the plan's."""
    for name, field in UNetConfig.model_fields.items():
        has = getattr(network, name)
        if name in NETWORK_DECISIONS and plan is not None and getattr(plan, name) != has:
            raise PlanError(
                f"The plan says {name} {getattr(plan, name)}, but {path} has {name} {has}. A "
                "training that starts from a model keeps its network: change the plan, or leave "
                "it out."
            )
        is_free = name in NETWORK_DECISIONS or name in ("in_channels", "out_channels")
        if not is_free and has != field.default:
            raise PlanError(
                f"{path} has a network with {name} {has}, which training on folders does not have "
                f"(it has {field.default}). Start from another model, or train without one."
            )
