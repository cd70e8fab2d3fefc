"""Time budgets as people write them."""

import re

from pixelwise.errors import PlanError

SECONDS = {
    "": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
}  # fmt: skip
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
