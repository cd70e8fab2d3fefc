"""The network: (B, C, *spatial) -> logits; losses; the model file."""

from pixelwise.network.encoders import check_encoder, load_encoder, refuse_weights_alone
from pixelwise.network.ensemble import Ensemble
from pixelwise.network.folding import fold_normalizations, freeze_convolutions
from pixelwise.network.intensities import (
    IntensityFacts,
    Verdict,
    compare_intensities,
    join_facts,
    look_at_intensities,
)
from pixelwise.network.losses import (
    Reduce,
    binary_cross_entropy_loss,
    cross_entropy_dice_loss,
    cross_entropy_loss,
    dice_loss,
    focal_loss,
    tversky_loss,
)
from pixelwise.network.model import (
    MODEL_FILE_NAME,
    Model,
    ModelConfig,
    Network,
    join_models,
    load_model,
    make_network,
    parse_config,
    save_model,
)
from pixelwise.network.modes import evaluating
from pixelwise.network.resampling import average_planes, resize_images, resize_masks, working_size
from pixelwise.network.scaling import IntensityScaling, scale_intensities
from pixelwise.network.targets import check_target
from pixelwise.network.transfer import transfer_weights
from pixelwise.network.unet import UNet, UNetConfig, start_from_shares
from pixelwise.network.wrapped import WrappedConfig, WrappedNetwork, wrap_module

__all__ = [
    "MODEL_FILE_NAME",
    "Ensemble",
    "IntensityFacts",
    "IntensityScaling",
    "Model",
    "ModelConfig",
    "Network",
    "Reduce",
    "UNet",
    "UNetConfig",
    "Verdict",
    "WrappedConfig",
    "WrappedNetwork",
    "average_planes",
    "binary_cross_entropy_loss",
    "check_encoder",
    "check_target",
    "compare_intensities",
    "cross_entropy_dice_loss",
    "cross_entropy_loss",
    "dice_loss",
    "evaluating",
    "focal_loss",
    "fold_normalizations",
    "freeze_convolutions",
    "join_facts",
    "join_models",
    "load_encoder",
    "load_model",
    "look_at_intensities",
    "make_network",
    "parse_config",
    "refuse_weights_alone",
    "resize_images",
    "resize_masks",
    "save_model",
    "scale_intensities",
    "start_from_shares",
    "transfer_weights",
    "tversky_loss",
    "working_size",
    "wrap_module",
]
