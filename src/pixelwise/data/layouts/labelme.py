"""LabelMe: one JSON file beside each image."""

from pathlib import Path

from pixelwise.data.layouts.found import Layout, LayoutOptions


def find_labelme(root: Path, options: LayoutOptions) -> Layout | None:
    """Find LabelMe annotations; None where the folder is not arranged like that.

    Raises:
        LayoutError: the folder is arranged like that, but something is wrong with it.
    """
    return None
