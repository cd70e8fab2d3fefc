"""Files on disk to images, masks, samples and splits, and results back to files; NumPy only."""

from pixelwise.data.arrays import TargetForm, to_array, to_images, to_samples, to_targets
from pixelwise.data.channel_choice import choose_channels, have_rare_channels
from pixelwise.data.channels import to_channels
from pixelwise.data.dataset import Dataset
from pixelwise.data.display import Display, overlay, tint, to_rgb
from pixelwise.data.findings import (
    KINDS,
    SEVERITIES,
    Finding,
    finding_of_error,
    make_finding,
    make_general_finding,
    name_files,
)
from pixelwise.data.folds import assign_folds, fold_dataset, read_folds, write_folds
from pixelwise.data.groups import BY_IMAGE, find_groups, match_groups
from pixelwise.data.inputs import FoundImages, find_images, walk_images
from pixelwise.data.masks.encoding import MaskClass, MaskEncoding
from pixelwise.data.masks.read import read_mask
from pixelwise.data.masks.stored import to_stored
from pixelwise.data.no_data import fill_no_data, is_no_data, mark_no_data
from pixelwise.data.samples import (
    CachedSamples,
    FolderSamples,
    LazySamples,
    Sample,
    SampleFiles,
)
from pixelwise.data.sequences import (
    SEQUENCE,
    DataSource,
    find_pairs,
    is_named_by_place,
    is_path,
    root_of,
)
from pixelwise.data.split_choice import (
    SPLIT_BY_IMAGE,
    SplitChoice,
    are_the_classes,
    choose_splits,
    classes_in,
    count_groups,
)
from pixelwise.data.split_file import read_split, with_split_file, write_split
from pixelwise.data.splits import SPLITS, Split

__all__ = [
    "BY_IMAGE",
    "KINDS",
    "SEQUENCE",
    "SEVERITIES",
    "SPLITS",
    "SPLIT_BY_IMAGE",
    "CachedSamples",
    "DataSource",
    "Dataset",
    "Display",
    "Finding",
    "FolderSamples",
    "FoundImages",
    "LazySamples",
    "MaskClass",
    "MaskEncoding",
    "Sample",
    "SampleFiles",
    "Split",
    "SplitChoice",
    "TargetForm",
    "are_the_classes",
    "assign_folds",
    "choose_channels",
    "choose_splits",
    "classes_in",
    "count_groups",
    "fill_no_data",
    "find_groups",
    "find_images",
    "find_pairs",
    "finding_of_error",
    "fold_dataset",
    "have_rare_channels",
    "is_named_by_place",
    "is_no_data",
    "is_path",
    "make_finding",
    "make_general_finding",
    "mark_no_data",
    "match_groups",
    "name_files",
    "overlay",
    "read_folds",
    "read_mask",
    "read_split",
    "root_of",
    "tint",
    "to_array",
    "to_channels",
    "to_images",
    "to_rgb",
    "to_samples",
    "to_stored",
    "to_targets",
    "walk_images",
    "with_split_file",
    "write_folds",
    "write_split",
]
