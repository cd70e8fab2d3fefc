"""Write the contact sheet of a data folder: flagged images first, then some of every class."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.data import KINDS, Finding, MaskClass, MaskEncoding, read_mask, tint, to_rgb
from pixelwise.data.masks import MaskFacts, MaskFile, MaskParts
from pixelwise.data.survey import ImageFacts, SampleFacts, read_source
from pixelwise.doctor import Examination
from pixelwise.errors import DataError
from pixelwise.io import write_text
from pixelwise.parallel import map_in_threads
from pixelwise.report import SheetClass, SheetContent, SheetFinding, SheetTile, build_sheet
from pixelwise.task import IGNORE_INDEX
from pixelwise.text import count_of, show_size
from pixelwise.workflows.check import class_source, shorten_paths, summarize_check

MAX_FLAGGED_ALIKE = 8  # of one code: more of the same tell nothing new
MAX_FLAGGED = 36
MAX_TILES = 48
MAX_FILES_LISTED = 50  # of a finding
SIDE = 256  # pixels of the longer side of a picture
TINT = 0.5  # strength of the class colours over the image
HATCH = 6  # pixels between the stripes over what is ignored


def write_sheet(
    data: str | os.PathLike[str], examination: Examination, path: str | os.PathLike[str]
) -> None:
    """Write check.html: the masks as they were understood, beside their images.

    Args:
        data: the folder that was examined.
        examination: as `check` gives it.
        path: path of the page.

    Raises:
        OutputError: the page cannot be written.
    """
    codes = codes_by_sample(examination)
    flagged = choose_flagged(examination.surveyed, codes, MAX_FLAGGED)
    rest = [sample for sample in examination.surveyed if sample.found.name not in codes]
    sample = choose_sample(rest, examination.encoding, MAX_TILES - len(flagged))
    tiles = map_in_threads(lambda one: _tile(one, examination, codes), [*flagged, *sample])
    content = SheetContent(
        title=Path(data).resolve().name,
        facts=_facts(examination),
        classes=_legend(examination),
        has_ignored=bool(examination.encoding and examination.encoding.ignore),
        findings=[_finding(shorten_paths(finding, data)) for finding in examination.findings],
        flagged=tiles[: len(flagged)],
        others=tiles[len(flagged) :],
        num_images=len(examination.surveyed),
    )
    write_text(path, build_sheet(content))


def _finding(finding: Finding) -> SheetFinding:
    return SheetFinding(
        finding.severity,
        finding.code,
        finding.count,
        finding.message,
        finding.fix,
        [str(file) for file in finding.files[:MAX_FILES_LISTED]],
    )


def codes_by_sample(examination: Examination) -> dict[str, list[tuple[str, str]]]:
    """Severity and code of the errors and warnings about the files of each sample, by its name."""
    by_file: dict[Path, list[tuple[str, str]]] = {}
    for finding in examination.findings:
        for file in finding.files if finding.severity != "note" else ():
            by_file.setdefault(file, []).append((finding.severity, finding.code))
    codes: dict[str, list[tuple[str, str]]] = {}
    for sample in examination.surveyed:
        found = [code for file in own_files(sample) for code in by_file.get(file, ())]
        if found:
            codes[sample.found.name] = list(dict.fromkeys(found))
    return codes


def own_files(sample: SampleFacts) -> list[Path]:
    """The files of one sample; an annotation file belongs to many and is left out."""
    files = list(sample.found.image_paths)
    if isinstance(sample.found.mask, MaskFile):
        files.append(sample.found.mask.path)
    elif isinstance(sample.found.mask, MaskParts):
        files += sample.found.mask.paths
    return files


def choose_flagged(
    samples: Iterable[SampleFacts], codes: Mapping[str, Sequence[tuple[str, str]]], number: int
) -> list[SampleFacts]:
    """Some samples of every code, in the order in which findings matter: errors first."""
    order = {code: place for place, code in enumerate(KINDS)}
    seen: dict[str, int] = {}
    ranked = []
    for position, sample in enumerate(samples):
        if own := codes.get(sample.found.name):
            turn = min(seen.get(code, 0) for _, code in own)
            if turn >= MAX_FLAGGED_ALIKE:
                continue
            seen.update({code: seen.get(code, 0) + 1 for _, code in own})
            is_error = any(severity == "error" for severity, _ in own)
            matters = min(order.get(code, len(order)) for _, code in own)
            ranked.append(((turn // 4, not is_error, matters, position), sample))
    return [sample for _, sample in sorted(ranked, key=lambda entry: entry[0])[:number]]


def choose_sample(
    samples: Sequence[SampleFacts], encoding: MaskEncoding | None, number: int
) -> list[SampleFacts]:
    """Samples evenly spread, with one at least of every class that occurs, in their order."""
    masked = [index for index, sample in enumerate(samples) if isinstance(sample.mask, MaskFacts)]
    if number <= 0 or not masked:
        return []
    chosen: list[int] = []
    missing = set(range(len(encoding.classes))) if encoding else set()
    for index in masked:
        mask = samples[index].mask
        if encoding and isinstance(mask, MaskFacts) and len(chosen) < number:
            new = missing & set(encoding.index_of(mask.values).tolist())
            missing -= new
            chosen += [index] * bool(new)
    spread = [masked[int(i)] for i in np.linspace(0, len(masked) - 1, min(number, len(masked)))]
    return [samples[i] for i in sorted(list(dict.fromkeys([*chosen, *spread]))[:number])]


def _tile(
    sample: SampleFacts, examination: Examination, codes: Mapping[str, Sequence[tuple[str, str]]]
) -> SheetTile:
    name, facts = sample.found.name, sample.image
    split = examination.splits.get(name, "")
    own = codes.get(name, ())
    if not isinstance(facts, ImageFacts):
        return SheetTile(name, split, own, missing="cannot be read")
    note = f"{split}, {show_size(facts.size)}".strip(", ")
    try:
        image = to_plane(read_source(sample.found.images).values, len(facts.size))
    except DataError:
        return SheetTile(name, note, own, missing="cannot be read")
    small = shrink(to_rgb(image), SIDE)
    mask, missing = _mask_plane(sample, facts, examination.encoding)
    if mask is None or examination.encoding is None:
        return SheetTile(name, note, own, small, missing=missing)
    return SheetTile(name, note, own, small, draw_mask(small, mask, examination.encoding))


def _mask_plane(
    sample: SampleFacts, facts: ImageFacts, encoding: MaskEncoding | None
) -> tuple[NDArray[Any] | None, str]:
    """The mask of a sample as it is shown, or None and why there is none."""
    found = sample.found
    if found.mask is None:
        return None, "no mask"
    if encoding is None:
        return None, "the masks have no clear meaning"
    try:
        mask = read_mask(found.mask, facts.size, encoding)
    except DataError:
        return None, "the mask cannot be used"
    if mask.shape[-len(facts.size) :] != facts.size:
        return None, f"the mask is {show_size(mask.shape)}, the image is not"
    if len(facts.size) == 3:
        mask = mask[..., facts.size[0] // 2, :, :]
    return mask, ""


def to_plane(image: NDArray[Any], num_axes: int) -> NDArray[Any]:
    """(H, W, C) of an image, and of a volume (D, H, W, C) the middle slice."""
    return image if num_axes == 2 else image[image.shape[0] // 2]


def shrink(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(H, W, 3) made to fit a square of `side` pixels; smaller pictures stay as they are."""
    small = Image.fromarray(picture)
    small.thumbnail((side, side), Image.Resampling.BOX)
    return np.asarray(small)


