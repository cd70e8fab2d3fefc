"""Texts of regions that are written while regions are found: a beginning, regions, an end."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pixelwise.objects.measure import Region


class RegionFormat(NamedTuple):
    """How regions are written down.

    Attributes:
        start: text before the regions.
        write: the text of some of them, which is put behind that of those before.
        end: text behind the last.
    """

    start: str
    write: Callable[[Sequence[Region]], str]
    end: str


def to_json(content: object) -> str:
    """JSON without blanks."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def json_items(regions: Sequence[Region], items: Iterable[object]) -> str:
    """The items of a JSON list, a line and an item for each region."""
    return "".join(
        f"{'' if region.number == 1 else ','}\n{to_json(item)}"
        for region, item in zip(regions, items, strict=True)
    )
