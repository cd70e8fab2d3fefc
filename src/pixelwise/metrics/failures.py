"""Scores that say that something is broken, in words: classes that are not found at all."""

from collections.abc import Sequence

import numpy as np

from pixelwise.metrics.counts import Counts

TRACE = 0.01  # of the pixels of a class: finding no more than this is finding nothing
MAX_NAMED = 5
ADVICE = (
    "Likely causes: too short a training, a class that is rare or small, or targets that do not "
    "mean what they seem to. Train longer, label more images that hold it, and look at the masks "
    "as they were understood: `pixelwise check DATA --html check.html`."
)


def find_failures(
    counts: Counts, class_names: Sequence[str], *, background: bool
) -> tuple[str, ...]:
    """Say which classes the masks miss altogether, with the likely causes and what to try.

    Args:
        counts: int64 (N, K, 3), `count_pixels` of each image.
        class_names: K.
        background: whether class 0 is background.

    Returns:
        Sentences for a person, what is wrong first; none where every class in the targets is found
        better than blindly.
    """
    found, invented, missed = counts.sum(axis=0).T  # (K,) each
    true = found + missed
    dead = [k for k in range(len(class_names)) if true[k] and found[k] <= TRACE * true[k]]
    objects = [k for k in dead if not (background and k == 0)]
    blind = _find_blind(counts.sum(axis=0)) if background and 0 not in dead else []
    is_nothing = sum(found[1:] + invented[1:]) <= TRACE * sum(true[1:])
    texts = []
    if background and 0 in dead:
        texts.append(f"Nearly every pixel is taken for an object, not for {class_names[0]!r}. ")
    if background and objects and is_nothing:
        texts.append(f"Nothing is found: nearly every pixel is taken for {class_names[0]!r}. ")
    elif objects:
        names = _name([class_names[k] for k in objects])
        num_images = np.count_nonzero(counts[:, objects][..., [0, 2]].any(axis=(1, 2)))
        texts.append(
            f"{names} {'is' if len(objects) == 1 else 'are'} not found, though {num_images} of "
            f"{len(counts)} images hold {'it' if len(objects) == 1 else 'them'}. "
        )
    texts += [
        f"{class_names[k]!r} is found no better than by taking every pixel for it. "
        for k in blind
        if k not in dead
    ]
    return tuple(text + ADVICE for text in texts)


def _find_blind(counts: Counts) -> list[int]:
    """Classes of under half of the pixels whose Dice is no better than that of every pixel.

    Dice of calling all n pixels a class that has t of them: 2 t / (t + n). The counts (K, 3) are of
    classes that do not overlap; of others they do not tell how many pixels there are.
    """
    found, invented, missed = counts.T
    true = found + missed
    num_pixels = true.sum()
    dice_of_all = 2 * true / np.maximum(1, true + num_pixels)
    dice = 2 * found / np.maximum(1, 2 * found + invented + missed)
    is_blind = (true > 0) & (2 * true < num_pixels) & (dice <= dice_of_all)
    return [int(k) for k in np.flatnonzero(is_blind)]


def _name(names: Sequence[str]) -> str:
    """The first names in quotes, and how many more there are."""
    shown, others = [repr(name) for name in names[:MAX_NAMED]], len(names) - MAX_NAMED
    if others > 0:
        return f"{', '.join(shown)} and {others} more classes"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
