"""What a layout finds: the files of every sample, before any of them is opened."""

from dataclasses import dataclass
from pathlib import Path

from pixelwise.data.array_source import ImageSource, paths_of
from pixelwise.data.findings import Finding
from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.sources import MaskSource


@dataclass(frozen=True, slots=True)
class FoundSample:
    """An image, its mask (None where there is none), and what its place says about it.

    Attributes:
        name: unique in the data set: the path below the image folder, without ending.
        images: the image file; several where each holds one channel, in the order of the channels;
            or the array that a caller gave.
        mask: where the mask comes from.
        split: named by a folder or a manifest: "train", "val" or "test".
        group: patient, plate or scene, where a manifest names it.
    """

    name: str
    images: ImageSource
    mask: MaskSource | None
    split: str | None = None
    group: str | None = None

    @property
    def image(self) -> Path:
        """The image file; the first where there are several."""
        return self.image_paths[0]

    @property
    def image_paths(self) -> tuple[Path, ...]:
        """The files of the image; for an array the name that stands for it."""
        return paths_of(self.images)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a folder is arranged, and what was found in it.

    Attributes:
        description: in one line.
        samples: sorted by split and name; images without masks too.
        lone_masks: mask files without an image.
        declaration: what the values of the masks mean, where the layout itself says so (categories
            of COCO, class_names.txt of VOC, names of class files).
        findings: what was noticed while looking.
    """

    description: str
    samples: tuple[FoundSample, ...]
    lone_masks: tuple[Path, ...] = ()
    declaration: ClassDeclaration | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class LayoutOptions:
    """What a person says about the arrangement; None leaves it to be found out.

    Attributes:
        images: folder of the images, below the data folder or anywhere.
        masks: folder of the masks, or the annotation file.
        layout: name of a layout, one of `LAYOUT_NAMES`.
    """

    images: Path | None = None
    masks: Path | None = None
    layout: str | None = None
