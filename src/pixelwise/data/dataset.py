"""Data as they were understood: their files, classes, channels and splits."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pixelwise.data.masks.encoding import MaskClass, MaskEncoding
from pixelwise.data.samples import MEMORY_LIMIT, FolderSamples, SampleFiles
from pixelwise.data.splits import SPLITS, to_split
from pixelwise.errors import DataError
from pixelwise.io import show_spacing
from pixelwise.task import Task
from pixelwise.text import count_of

TASK_NOTES = {
    Task.MULTILABEL: "classes may overlap",
    Task.INSTANCES: "objects told apart by their ids",
}


@dataclass(frozen=True)
class Dataset:
    """Data as they were understood.

    Attributes:
        root: the folder; for a sequence a name that stands for it.
        layout: how it is arranged, in one line.
        files: files of every sample, sorted by split folder and name; mask None in the split
            "unlabelled".
        in_channels: channels that the images are given with.
        channel_note: how the channels are stored, for example "grey stored as RGBA".
        dtype: number type of the images; several are joined by " and ".
        encoding: what the values in the mask files mean.
        num_sizes: number of different image sizes.
        notes: what a person should know: assumptions and warnings.
        digests: digests of the pixels of each sample, equal for equal ones.
        spacing_um: physical size of a pixel along each spatial axis, where all images agree on one.
        accepted: codes of the errors that were found and that a person accepted.
    """

    root: Path
    layout: str
    files: tuple[SampleFiles, ...]
    in_channels: int
    channel_note: str
    dtype: str
    encoding: MaskEncoding
    num_sizes: int
    notes: tuple[str, ...]
    digests: tuple[str, ...]
    spacing_um: tuple[float, ...] | None = None
    accepted: tuple[str, ...] = ()

    def describe(self) -> str:
        """Say in one line what the data set is.

        For example "464 images (330 train, 67 val, 67 test), 2 classes: background, foreground
        (value 255); 9 sizes; grey stored as RGBA". Groups are counted where there are any.
        """
        splits = ", ".join(f"{number} {split}" for split, number in self.splits.items())
        classes = ", ".join(_describe_class(entry) for entry in self.encoding.classes)
        grouped = f" in {len(self.groups)} groups" if self.groups else ""
        parts = [
            f"{count_of(len(self.files), 'image')}{grouped} ({splits}), "
            f"{len(self.encoding.classes)} classes: {classes}",
            count_of(self.num_sizes, "size"),
            self.channel_note,
        ]
        if self.encoding.ignore:
            parts.insert(1, f"ignored: {self.encoding.show_values(self.encoding.ignore)}")
        if self.task in TASK_NOTES:
            parts.insert(1, TASK_NOTES[self.task])
        if self.dtype != "uint8":
            parts.append(self.dtype)
        if self.spacing_um:
            parts.append(f"spacing {show_spacing(self.spacing_um)}")
        return "; ".join(parts)

    def samples(self, split: str, memory_limit: int = MEMORY_LIMIT) -> FolderSamples:
        """The samples of one split, read when asked for.

        Args:
            split: "train", "val", "test" or "unlabelled".
            memory_limit: bytes of decoded samples that are kept in memory.

        Raises:
            DataError: the data have no such split.
        """
        to_split(split)
        files = [entry for entry in self.files if entry.split == split]
        if not files:
            present = ", ".join(f"{number} {name}" for name, number in self.splits.items())
            raise DataError(
                f"{self.root} has no samples in the split {split!r}, only {present}. Choose one of "
                "these, or add images with masks to that split."
            )
        return FolderSamples(files, self.in_channels, self.encoding, memory_limit)

    @cached_property
    def splits(self) -> dict[str, int]:
        """Number of samples of each split that has any."""
        counts = Counter(entry.split for entry in self.files)
        return {split: counts[split] for split in SPLITS if counts[split]}

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups (patients, plates, scenes), sorted; none where they are not known."""
        return tuple(sorted({entry.group for entry in self.files if entry.group is not None}))

    @property
    def task(self) -> Task:
        """What there is to learn."""
        return self.encoding.task

    @cached_property
    def spatial_dims(self) -> int:
        """2 for pictures, 3 for volumes."""
        return len(self.files[0].size)

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with names and pixels, and with nothing else."""
        lines = (
            f"{entry.name} {digest}\n"
            for entry, digest in sorted(
                zip(self.files, self.digests, strict=True), key=lambda pair: pair[0].name
            )
        )
        text = "".join(lines).encode("utf-8", "surrogatepass")
        return hashlib.sha256(text).hexdigest()[:12]


def _describe_class(entry: MaskClass) -> str:
    """For example "cell", "crack (value 2)", "Sky (#80c0ff)" or "wheel (category 19)"."""
    if entry.source:
        return f"{entry.name} ({entry.source})"
    return entry.name if entry.value == entry.index else f"{entry.name} (value {entry.value})"