def draw_mask(
    picture: NDArray[np.uint8], mask: NDArray[Any], encoding: MaskEncoding
) -> NDArray[np.uint8]:
    """Draw a mask over a picture that was made smaller, and stripes over what is ignored.

    Args:
        picture: (h, w, 3).
        mask: (H, W) class index, or (K, H, W) bool where classes overlap.
        encoding: has the colours.
    """
    rows = np.arange(picture.shape[0]) * mask.shape[-2] // picture.shape[0]
    columns = np.arange(picture.shape[1]) * mask.shape[-1] // picture.shape[1]
    mask = mask[..., rows[:, np.newaxis], columns]
    if mask.ndim == 3:
        return tint(picture, mask, encoding.class_colors, TINT)
    drawn = tint(picture, mask, encoding.class_colors, TINT)
    place = np.add.outer(np.arange(mask.shape[0]), np.arange(mask.shape[1])) % HATCH
    ignored = mask == IGNORE_INDEX
    drawn[ignored & (place < HATCH // 2)] = 255
    drawn[ignored & (place >= HATCH // 2)] = 119
    return drawn


def _facts(examination: Examination) -> list[tuple[str, str]]:
    summary = summarize_check(examination)
    facts = [("Layout", summary["layout"] or "not understood")]
    if not examination.errors:
        facts.append(("Data", examination.dataset.describe()))
    else:
        counts = ", ".join(f"{number} {name}" for name, number in summary["splits"].items())
        facts.append(
            ("Data", count_of(summary["num_images"], "image") + f" ({counts})" * bool(counts))
        )
    if examination.encoding is not None:
        facts.append(("Masks", f"{summary['task']}; {summary['mask_encoding']}"))
    return facts


def _legend(examination: Examination) -> list[SheetClass]:
    encoding = examination.encoding
    if encoding is None:
        return []
    pixels = np.zeros(IGNORE_INDEX + 1)
    for sample in examination.surveyed:
        if isinstance(sample.mask, MaskFacts):
            np.add.at(pixels, encoding.index_of(sample.mask.values), sample.mask.counts)
    total = max(1.0, float(pixels[: len(encoding.classes)].sum()))
    return [
        SheetClass(c.name, c.color, _source(c, encoding), float(pixels[c.index]) / total)
        for c in encoding.classes
    ]


def _source(entry: MaskClass, encoding: MaskEncoding) -> str:
    source = class_source(entry, encoding)
    if isinstance(source, int):
        return f"value {source}"
    return f"category {source}" if source.isdigit() else source
