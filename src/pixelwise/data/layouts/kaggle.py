"""Kaggle: a CSV table of run lengths."""

from pathlib import Path

from pixelwise.data.layouts.found import Layout, LayoutOptions


def find_kaggle(root: Path, options: LayoutOptions) -> Layout | None:
    """Find run-length tables; None where the folder is not arranged like that.

    Raises:
        LayoutError: the folder is arranged like that, but something is wrong with it.
    """
    return None
