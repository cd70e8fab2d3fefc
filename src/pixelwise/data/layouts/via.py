"""VGG Image Annotator: one JSON file with the regions of all images."""

from pathlib import Path

from pixelwise.data.layouts.found import Layout, LayoutOptions


def find_via(root: Path, options: LayoutOptions) -> Layout | None:
    """Find VIA annotations; None where the folder is not arranged like that.

    Raises:
        LayoutError: the folder is arranged like that, but something is wrong with it.
    """
    return None
