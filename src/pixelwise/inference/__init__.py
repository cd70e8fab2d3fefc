"""Prediction: image -> tiles -> probabilities -> mask, and its scores."""

from pixelwise.inference.evaluate import evaluate_samples
from pixelwise.inference.intensities import IntensityCheck
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.runtime import Runtime, TorchRuntime
from pixelwise.inference.tiles import Tile, plan_tiles

__all__ = [
    "IntensityCheck",
    "Predictor",
    "Runtime",
    "Tile",
    "TorchRuntime",
    "evaluate_samples",
    "plan_tiles",
]
