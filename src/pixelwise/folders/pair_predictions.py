"""Which file of a folder is the prediction of which image: by the names that `predict` gives.

DATA/test/images/a.png    PREDICTIONS/a.png, images/a.png, test/images/a.png, ...

A prediction is an image's where its path, without ending, is the end of the image's. Where no names
fit like that, those of the samples and of the data's own mask files are tried in the same way.
"""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePath

from pixelwise.data import SampleFiles, walk_images
from pixelwise.data.masks.sources import MaskFile
from pixelwise.errors import LayoutError
from pixelwise.folders.result_names import ENDS, name_results, plain_name, with_ending

Names = Mapping[str, Sequence[str]]  # that the prediction of each sample may have


@dataclass(frozen=True, slots=True)
class PairedPredictions:
    """The prediction of each sample by its name, and the files that are of none."""

    paths: Mapping[str, Path]
    left_over: Sequence[Path]


def pair_predictions(
    folder: Path, wanted: Sequence[SampleFiles], known: Sequence[SampleFiles]
) -> PairedPredictions:
    """Find the prediction of each sample.

    Args:
        folder: of the predictions; those in the folders inside it count, too.
        wanted: the samples whose predictions are needed.
        known: all samples of the data, whose images may share a stem with those.

    Raises:
        LayoutError: the folder is missing, or predictions are; a file may be of two images, or
            an image has two files.
    """
    if not folder.is_dir():
        raise LayoutError(f"{folder} is not a folder. Give the folder that `predict` wrote to.")
    files = {path: plain_name(path.relative_to(folder)) for path in walk_images(folder)}
    images = {entry.name: entry.image for entry in known}
    best: dict[str, Path] = {}
    ends = ("", ENDS["probability"])
    for end, names, is_nfc in product(ends, _ways(known), (False, True)):
        own = {entry.name: names[entry.name] for entry in wanted if entry.name in names}
        paths = _match(own, files, images, end, is_nfc=is_nfc)
        if len(paths) == len(wanted):
            used = {path: files[path] for path in paths.values()}
            if len(_roots(paths, images, files)) > 1:  # no folder was predicted as a whole
                _match(names, used, images, end, is_nfc=is_nfc)
            return PairedPredictions(paths, _left_over(files, used))
        best = max(best, paths, key=len)
    missing = [entry.image for entry in wanted if entry.name not in best]
    holds = f"It holds {len(files)}, for example {next(iter(files))}" if files else "It holds none"
    raise LayoutError(
        f"{folder} has no masks for {len(missing)} of {len(wanted)} images, for example "
        f"{missing[0]}. {holds}. Predict all images of the split, or choose another --split."
    )


def _ways(known: Sequence[SampleFiles]) -> list[Names]:
    """The names to try, the most exact first."""
    places = {entry.name: _place(entry.image) for entry in known}
    images = list(dict.fromkeys(places.values()))  # several samples may be of one image
    results = dict(zip(images, name_results(images), strict=True))
    counts = Counter(plain_name(image) for image in images)
    exact = {name: [results[place]] for name, place in places.items()}
    others = dict[str, list[str]]()  # where predict was given more images than these, or fewer
    for name, place in places.items():
        plain = plain_name(place)
        is_alone = counts[plain] == 1
        others[name] = [results[place], with_ending(plain, place), *([plain] if is_alone else [])]
    masks = {entry.name: entry.mask.path for entry in known if isinstance(entry.mask, MaskFile)}
    return [
        exact,
        others,
        {entry.name: [entry.name] for entry in known},
        {name: [plain_name(_place(path))] for name, path in masks.items()},
    ]


def _roots(
    paths: Mapping[str, Path], images: Mapping[str, Path], files: Mapping[Path, str]
) -> set[PurePath]:
    """The folders below which the images have the places that their files have."""
    depths = {path: files[path].count("/") for path in paths.values()}
    parents = {sample: _place(images[sample]).parents for sample in paths}
    return {
        parents[sample][min(depths[path], len(parents[sample]) - 1)]
        for sample, path in paths.items()
    }


def _place(path: Path) -> PurePath:
    return PurePath(os.path.abspath(path))


def _match(
    names: Names,
    files: Mapping[Path, str],
    images: Mapping[str, Path],
    end: str,
    *,
    is_nfc: bool,
) -> dict[str, Path]:
    """The file of each sample whose name ends with that of the file, as far as there is one.

    Args:
        names: that the files may have, of each sample.
        files: name of each file.
        images: of each sample, for the message.
        end: what follows the name of the sample in that of the file.
        is_nfc: compare in one Unicode form: file systems and archives change it.
    """
    parts = {
        path: _split(name.removesuffix(end), is_nfc)
        for path, name in files.items()
        if name.endswith(end)
    }
    samples = _index(names, {len(own) for own in parts.values()}, is_nfc)
    found: dict[str, Path] = {}
    for path, own in parts.items():
        fitting = sorted(samples.get(own, ()))
        if len({images[sample] for sample in fitting}) > 1:
            raise LayoutError(
                f"{path} may be the mask of {images[fitting[0]]} and of {images[fitting[1]]}. Keep "
                "the folders of the images in those of the predictions, as `predict` does where it "
                "is given the folder of all."
            )
        for sample in fitting:
            if sample in found:
                raise LayoutError(
                    f"{found[sample]} and {path} may both be the mask of {images[sample]}. Remove "
                    "one of them, or give the folder of one prediction alone."
                )
            found[sample] = path
    return found


def _index(names: Names, lengths: Collection[int], is_nfc: bool) -> dict[tuple[str, ...], set[str]]:
    """Samples by the last parts of the names that they may have."""
    samples: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for sample, texts in names.items():
        for parts in (_split(text, is_nfc) for text in texts):
            for length in lengths:
                if length <= len(parts):
                    samples[parts[-length:]].add(sample)
    return samples


def _split(name: str, is_nfc: bool) -> tuple[str, ...]:
    return tuple((unicodedata.normalize("NFC", name) if is_nfc else name).split("/"))


def _left_over(files: Mapping[Path, str], used: Mapping[Path, str]) -> list[Path]:
    """Files that are neither used nor other results of the same images."""
    names = {name.removesuffix(ENDS["probability"]) for name in used.values()}
    known = {name + end for name in names for end in ENDS.values()} | set(used.values())
    return [path for path, name in files.items() if name not in known]
