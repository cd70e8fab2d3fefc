"""Folders in, folders out: what the command line does, as functions.

check     a data folder -> what is wrong with it
fix       a data folder -> a repaired copy
train     a data folder -> a run folder
predict   a model and images -> masks
evaluate  a model or masks, and a data folder -> scores
demo      generated images -> all of these
"""

from pixelwise.folders.check import check, shorten_paths, summarize_check
from pixelwise.folders.demo import demo
from pixelwise.folders.evaluate import evaluate
from pixelwise.folders.fix import Repair, fix, fixable_codes
from pixelwise.folders.keeping import Run
from pixelwise.folders.predict import Predictions, predict, predict_images
from pixelwise.folders.sheet import write_sheet
from pixelwise.folders.train import train

__all__ = [
    "Predictions",
    "Repair",
    "Run",
    "check",
    "demo",
    "evaluate",
    "fix",
    "fixable_codes",
    "predict",
    "predict_images",
    "shorten_paths",
    "summarize_check",
    "train",
    "write_sheet",
]
