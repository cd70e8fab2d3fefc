"""Find out how a folder keeps images and masks: each finder looks for its own arrangement."""

from pathlib import Path

from pixelwise.data.layouts.folders import check_folder, find_folders
from pixelwise.data.layouts.found import Layout, LayoutOptions


def find_layout(root: Path, options: LayoutOptions | None = None) -> Layout:
    """Find the images and masks of a data folder.

    Args:
        root: the data folder.
        options: what a person says about it.

    Returns:
        The layout; images without masks are in it with mask None.

    Raises:
        LayoutError: the folder is missing or not a folder, holds no images, or nothing that pairs.
    """
    check_folder(root)
    return find_folders(root)
