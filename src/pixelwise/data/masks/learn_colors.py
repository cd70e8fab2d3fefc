"""Read masks in colours: which colours are classes, and which are damage of edges or of JPEG.

few colours, each with an inside      classes
colours between two others, no inside edges drawn soft: each goes to the nearest class colour
thousands of colours without tones    a photograph: refused
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixelwise.colors import GREY, default_color, hex_of, packed_of, unpack_colors
from pixelwise.data.masks.binary_artifacts import MAX_DOT, MAX_SPECKS, MIN_LINE
from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.encoding import MaskClass, MaskEncoding, shorten_values
from pixelwise.data.masks.facts import MAX_KEPT_VALUES, MaskFacts
from pixelwise.data.masks.remarks import Reading, Remark
from pixelwise.data.masks.value_counts import ValueCounts, add_counts, num_pixels
from pixelwise.errors import MaskError

MAX_UNDECLARED_CLASSES = 32
MAX_EDGE_INTERIOR = 0.02  # of its pixels: a colour of edges has hardly one among equals
MIN_TONE_INTERIOR = 0.1  # of its pixels: a colour of areas has many
MIN_TONE_SHARE = 1e-4  # of all pixels: rarer colours are not tones of damaged masks
MIN_TONE_PIXELS = 16  # inside it: where soft edges cross, a few pixels of a shade lie together
MERGED = 16.0  # colours this near to a tone (Euclidean, 0..255) are that tone, damaged
NEAR = 40.0  # pixels this near to a tone speak for it
MIN_NEAR = 0.8  # share of pixels that must be near to a tone; photographs have less
MIN_MIXED = 3  # soft edges have at least so many shades
ON_LINE = 12.0  # a mixed colour is this near to the line between the two colours it mixes


def learn_colors(
    masks: Sequence[MaskFacts], declared: ClassDeclaration | None, ignore: tuple[int, ...] = ()
) -> Reading:
    """Work out which colours are classes.

    Args:
        masks: facts of all masks, in colours.
        declared: names and colours, where given.
        ignore: colours 0xRRGGBB to leave out.

    Raises:
        MaskError: there are too many colours without tones, or names without colours.
    """
    ignored = ignore or (declared.ignore if declared else ())
    counts = add_counts(masks).without(ignored)
    if declared is not None and declared.classes and all(e.color for e in declared.classes):
        return snap_to_known(_declared_encoding(declared, ignored), masks)
    hot = _one_hot_values(counts.values)
    if declared is not None and declared.classes:
        if hot is None or len(hot) != len(declared.classes):
            raise _names_without_colors(counts, len(declared.classes))
        return Reading(_encode(hot, ignored, names=[e.name for e in declared.classes]))
    if hot is not None:
        encoding = _encode(hot, ignored)
        return Reading(encoding, (_one_hot_remark(encoding),))
    _refuse_greys(masks, ignored)
    tones, is_damaged = find_colors(counts, num_pixels(masks), _is_cut(masks))
    encoding = _encode(tones, ignored, snap=is_damaged)
    if is_damaged:
        return Reading(encoding, (_snap_remark(encoding, masks), _colors_remark(encoding)))
    return Reading(encoding, (_colors_remark(encoding),))


def snap_to_known(known: MaskEncoding, masks: Sequence[MaskFacts]) -> Reading:
    """Use known colours; other colours that are damage of these go to the nearest of them.

    Colours that are not damage stay unknown and are reported file by file.
    """
    counts = add_counts(masks).without(known.ignore)
    own = np.array([entry.value for entry in known.classes], dtype=np.int64)
    unknown = ~np.isin(counts.values, own)
    if not unknown.any():
        return Reading(known)
    distance = distances(counts.values[unknown], own).min(axis=1)
    far = np.flatnonzero(unknown)[distance > MERGED]
    is_edge = counts.interior[far].sum() <= MAX_EDGE_INTERIOR * max(1, counts.counts[far].sum())
    is_little = counts.counts[far].sum() <= (1 - MIN_NEAR) * num_pixels(masks)
    if not (is_edge and is_little and _is_damage(counts, unknown, masks)):
        return Reading(known)
    snapped = known.model_copy(update={"snap": True})
    return Reading(snapped, (_snap_remark(snapped, masks),))


def _refuse_greys(masks: Sequence[MaskFacts], ignored: Sequence[int]) -> None:
    """MaskError where some masks hold colours and others greys alone: class indices, or tones."""
    wide = [mask for mask in masks if mask.form == "numbers" and mask.values.any()]
    if wide:
        raise MaskError(
            f"{len(wide)} masks hold numbers up to {max(int(m.values.max()) for m in wide):,}, the "
            "others colours. Save all masks in one way."
        )
    greys = set(range(GREY, 256 * GREY, GREY))
    values = [set(mask.values.tolist()) - {0, *ignored} for mask in masks]
    grey = [held for held in values if held and held <= greys]
    colored = [held for held in values if held - greys]
    if not grey or not colored or any(held & greys for held in colored):
        return
    numbers = sorted({value // GREY for held in grey for value in held})
    raise MaskError(
        f"{len(colored)} masks are in colours, {len(grey)} hold the greys "
        f"{shorten_values(numbers)}, none holds both: which grey is which colour is not known. "
        "Save all masks in one way."
    )


def _is_damage(counts: ValueCounts, unknown: NDArray[np.bool_], masks: Sequence[MaskFacts]) -> bool:
    """One more colour or two are classes that nobody declared; damage has many, or is JPEG."""
    return counts.is_jpeg or _is_cut(masks) or int(unknown.sum()) >= MIN_MIXED


def find_colors(counts: ValueCounts, total: int, is_cut: bool = False) -> tuple[list[int], bool]:
    """The colours that are classes, and whether others are damage of these.

    Args:
        counts: counts of the colours.
        total: pixels of all masks.
        is_cut: not all colours were kept.

    Returns:
        Colours 0xRRGGBB, black first, then by value; whether there are others.

    Raises:
        MaskError: the colours have no tones, as in photographs, or are too many.
    """
    is_few = len(counts.values) <= MAX_UNDECLARED_CLASSES and not counts.is_jpeg and not is_cut
    if is_few:
        _refuse_lines(counts)
    if is_few and not _has_soft_edges(counts):
        _refuse_dots(counts)
        return counts.values.tolist(), False
    tones = _add_lines(_find_tones(counts, total), counts)
    near = distances(counts.values, tones).min(axis=1) <= NEAR if len(tones) else np.zeros(1, bool)
    share = counts.counts[near].sum() / total if len(tones) else 0.0
    if len(tones) < 2 or len(tones) > MAX_UNDECLARED_CLASSES or share < MIN_NEAR:
        raise MaskError(
            f"the masks hold {len(counts.values)}{' or more' if is_cut else ''} colours, of which "
            f"{len(tones)} fill areas: photographs, or badly damaged masks. Check that these are "
            "the masks, save them as PNG, or give the colour of each class in classes.json: "
            '{"classes": [{"name": "road", "color": "#804080"}, ...]}.'
        )
    return sorted(tones.tolist()), True


def is_line(counts: ValueCounts | MaskFacts) -> NDArray[np.bool_]:
    """Which colours run in lines that are no edges: mostly without two others on their sides."""
    found: NDArray[np.bool_] = (2 * counts.between < counts.counts) & (counts.largest >= MIN_LINE)
    return found & (not counts.is_jpeg)


def _is_thin(counts: ValueCounts) -> NDArray[np.bool_]:
    """Which colours have no inside: soft edges, and classes of thin lines."""
    thin: NDArray[np.bool_] = counts.interior <= MAX_EDGE_INTERIOR * counts.counts
    return thin


def _is_edge(counts: ValueCounts) -> NDArray[np.bool_]:
    """Which colours may be soft edges: they are thin, and no lines."""
    return _is_thin(counts) & ~is_line(counts)


def _has_soft_edges(counts: ValueCounts) -> bool:
    """Whether the thin colours that are no lines are mixtures of two others."""
    is_edge = _is_edge(counts)
    return int(is_edge.sum()) >= MIN_MIXED and bool(_is_mixed(counts, is_edge).all())


def _refuse_lines(counts: ValueCounts) -> None:
    """MaskError where a colour or two may be soft edges, or classes of thin lines."""
    is_thin, is_edge = _is_thin(counts), _is_edge(counts)
    if not is_edge.any() or not _is_mixed(counts, is_edge).all():
        return
    unsure = is_edge
    if is_edge.sum() >= MIN_MIXED:  # soft edges: and lines of a mixture?
        unsure = is_thin & ~is_edge
        unsure[is_thin] &= _is_mixed(counts, is_thin)
    if not unsure.any():
        return
    shown = " and ".join(hex_of(value) for value in counts.values[unsure].tolist())
    raise MaskError(
        f"{shown} in the masks lies only along edges, between two other colours: a smoothed edge, "
        "or a class of thin lines. Export the masks without anti-aliasing, or give the colour of "
        'each class in classes.json: {"classes": [{"name": "road", "color": "#804080"}, ...]}.'
    )


def _refuse_dots(counts: ValueCounts) -> None:
    """MaskError where several colours are dots of a few pixels, which are not classes."""
    is_dot = counts.largest <= MAX_DOT
    is_few = counts.counts[is_dot].sum() <= MAX_SPECKS * counts.counts.sum()
    if is_dot.sum() < MIN_MIXED or not is_few:
        return
    shown = ", ".join(hex_of(value) for value in counts.values[is_dot][:MIN_MIXED].tolist())
    raise MaskError(
        f"{int(is_dot.sum())} colours in the masks ({shown}, ...) are only dots of up to {MAX_DOT} "
        "pixels: damage, or classes too small to learn. Give the colours of classes, and those to "
        'ignore, in classes.json: {"classes": [{"name": "road", "color": "#804080"}, ...]}.'
    )


def _is_mixed(counts: ValueCounts, is_edge: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """For each colour of edges whether it lies on the line between two of the others."""
    tones, edges = unpack_colors(counts.values[~is_edge]), unpack_colors(counts.values[is_edge])
    if len(tones) < 2:
        return np.zeros(len(edges), dtype=np.bool_)
    first, second = np.triu_indices(len(tones), 1)
    start, along = tones[first], (tones[second] - tones[first]).astype(float)  # (P, 3)
    offset = (edges[:, np.newaxis] - start).astype(float)  # (E, P, 3)
    share = np.clip((offset * along).sum(-1) / (along**2).sum(-1), 0, 1)  # (E, P)
    away = np.sqrt(((offset - share[..., np.newaxis] * along) ** 2).sum(-1))
    is_mixed: NDArray[np.bool_] = away.min(axis=1) <= ON_LINE
    return is_mixed


def _find_tones(counts: ValueCounts, total: int) -> NDArray[np.int64]:
    """Colours that fill areas, the most frequent of those that are nearly the same."""
    tones: list[int] = []
    least = max(MIN_TONE_PIXELS, MIN_TONE_SHARE * total)
    fills = counts.interior >= np.maximum(MIN_TONE_INTERIOR * counts.counts, least)
    for place in np.argsort(-counts.counts, kind="stable"):
        value = counts.values[place : place + 1]
        is_new = not tones or distances(value, np.array(tones)).min() > MERGED
        if fills[place] and is_new:
            tones.append(int(value[0]))
    return np.array(tones, dtype=np.int64)


def _add_lines(tones: NDArray[np.int64], counts: ValueCounts) -> NDArray[np.int64]:
    """The tones and the colours of thin lines that no tones mix."""
    if not len(tones):
        return tones
    is_far = ~np.isin(counts.values, tones) & is_line(counts)
    is_far &= distances(counts.values, tones).min(axis=1) > NEAR
    own = counts.only(is_far | np.isin(counts.values, tones))
    is_new = ~np.isin(own.values, tones)
    is_new[is_new] &= ~_is_mixed(own, is_new)
    return np.union1d(tones, own.values[is_new])


def distances(values: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N, M) Euclidean distances of colours 0xRRGGBB."""
    apart = unpack_colors(values)[:, np.newaxis] - unpack_colors(others)
    apart_by: NDArray[np.float64] = np.sqrt((apart**2).sum(axis=-1))
    return apart_by


