"""Time budgets as people write them."""

import re

from pixelwise.errors import PlanError

SECONDS = {
    "s": 1, "sec": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
}  # fmt: skip
CLOSING_SECONDS = 3.0  # kept back for the last files and the report
CLOSING_SHARE = 0.01  # of the budget, kept back beside them
MAX_TEST_SHARE = 0.1  # of the budget, that scoring the test split may take
MIN_BUDGET = 10.0  # seconds: planning takes some 3, and closing; below, no step would be trained


def parse_budget(text: str | float) -> float:
    """Return a budget in seconds.

    Args:
        text: "90s", "10min", "1h30min", "2 hours"; or a number, not a text, of seconds.

    Raises:
        PlanError: the text is not a duration with its unit, or the duration is under 10 seconds.

    >>> parse_budget("10min"), parse_budget("1h30m"), parse_budget(45)
    (600.0, 5400.0, 45.0)
    """
    if isinstance(text, str) and _is_number(text):
        raise PlanError(
            f"The budget {text.strip()} has no unit. Write for example 10s, 10min or 2h."
        )
    lowered = str(text).lower() if isinstance(text, str) else f"{text}s"
    parts = re.findall(r"(\d+(?:\.\d+)?) *([a-z]*)", lowered)
    is_whole = "".join(number + unit for number, unit in parts) == lowered.replace(" ", "")
    if not (parts and is_whole) or any(unit not in SECONDS for _, unit in parts):
        raise PlanError(
            f"{text!r} is not a time. Write for example 90s, 10min, 1h30min or 2 hours."
        )
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if seconds < MIN_BUDGET:
        raise PlanError(
            f"A budget of {text} is too short to learn anything: planning and the report take "
            f"most of {MIN_BUDGET:.0f} seconds. Give {MIN_BUDGET:.0f}s or more; 2min is a good try."
        )
    return seconds


def _is_number(text: str) -> bool:
    """Whether a text is digits without a unit."""
    return re.fullmatch(r"\s*\d+(\.\d*)?\s*", text) is not None


def closing_seconds(budget: float | None) -> float:
    """Seconds that are kept back for what follows training."""
    return CLOSING_SECONDS + CLOSING_SHARE * (budget or 0.0)


def kept_for_test(seconds: float, budget: float | None) -> float:
    """Seconds to keep back for scoring the test split: 0 where that would take too many.

    Args:
        seconds: that scoring it takes.
        budget: of the training; None for as long as it takes.
    """
    return 0.0 if budget is not None and seconds > MAX_TEST_SHARE * budget else seconds


def format_seconds(seconds: float) -> str:
    """Return a duration for a person.

    >>> format_seconds(42.4), format_seconds(75), format_seconds(7260)
    ('42 s', '1 min 15 s', '2 h 01 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
