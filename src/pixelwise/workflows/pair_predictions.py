"""Which file of a folder is the prediction of which image: by the names that `predict` gives.

DATA/test/images/a.png    PREDICTIONS/a.png, images/a.png, test/images/a.png, ...

1. The predictions lie as the images do below some folder: the one that was given to `predict`.
2. Masks from elsewhere: the path of each is the end of that of one image.

Where names fit in neither way, those of the samples and of the data's own mask files are tried.
"""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product, takewhile
from pathlib import Path, PurePath

from pixelwise.data import SampleFiles, find_images, walk_images
from pixelwise.data.masks import MaskFile
from pixelwise.errors import DataError, LayoutError
from pixelwise.workflows.result_names import ENDS, name_results, plain_name, with_ending

Name = tuple[str, ...]  # folders and stem
Names = Mapping[str, Sequence[Name]]  # that the prediction of each sample may have


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
        folder: folder of the predictions; those in the folders inside it count, too.
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
    samples = [entry.name for entry in wanted]
    best: dict[str, Path] = {}
    for match in (_match_tree, _match_ends):
        ends = ("", ENDS["probability"])
        for end, names, is_nfc in product(ends, _ways(known), (False, True)):
            given = _index(files, end, is_nfc=is_nfc)
            paths = match(given, _composed(names) if is_nfc else names, samples, images)
            if len(paths) == len(samples):
                return PairedPredictions(paths, _left_over(files, set(paths.values())))
            best = max(best, paths, key=len)
    missing = [image for sample, image in images.items() if sample in {*samples} - {*best}]
    holds = f"It holds {len(files)}, for example {next(iter(files))}" if files else "It holds none"
    raise LayoutError(
        f"{folder} has no masks for {len(missing)} of {len(samples)} images, for example "
        f"{missing[0]}. {holds}. Predict all images of the split, or choose another --split."
    )


# --- names ------------------------------------------------------------------------------------


def _ways(known: Sequence[SampleFiles]) -> list[Names]:
    """The names to try, the most exact first."""
    places = {entry.name: _place(entry.image) for entry in known}
    images = list(dict.fromkeys(places.values()))  # several samples may be of one image
    counts = Counter(plain_name(image) for image in images)
    whole, listed = _name(_with_neighbours(images)), _name(images)
    others = dict[str, list[Name]]()  # where predict was given more images than these, or fewer
    for name, place in places.items():
        plain, ended = plain_name(place), with_ending(plain_name(place), place)
        own = [listed[place], _split(ended), *([_split(plain)] if counts[plain] == 1 else [])]
        others[name] = list(dict.fromkeys(own))
    masks = {entry.name: entry.mask.path for entry in known if isinstance(entry.mask, MaskFile)}
    return [
        {name: [whole[place]] for name, place in places.items()},
        {name: [listed[place]] for name, place in places.items()},
        others,
        {entry.name: [_split(entry.name)] for entry in known},
        {name: [_split(plain_name(_place(path)))] for name, path in masks.items()},
    ]


def _name(images: Sequence[PurePath]) -> dict[PurePath, Name]:
    return dict(zip(images, map(_split, name_results(images)), strict=True))


def _with_neighbours(images: Sequence[PurePath]) -> list[PurePath]:
    """The images, and the other pictures in their folders that `predict` takes with them."""
    found = dict.fromkeys(images)
    for folder in dict.fromkeys(Path(image.parent) for image in images):
        try:
            found.update(dict.fromkeys(find_images([folder], recursive=False).places))
        except DataError:  # arrays have no folder
            continue
    return list(found)


def _place(path: Path) -> PurePath:
    return PurePath(os.path.abspath(path))


def _split(name: str) -> Name:
    return tuple(name.split("/"))


def _composed(names: Names) -> Names:
    """The same in one Unicode form: file systems and archives change it."""
    return {sample: [_nfc(name) for name in own] for sample, own in names.items()}


def _nfc(name: Name) -> Name:
    return tuple(unicodedata.normalize("NFC", part) for part in name)


