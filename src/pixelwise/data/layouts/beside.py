"""Pair the files of one folder that holds images and masks side by side.

a.png        a_mask.png      a word for masks behind the name of the image
1L.jpg       1L_1stHO.png    any other ending that all images have, if it is the only one
1_sat.jpg    1_mask.png      words for images and for masks
a.jpg        a.png           photographs, and masks without loss
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.data.layouts.folder_pairs import by_name, is_view, read_tags
from pixelwise.data.layouts.names import (
    MASK_WORDS,
    PHOTO_SUFFIXES,
    mask_stem,
    stem_of,
    suffix_of,
    words_of,
)
from pixelwise.data.layouts.pairing import pair_names
from pixelwise.errors import LayoutError

NUM_SHOWN = 3
ARRAY_SUFFIXES = frozenset({".npy", ".npz"})


@dataclass(frozen=True, slots=True)
class Beside:
    """The files of one folder, sorted out.

    Attributes:
        description: in one line.
        masks: masks of each image: none, one, or several that make up one mask together.
        lone: masks without an image.
        aside: other views of the masks, which are not used.
        near_misses: masks whose names are only nearly those of their images.
    """

    description: str
    masks: Mapping[Path, tuple[Path, ...]]
    lone: tuple[Path, ...] = ()
    aside: tuple[Path, ...] = ()
    near_misses: tuple[Path, ...] = ()


def pair_beside(files: Sequence[Path]) -> Beside:
    """Find out which files of a folder are images, and which are their masks.

    Raises:
        LayoutError: it cannot be told which are which, or an image has two masks.
    """
    tags = read_tags(files)
    masks = {path for path, tag in tags.items() if MASK_WORDS.intersection(words_of(tag))}
    masks = masks or _learn_masks(files, tags)
    if masks:
        return _pair_by_tags(files, tags, masks)
    stems = {stem_of(path) for path in files}
    if len(stems) < len(files):
        return _pair_by_type(files)
    return _pair_by_words(files) or Beside("images alone", dict.fromkeys(files, ()))


def _learn_masks(files: Sequence[Path], tags: Mapping[Path, str]) -> set[Path]:
    """Files with the one ending that every image has; several such endings are an error."""
    num_bases = len(files) - len(tags)
    counts = Counter(tags.values())
    learned = [
        tag
        for tag, count in counts.items()
        if count == num_bases > 1 and any(map(str.isalpha, tag)) and not is_view(tag)
    ]
    if len(learned) > 1:
        shown = ", or ".join(f"X -> X{tag}" for tag in sorted(learned))
        raise LayoutError(
            f"{files[0].parent} holds {len(learned)} files beside each image, and all may be its "
            f"mask: {shown}. Move one kind to masks/, and the others elsewhere."
        )
    return {path for path, tag in tags.items() if tag in learned}


def _pair_by_tags(
    files: Sequence[Path], tags: Mapping[Path, str], masks: Collection[Path]
) -> Beside:
    """Pair masks with the images that their names begin with; what is left by near names."""
    bases = {path: stem_of(path).removesuffix(tag) for path, tag in tags.items()}
    image_of = {stem_of(path): bases[path] for path in masks}
    more = {p for p, base in bases.items() if base in image_of and tags[p][1:].isdigit()}
    views = {p for p, tag in tags.items() if is_view(tag) and p not in masks}
    own: dict[str, list[Path]] = defaultdict(list)
    for path in sorted({*masks, *more}):
        own[image_of.get(bases[path], bases[path])].append(path)
    folder = files[0].parent
    taken = {*masks, *more, *views}
    rest = [path for path in files if path not in taken]
    images = by_name(folder, [path for path in rest if mask_stem(stem_of(path)) is None])
    lone = by_name(folder, [path for path in rest if mask_stem(stem_of(path)) is not None])
    chosen = {stem: _choose(stem, paths, more) for stem, paths in own.items()}
    found = {path: chosen.get(name[1], ((), ()))[0] for name, path in images.items()}
    near = pair_names({n: p for n, p in images.items() if not found[p]}, lone)
    for mask, image in near.pairs.items():
        found[images[image]] = (lone[mask],)
    first = min(masks)
    suffix = next((suffix_of(p) for name, p in images.items() if name[1] == bases[first]), "")
    return Beside(
        f"x{suffix} + x{tags[first]}{suffix_of(first)} side by side",
        found,
        tuple(path for name, path in lone.items() if name not in near.pairs),
        (*sorted(views), *(path for _, aside in chosen.values() for path in aside)),
        tuple(lone[name] for name in near.near_misses),
    )


def _choose(
    stem: str, masks: Sequence[Path], more: Collection[Path]
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The masks of an image and its other views: x_mask and x_mask_1 make up one mask."""
    plain = [path for path in masks if not is_view(stem_of(path)[len(stem) :])] or list(masks)
    plain = [path for path in plain if path.suffix.lower() not in ARRAY_SUFFIXES] or plain
    first = [path for path in plain if path not in more]
    if len(first) > 1:
        raise LayoutError(
            f"{first[0]} and {first[1]} are both masks of {stem}. Remove one of them."
        )
    return tuple(plain), tuple(path for path in masks if path not in plain)


def _pair_by_words(files: Sequence[Path]) -> Beside | None:
    """Pair files of which one kind begins or ends with a word for masks: x_sat + x_mask.

    Returns:
        None where all files are of one kind.
    """
    words = {path: words_of(stem_of(path)) for path in files}
    is_mask = {path: bool({*w[:1], *w[-1:]} & MASK_WORDS) for path, w in words.items()}
    image_files = by_name(files[0].parent, [path for path in files if not is_mask[path]])
    mask_files = by_name(files[0].parent, [path for path in files if is_mask[path]])
    if not image_files or not mask_files:
        return None
    pairing = pair_names(image_files, mask_files)
    mask_of = {image: (mask_files[mask],) for mask, image in pairing.pairs.items()}
    return Beside(
        f"{pairing.renaming or 'images and masks'} side by side",
        {path: mask_of.get(name, ()) for name, path in image_files.items()},
        tuple(path for name, path in mask_files.items() if name not in pairing.pairs),
    )


def _pair_by_type(files: Sequence[Path]) -> Beside:
    """Pair x.jpg (image) with x.png (mask); any other two types do not say which is which."""
    photos = {stem_of(path): path for path in files if path.suffix.lower() in PHOTO_SUFFIXES}
    others = [path for path in files if path.suffix.lower() not in PHOTO_SUFFIXES]
    pictures = {stem_of(p) for p in others if p.suffix.lower() not in ARRAY_SUFFIXES}
    arrays = [p for p in others if p.suffix.lower() in ARRAY_SUFFIXES and stem_of(p) in pictures]
    masks = {stem_of(path): path for path in others if path not in arrays}
    if len(photos) + len(masks) + len(arrays) < len(files) or not photos:
        counts = Counter(stem_of(path) for path in files)
        twins = [path.name for path in files if counts[stem_of(path)] > 1]
        raise LayoutError(
            f"{files[0].parent} holds {', '.join(twins[:NUM_SHOWN])}: which are images and which "
            "are masks cannot be told. Move them to images/ and masks/."
        )
    suffixes = suffix_of(next(iter(photos.values()))), suffix_of(next(iter(masks.values())))
    return Beside(
        f"x{suffixes[0]} + x{suffixes[1]} side by side",
        {path: (masks[stem],) if stem in masks else () for stem, path in photos.items()},
        tuple(path for stem, path in masks.items() if stem not in photos),
        tuple(arrays),
    )
