"""Pair names of which a part is the same, at one place in all of them: a well, a number, a date.

images  1649_0003_Amp5_A01_w2_9F3C      masks  A01_binary
                       ^^^                     ^^^
The parts (between signs, else also r01|c02|f03) at one place of the masks are looked for at one
place of the images; several places together count where one does not do. What tells a mask one
image and no other pairs. Where two parts tell different images, nobody but a person can decide.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, islice

from pixelwise.data.layouts.names import CAPITAL_INSIDE, MASK_WORDS, words_of
from pixelwise.data.layouts.renaming import MIN_SHARE, Name, Pairs
from pixelwise.errors import LayoutError

MAX_PLACES = 3  # that tell an image together: plate, well and site
MAX_PARTS = 24  # of a name that are looked at, from either end
MAX_TRIES = 200  # combinations of places, so that names of many parts cost no time

Parts = tuple[str, ...]
Place = int  # of a part, from the left, or negative from the right
Link = tuple[Place, Place]  # of a mask and of an image


@dataclass(frozen=True)
class _Names:
    """The parts of all names of one side, and the names that have each part, at any place."""

    parts: Mapping[Name, Parts]

    @cached_property
    def holders(self) -> Mapping[str, set[Name]]:
        """The names that have a part."""
        found: dict[str, set[Name]] = defaultdict(set)
        for name, parts in self.parts.items():
            for part in parts:
                found[part].add(name)
        return found

    @cached_property
    def are_alike(self) -> bool:
        """Whether all names have the same number of parts, so that a place means one thing."""
        return len({len(parts) for parts in self.parts.values()}) == 1

    def places(self) -> list[Place]:
        """Every place that all names have; from the right too where they differ in length."""
        shortest = min([MAX_PARTS, *(len(parts) for parts in self.parts.values())])
        right = () if self.are_alike else range(-shortest, 0)
        return [*range(shortest), *right]


def split_at_signs(stem: str) -> Parts:
    """Parts of a name between signs and blanks: A01_w2 gives a01, w2."""
    return tuple(part for part in re.split(r"[\W_]+", stem.casefold()) if part)


def split_at_borders(stem: str) -> Parts:
    """Parts of a name that end before a capital or behind a number: r01c02 gives r01, c02."""
    spread = re.sub(r"(?<=\d)(?=[^\W\d_])", "_", CAPITAL_INSIDE.sub("_", stem))
    return split_at_signs(spread)


def pair_inside(
    images: Collection[Name], masks: Collection[Name], *, are_many: bool = False
) -> Pairs:
    """Pair masks with the image that has a part of their name at the same place as all others.

    Args:
        images: (folder, stem) of each.
        masks: the same; a mask only pairs with an image of the same folder.
        are_many: whether an image may have several masks, one an object or class.

    Returns:
        Mask -> image; empty where fewer than nine in ten masks have exactly one.

    Raises:
        LayoutError: two parts of the names tell different images.
    """
    if min(len(images), len(masks)) < 2:
        return {}
    ways: tuple[Callable[[str], Parts], ...] = (split_at_signs, split_at_borders)
    for split in ways:
        sides = [_Names({name: split(name[1]) for name in names}) for names in (images, masks)]
        found = list(_find_pairings(*sides, are_many=are_many))
        if len(found) > 1:
            raise LayoutError(_describe_two(found[0], found[1], sides[1]))
        if found:
            return found[0][1]
    return {}


def rest_of_mask(stem: str, image: str) -> str:
    """What a name says besides the parts of its image and words for masks: A01_03_gt gives 03."""
    known = {*split_at_signs(image), *MASK_WORDS}
    parts = [part for part in re.split(r"[\W_]+", stem) if part]
    return "_".join(p for p in parts if p.casefold() not in known and not _is_word(p))


def _is_word(part: str) -> bool:
    return set(words_of(part)) <= MASK_WORDS


def _find_pairings(
    images: _Names, masks: _Names, *, are_many: bool
) -> Iterator[tuple[Sequence[Link], Pairs]]:
    """Pairings that places tell, each once, with as few places as will do.

    Also a second one for a pairing that another part of the names denies.
    """
    links = _find_links(images, masks)
    seen: list[Pairs] = []
    for number in range(1, MAX_PLACES + 1):
        for chosen in islice(combinations(links, number), MAX_TRIES):
            if len({m for m, _ in chosen}) < number or len({i for _, i in chosen}) < number:
                continue
            pairs = _pair_by(chosen, images, masks)
            if not _is_enough(pairs, images, masks, are_many=are_many) or pairs in seen:
                continue
            seen.append(pairs)
            yield chosen, pairs
            yield from _find_denial(pairs, links, images, masks)
        if seen:
            return


def _find_links(images: _Names, masks: _Names) -> list[Link]:
    """Places whose parts, of which there are several, are the same in masks and images."""
    values = {i: {parts[i] for parts in images.parts.values()} for i in images.places()}
    least = MIN_SHARE * min(len(images.parts), len(masks.parts))
    links = []
    for m in masks.places():
        counts = Counter(parts[m] for parts in masks.parts.values())
        for i, known in values.items():
            shared = counts.keys() & known
            if len(shared) > 1 and sum(counts[part] for part in shared) >= least:
                links.append((m, i))
    return links


def _pair_by(links: Sequence[Link], images: _Names, masks: _Names) -> Pairs:
    """Masks whose parts at some places are those of exactly one image.

    Where names differ in length, places may be off: then no other image may have these parts.
    """
    owners: dict[tuple[str, ...], list[Name]] = defaultdict(list)
    for name, parts in images.parts.items():
        owners[name[0], *(parts[i] for _, i in links)].append(name)
    found = {
        name: owners.get((name[0], *(parts[m] for m, _ in links)), [])
        for name, parts in masks.parts.items()
    }
    pairs = {name: own[0] for name, own in found.items() if len(own) == 1}
    if images.are_alike:
        return pairs
    keys = {name: [masks.parts[name][m] for m, _ in links] for name in pairs}
    owned = {n: set.intersection(*(images.holders[part] for part in keys[n])) for n in pairs}
    return {n: image for n, image in pairs.items() if len(owned[n]) == 1}


def _is_enough(pairs: Pairs, images: _Names, masks: _Names, *, are_many: bool) -> bool:
    """Whether so many masks have an image, and each image one mask unless several are right."""
    num_images = len(set(pairs.values()))
    if are_many:
        return num_images > 1 and len(pairs) >= MIN_SHARE * len(masks.parts)
    smaller = min(len(images.parts), len(masks.parts))
    return num_images == len(pairs) >= max(2, MIN_SHARE * smaller)


def _find_denial(
    pairs: Pairs, links: Sequence[Link], images: _Names, masks: _Names
) -> Iterator[tuple[Sequence[Link], Pairs]]:
    """Pairs that another part of the names tells instead, where one contradicts these.

    A part that differs among the masks of one image tells the object or class, not the image.
    """
    for place in dict.fromkeys(m for m, _ in links):
        of_image: dict[Name, set[str]] = defaultdict(set)
        for mask, image in pairs.items():
            of_image[image].add(masks.parts[mask][place])
        if any(len(parts) > 1 for parts in of_image.values()):
            continue
        others = [i for m, i in links if m == place]
        if any(all({images.parts[n][i]} == of_image[n] for n in of_image) for i in others):
            continue
        owner = {parts[others[0]]: name for name, parts in images.parts.items()}
        for mask, image in pairs.items():
            told = owner.get(masks.parts[mask][place], image)
            if told != image and images.parts[image][others[0]] != masks.parts[mask][place]:
                yield [(place, others[0])], {mask: told}
                return


def _describe_two(
    one: tuple[Sequence[Link], Pairs], other: tuple[Sequence[Link], Pairs], masks: _Names
) -> str:
    """Both ways, with a mask that they pair with different images."""
    mask = next(name for name, image in other[1].items() if one[1].get(name) != image)
    shown = [
        f"by {' and '.join(repr(masks.parts[mask][m]) for m, _ in links)} with "
        f"{pairs[mask][1] if mask in pairs else 'none'}"
        for links, pairs in (one, other)
    ]
    return (
        f"the names of images and masks pair in two ways: the mask {mask[1]} {', or '.join(shown)}."
        " Rename the files, or write a manifest.csv with the columns image and mask."
    )
