"""Curves and histograms as inline SVG, drawn by matplotlib in the colours of the page.

A chart is drawn in stand-in colours, which are then replaced by the page's CSS variables: the same
chart is right in light, dark and print.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (5.3, 2.7)  # inches at 72 points: about the width a chart gets on the page
FONT_POINTS = 10.5
LOG_RATIO = 30  # a loss that falls by more than this is drawn on a logarithmic axis
FEW_POINTS = 25  # up to here each validation gets its dot
# stand-in colour -> CSS variable of the page
STAND_INS = {
    "#010101": "var(--muted)",
    "#020202": "var(--line)",
    "#030303": "var(--accent)",
    "#040404": "var(--second)",
    "#050505": "var(--paper)",
}
MUTED, LINE, ACCENT, SECOND, PAPER = STAND_INS


@dataclass(frozen=True, slots=True)
class Chart:
    """A finished chart: its heading, drawing, legend of (name, CSS colour) and a note."""

    title: str
    svg: str
    legend: Sequence[tuple[str, str]] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its name, stand-in colour and points (step, value)."""

    name: str
    color: str
    points: NDArray[np.float64]  # (P, 2)


def history_charts(history: Sequence[Mapping[str, float]]) -> list[Chart]:
    """The loss and the score over the steps of a training run, where they were recorded."""
    losses = [
        _line(history, "train_loss", "training", SECOND),
        _line(history, "val_loss", "validation", ACCENT),
    ]
    dice = _line(history, "val_dice", "validation", ACCENT)
    curves = [line for line in losses if len(line.points) > 1]  # one point is no curve
    charts = [_loss_chart(curves)] if curves else []
    if len(dice.points) > 1:
        charts.append(_dice_chart(dice))
    return charts


def dice_histogram(image_dice: NDArray[np.float64]) -> Chart | None:
    """How many images reached which Dice; None for fewer than three images."""
    dice = image_dice[np.isfinite(image_dice)]
    if len(dice) < 3:
        return None

    def draw(axes: "Axes") -> None:
        axes.hist(dice, bins=25, range=(0, 1), color=ACCENT, rwidth=0.86)
        axes.set_xlim(0, 1)
        axes.set_xlabel("Dice of an image")
        axes.set_ylabel("images")
        axes.locator_params(axis="y", integer=True, nbins=5)

    svg = _draw("dice-histogram", "Histogram of the Dice of the images", draw)
    half = (
        f"Half of the images reach {np.median(dice):.3f} or more; the lowest is {dice.min():.3f}."
    )
    return Chart("Dice of every image", svg, note=half)


def _line(history: Sequence[Mapping[str, float]], key: str, name: str, color: str) -> Line:
    rows = [(row.get("step", i), row.get(key)) for i, row in enumerate(history)]
    points = [(step, value) for step, value in rows if value is not None and np.isfinite(value)]
    return Line(name, color, np.array(points, np.float64).reshape(-1, 2))


def _loss_chart(lines: Sequence[Line]) -> Chart:
    values = np.concatenate([line.points[:, 1] for line in lines])
    is_log = values.min() > 0 and values.max() > LOG_RATIO * values.min()

    def draw(axes: "Axes") -> None:
        for line in lines:
            _draw_line(axes, line)
        _step_axis(axes)
        if is_log:
            axes.set_yscale("log")

    svg = _draw("loss-curve", "Loss over the training steps", draw)
    legend = [(line.name, STAND_INS[line.color]) for line in lines]
    return Chart(
        "Loss", svg, legend, "Lower is better; logarithmic." if is_log else "Lower is better."
    )


def _dice_chart(line: Line) -> Chart:
    steps, values = line.points.T
    best = int(values.argmax())

    def draw(axes: "Axes") -> None:
        _draw_line(axes, line)
        axes.plot(steps[best], values[best], "o", ms=8, color=ACCENT, mec=PAPER, mew=1.5)
        axes.set_ylim(max(0.0, np.floor(values.min() * 20 - 0.5) / 20), 1.0)
        _step_axis(axes)

    svg = _draw("dice-curve", "Validation Dice over the training steps", draw)
    note = f"Highest: {values[best]:.3f} at step {steps[best]:,.0f}."
    return Chart("Validation Dice", svg, [(line.name, STAND_INS[ACCENT])], note)


def _draw_line(axes: "Axes", line: Line) -> None:
    marker = "o" if len(line.points) <= FEW_POINTS else ""
    axes.plot(*line.points.T, color=line.color, lw=1.8, marker=marker, ms=3)


def _step_axis(axes: "Axes") -> None:
    axes.set_xlabel("step")
    axes.xaxis.set_major_formatter(lambda step, _: _short(step))
    axes.locator_params(axis="x", nbins=5, integer=True)
    axes.margins(x=0.02)
    axes.set_xlim(left=0)


def _short(step: float) -> str:
    return f"{step / 1000:g}k" if step >= 1000 else f"{step:g}"


def _draw(name: str, label: str, draw: "Callable[[Axes], None]") -> str:
    """Draw on clean axes and return the SVG; `name` keeps its ids apart from other charts'."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(
        {
            "font.size": FONT_POINTS,
            "axes.labelcolor": MUTED,
            "svg.fonttype": "none",  # text stays text, in the font of the page
            "svg.hashsalt": name,  # same chart, same ids; another chart, other ids
        }
    ):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        _style(axes)
        draw(axes)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return _clean(stream.getvalue(), label)


def _style(axes: "Axes") -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(which="both", length=0, colors=MUTED, pad=5)
    axes.grid(axis="y", color=LINE, lw=0.8)
    axes.set_axisbelow(True)


def _clean(svg: str, label: str) -> str:
    """Make matplotlib's SVG fit to stand inside a page, beside others."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(r" ?font-family: [^;\"]*;?", "", svg)
    for stand_in, variable in STAND_INS.items():
        svg = svg.replace(stand_in, variable)
    used = set(re.findall(r"#([\w-]+)(?=[\")])", svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", svg)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1).strip()
