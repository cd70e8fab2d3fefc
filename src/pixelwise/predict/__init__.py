"""Prediction: image -> tiles -> probabilities -> mask."""

from pixelwise.predict.device import autocast, has_bfloat16, pick_device
from pixelwise.predict.intensities import IntensityCheck
from pixelwise.predict.predictor import Predictor
from pixelwise.predict.threads import Threads, using_threads
from pixelwise.predict.tiles import Tile, plan_tiles

__all__ = [
    "IntensityCheck",
    "Predictor",
    "Threads",
    "Tile",
    "autocast",
    "has_bfloat16",
    "pick_device",
    "plan_tiles",
    "using_threads",
]
