"""Files on disk to images, masks, samples and splits, and results back to files; NumPy only."""

from pixelwise.data.arrays import TargetForm, to_images, to_samples, to_targets
from pixelwise.data.channels import to_channels
from pixelwise.data.dataset import Dataset
from pixelwise.data.display import overlay, to_rgb
from pixelwise.data.findings import Finding
from pixelwise.data.folds import (
    fold_dataset,
    read_folds,
    write_folds,
)
from pixelwise.data.inputs import FoundImages, find_images, walk_images
from pixelwise.data.masks.encoding import MaskClass, MaskEncoding
from pixelwise.data.masks.read import read_mask
from pixelwise.data.masks.stored import to_stored
from pixelwise.data.samples import FolderSamples, Sample, SampleFiles
from pixelwise.data.sequences import DataSource, is_named_by_place, is_path
from pixelwise.data.split_file import read_split, write_split

__all__ = [
    "DataSource",
    "Dataset",
    "Finding",
    "FolderSamples",
    "FoundImages",
    "MaskClass",
    "MaskEncoding",
    "Sample",
    "SampleFiles",
    "TargetForm",
    "find_images",
    "fold_dataset",
    "is_named_by_place",
    "is_path",
    "overlay",
    "read_folds",
    "read_mask",
    "read_split",
    "to_channels",
    "to_images",
    "to_rgb",
    "to_samples",
    "to_stored",
    "to_targets",
    "walk_images",
    "write_folds",
    "write_split",
]
