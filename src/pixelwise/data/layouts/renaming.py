"""Learn from two lists of names how those of the masks are made from those of the images.

images  image_001  image_002  image_003        a name is (folder, stem); what is shared, and where
masks   mask_001   mask_002                    it stands, is looked for in a few of the names, and
        image_X -> mask_X                      the guess that pairs the most is then counted in all
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

Name = tuple[str, str]  # folder, stem
Pairs = dict[Name, Name]  # mask -> image

NUM_PROBES = 15
NUM_GUESSES = 20  # the most voted are counted in full
MIN_VOTES = 0.8  # of the probes
MIN_SHARE = 0.9  # of the smaller side must be paired: a few names may be mistyped
SIGNS = "_-. "
TAIL = 20  # one name in 20 at either end of the order may lack what the others share


@dataclass(frozen=True, slots=True)
class Renaming:
    """What stands before and after the shared part of a name, in images and in masks."""

    image: tuple[str, str] = ("", "")
    mask: tuple[str, str] = ("", "")

    def image_stem(self, mask_stem: str) -> str | None:
        """Stem of the image of a mask; None where the mask is not named like that."""
        before, after = self.mask
        if not mask_stem.startswith(before) or not mask_stem.endswith(after):
            return None
        if len(mask_stem) < len(before) + len(after):
            return None
        core = mask_stem[len(before) : len(mask_stem) - len(after)]
        return f"{self.image[0]}{core}{self.image[1]}"

    def pair(self, images: Collection[Name], masks: Collection[Name]) -> Pairs:
        """Mask -> image for every mask whose image, so named, is in the same folder."""
        pairs: Pairs = {}
        for folder, stem in masks:
            image = self.image_stem(stem)
            if image is not None and (folder, image) in images:
                pairs[folder, stem] = (folder, image)
        return pairs

    def __str__(self) -> str:
        """For example "image_X -> mask_X"."""
        return f"{self.image[0]}X{self.image[1]} -> {self.mask[0]}X{self.mask[1]}"


def learn_renamings(
    images: Collection[Name], masks: Collection[Name]
) -> list[tuple[Renaming, Pairs]]:
    """Find the renamings that pair the most names.

    Args:
        images: set of (folder, stem); a mask is only paired with an image of the same folder.
        masks: set of (folder, stem).

    Returns:
        Those that pair the most, and nine in ten of the smaller side at least; more than one only
        where they pair differently. Two names at least must pair.
    """
    is_mask_side = len(masks) <= len(images)
    smaller, larger = (masks, images) if is_mask_side else (images, masks)
    found: dict[frozenset[tuple[Name, Name]], tuple[Renaming, Pairs]] = {}
    for ends, others in _guess(smaller, larger):
        renaming = _reduce(others, ends) if is_mask_side else _reduce(ends, others)
        pairs = renaming.pair(images, masks)
        if len(pairs) < max(2, MIN_SHARE * len(smaller)):
            continue
        if len(pairs) < max(len(images), len(masks)) and _splits_number(renaming, pairs):
            continue
        found.setdefault(frozenset(pairs.items()), (_widen(renaming, pairs), pairs))
    most = max((len(pairs) for pairs in found), default=0)
    best = [entry for pairs, entry in found.items() if len(pairs) == most]
    return sorted(best, key=lambda entry: str(entry[0]))


def _guess(
    smaller: Collection[Name], larger: Collection[Name]
) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """What to cut off the names of the smaller side, and what then stands around the rest."""
    if len(smaller) < 2 or not larger:
        return
    for ends in _possible_ends([stem for _, stem in smaller]):
        for around in _guess_around(ends, smaller, larger):
            yield ends, around


def _guess_around(
    ends: tuple[str, str], smaller: Collection[Name], larger: Collection[Name]
) -> Iterator[tuple[str, str]]:
    """What may stand around the rest of the names of the smaller side in those of the larger."""
    cores = {name: _cut(name[1], ends) for name in smaller}
    usable = sorted(
        ((core, name[0]) for name, core in cores.items() if core is not None),
        key=lambda entry: (-len(entry[0]), entry),
    )
    if usable and usable[0][0]:  # an empty rest fits everywhere and tells nothing
        usable = [entry for entry in usable if entry[0]]
    probes = usable[:: max(1, len(usable) // NUM_PROBES)][:NUM_PROBES]
    stems = defaultdict(list)
    for folder, stem in larger:
        stems[folder].append(stem)
    votes: Counter[tuple[str, str]] = Counter()
    for core, folder in probes:
        votes.update({around for stem in stems[folder] for around in _find_core(core, stem)})
    order = sorted(votes.items(), key=lambda entry: (-entry[1], entry[0]))
    for around, count in order[:NUM_GUESSES]:
        if count >= MIN_VOTES * len(probes):
            yield around


def _possible_ends(stems: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What may be cut off names: what they share, or less where nothing would be left of one.

    Of 11 and 1121 that is 11 in front, or 1 behind: then 1 and 112 are left.
    """
    before, after = _shared_ends(stems)
    yield before, after
    if min(map(len, stems)) <= len(before) + len(after):
        for place in range(len(before)):
            rests = [stem[place:][::-1] for stem in stems if stem.startswith(before[:place])]
            yield before[:place], _shared_start(rests)[::-1]


