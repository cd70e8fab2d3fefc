"""Scores, curves and pictures as one self-contained HTML page.

The caller gathers a `ReportContent`, `build_report` gives the page as text, and the caller writes
it. Nothing here reads or writes the user's files; matplotlib and jinja2 are imported only when a
page is built.
"""

from pixelwise.report.build import build_report
from pixelwise.report.content import ReportContent, ReportExample, choose_examples

__all__ = ["ReportContent", "ReportExample", "build_report", "choose_examples"]
