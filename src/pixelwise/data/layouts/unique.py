"""Names of samples: no two are the same, whatever the layout, since splits and scores go by them.

a                      as the finder named it, where no other sample has that name
train/a   test/a       else with the split in front
train/a.png            else with the ending behind
site1/images/a.png     else the whole path below the data folder
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pixelwise.data.layouts.found import FoundSample, Layout
from pixelwise.errors import LayoutError


def with_unique_names(layout: Layout, root: Path) -> Layout:
    """The same layout with samples in the order of splits and names, none named as another.

    Where two names are the same, all samples are named in the next longer way.

    Args:
        layout: as a finder found it.
        root: the data folder.

    Raises:
        LayoutError: one image file belongs to two samples.
    """
    ways: tuple[Callable[[FoundSample], str], ...] = (
        lambda sample: sample.name,
        _with_split,
        _with_ending,
        partial(_path_below, root),
    )
    for name_of in ways:
        named = [replace(sample, name=name_of(sample)) for sample in layout.samples]
        if len({sample.name for sample in named}) == len(named):
            break
    check_names(named)
    named.sort(key=lambda sample: (sample.split or "", sample.name))
    return replace(layout, samples=tuple(named))


def _with_split(sample: FoundSample) -> str:
    return f"{sample.split}/{sample.name}" if sample.split else sample.name


def _with_ending(sample: FoundSample) -> str:
    return _with_split(sample) + sample.image.suffix


def _path_below(root: Path, sample: FoundSample) -> str:
    path = sample.image
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def check_names(samples: Sequence[FoundSample]) -> None:
    """Raise LayoutError where two samples have one name: splits and scores would mix them up."""
    seen: dict[str, FoundSample] = {}
    for sample in samples:
        other = seen.setdefault(sample.name, sample)
        if other is not sample:
            raise LayoutError(
                f"two samples have the name {sample.name!r} ({other.image} and {sample.image}). "
                "Rename or remove one of them."
            )
