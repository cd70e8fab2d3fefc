"""From a folder or a sequence to an `Examination`: find, survey, understand masks, split, check.

check_files     damaged, missing, of another size     check_masks     unknown, rare, empty, inverted
check_pixels    constant, saturated, other ranges     check_objects   tiny, shifted, overlapping
check_leaks     the same image or group in two splits
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pixelwise.data import (
    BY_IMAGE,
    SPLITS,
    Dataset,
    DataSource,
    Finding,
    MaskEncoding,
    SampleFiles,
    Split,
    SplitChoice,
    choose_channels,
    choose_splits,
    find_pairs,
    finding_of_error,
    have_rare_channels,
    make_general_finding,
    match_groups,
    root_of,
    with_split_file,
)
from pixelwise.data.layouts import (
    Layout,
    LayoutOptions,
    check_names,
    find_class_file,
    find_layout,
    read_declaration,
)
from pixelwise.data.masks import CLASS_FILE, TABLE_FILES, MaskFacts, understand_masks, unify_forms
from pixelwise.data.survey import (
    ImageFacts,
    SampleFacts,
    find_twins,
    readable_images,
    readable_masks,
    survey_samples,
)
from pixelwise.doctor.accept import accept_findings, accepted_codes, check_accepted
from pixelwise.doctor.check_files import check_files
from pixelwise.doctor.check_leaks import check_leaks
from pixelwise.doctor.check_masks import check_masks, find_no_foreground
from pixelwise.doctor.check_objects import check_objects
from pixelwise.doctor.check_pixels import check_pixels, check_split_ranges
from pixelwise.doctor.examination import Examination, sort_findings
from pixelwise.errors import DataError, FileError, LayoutError, MaskError
from pixelwise.io import common_spacing
from pixelwise.parallel import Progress


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a person says about the data; None leaves it to be found out."""

    seed: int = 0
    foreground: int | None = None
    ignore: int | Sequence[int] | None = None
    split: Mapping[str, str] | None = None  # of names; folders and manifests win over it
    split_by: str | None = None  # regular expression that finds the group in a name; "none"
    encoding: MaskEncoding | None = None
    layout: LayoutOptions = field(default_factory=LayoutOptions)
    for_training: bool = True  # False where data are only scored: they need no training images
    accept: Sequence[str] = ()  # codes of errors to train in spite of, such as "split-leak"

    @property
    def ignored(self) -> tuple[int, ...]:
        """The values to leave out."""
        if self.ignore is None:
            return ()
        return (self.ignore,) if isinstance(self.ignore, int) else tuple(self.ignore)


def examine_dataset(
    data: DataSource,
    options: ReadOptions | None = None,
    progress: Progress | None = None,
) -> Examination:
    """Read data and keep all findings, instead of raising the first error.

    Args:
        data: the data folder, or a sequence of (image, mask).
        options: what a person says about it.
        progress: called with (number of samples read, number of all) after each sample.

    Raises:
        DataError: an error cannot be accepted.
    """
    options, root = options or ReadOptions(), root_of(data)
    accepted = check_accepted(options.accept)
    try:
        layout = _with_groups(_find(data, options), options.split_by)
        check_names(layout.samples)
    except DataError as error:
        return Examination(root, (finding_of_error("layout", [], error),))
    surveyed = _unify_masks(survey_samples(layout.samples, progress=progress))
    findings = [
        *layout.findings,
        *check_files(surveyed, layout.lone_masks),
        *check_pixels(surveyed),
    ]
    channels = _choose_channels(surveyed, findings)
    encoding = _choose_encoding(root, layout, surveyed, options, findings)
    twins = find_twins(surveyed)
    choice = choose_splits(
        surveyed, encoding, options.split, options.seed, twins, by_names=options.split_by is None
    )
    surveyed, splits = choice.surveyed, choice.splits
    findings += [
        *choice.findings,
        *check_leaks(surveyed, splits, twins),
        *check_split_ranges(surveyed, splits),
    ]
    if options.for_training:
        findings += _find_no_training_images(root, splits)
    if encoding is not None:
        findings += check_masks(surveyed, encoding, splits)
        findings += check_objects(surveyed, encoding)
        if options.encoding is None:  # images without anything to find may be scored
            findings += find_no_foreground(surveyed, encoding)
    elif not any(found.severity == "error" for found in findings):
        findings.append(_say_unlabelled(root, surveyed))
    findings = sort_findings(accept_findings(findings, accepted))
    usable = None
    if channels and encoding and not any(found.severity == "error" for found in findings):
        usable = _build(root, layout, choice, channels, encoding, findings)
    return Examination(
        root=root,
        findings=tuple(findings),
        layout=layout,
        surveyed=tuple(surveyed),
        encoding=encoding,
        splits=splits,
        name_groups=choice.name_groups,
        usable=usable,
    )


def _find(data: DataSource, options: ReadOptions) -> Layout:
    """The images and masks, with the splits of a split.csv that lies beside them."""
    if isinstance(data, str | os.PathLike):
        return with_split_file(find_layout(Path(data), options.layout), Path(data), options.split)
    if options.layout != LayoutOptions():
        raise LayoutError(
            "a sequence of (image, mask) was given, which has no folders to choose from. Leave out "
            "the layout, or give a folder."
        )
    return find_pairs(data)


