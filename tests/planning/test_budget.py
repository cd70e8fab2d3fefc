"""Time budgets: what people write, and what they mean by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.errors import PlanError
from pixelwise.planning import parse_budget


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("90 sec", 90),
        ("10 seconds", 10),
        ("10min", 600),
        ("10m", 600),
        ("1 minute", 60),
        ("2.5 minutes", 150),
        ("10 MIN", 600),
        ("0.5h", 1800),
        ("1 hour", 3600),
        ("2 hours", 7200),
        ("1h30min", 5400),
        ("1h 30m 15s", 5415),
        ("1d", 86400),
        ("2 days", 172800),
        (45, 45),
        (12.5, 12.5),
        (1e6, 1e6),
    ],
)
def test_durations(text, seconds):
    assert parse_budget(text) == seconds
    assert isinstance(parse_budget(text), float)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "min",
        "10 parsecs",
        "10ms",
        "-5min",
        "1,5h",
        "5min!",
        "1:30",
        "1..5h",
        "1e3s",
        "nan",
        float("nan"),
        float("inf"),
        None,
        "10min later",
    ],
)
def test_what_is_no_time_is_refused_with_examples(text):
    with pytest.raises(PlanError, match=r"is not a time. Write for example 90s, 10min, 1h30min"):
        parse_budget(text)


@pytest.mark.parametrize("text", ["1h30", "30 1h", "2 3"])
def test_minutes_or_seconds_is_not_guessed(text):
    with pytest.raises(PlanError, match=f"'{text}' is not a time"):
        parse_budget(text)


@pytest.mark.parametrize("text", ["10", "90", " 60 ", "0", "2.5", "1000000", "5."])
def test_a_text_without_a_unit_is_not_guessed(text):
    with pytest.raises(PlanError, match=rf"{text.strip()} has no unit\. .* 10s, 10min or 2h"):
        parse_budget(text)


@pytest.mark.parametrize("text", ["9s", "8s", "0s", "0min", 9.99, 0, "0.1min"])
def test_too_short_is_refused(text):
    with pytest.raises(PlanError, match=rf"{text} is too short.* Give 10s or more"):
        parse_budget(text)


def test_the_shortest():
    assert parse_budget("10s") == 10


@given(st.integers(0, 50), st.integers(0, 300), st.integers(10, 5000))
def test_parts_add_up(hours, minutes, seconds):
    total = hours * 3600 + minutes * 60 + seconds
    assert parse_budget(f"{hours}h{minutes}min{seconds}s") == total
    assert parse_budget(f"{hours} hours {minutes} m {seconds} sec") == total
