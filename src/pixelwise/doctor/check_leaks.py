"""Find what the splits should not share: the same images, and images of one group."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pixelwise.data import Finding, Split, find_groups, make_finding
from pixelwise.data.survey import SampleFacts, find_twins, group_twins
from pixelwise.text import count_of

NUM_GROUPS_NAMED = 3


def check_leaks(
    surveyed: Sequence[SampleFacts], splits: Mapping[str, Split], twins: Mapping[str, str]
) -> list[Finding]:
    """Find copies within and across splits, and groups that lie in two splits.

    Args:
        surveyed: all samples.
        splits: split of each name.
        twins: as `find_twins` gives it.
    """
    return [*_find_copies(surveyed, splits, twins), *_find_split_groups(surveyed, splits)]


def _find_copies(
    surveyed: Sequence[SampleFacts], splits: Mapping[str, Split], twins: Mapping[str, str]
) -> list[Finding]:
    image = {facts.found.name: facts.found.image for facts in surveyed}
    exact = find_twins(surveyed, near=False)
    same = group_twins(exact)
    alike = group_twins({name: stand_in for name, stand_in in twins.items() if exact[name] == name})

    def files(groups: Sequence[Sequence[str]], across: bool) -> list[Path]:
        return [
            image[name]
            for group in groups
            if (len({splits[name] for name in group} - {"unlabelled"}) > 1) == across
            for name in group
        ]

    return [
        *make_finding(
            "split-leak",
            files(same, across=True),
            "{files} are the same images in different splits: scores on them are too good.",
            "Remove the copies from all splits but train.",
        ),
        *make_finding(
            "split-leak",
            files(alike, across=True),
            "{files} look the same as images of another split: scores on them are too good.",
            "Keep images of one scene, and copies in another size or quality, in one split.",
            "warning",
        ),
        *make_finding(
            "duplicate",
            files(same, across=False),
            "{files} are copies of each other.",
            "Remove the copies: they count double in training and scores.",
        ),
        *make_finding(
            "near-duplicate",
            files(alike, across=False),
            "{files} look the same: copies in another size, quality or cut, or views of one scene.",
            "Remove the copies, if they are copies; they stay in one split where splits are made.",
        ),
    ]


def _find_split_groups(
    surveyed: Sequence[SampleFacts], splits: Mapping[str, Split]
) -> list[Finding]:
    """Groups, told by a manifest or by the names, that a person's own splits tear apart."""
    given = {
        facts.found.name: facts for facts in surveyed if facts.found.split and facts.found.mask
    }
    groups = {name: facts.found.group for name, facts in given.items() if facts.found.group}
    groups = groups or find_groups(list(given))
    members: dict[str, list[str]] = {}
    for name in given:
        if name in groups:
            members.setdefault(groups[name], []).append(name)
    torn = {group: names for group, names in members.items() if len({splits[n] for n in names}) > 1}
    named = "; ".join(
        f"{group} in {' and '.join(dict.fromkeys(splits[name] for name in names))}"
        for group, names in list(torn.items())[:NUM_GROUPS_NAMED]
    )
    return make_finding(
        "group-leak",
        [given[name].found.image for names in torn.values() for name in names],
        f"{count_of(len(torn), 'group')} of images in more than one split ({named}"
        f"{'; ...' * (len(torn) > NUM_GROUPS_NAMED)}): {{files}}.",
        "Keep what belongs together in one split, if the model is to work on new ones.",
    )