def _unify_masks(surveyed: Sequence[SampleFacts]) -> list[SampleFacts]:
    """The same facts with grey masks as colours where others are in colours."""
    facts = iter(unify_forms([mask for _, _, mask in readable_masks(surveyed)]))
    return [
        replace(sample, mask=next(facts))
        if sample.found.mask is not None and isinstance(sample.mask, MaskFacts)
        else sample
        for sample in surveyed
    ]


def _choose_channels(
    surveyed: Sequence[SampleFacts], findings: list[Finding]
) -> tuple[int, str] | None:
    """Number of channels and note; None, and a finding, where the images do not go together."""
    readable = readable_images(surveyed)
    images = [image for _, image in readable]
    try:
        return choose_channels(images) if images else None
    except DataError as error:
        is_rare = have_rare_channels(images)
        rare = tuple(
            facts.found.image for (facts, _), one in zip(readable, is_rare, strict=True) if one
        )
        findings.append(replace(finding_of_error("mixed-channels", [], error), files=rare))
        return None


def _choose_encoding(
    root: Path,
    layout: Layout,
    surveyed: Sequence[SampleFacts],
    options: ReadOptions,
    findings: list[Finding],
) -> MaskEncoding | None:
    """The meaning of the mask values; None, and a finding, where they have no clear one."""
    masks = [mask for _, _, mask in readable_masks(surveyed)]
    class_file: Path | None = None
    try:
        class_file = find_class_file(root, (CLASS_FILE, *TABLE_FILES))
        declared = read_declaration(root, layout)
    except (MaskError, FileError) as error:
        findings.append(finding_of_error("class-file", [class_file] if class_file else [], error))
        return None
    if not masks:
        return None
    try:
        reading = understand_masks(
            masks,
            declared,
            foreground=options.foreground,
            ignore=options.ignored,
            known=options.encoding,
        )
    except MaskError as error:
        findings.append(finding_of_error("mask-values", [], error))
        return None
    paths = {id(mask): path for _, path, mask in readable_masks(surveyed)}
    for remark in reading.remarks:
        named = tuple(paths[id(mask)] for mask in remark.masks)
        files = named or _holders_of(remark.values, surveyed)
        findings.append(Finding(remark.code, remark.severity, files, remark.message, remark.fix))
    return reading.encoding


def _holders_of(values: Sequence[int], surveyed: Sequence[SampleFacts]) -> tuple[Path, ...]:
    """The masks with any of the values, where these are less than half of the masks; else none."""
    masks = readable_masks(surveyed)
    found = tuple(path for _, path, mask in masks if np.isin(mask.values, values).any())
    return found if 2 * len(found) < len(masks) else ()


def _with_groups(layout: Layout, pattern: str | None) -> Layout:
    """The layout with groups taken from the names, where a pattern is given; DataError if bad."""
    if pattern is None:
        return layout
    names = [sample.name for sample in layout.samples]
    groups = {} if pattern == BY_IMAGE else match_groups(names, pattern)
    samples = (replace(sample, group=groups.get(sample.name)) for sample in layout.samples)
    return replace(layout, samples=tuple(samples))


def _build(
    root: Path,
    layout: Layout,
    choice: SplitChoice,
    channels: tuple[int, str],
    encoding: MaskEncoding,
    findings: Sequence[Finding],
) -> Dataset:
    images = readable_images(choice.surveyed)
    return Dataset(
        root=root,
        layout=layout.description,
        files=tuple(
            SampleFiles(
                name=f.found.name,
                images=f.found.images,
                mask=f.found.mask,
                split=choice.splits[f.found.name],
                size=image.size,
                group=f.found.group,
            )
            for f, image in images
        ),
        in_channels=channels[0],
        channel_note=channels[1],
        dtype=" and ".join(sorted({image.dtype for _, image in images})),
        encoding=encoding,
        num_sizes=len({image.size for _, image in images}),
        notes=tuple(f"{finding.message} {finding.fix}" for finding in findings),
        accepted=accepted_codes(findings),
        spacing_um=common_spacing([image.spacing_um for _, image in images]),
        digests=tuple(_digest(facts, image) for facts, image in images),
    )


def _find_no_training_images(root: Path, splits: Mapping[str, Split]) -> list[Finding]:
    present = [split for split in SPLITS if split in splits.values()]
    if "train" in present or present in ([], ["unlabelled"]):
        return []  # without any mask there is another error
    message = f"{root} has no training images, only {', '.join(present)}."
    fix = (
        "Name the folder above the split folders, or one with images/ and masks/; "
        "`pixelwise evaluate` takes these as they are."
    )
    return [make_general_finding("no-training-images", message, fix)]


def _say_unlabelled(root: Path, surveyed: Sequence[SampleFacts]) -> Finding:
    message = f"not one of the {len(surveyed)} images of {root} has a mask."
    fix = "Add masks with the names of the images; `pixelwise predict` takes images alone."
    return make_general_finding("layout", message, fix)


def _digest(facts: SampleFacts, image: ImageFacts) -> str:
    """Of the pixels of an image, and of the values in its mask and how often each is there."""
    if not isinstance(facts.mask, MaskFacts):
        return image.digest.hex()
    return f"{image.digest.hex()} {facts.mask.values.tolist()} {facts.mask.counts.tolist()}"
