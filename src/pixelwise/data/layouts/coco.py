"""COCO: one JSON file that lists images, categories and annotated shapes."""

from pathlib import Path

from pixelwise.data.layouts.found import Layout, LayoutOptions


def find_coco(root: Path, options: LayoutOptions) -> Layout | None:
    """Find COCO annotations; None where the folder is not arranged like that.

    Raises:
        LayoutError: the folder is arranged like that, but something is wrong with it.
    """
    return None
