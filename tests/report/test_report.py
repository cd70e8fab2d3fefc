"""The report: one file, whole, honest about what it was given, safe to open."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pixelwise.metrics.scores import Scores, summarize
from pixelwise.report import (
    ReportContent,
    ReportExample,
    build_report,
    choose_examples,
    show_errors,
)
from pixelwise.report.charts import dice_histogram, history_charts
from pixelwise.report.pictures import MAX_SIDE, to_data_uri
from pixelwise.task import IGNORE_INDEX

VOID = {"meta", "img", "br", "link", "input"}
HISTORY = [
    {"step": 100, "seconds": 30.0, "train_loss": 0.9, "val_loss": 1.0, "val_dice": 0.5},
    {"step": 200, "seconds": 61.0, "train_loss": 0.5, "val_loss": 0.6, "val_dice": 0.8},
    {"step": 1300, "seconds": 95.0, "train_loss": 0.3, "val_loss": 0.7, "val_dice": 0.75},
]


VIEWER = resources.files("pixelwise.report").joinpath("viewer.js").read_text(encoding="utf-8")


class Page(HTMLParser):
    """Collects the elements of a page and checks that every tag is closed in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data.strip())

    @property
    def text(self):
        return " ".join(filter(None, self.texts))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def example(name="a.png", caption="best", dice=0.9, size=(20, 30)):
    image, target, prediction, errors = (noise(*size, seed) for seed in range(4))
    return ReportExample(name, caption, image, target, prediction, dice, errors)


def cell_scores(num_images=4):
    counts = [[[90, 1, 1], [10 - i, i, 1]] for i in range(num_images)]
    names = [f"{i}.png" for i in range(num_images)]
    return summarize(counts, names, ["background", "cell"], background=True)


@pytest.fixture(scope="module")
def content():
    """What a training run gives."""
    return ReportContent(
        title="Nuclei",
        subtitle="Trained for ten minutes.",
        warnings=["The model is over-fitting. Add labelled images, or stop earlier."],
        facts=[("Images", "330: 231 train"), ("Machine", "2 cores")],
        plan=[("Patch size", "192 x 192", "Half of the images are 256 pixels high.")],
        history=HISTORY,
        scores=cell_scores(),
        scores_of="4 validation images",
        examples=[example("a.png", "best", 0.95), example("b.png", "worst", 0.125)],
        class_colors={"cell": "#0ba096"},
        files=[("model.safetensors", "the model")],
    )


@pytest.fixture(scope="module")
def html(content):
    return build_report(content)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


# --- the page ---------------------------------------------------------------------------------


def test_everything_given_is_on_the_page(page):
    for text in (
        "Nuclei",
        "Trained for ten minutes.",
        "The model is over-fitting.",
        "Add labelled images, or stop earlier.",
        "330: 231 train",
        "192 x 192",
        "Half of the images are 256 pixels high.",
        "4 validation images",
        "1,300 steps in 1 min 35 s.",
        "Highest: 0.800 at step 200.",
        "a.png",
        "Dice 0.125",
        "model.safetensors",
        "'background' is left out of the means",
    ):
        assert text in page.text


def test_the_scores_are_those_of_the_scores(page):
    scores = cell_scores()
    cell = scores.classes["cell"]
    for number in (cell.dice.mean, cell.dice.low, cell.dice.high, cell.iou.mean, cell.recall.mean):
        assert f"{number:.3f}" in page.text
    assert f"{scores.pooled['dice']:.3f}" in page.text


def test_the_page_asks_the_network_for_nothing(html, page):
    addresses = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "srcset", "action", "data")
    ]
    assert addresses
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    assert page.all("script") == [{}] and not page.all("link")
    assert html.count(VIEWER) == 1
    assert not re.search(r"https?:|fetch|import|XMLHttp|innerHTML|eval", VIEWER)
    assert "@import" not in html
    assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", html))


