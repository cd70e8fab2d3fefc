"""Pair the names of images and masks.

a            a            the same name
a            a_mask       a usual suffix
Cell 1       cell_1       nearly the same: case, blanks, Unicode form; said
image_001    mask_001     one renaming that holds for the whole folder, learned from it
t2           t2_seg-3     the name of the image begins that of the mask; the longest wins
x_A01_9F3C   A01_binary   a part is the same, at one place in all names
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pixelwise.data.layouts.inside import pair_inside
from pixelwise.data.layouts.names import (
    IMAGE_WORDS,
    MASK_WORDS,
    mask_stem,
    near_key,
    words_of,
)
from pixelwise.data.layouts.renaming import (
    MIN_SHARE,
    Name,
    Pairs,
    Renaming,
    learn_renamings,
)
from pixelwise.errors import LayoutError

NUM_SHOWN = 3
Files = Mapping[Name, Path]


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which mask belongs to which image.

    Attributes:
        pairs: mask -> image, by their names.
        renaming: taken for the whole folder; the same names where it is None.
        near_misses: masks whose names are only nearly those of their images.
    """

    pairs: Pairs
    renaming: Renaming | None = None
    near_misses: tuple[Name, ...] = ()


def pair_names(images: Files, masks: Files) -> Pairing:
    """Pair images and masks by their names; each image has one mask at most.

    Args:
        images: file of each name, (folder, stem).
        masks: the same of the masks; a mask only pairs with an image of the same folder.

    Raises:
        LayoutError: two masks for one image, or two renamings, or parts of the names, that pair
            equally many but otherwise.
    """
    usual = _pair_usual(images, masks)
    smaller = min(len(images), len(masks))
    if len(usual.pairs) == smaller:
        return usual
    learned = learn_renamings(images.keys(), masks.keys())
    if learned and len(learned[0][1]) > len(usual.pairs):
        if len(learned) > 1:
            raise LayoutError(_describe_tie(learned))
        return Pairing(learned[0][1], learned[0][0])
    for pairs in (_pair_by_words(images, masks), _pair_by_start(images, masks)):
        if len(pairs) > len(usual.pairs) and len(pairs) >= MIN_SHARE * smaller:
            return Pairing(pairs)
    inside = {} if usual.pairs else pair_inside(images, masks)
    return Pairing(inside) if inside else usual


def _pair_usual(images: Files, masks: Files) -> Pairing:
    """By the same name, a usual suffix, or nearly the same name."""
    pairs: Pairs = {}
    owners: dict[Name, Name] = {}
    for name in masks:
        image = name if name in images else (name[0], mask_stem(name[1]) or "")
        if image in images:
            _add(pairs, owners, name, image, masks)
    near_images = _by_near_key([name for name in images if name not in owners])
    near_masks = _by_near_key([name for name in masks if name not in pairs])
    near_misses = []
    for key, near_mask in near_masks.items():
        other = near_images.get(key) or near_images.get((key[0], mask_stem(key[1]) or ""))
        if near_mask is not None and other is not None and other not in owners:
            _add(pairs, owners, near_mask, other, masks)
            near_misses.append(near_mask)
    return Pairing(pairs, near_misses=tuple(near_misses))


def _add(pairs: Pairs, owners: dict[Name, Name], mask: Name, image: Name, masks: Files) -> None:
    """Enter a mask for an image; a second one is an error."""
    if image in owners:
        raise LayoutError(
            f"{masks[owners[image]]} and {masks[mask]} are both masks of {image[1]}. Remove one "
            "of them."
        )
    pairs[mask], owners[image] = image, mask


def _by_near_key(names: Collection[Name]) -> dict[Name, Name | None]:
    """Names by what near names have in common; None where several have it."""
    keys: dict[Name, Name | None] = {}
    for name in names:
        key = (near_key(name[0]), near_key(name[1]))
        keys[key] = None if key in keys else name
    return keys


def _pair_by_words(images: Files, masks: Files) -> Pairs:
    """Pair what is left of names without the words for images and masks: image and label."""
    left: dict[tuple[str, tuple[str, ...]], list[Name]] = {}
    for name in images:
        left.setdefault((name[0], _rest(name[1], IMAGE_WORDS)), []).append(name)
    pairs: Pairs = {}
    for name in masks:
        rest = _rest(name[1], MASK_WORDS)
        same = left.get((name[0], rest), [])
        if len(same) == 1 and list(rest) != words_of(name[1]):
            pairs[name] = same[0]
    return pairs if len(set(pairs.values())) == len(pairs) else {}


def _rest(stem: str, words: frozenset[str]) -> tuple[str, ...]:
    return tuple(word for word in words_of(stem) if word not in words)


def _pair_by_start(images: Files, masks: Files) -> Pairs:
    """Pair masks with the image of the longest name that theirs begins with."""
    pairs = {}
    for name in masks:
        image = start_of(name, images)
        if image is not None:
            pairs[name] = image
    return pairs if len(set(pairs.values())) == len(pairs) else {}


def start_of(name: Name, images: Collection[Name]) -> Name | None:
    """The longest name of an image that a name begins with, up to a sign such as _."""
    folder, stem = name
    for length in range(len(stem) - 1, 0, -1):
        if not stem[length].isalnum() and (folder, stem[:length]) in images:
            return folder, stem[:length]
    return None


def _describe_tie(learned: list[tuple[Renaming, Pairs]]) -> str:
    shown = [
        f"{renaming} ({', '.join(f'{i[1]} with {m[1]}' for m, i in list(pairs.items())[:2])})"
        for renaming, pairs in learned[:NUM_SHOWN]
    ]
    return (
        f"the names of images and masks pair in {len(learned)} ways: {', or '.join(shown)}. Rename "
        "the files, or write a manifest.csv with the columns image and mask."
    )
