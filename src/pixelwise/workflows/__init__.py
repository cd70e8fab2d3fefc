"""Folders in, folders out: what the command line does, as functions.

check     a data folder -> what is wrong with it
fix       a data folder -> a repaired copy
train     a data folder -> a run folder
predict   a model and images -> masks
evaluate  a model or masks, and a data folder -> scores
export    a model -> a file for another program
demo      generated images -> all of these
"""

from pixelwise.doctor.repair import Repair, fix, fixable_codes
from pixelwise.workflows.check import check, shorten_paths, summarize_check
from pixelwise.workflows.demo import demo
from pixelwise.workflows.evaluate import evaluate
from pixelwise.workflows.export import Export, ExportFormat, export
from pixelwise.workflows.predict import predict, predict_images
from pixelwise.workflows.prediction.outcome import Predictions
from pixelwise.workflows.run import Run
from pixelwise.workflows.sheet import write_sheet
from pixelwise.workflows.train import train

__all__ = [
    "Export",
    "ExportFormat",
    "Predictions",
    "Repair",
    "Run",
    "check",
    "demo",
    "evaluate",
    "export",
    "fix",
    "fixable_codes",
    "predict",
    "predict_images",
    "shorten_paths",
    "summarize_check",
    "train",
    "write_sheet",
]
