"""The Segmenter: a model as a person holds it, with the verbs that Keras users know."""

from pixelwise.segmenter.epochs import History
from pixelwise.segmenter.make import from_keras, load, unet, wrap
from pixelwise.segmenter.segmenter import Segmenter

__all__ = ["History", "Segmenter", "from_keras", "load", "unet", "wrap"]
