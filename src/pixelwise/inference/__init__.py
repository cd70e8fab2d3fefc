"""Prediction: image -> tiles -> probabilities -> mask, and its scores."""

from pixelwise.inference.bands import Band, ImageReader, join_bands, predict_bands
from pixelwise.inference.evaluate import evaluate_samples
from pixelwise.inference.intensities import IntensityCheck
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.runtimes import Runtime, TorchRuntime
from pixelwise.inference.tiles import Tile, plan_tiles
from pixelwise.inference.uncertainty import normalized_entropy
from pixelwise.inference.windows import WindowedImage

__all__ = [
    "Band",
    "ImageReader",
    "IntensityCheck",
    "Predictor",
    "Runtime",
    "Tile",
    "TorchRuntime",
    "WindowedImage",
    "evaluate_samples",
    "join_bands",
    "normalized_entropy",
    "plan_tiles",
    "predict_bands",
]