def _index(files: Mapping[Path, str], end: str, *, is_nfc: bool) -> dict[Name, list[Path]]:
    """Files by their names, without an ending that all must have."""
    given: dict[Name, list[Path]] = defaultdict(list)
    for path, name in files.items():
        if name.endswith(end):
            own = _split(name.removesuffix(end))
            given[_nfc(own) if is_nfc else own].append(path)
    return dict(given)


# --- matching ---------------------------------------------------------------------------------


def _match_tree(
    given: Mapping[Name, Sequence[Path]],
    names: Names,
    samples: Sequence[str],
    images: Mapping[str, Path],
) -> dict[str, Path]:
    """The files that lie as all the samples do below one folder; as many as fit, where not all.

    Args:
        given: files by their names.
        names: names of each sample.
        samples: that are to be matched.
        images: images of each sample, for the message.
    """
    if not all(sample in names for sample in samples):
        return {}
    folders = [name[:-1] for sample in samples for name in names[sample]]
    shared = list(
        takewhile(lambda parts: parts[0] == parts[1], zip(min(folders), max(folders), strict=False))
    )
    best, complete = dict[str, Path](), list[dict[str, Path]]()
    for depth in range(len(shared), -1, -1):  # of the folder below which names are taken
        found = {
            sample: [path for name in names[sample] for path in given.get(name[depth:], ())]
            for sample in samples
        }
        paths = {sample: own[0] for sample, own in found.items() if own}
        best = max(best, paths, key=len)
        if len(paths) == len(samples) and _are_apart(paths, images):
            complete.append(paths)
            for sample, own in found.items():
                _refuse_two(own, images[sample])
    if len(complete) > 1:
        _refuse_two([paths[samples[0]] for paths in complete], images[samples[0]])
    return complete[0] if complete else best


def _match_ends(
    given: Mapping[Name, Sequence[Path]],
    names: Names,
    samples: Sequence[str],
    images: Mapping[str, Path],
) -> dict[str, Path]:
    """The files whose names are the end of that of one sample; arguments as for `_match_tree`."""
    lengths = {len(name) for name in given}
    ends: dict[Name, set[str]] = defaultdict(set)
    for sample, own in names.items():
        for name, length in product(own, lengths):
            if length <= len(name):
                ends[name[-length:]].add(sample)
    found: dict[str, list[Path]] = defaultdict(list)
    wanted = set(samples)
    for end, paths in given.items():
        fitting = sorted(ends.get(end, ()), key=lambda sample: (sample not in wanted, sample))
        if not wanted.isdisjoint(fitting):
            _refuse_images(paths[0], list(dict.fromkeys(images[sample] for sample in fitting)))
            for sample in wanted.intersection(fitting):
                found[sample] += paths
    for sample, own_paths in found.items():
        _refuse_two(own_paths, images[sample])
    return {sample: own_paths[0] for sample, own_paths in found.items()}


def _are_apart(paths: Mapping[str, Path], images: Mapping[str, Path]) -> bool:
    """Whether no file is of two images."""
    of_image = {(path, images[sample]) for sample, path in paths.items()}
    return len({path for path, _ in of_image}) == len(of_image)


def _refuse_two(paths: Sequence[Path], image: Path) -> None:
    if len(paths) > 1:
        raise LayoutError(
            f"{paths[0]} and {paths[1]} may both be the mask of {image}. Remove one of them, or "
            "give the folder of one prediction alone."
        )


def _refuse_images(path: Path, images: Sequence[Path]) -> None:
    if len(images) > 1:
        raise LayoutError(
            f"{path} may be the mask of {images[0]} and of {images[1]}. Keep the folders of the "
            "images in those of the predictions, as `predict` does where it is given the folder of "
            "all."
        )


def _left_over(files: Mapping[Path, str], used: Collection[Path]) -> list[Path]:
    """Files that are neither used nor other results of the same images."""
    names = {files[path].removesuffix(ENDS["probability"]) for path in used}
    known = {name + end for name in names for end in ENDS.values()} | {files[p] for p in used}
    return [path for path, name in files.items() if name not in known]
