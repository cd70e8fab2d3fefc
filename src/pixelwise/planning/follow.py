"""Plans that start from an earlier model: what of it they keep, because its weights expect it."""

from typing import Any

from pixelwise.network import IntensityScaling, ModelConfig, UNetConfig
from pixelwise.planning.draft import Decision, Decisions
from pixelwise.planning.fingerprint import Fingerprint
from pixelwise.planning.plan import Plan

KEPT = "that of the model that training starts from"
NETWORK_DECISIONS = Plan.model_fields.keys() & UNetConfig.model_fields.keys()  # widths and others


def follow_model(config: ModelConfig, fingerprint: Fingerprint) -> Decisions:
    """Return value and reason of each decision that follows the earlier model, by name.

    The network's are its own, and so is the working scale: the weights know structures of that
    size. Intensities are scaled by the same scheme, with the statistics of the new data, since
    these are what makes the new images look like the old ones. A model for arrays that the caller
    had scaled has no scheme; there the plan decides as for a new training.

    Args:
        config: config of the earlier model.
        fingerprint: fingerprint of the new data.
    """
    kept: dict[str, Decision[Any]] = {
        name: Decision(getattr(config.network, name), KEPT) for name in NETWORK_DECISIONS
    }
    kept["working_scale"] = Decision(config.working_scale, KEPT)
    if config.scaling.scheme == "statistics":
        scaling = IntensityScaling(
            scheme="statistics", mean=fingerprint.intensity_mean, std=fingerprint.intensity_std
        )
        kept["scaling"] = Decision(scaling, f"scheme: {KEPT}; statistics: of these data")
    elif config.scaling.scheme == "percentiles":
        kept["scaling"] = Decision(config.scaling, KEPT)
    return kept