def _shared_ends(stems: Sequence[str]) -> tuple[str, str]:
    """What nearly all names begin with, and what the rest of them nearly all end with."""
    before = _shared_start(stems)
    rests = [stem[len(before) :] for stem in stems if stem.startswith(before)]
    return before, _shared_start([rest[::-1] for rest in rests])[::-1]


def _shared_start(texts: Sequence[str]) -> str:
    """Longest common start, leaving out the first and last twentieth in the alphabet."""
    order = sorted(texts)
    cut = len(order) // TAIL
    return _common(order[cut], order[len(order) - 1 - cut])


def _common(one: str, other: str) -> str:
    """What two texts begin with."""
    for place, (letter, counterpart) in enumerate(zip(one, other, strict=False)):
        if letter != counterpart:
            return one[:place]
    return min(one, other, key=len)


def _cut(stem: str, ends: tuple[str, str]) -> str | None:
    before, after = ends
    if len(stem) < len(before) + len(after):
        return None
    if not stem.startswith(before) or not stem.endswith(after):
        return None
    return stem[len(before) : len(stem) - len(after)]


def _find_core(core: str, stem: str) -> Iterator[tuple[str, str]]:
    """What stands before and after each place of `core` in `stem`."""
    if not core:
        yield stem, ""
        return
    start = stem.find(core)
    while start >= 0:
        yield stem[:start], stem[start + len(core) :]
        start = stem.find(core, start + 1)


def _reduce(image: tuple[str, str], mask: tuple[str, str]) -> Renaming:
    """The renaming with everything in the shared part that images and masks share."""
    end = _common(image[0][::-1], mask[0][::-1])
    start = _common(image[1], mask[1])
    return Renaming(
        (image[0][: len(image[0]) - len(end)], image[1][len(start) :]),
        (mask[0][: len(mask[0]) - len(end)], mask[1][len(start) :]),
    )


def _splits_number(renaming: Renaming, pairs: Pairs) -> bool:
    """Whether a number would be cut in two, as when img_01 gives mask_1."""
    befores = (renaming.image[0], renaming.mask[0])
    afters = (renaming.image[1], renaming.mask[1])
    cores = [_cut(stem, renaming.mask) or "" for _, stem in pairs]
    return (
        any(text[-1:].isdigit() for text in befores) and any(c[:1].isdigit() for c in cores)
    ) or (any(text[:1].isdigit() for text in afters) and any(c[-1:].isdigit() for c in cores))


def _widen(renaming: Renaming, pairs: Pairs) -> Renaming:
    """The same renaming with the sign between it and the shared part: image_X, not imageX."""
    cores = [_cut(stem, renaming.mask) or "" for _, stem in pairs]
    before = _one_sign({core[:1] for core in cores}, renaming.image[0] + renaming.mask[0])
    after = _one_sign({core[-1:] for core in cores}, renaming.image[1] + renaming.mask[1])
    if any(len(core) <= len(before) + len(after) for core in cores):
        return renaming
    return Renaming(
        (renaming.image[0] + before, after + renaming.image[1]),
        (renaming.mask[0] + before, after + renaming.mask[1]),
    )


def _one_sign(signs: set[str], beside: str) -> str:
    """The sign that all shared parts have beside what is renamed there; "" where there is none."""
    sign = next(iter(signs))
    return sign if beside and len(signs) == 1 and sign in SIGNS else ""
