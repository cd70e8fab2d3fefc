"""Time budgets as people write them."""

import re

from pixelwise.errors import PlanError

SECONDS = {
    "": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
}  # fmt: skip
CLOSING_SECONDS = 4.0  # kept back for the last files and the report
CLOSING_SHARE = 0.01  # of the budget, kept back beside them
MIN_BUDGET = 10.0  # seconds: below, nothing would be learnt


def parse_budget(text: str | float) -> float:
    """Return a budget in seconds: "90s", "10min", "1h30min", "2 hours", or a number of seconds.

    Raises:
        PlanError: the text is not a duration, or the duration is under 10 seconds.

    >>> parse_budget("10min"), parse_budget("1h30m"), parse_budget(45)
    (600.0, 5400.0, 45.0)
    """
    lowered = str(text).lower()
    parts = re.findall(r"(\d+(?:\.\d+)?) *([a-z]*)", lowered)
    is_whole = "".join(number + unit for number, unit in parts) == lowered.replace(" ", "")
    is_clear = len(parts) == 1 or all(unit for _, unit in parts)  # "1h30": minutes or seconds?
    if not (parts and is_whole and is_clear) or any(unit not in SECONDS for _, unit in parts):
        raise PlanError(
            f"{text!r} is not a time. Write for example 90s, 10min, 1h30min or 2 hours."
        )
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if seconds < MIN_BUDGET:
        raise PlanError(
            f"A budget of {text} is too short to learn anything; give at least "
            f"{MIN_BUDGET:.0f} seconds."
        )
    return seconds


def closing_seconds(budget: float | None) -> float:
    """Seconds that are kept back for what follows training."""
    return CLOSING_SECONDS + CLOSING_SHARE * (budget or 0.0)


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
