"""Scores, curves and pictures as one self-contained HTML page.

The caller gathers a `ReportContent` or a `SheetContent`, `build_report` or `build_sheet` gives the
page as text, and the caller writes it. Nothing here reads or writes the user's files; matplotlib
and jinja2 are imported only when a page is built.
"""

from pixelwise.report.content import ReportContent, ReportExample, choose_examples
from pixelwise.report.page import build_report
from pixelwise.report.pictures import show_errors
from pixelwise.report.sheet import (
    SheetClass,
    SheetContent,
    SheetFinding,
    SheetTile,
    build_sheet,
)

__all__ = [
    "ReportContent",
    "ReportExample",
    "SheetClass",
    "SheetContent",
    "SheetFinding",
    "SheetTile",
    "build_report",
    "build_sheet",
    "choose_examples",
    "show_errors",
]
