"""What results are called: `predict` writes by these names, `evaluate` finds by them.

FOLDER/day1/a.png                -> day1/a            .png, _overlay.png, _probability.tif
FOLDER/k.png, FOLDER/k.tif       -> k_png, k_tif      where names are alike
FOLDER/a.png, FOLDER/a_overlay.png -> a, a_overlay_png  the overlay of a has that name
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

from pixelwise.data.layouts import stem_of, suffix_of

ENDS = {
    "mask": "",
    "probability": "_probability",
    "uncertainty": "_uncertainty",
    "overlay": "_overlay",
    "table": "_objects",
    "polygons": "_polygons",
    "coco": "_coco",
}


def name_results(places: Sequence[PurePath]) -> list[str]:
    """Name the results of images: with their folders, without endings, all different.

    Args:
        places: path of each image below a folder, all different.

    Returns:
        A name with / for each image; whatever ending of `ENDS` is added, none are alike.

    >>> name_results([PurePath("i.png"), PurePath("k.png"), PurePath("k.tif")])
    ['i', 'k_png', 'k_tif']
    """
    names = [plain_name(place) for place in places]
    times = [0] * len(names)  # that the ending was added
    while clashing := _clashing(names, times):
        for index in clashing:
            names[index] = with_ending(names[index], places[index])
            times[index] += 1
    return names


def plain_name(place: PurePath) -> str:
    """Folders and stem, joined by /."""
    return (place.parent / stem_of(Path(place))).as_posix()


def with_ending(name: str, place: PurePath) -> str:
    """The name with the ending of its image: k becomes k_png."""
    return f"{name}_{suffix_of(Path(place)).removeprefix('.').replace('.', '_')}"


def _clashing(names: Sequence[str], times: Sequence[int]) -> list[int]:
    """Places of names that must change: those alike, and those another adds an ending to.

    Of names alike, those change first that were changed least.
    """
    counts = Counter(names)
    added = {name + end for name in counts for end in ENDS.values() if end}
    least: dict[str, int] = {}
    for name, number in zip(names, times, strict=True):
        least[name] = min(number, least.get(name, number))
    return [
        index
        for index, (name, number) in enumerate(zip(names, times, strict=True))
        if name in added or (counts[name] > 1 and number == least[name])
    ]
