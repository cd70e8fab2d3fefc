"""The Segmenter: a model as a person holds it, with the verbs that Keras users know."""

from pixelwise.segmenter.epochs import History
from pixelwise.segmenter.make import from_keras, load, unet, wrap
from pixelwise.segmenter.segmenter import Segmenter
from pixelwise.segmenter.show import show

__all__ = ["History", "Segmenter", "from_keras", "load", "show", "unet", "wrap"]