def _is_cut(masks: Sequence[MaskFacts]) -> bool:
    return any(mask.num_values > MAX_KEPT_VALUES for mask in masks)


def _one_hot_values(values: NDArray[np.int64]) -> list[int] | None:
    """Colours in the order of the channels where one channel at most is set in every pixel."""
    for top in (1, 255):
        order = [0, top << 16, top << 8, top]
        if set(values.tolist()) <= set(order) and len(set(values.tolist()) - {0}) == 3:
            return [value for value in order if value in values]
    return None


def _declared_encoding(declared: ClassDeclaration, ignored: tuple[int, ...]) -> MaskEncoding:
    """The classes declared, found in the files by their colours."""
    colors = [entry.color.lower() for entry in declared.classes if entry.color]
    return MaskEncoding(
        classes=tuple(
            MaskClass(
                index=index, name=entry.name, value=packed_of(color), color=color, source=color
            )
            for index, (entry, color) in enumerate(zip(declared.classes, colors, strict=True))
        ),
        ignore=ignored,
        form="colors",
    )


def _encode(
    values: Sequence[int],
    ignored: tuple[int, ...],
    snap: bool = False,
    names: Sequence[str] | None = None,
) -> MaskEncoding:
    """Classes of the colours, with black as background, in their own colours."""
    if len(values) < 2:
        raise MaskError(
            "all masks hold only one colour: there is nothing to learn. Check that these are the "
            "masks."
        )
    if names is None:
        has_background = values[0] == 0
        names = ["background" if has_background else "class 0"]
        names += [f"class {index}" for index in range(1, len(values))]
        if has_background and len(values) == 2:
            names = ["background", "foreground"]
    is_dark = max(values) <= 0x010101
    return MaskEncoding(
        classes=tuple(
            MaskClass(
                index=index,
                name=name,
                value=value,
                color=default_color(index, name) if is_dark else hex_of(value),
                source=hex_of(value),
            )
            for index, (name, value) in enumerate(zip(names, values, strict=True))
        ),
        ignore=ignored,
        snap=snap,
        form="colors",
    )


