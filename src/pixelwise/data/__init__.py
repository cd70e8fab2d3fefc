"""Files on disk to images, masks, samples and splits, and results back to files; NumPy only."""

from pixelwise.data.arrays import TargetForm, to_images, to_samples, to_targets
from pixelwise.data.channels import to_channels
from pixelwise.data.dataset import Dataset
from pixelwise.data.display import overlay, to_rgb
from pixelwise.data.files.claims import allow_pixels
from pixelwise.data.files.image_files import read_image, read_mask_values
from pixelwise.data.files.writers import (
    is_result,
    make_folder,
    write_bytes,
    write_image,
    write_json,
    write_mask,
    write_probabilities,
    write_text,
)
from pixelwise.data.findings import Finding, check_accepted
from pixelwise.data.folds import (
    describe_groups,
    find_folds,
    fold_dataset,
    rare_classes,
    read_folds,
    write_folds,
)
from pixelwise.data.inputs import FoundImages, find_images, walk_images
from pixelwise.data.masks.encoding import IGNORE_INDEX, MaskClass, MaskEncoding
from pixelwise.data.masks.stored import to_stored
from pixelwise.data.read import (
    Examination,
    ReadOptions,
    check_dataset,
    examine_dataset,
    read_dataset,
)
from pixelwise.data.samples import FolderSamples, Sample, SampleFiles, read_mask
from pixelwise.data.sequences import DataSource, is_named_by_place, is_path
from pixelwise.data.split_file import read_split, write_split

__all__ = [
    "IGNORE_INDEX",
    "DataSource",
    "Dataset",
    "Examination",
    "Finding",
    "FolderSamples",
    "FoundImages",
    "MaskClass",
    "MaskEncoding",
    "ReadOptions",
    "Sample",
    "SampleFiles",
    "TargetForm",
    "allow_pixels",
    "check_accepted",
    "check_dataset",
    "describe_groups",
    "examine_dataset",
    "find_folds",
    "find_images",
    "fold_dataset",
    "is_named_by_place",
    "is_path",
    "is_result",
    "make_folder",
    "overlay",
    "rare_classes",
    "read_dataset",
    "read_folds",
    "read_image",
    "read_mask",
    "read_mask_values",
    "read_split",
    "to_channels",
    "to_images",
    "to_rgb",
    "to_samples",
    "to_stored",
    "to_targets",
    "walk_images",
    "write_bytes",
    "write_folds",
    "write_image",
    "write_json",
    "write_mask",
    "write_probabilities",
    "write_split",
    "write_text",
]
