"""Folders in, folders out: what the command line does, as functions.

check     a data folder -> what is wrong with it
train     a data folder -> a run folder
predict   a model and images -> masks
evaluate  a model or masks, and a data folder -> scores
demo      generated images -> all of these
"""

from pixelwise.folders.check import check
from pixelwise.folders.demo import demo
from pixelwise.folders.evaluate import evaluate
from pixelwise.folders.predict import predict
from pixelwise.folders.train import Run, train

__all__ = ["Run", "check", "demo", "evaluate", "predict", "train"]