def _names_without_colors(counts: ValueCounts, num_names: int) -> MaskError:
    shown = ", ".join(hex_of(value) for value in counts.values[:8].tolist())
    return MaskError(
        f"the masks are in {len(counts.values)} colours ({shown}), and {num_names} names without "
        "colours are declared, so that nobody can tell which is which. Give every class its "
        'colour in classes.json: {"classes": [{"name": "road", "color": "#804080"}, ...]}.'
    )


def _snap_remark(encoding: MaskEncoding, masks: Sequence[MaskFacts]) -> Remark:
    own = [*(entry.value for entry in encoding.classes), *encoding.ignore]
    counts = add_counts(masks)
    moved = 1 - counts.counts[np.isin(counts.values, own)].sum() / num_pixels(masks)
    return Remark(
        "snapped-values",
        f"the masks have {len(encoding.classes)} colours with soft edges or JPEG damage: "
        f"{100 * moved:.2g} % of their pixels were moved to the nearest of these colours.",
        "Export the masks as PNG without anti-aliasing.",
        "warning",
    )


def _colors_remark(encoding: MaskEncoding) -> Remark:
    shown = encoding.show_values([entry.value for entry in encoding.classes])
    has_black = encoding.classes[0].value == 0
    return Remark(
        "mapped-values",
        f"the colours {shown} became the class indices 0 to {len(encoding.classes) - 1}"
        f"{'' if has_black else '; none is black, so that none is taken for background'}.",
        'Name them in classes.json: {"classes": [{"name": "road", "color": "#804080"}, ...]}.',
    )


def _one_hot_remark(encoding: MaskEncoding) -> Remark:
    order = ", ".join(f"{entry.source} {entry.name}" for entry in encoding.classes)
    return Remark(
        "one-hot",
        f"every pixel has one of the channels red, green and blue set, or none: {order}.",
        "Name the classes in classes.json, in this order.",
    )
