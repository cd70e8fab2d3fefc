"""Groups: which samples belong together (patient, plate, scene, copies) and must share a split.

patient_03_slice_12   -> patient_03
patient_03_slice_13   -> patient_03        one group, one split
patient_07_slice_01   -> patient_07
"""

import re
from collections.abc import Collection, Mapping, Sequence

from pixelwise.errors import DataError
from pixelwise.text import shorten

NUM_SHOWN = 3
BY_IMAGE = "none"  # in place of a pattern: every image is split by itself
MIN_MATCHED = 0.9  # of the names: a few may be odd, where a word says what the others are
NOUNS = (
    "patient", "subject", "case", "donor", "animal", "specimen", "plate", "slide", "scan", "volume",
    "stack", "scene", "video", "movie", "clip", "sequence",
)  # fmt: skip

# What names of series look like, the surest first; the first group of each is the group.
# Words alone ("cat_001") may be classes and numbers alone may be dates or tiles: never groups.
_WORDS = (
    "patient|pat|subject|subj|sub|case|donor|mouse|animal|specimen|scan|volume|vol|stack|plate|"
    "slide|wsi|scene|video|vid|movie|clip|sequence|seq"
)
_PARTS = "slice|frame|tile|patch|crop|view|section|aug|augmented"
WORD_PATTERNS = (
    rf"^((?:.*?[/_-])??(?:{_WORDS})[_-]?[A-Za-z]{{0,3}}\d+)(?=[/_-])",  # patient_03_scan_1_slice_12
    rf"^((?:.*[/_-])?(?:{_WORDS})[_-]?[A-Za-z]{{0,3}}\d+)(?=[/_-])",  # where all are of one patient
)
PATTERNS = (
    *WORD_PATTERNS,
    rf"^(.+?)[/_-](?:{_PARTS})[_-]?\d+",  # slide7b_tile_3_4
    r"^(.*[A-Za-z][^/_-]*\d[^/_-]*|.*\d[^/_-]*[A-Za-z][^/_-]*)[/_-][A-Za-z]?\d{3,}$",  # 01TP_0069
)


def join_samples(
    names: Sequence[str], groups: Mapping[str, str], twins: Mapping[str, str]
) -> list[tuple[str, list[str]]]:
    """Join samples that must share a split: of one group, copies of each other, or both in turn.

    Args:
        names: names of the samples.
        groups: group of those names that have one.
        twins: for copies, one name that stands for all of them.

    Returns:
        Key and sorted names of each set. The key stays when samples are added: the first of its
        groups, or of its names where it has no group.
    """
    parents: dict[tuple[str, str], tuple[str, str]] = {}

    def find(node: tuple[str, str]) -> tuple[str, str]:
        while (parent := parents.setdefault(node, node)) != node:
            parents[node] = node = parents[parent]  # halves the way for the next time
        return node

    for name in names:
        links = [("group", groups[name])] if name in groups else []
        links += [("name", twins[name])] if name in twins else []
        for link in links:
            parents[find(("name", name))] = find(link)
    joined: dict[tuple[str, str], list[str]] = {}
    for name in sorted(names):
        joined.setdefault(find(("name", name)), []).append(name)
    return [
        (min((groups[name] for name in members if name in groups), default=members[0]), members)
        for members in joined.values()
    ]


def match_groups(names: Sequence[str], pattern: str) -> dict[str, str]:
    """Take groups from names: the first parenthesis of a regular expression, or what it matches.

    Args:
        names: names of the samples.
        pattern: searched for in each name; a name in which it is not found is its own group.

    Returns:
        Group of every name in which the pattern is found.

    Raises:
        DataError: the pattern is not a regular expression, is found in no name, or puts all names
            into one group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(
            f"the split pattern {pattern!r} is not a regular expression: {error}. Give one such as "
            r"'^(patient\d+)_', whose first parenthesis is the group."
        ) from error
    found = {name: match for name in names if (match := compiled.search(name))}
    groups = {name: match[1 if compiled.groups else 0] or "" for name, match in found.items()}
    groups = {name: group for name, group in groups.items() if group}
    shown = shorten(sorted(names), what="")
    if names and not groups:
        raise DataError(
            f"the split pattern {pattern!r} is found in none of the {len(names)} names ({shown}). "
            "Give a regular expression that matches the part of a name that is the group."
        )
    if len(groups) == len(names) > 1 and len(set(groups.values())) == 1:
        raise DataError(
            f"the split pattern {pattern!r} puts all {len(names)} images into one group, "
            f"{next(iter(groups.values()))!r}, which leaves nothing to split ({shown}). Give a "
            "regular expression that matches the part that differs between groups."
        )
    return groups


def find_group_pattern(names: Sequence[str], patterns: Sequence[str] = PATTERNS) -> str | None:
    """A pattern for `match_groups` under which the names fall into groups; None where none is sure.

    At least two groups must come out. All names must match, and the groups hold three images on
    average; with a word such as "patient" nine names in ten are enough, and two images in a group.
    """
    for pattern in patterns:
        matches = [match for n in names if (match := re.search(pattern, n, re.IGNORECASE))]
        number = len({match[1] for match in matches})
        is_sure = pattern in WORD_PATTERNS
        most = len(matches) - 1 if is_sure else len(names) // 3
        if len(matches) >= (MIN_MATCHED if is_sure else 1) * len(names) and 2 <= number <= most:
            return f"(?i){pattern}"
    return None


def find_groups(names: Sequence[str]) -> dict[str, str]:
    """The likely group of each name (`patient_03_slice_12` -> `patient_03`); empty where unsure.

    The names of the files count first, so that a patient in two folders is one; then the folders,
    where they say by a word what they are (`patient_03/12`).
    """
    files = {name: name.rpartition("/")[2] for name in names}
    pattern = find_group_pattern(list(files.values()))
    if pattern is None:
        files = {name: re.sub("^(?:train|val|test)/", "", name) for name in names}
        pattern = find_group_pattern(list(files.values()), WORD_PATTERNS)
    if pattern is None:
        return {}
    found = match_groups(list(files.values()), pattern)
    return {name: found[file] for name, file in files.items() if file in found}


def name_of_groups(groups: Collection[str]) -> str:
    """What groups are called: "patients" for patient_03, else "groups"."""
    words = {word for group in groups for word in re.findall(r"[a-z]+", group.lower())}
    return next((f"{noun}s" for noun in NOUNS if noun in words), "groups")
