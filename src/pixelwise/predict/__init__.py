"""Prediction: image -> tiles -> probabilities -> mask."""

from pixelwise.predict.device import autocast, has_bfloat16, pick_device
from pixelwise.predict.intensities import IntensityCheck
from pixelwise.predict.predictor import Predictor
from pixelwise.predict.tiles import Tile, plan_tiles

__all__ = [
    "IntensityCheck",
    "Predictor",
    "Tile",
    "autocast",
    "has_bfloat16",
    "pick_device",
    "plan_tiles",
]
