"""The contact sheet: self-contained, every text escaped, what is empty left out."""

import html
import re

import numpy as np
import pytest

from pixelwise.report import SheetClass, SheetContent, SheetFinding, SheetTile, build_sheet

IMAGE = np.zeros((20, 30, 3), np.uint8)
FINDING = SheetFinding("error", "size-mismatch", 3, "a.png is wide.", "Cut it.", ["a.png", "b.png"])


def content(**changes) -> SheetContent:
    standard = {
        "title": "cells",
        "facts": [("Layout", "images/ + masks/")],
        "classes": [
            SheetClass("background", "#000000", "value 0", 0.875),
            SheetClass("cell", "#e6194b", "value 255", 0.125),
        ],
        "has_ignored": False,
        "findings": [FINDING],
        "flagged": [SheetTile("a", "train, 20x30", [("error", "size-mismatch")], IMAGE, IMAGE)],
        "others": [SheetTile("c", "val, 20x30", (), IMAGE, IMAGE)],
        "num_images": 1234,
    }
    return SheetContent(**(standard | changes))


def text_of(page: str) -> str:
    """What a person reads."""

    text = re.sub(r"<style>.*?</style>|<[^>]*>", "", page, flags=re.S)
    return " ".join(html.unescape(text).split())


def test_the_page_says_what_was_understood_and_found():
    text = text_of(build_sheet(content()))
    for words in (
        "images/ + masks/",
        "value 255, 12 % of pixels",
        "1 error",
        "size-mismatch",
        "error, 3 files",
        "a.png is wide. Cut it.",
        "and 1 more",
        "1 of 1,234 images",
    ):
        assert words in text


def test_where_all_images_are_shown_it_is_no_sample():
    text = text_of(build_sheet(content(flagged=[], num_images=1)))
    assert "All images image, and its mask" in text
    assert "chosen to show" not in text
    assert "A sample 1 of 2 images, chosen" in text_of(
        build_sheet(content(flagged=[], num_images=2))
    )


def test_flagged_images_come_first_with_their_codes():
    page = build_sheet(content())
    assert page.index("Flagged") < page.index("A sample of the rest")
    assert '<span class="error">size-mismatch</span>' in page


def test_the_page_asks_the_network_for_nothing_and_runs_no_script():
    page = build_sheet(content())
    assert "<script" not in page
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert "http" not in page
    assert page.count("<img") == 4


def test_no_finding_is_said():
    page = build_sheet(content(findings=[], flagged=[]))
    assert "No problems found." in page
    assert "Flagged" not in page


def test_what_is_ignored_is_in_the_legend_only_where_something_is():
    assert "ignored" not in text_of(build_sheet(content()))
    assert "in neither training nor scores" in build_sheet(content(has_ignored=True))


@pytest.mark.parametrize("missing", ["no mask", "cannot be read"])
def test_a_missing_picture_says_why(missing):
    tiles = [SheetTile("a", "train", [("error", "unreadable")], None, None, missing)]
    assert missing in text_of(build_sheet(content(flagged=tiles)))


def test_names_of_files_cannot_become_markup():
    name = "<b>x</b>&.png"
    finding = SheetFinding("note", "exif-turned", 1, name, name, [name])
    tile = SheetTile(name, name, (), IMAGE, IMAGE)
    page = build_sheet(content(title=name, findings=[finding], flagged=[tile]))
    assert "<b>x" not in page


def test_a_page_of_sixty_photographs_stays_small():
    random = np.random.default_rng(0)
    photo = random.integers(0, 255, (256, 256, 3), dtype=np.uint8)
    tiles = [SheetTile(str(i), "train", (), photo, photo) for i in range(60)]
    assert len(build_sheet(content(others=tiles, flagged=[]))) < 20_000_000
