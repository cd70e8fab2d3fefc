"""Where the mask of one image comes from: a file, several files, or shapes in an annotation file.

MaskFile     masks/a.png                          numbers or colours, one a pixel
MaskParts    a/masks/1.png, a/masks/2.png, ...    one file an object, or one file a class
MaskShapes   annotations.json                     polygons and run lengths
ArraySource  an array                             given in Python, in place of a file
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pixelwise.data.array_source import ArraySource


@dataclass(frozen=True, slots=True)
class MaskFile:
    """One file that holds the mask."""

    path: Path


@dataclass(frozen=True, slots=True)
class MaskParts:
    """Files that make up a mask together: what is not zero in a file is one object or one class.

    Attributes:
        paths: the files, in the order in which they are painted.
        values: for each file the value of its class, from 1; 0 is background.
        are_objects: each file is one object; if not, each is one class.
    """

    paths: tuple[Path, ...]
    values: tuple[int, ...]
    are_objects: bool = True

    @property
    def path(self) -> Path:
        """The first file, which stands for all in messages."""
        return self.paths[0]


@dataclass(frozen=True, slots=True)
class Shape:
    """One annotated region, as polygons or as run lengths.

    Attributes:
        value: value of its class, from 1; IGNORE_INDEX (255) leaves the region out.
        polygons: rings of (N, 2) float (row, column) corners in pixels, where 0 is the outer edge
            of the first pixel; in shares of the image's size where `is_relative`.
        runs: COCO run lengths: numbers of pixels, column by column, starting with those outside.
        is_open: the runs may end before the image does; what follows is outside.
        is_relative: the corners are shares of the image's size, in [0, 1].
        is_group: a region of many objects that were not told apart ("crowd").
        name: what the annotation file calls it, for messages.
    """

    value: int
    polygons: tuple[NDArray[Any], ...] = ()
    runs: NDArray[Any] | None = None
    is_relative: bool = False
    is_group: bool = False
    name: str = ""
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class MaskShapes:
    """Shapes of one image in an annotation file; they are painted in their order.

    Attributes:
        path: path of the annotation file.
        shapes: in the order in which they are painted; none where the image holds nothing.
        size: (height, width) that the annotation claims for the image, where it does.
    """

    path: Path
    shapes: tuple[Shape, ...]
    size: tuple[int, int] | None = None


MaskSource = MaskFile | MaskParts | MaskShapes | ArraySource