def test_ids_are_unique_and_references_lead_somewhere(html, page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = re.findall(r'(?:url\(#|href="#)([\w-]+)', html)
    assert references
    assert set(references) <= set(ids)


def test_each_example_has_pictures_with_a_description(page):
    pictures = page.all("img")
    assert len(pictures) == 2 * 4
    labels = [picture["alt"] for picture in pictures[:4]]
    assert labels == ["Image, a.png", "Target, a.png", "Prediction, a.png", "Errors, a.png"]
    assert pictures[0]["width"] == "30" and pictures[0]["height"] == "20"


def test_pictures_of_wide_images_lie_two_in_a_row(content):
    for size, columns in (((20, 30), 4), ((20, 40), 2)):
        html = build_report(replace(content, examples=[example(size=size)]))
        assert f"--n: {columns}" in html


def test_where_the_pixels_of_each_class_went():
    confusion = np.array([[90, 10, 0, 0], [0, 0, 0, 0], [1, 30, 69, 0]])
    counts = [[[90, 1, 10], [0, 40, 0], [69, 0, 31]]]
    scores = summarize(
        counts, ["a"], ["<sky>", "road", "car"], background=False, confusion=confusion
    )
    page = Page(build_report(ReportContent("Test", scores=scores)))
    assert "Confusion" in page.text
    rows = [attributes for attributes in page.all("td") if "--share" in attributes.get("style", "")]
    assert [row["style"] for row in rows[:3]] == [
        "--share: 0.900",
        "--share: 0.100",
        "--share: 0.000",
    ]
    assert [row.get("class") for row in rows] == ["own", None, None, None, None, "own"]  # no roads
    assert page.text.count("none") == 0


def test_pixels_that_got_no_class_have_a_column():
    confusion = np.array([[5, 0, 0, 5], [0, 9, 0, 0], [0, 0, 9, 0]])
    scores = summarize(
        [[[5, 0, 5], [9, 0, 0], [9, 0, 0]]], ["a"], ["x", "y", "z"], background=False,
        confusion=confusion,
    )  # fmt: skip
    page = Page(build_report(ReportContent("Test", scores=scores)))
    assert len([one for one in page.all("td") if "--share" in one.get("style", "")]) == 12


def test_two_classes_have_no_confusion(page):
    assert "Confusion" not in page.text


def test_without_pictures_there_is_no_viewer(content):
    page = Page(build_report(replace(content, examples=[])))
    assert not page.all("script")


def test_text_from_outside_is_escaped(content):
    evil = "<script>alert(1)</script>"
    page = Page(
        build_report(
            replace(
                content,
                title=evil,
                warnings=[evil],
                facts=[(evil, evil)],
                examples=[example(name=f'"><img src=x>{evil}')],
                class_colors={evil: "#000000"},
            )
        )
    )
    assert page.all("script") == [{}]  # our own
    assert page.text.count(evil) >= 5
    assert len(page.all("img")) == 4


def test_an_evaluation_has_no_plan_and_no_curves():
    html = build_report(ReportContent("Test split", scores=cell_scores()))
    page = Page(html)
    assert "Scores" in page.text and "Dice of every image" in page.text
    for heading in ("Training", "Plan", "Files", "Images Best", "Data and machine"):
        assert heading not in page.text


def test_a_title_is_enough():
    assert Page(build_report(ReportContent("Nothing yet"))).all("section") == []


def test_a_class_without_a_score_says_why():
    counts = [[[0, 0, 0], [3, 1, 1]]]
    scores = summarize(counts, ["a"], ["tram", "road"], background=False)
    assert (
        "none: in no mask and no target"
        in Page(build_report(ReportContent("A", scores=scores))).text
    )


def test_no_score_at_all_is_said_not_nan():
    scores = summarize([[[0, 0, 0]]], ["a"], ["cell"], background=False)
    dice = [example(dice=float("nan"))]
    text = Page(build_report(ReportContent("A", scores=scores, examples=dice))).text
    assert "nothing to find, nothing found" in text
    assert "nan" not in text.lower()


def test_the_headline_says_what_the_scores_are_of():
    scored = "4 validation images by which the weights were chosen"
    scores = replace(cell_scores(), of=scored)
    text = Page(build_report(ReportContent("A", scores=scores))).text
    assert text.count(scored) == 2  # in the headline and over the table


def test_one_image_has_no_interval_on_the_page():
    text = Page(build_report(ReportContent("A", scores=cell_scores(num_images=1)))).text
    assert "no interval: too few images" in text
    assert "(95 %)" not in text


def test_groups_of_images_are_said_beside_the_interval():
    counts = [[[90, 1, 1], [10 - i % 3, i % 3, 1]] for i in range(24)]
    groups = [f"patient_{i // 2}" for i in range(24)]
    names = ["background", "cell"]
    scores = summarize(counts, list(map(str, range(24))), names, background=True, groups=groups)
    text = Page(build_report(ReportContent("A", scores=scores))).text
    assert "(95 % over 12 groups)" in text
    assert "intervals over 12 groups of images, such as patient_0, drawn whole" in text


def test_scores_of_a_broken_model_are_no_headline():
    missed = summarize([[[90, 10, 0], [0, 0, 10]]], ["a"], ["background", "cell"], background=True)
    page = build_report(ReportContent("A", scores=missed, warnings=missed.warnings))
    assert '<dl class="headlines broken">' in page
    assert page.index("Nothing is found") < page.index('<dl class="headlines')
    assert '<dl class="headlines">' in build_report(ReportContent("A", scores=cell_scores()))


def test_stored_scores_can_be_reported():
    stored = Scores.from_json(cell_scores().to_json())
    text = Page(build_report(ReportContent("A", scores=stored))).text
    assert f"{stored.mean_dice:.3f}" in text
    assert "Dice of every image" not in text


def test_several_classes_get_a_row_for_their_mean():
    counts = [[[9, 1, 1], [3, 1, 1]]]
    scores = summarize(counts, ["a"], ["road", "tram"], background=False)
    assert "Mean of classes" in Page(build_report(ReportContent("A", scores=scores))).text
    assert (
        "Mean of classes" not in Page(build_report(ReportContent("A", scores=cell_scores()))).text
    )


def test_the_same_content_gives_the_same_page(content, html):
    assert build_report(content) == html


def test_a_typical_page_stays_small():
    noisy = noise(512, 512) // 16 + np.linspace(0, 200, 512, dtype=np.uint8)[:, None]
    examples = [ReportExample("a", "best", noisy, noisy, noisy, 0.9)] * 9
    page = build_report(ReportContent("A", scores=cell_scores(), examples=examples))
    assert len(page) < 3_000_000


def test_matplotlib_waits_until_a_report_is_built():
    code = (
        "import pixelwise.report, sys;"
        "sys.exit(any(name in sys.modules for name in ('matplotlib', 'jinja2', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- charts -----------------------------------------------------------------------------------


def chart_titles(history):
    return [chart.title for chart in history_charts(history)]


def test_charts_are_drawn_for_what_was_recorded():
    assert chart_titles(HISTORY) == ["Loss", "Validation Dice"]
    assert chart_titles([{"step": s, "train_loss": 0.5} for s in (1, 2)]) == ["Loss"]
    assert chart_titles([{"step": s, "val_dice": float("nan")} for s in (1, 2)]) == []
    assert chart_titles(HISTORY[:1]) == []  # one point is no curve
    assert chart_titles([]) == []


def test_the_loss_legend_names_only_the_curves_there_are():
    (loss,) = history_charts([{"step": s, "train_loss": 0.5} for s in (1, 2)])
    assert [name for name, _ in loss.legend] == ["training"]


def test_a_loss_that_falls_far_gets_a_logarithmic_axis():
    steep = [{"step": i, "train_loss": 10.0**-i} for i in range(4)]
    assert "logarithmic" in history_charts(steep)[0].note
    assert "logarithmic" not in history_charts(HISTORY)[0].note


def test_charts_take_the_colours_of_the_page():
    for chart in history_charts(HISTORY):
        colors = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", chart.svg))
        assert colors <= {
            "none",
            *(f"var(--{n})" for n in ("muted", "line", "accent", "second", "paper")),
        }
        assert "var(--accent)" in colors and "var(--muted)" in colors


def test_a_chart_is_well_formed_and_brings_no_style_of_its_own():
    svg = history_charts(HISTORY)[0].svg
    root = ElementTree.fromstring(svg)
    assert root.get("viewBox") and root.get("width") is None
    assert root.get("aria-label") == "Loss over the training steps"
    assert "<style" not in svg and "font-family" not in svg and "DejaVu" not in svg


def test_steps_are_short():
    (chart,) = history_charts([{"step": step, "val_dice": 0.5} for step in (0, 4000)])
    labels = re.findall(r">([\d.k]+)</text>", chart.svg)
    assert labels[:5] == ["0", "1k", "2k", "3k", "4k"]


def test_the_histogram_counts_images_and_leaves_out_nan():
    chart = dice_histogram(np.array([0.5, 0.75, 1.0, np.nan]))
    assert "Half of the images reach 0.750 or more; the lowest is 0.500." in chart.note
    assert dice_histogram(np.array([0.5, 0.75, np.nan])) is None


# --- pictures ---------------------------------------------------------------------------------


def decode(uri):
    kind, data = uri.removeprefix("data:image/").split(";base64,")
    return kind, np.asarray(Image.open(BytesIO(b64decode(data))))


def test_a_small_picture_is_kept_exactly():
    image = noise(20, 30)
    kind, back = decode(to_data_uri(image))
    assert kind == "png"
    np.testing.assert_array_equal(back, image)


def test_a_large_picture_is_shrunk_keeping_its_proportions():
    _, back = decode(to_data_uri(np.full((2000, 1000, 3), 7, np.uint8)))
    assert back.shape == (MAX_SIDE, MAX_SIDE // 2, 3)


def test_a_photograph_becomes_a_jpeg():
    kind, back = decode(to_data_uri(noise(400, 300)))
    assert kind == "jpeg"
    assert back.shape == (400, 300, 3)


def test_pictures_are_not_compressed_as_far_as_they_can_be(monkeypatch):
    """A photograph is tried as PNG once, at its quickest: at its best that took a second each."""
    tried = []
    save = Image.Image.save

    def note(self, file, kind, **settings):
        tried.append((kind, settings.get("compress_level")))
        assert "optimize" not in settings
        save(self, file, kind, **settings)

    monkeypatch.setattr(Image.Image, "save", note)
    to_data_uri(noise(400, 300))
    assert tried == [("PNG", 1), ("JPEG", None)]
    tried.clear()
    to_data_uri(np.zeros((400, 300, 3), np.uint8))
    assert tried == [("PNG", 1), ("PNG", None)]


# --- what is wrong -----------------------------------------------------------------------------

VERMILLION, BLUE, YELLOW = (213, 94, 0), (86, 180, 233), (240, 228, 66)


def test_each_kind_of_error_has_its_colour():
    """Right, missed, false alarm, another class, ignored."""
    target = np.array([[1, 1, 0, 1, IGNORE_INDEX]], np.uint8)
    prediction = np.array([[1, 0, 2, 2, 1]], np.uint8)
    image = np.full((1, 5, 3), 100, np.uint8)
    shown = show_errors(image, target, prediction, has_background=True)
    pale = (146, 146, 146)
    assert [tuple(pixel) for pixel in shown[0]] == [pale, VERMILLION, BLUE, YELLOW, pale]
    assert image.max() == 100  # as it was


def test_without_background_every_error_is_of_another_class():
    target, prediction = np.array([[0, 1, 2]], np.uint8), np.array([[1, 0, 2]], np.uint8)
    shown = show_errors(np.zeros((1, 3, 3), np.uint8), target, prediction, has_background=False)
    assert [tuple(pixel) for pixel in shown[0]] == [YELLOW, YELLOW, (96, 96, 96)]


def test_where_classes_overlap_a_pixel_may_be_both():
    target = np.array([[[1, 0, 1]], [[0, 0, 1]]], np.uint8)
    prediction = np.array([[[0, 1, 1]], [[1, 0, 1]]], bool)
    shown = show_errors(np.zeros((1, 3, 3), np.uint8), target, prediction, has_background=False)
    assert [tuple(pixel) for pixel in shown[0]] == [YELLOW, BLUE, (96, 96, 96)]


def test_the_legend_has_the_errors(page):
    assert all(words in page.text for words in ("missed", "false alarm", "another class"))


# --- which images to show ---------------------------------------------------------------------


def test_worst_median_and_best_in_order():
    dice = [0.5, 0.9, 0.1, 0.7, 0.3]  # sorted: 2, 4, 0, 3, 1
    assert choose_examples(dice, 1) == [("worst", 2), ("median", 0), ("best", 1)]


def test_two_of_each():
    chosen = choose_examples(np.linspace(1, 0, 10), 2)  # already sorted, 4 and 5 in the middle
    assert [index for _, index in chosen] == [9, 8, 5, 4, 1, 0]


@pytest.mark.parametrize("num_images", range(8))
def test_no_image_is_shown_twice_however_few(num_images):
    indices = [index for _, index in choose_examples(np.linspace(0, 1, num_images), 2)]
    assert len(indices) == len(set(indices)) == min(num_images, 3 if num_images < 6 else 6)


def test_images_without_a_score_are_not_chosen():
    assert choose_examples([float("nan"), 0.5], 1) == [("best", 1)]
