"""The task: what there is to learn about each pixel, and all that follows from it.

                logits      probabilities        background             mask
    binary      1           sigmoid              class 0                (*S) class index
    multiclass  K           softmax              class 0, where its     (*S) class index
                                                 name says so
    multilabel  K           a sigmoid for each   none                   (K, *S) bool
    instances   of data alone: objects told apart by their ids, whose pixels are learnt as binary

Masks are 8-bit: 0 to 253 are classes, 254 is kept for values without a meaning, 255 is ignored.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

IGNORE_INDEX = 255  # class index of pixels that are left out of loss and scores
UNKNOWN_INDEX = 254  # marks a value without a meaning while masks are decoded
MAX_CLASSES = 254  # background included
BACKGROUND_NAMES = ("background", "bg")  # in any case, between any of the characters " _-"


class Task(StrEnum):
    """What there is to learn about each pixel; its value is the word in model files and tables."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    MULTILABEL = "multilabel"
    INSTANCES = "instances"

    @classmethod
    def of_classes(
        cls, class_names: Sequence[str], *, overlap: bool = False, are_objects: bool = False
    ) -> "Task":
        """The task of classes.

        >>> str(Task.of_classes(["background", "cell"])), str(Task.of_classes(["sky", "building"]))
        ('binary', 'multiclass')

        Args:
            class_names: in the order of their indices.
            overlap: whether a pixel may have several classes, or none.
            are_objects: whether masks tell objects apart by their ids.
        """
        if are_objects:
            return cls.INSTANCES
        if overlap:
            return cls.MULTILABEL
        is_one = len(class_names) == 2 and is_background(class_names[0])
        return cls.BINARY if is_one else cls.MULTICLASS

    @classmethod
    def of_logits(cls, num_logits: int, *, exclusive: bool) -> "Task":
        """The task of a network: one logit is binary; several exclude each other or overlap."""
        if num_logits == 1:
            return cls.BINARY
        return cls.MULTICLASS if exclusive else cls.MULTILABEL

    @property
    def of_pixels(self) -> "Task":
        """What a network learns: of objects, which pixels are theirs."""
        return Task.BINARY if self is Task.INSTANCES else self

    def num_logits(self, num_classes: int) -> int:
        """Channels of the network's answer."""
        return 1 if self is Task.BINARY else num_classes

    def num_classes(self, num_logits: int) -> int:
        """Classes that a network with so many logits tells apart, background included."""
        return 2 if self is Task.BINARY else num_logits

    @property
    def is_exclusive(self) -> bool:
        """Whether logits are of classes that exclude each other: a softmax; else a sigmoid each."""
        return self is Task.MULTICLASS

    @property
    def has_one_logit(self) -> bool:
        """Whether a single logit tells the foreground from the background."""
        return self is Task.BINARY

    @property
    def can_overlap(self) -> bool:
        """Whether a pixel may have several classes, or none: targets and masks are (K, *S)."""
        return self is Task.MULTILABEL

    def has_background(self, class_names: Sequence[str]) -> bool:
        """Whether class 0 is background, and so left out of means over classes."""
        return self.has_one_logit or (self.is_exclusive and is_background(class_names[0]))

    def to_mask(self, probabilities: NDArray[Any], threshold: float = 0.5) -> NDArray[Any]:
        """Return the mask that probabilities (K, *S) stand for.

        Returns:
            (*S) uint8 class index; (K, *S) bool where classes can overlap.
        """
        if self.is_exclusive:
            mask: NDArray[np.uint8] = probabilities.argmax(0).astype(np.uint8)
            return mask
        is_present: NDArray[np.bool_] = probabilities >= threshold
        return is_present if self.can_overlap else is_present[0].astype(np.uint8)


def too_many_classes(num_classes: int) -> str:
    """What every door says to more than MAX_CLASSES classes."""
    return (
        f"There are {num_classes:,} classes, and {MAX_CLASSES} are the most that masks of 8 bits "
        f"hold beside {IGNORE_INDEX} for pixels to ignore. Join classes, or train several models."
    )


def names_background(name: str) -> bool:
    """Whether a name says background: "background", "BG", "_background_", "__background__".

    >>> names_background("__Background__"), names_background("sky"), names_background("")
    (True, False, False)
    """
    return _bare(name) in BACKGROUND_NAMES


def is_background(name: str) -> bool:
    """Whether the first class (index 0) is background, by its name: it says so, or is no name.

    >>> is_background("_bg_"), is_background("-"), is_background("sky")
    (True, True, False)
    """
    return not _bare(name) or names_background(name)


def _bare(name: str) -> str:
    return name.strip(" _-").casefold()
