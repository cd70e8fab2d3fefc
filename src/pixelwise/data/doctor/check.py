"""Look for what is wrong in a surveyed data set: one small function for each kind of finding."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pixelwise.data.doctor.survey import ImageFacts, SampleFacts, readable_images, readable_masks
from pixelwise.data.findings import Finding, Severity, finding_of_error
from pixelwise.data.masks.encoding import MaskEncoding, shorten
from pixelwise.data.samples import describe_size_mismatch
from pixelwise.data.splits import Split
from pixelwise.errors import FileError, MaskError

FEW_IMAGES = 10
MAX_CLASSES_NAMED = 5


def check_files(surveyed: Sequence[SampleFacts], lone_masks: Sequence[Path]) -> list[Finding]:
    """Find what is wrong with single files and pairs, before the masks are understood."""
    return [
        *_find_unreadable(surveyed),
        *_find_unclear_masks(surveyed),
        *_find_size_mismatch(surveyed),
        *_find_non_finite(surveyed),
        *_find_unpaired(surveyed, lone_masks),
        *_find_few(surveyed),
        *_find_constant(surveyed),
        *_find_mixed_types(surveyed),
        *_find_turned(surveyed),
        *_find_assumed_axes(surveyed),
    ]


def check_masks(
    surveyed: Sequence[SampleFacts], encoding: MaskEncoding, splits: Mapping[str, Split]
) -> list[Finding]:
    """Find what is wrong with the content, once masks and splits are known."""
    return [
        *_find_unknown_values(surveyed, encoding),
        *_find_empty_masks(surveyed, encoding),
        *_find_absent_classes(surveyed, encoding, splits),
        *_find_duplicates(surveyed, splits),
    ]


def _find_unreadable(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    failed: list[tuple[Path, FileError]] = []
    for facts in surveyed:
        if isinstance(facts.image, FileError):
            failed.append((facts.found.image, facts.image))
        if isinstance(facts.mask, FileError) and facts.found.mask:
            failed.append((facts.found.mask.path, facts.mask))
    return [finding_of_error("unreadable", [p for p, _ in failed], failed[0][1])] if failed else []


def _find_unclear_masks(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    failed = [
        (f.found.mask.path, f.mask)
        for f in surveyed
        if f.found.mask and isinstance(f.mask, MaskError)
    ]
    return [finding_of_error("mask-values", [p for p, _ in failed], failed[0][1])] if failed else []


def _find_size_mismatch(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    findings = []
    for facts, path, mask in readable_masks(surveyed):
        image = facts.image
        if not isinstance(image, ImageFacts) or image.size == mask.size:
            continue
        error = MaskError(describe_size_mismatch(path, mask.size, facts.found.image, image.size))
        if image.turned and mask.size == image.size[::-1]:
            error = MaskError(
                f"{facts.found.image} is turned by its EXIF data and {path} is not ({mask.size} "
                f"against {image.size}). Turn the mask in the same way, or remove the pair."
            )
        findings.append((path, error))
    return (
        [finding_of_error("size-mismatch", [p for p, _ in findings], findings[0][1])]
        if findings
        else []
    )


def _find_non_finite(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    files = [facts.found.image for facts, image in readable_images(surveyed) if not image.is_finite]
    return _one(
        "non-finite",
        "error",
        files,
        "{files} hold NaN or infinite pixels.",
        "Replace these pixels by a number, for example by the smallest of the image.",
    )


def _find_unpaired(surveyed: Sequence[SampleFacts], lone_masks: Sequence[Path]) -> list[Finding]:
    unlabelled = [facts.found.image for facts in surveyed if facts.found.mask is None]
    return _one(
        "missing-mask",
        "warning",
        unlabelled,
        "{files} have no mask and are left out of training and scores.",
        "Add a mask with the name of each image; an all-background mask where there is nothing "
        "in it.",
    ) + _one(
        "missing-image",
        "warning",
        lone_masks,
        "{files} are masks without an image and are left out.",
        "Add the images, or give each mask the name of its image.",
    )


def _find_few(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    number = sum(facts.found.mask is not None for facts in surveyed)
    if number >= FEW_IMAGES:
        return []
    what = (
        "there is only 1 image with a mask"
        if number == 1
        else f"there are only {number} images with masks"
    )
    fix = "Label more images: training needs two at least, and scores on few are uncertain."
    return [Finding("few-images", "warning", (), f"{what}.", fix)]


def _find_constant(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    files = [facts.found.image for facts, image in readable_images(surveyed) if image.is_constant]
    return _one(
        "constant-image",
        "warning",
        files,
        "{files} hold one value in every pixel.",
        "Check that they are what they should be, or remove them.",
    )


def _find_mixed_types(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    by_type: dict[str, list[Path]] = {}
    for facts, image in readable_images(surveyed):
        by_type.setdefault(image.dtype, []).append(facts.found.image)
    if len(by_type) < 2:
        return []
    counts = ", ".join(f"{len(files)} {dtype}" for dtype, files in sorted(by_type.items()))
    rarest = min(by_type.values(), key=len)
    fix = "Export all images with one bit depth, since brightness cannot be compared between them."
    return _one(
        "mixed-depth", "warning", rarest, f"the images have several number types ({counts}).", fix
    )


def _find_turned(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    files = [facts.found.image for facts, image in readable_images(surveyed) if image.turned]
    return _one(
        "exif-turned",
        "note",
        files,
        "{files} were turned as their EXIF data say.",
        "Check that their masks were drawn on the turned images.",
    )


def _find_assumed_axes(surveyed: Sequence[SampleFacts]) -> list[Finding]:
    noted = [
        (facts.found.image, image.note) for facts, image in readable_images(surveyed) if image.note
    ]
    fix = "Save the files with named axes (tifffile: metadata={'axes': 'CYX'}) to leave no doubt."
    return (
        _one("assumed-axes", "note", [p for p, _ in noted], f"{noted[0][1]}.", fix) if noted else []
    )


def _find_unknown_values(surveyed: Sequence[SampleFacts], encoding: MaskEncoding) -> list[Finding]:
    files, values = [], set()
    for _, path, mask in readable_masks(surveyed):
        unknown = encoding.unknown_values(mask.values)
        if unknown.size:
            files.append(path)
            values.update(unknown.tolist())
    known = shorten([entry.value for entry in encoding.classes])
    return _one(
        "unknown-value",
        "error",
        files,
        f"{{files}} hold the values {shorten(sorted(values))}, which are none of the classes "
        f"({known}).",
        "Correct the masks, or declare these values in classes.json.",
    )


def _find_empty_masks(surveyed: Sequence[SampleFacts], encoding: MaskEncoding) -> list[Finding]:
    background = encoding.classes[0].value
    meaningless = {background, *encoding.ignore}
    files = [
        path
        for _, path, mask in readable_masks(surveyed)
        if set(mask.values.tolist()) <= meaningless
    ]
    return _one(
        "empty-mask",
        "note",
        files,
        f"{{files}} hold nothing but {encoding.classes[0].name}.",
        "Nothing, if there is nothing to find in these images; otherwise label them.",
    )


def _find_absent_classes(
    surveyed: Sequence[SampleFacts], encoding: MaskEncoding, splits: Mapping[str, Split]
) -> list[Finding]:
    present: dict[Split, set[int]] = {}
    for facts, _, mask in readable_masks(surveyed):
        indices = set(encoding.index_of(mask.values).tolist())
        present.setdefault(splits[facts.found.name], set()).update(indices)
    findings = []
    for split, indices in present.items():
        absent = [entry.name for entry in encoding.classes if entry.index not in indices]
        if absent:
            names = ", ".join(absent[:MAX_CLASSES_NAMED]) + ", ..." * (
                len(absent) > MAX_CLASSES_NAMED
            )
            message = f"{names} never appear{'s' * (len(absent) == 1)} in the {split} split."
            fix = "Label more images, or move some: every split should have every class."
            findings.append(Finding("absent-class", "warning", (), message, fix))
    return findings


def _find_duplicates(surveyed: Sequence[SampleFacts], splits: Mapping[str, Split]) -> list[Finding]:
    groups: dict[bytes, list[SampleFacts]] = {}
    for facts, image in readable_images(surveyed):
        groups.setdefault(image.digest, []).append(facts)
    twins = [group for group in groups.values() if len(group) > 1]
    leaks = [group for group in twins if len({splits[facts.found.name] for facts in group}) > 1]
    within = [group for group in twins if group not in leaks]
    return _one(
        "split-leak",
        "warning",
        [facts.found.image for group in leaks for facts in group],
        "{files} are the same images in different splits: scores on them are too good.",
        "Remove the copies from all splits but train.",
    ) + _one(
        "duplicate",
        "warning",
        [facts.found.image for group in within for facts in group],
        "{files} are copies of each other.",
        "Remove the copies: they count double in training and scores.",
    )


def _one(
    code: str, severity: Severity, files: Sequence[Path], message: str, fix: str
) -> list[Finding]:
    """One finding, or none without files; {files} becomes "a.png and 3 more files"."""
    if not files:
        return []
    return [
        Finding(code, severity, tuple(files), message.replace("{files}", name_files(files)), fix)
    ]


def name_files(files: Sequence[Path]) -> str:
    """Name the first file and count the others."""
    others = len(files) - 1
    return str(files[0]) if not others else f"{files[0]} and {others} more file{'s' * (others > 1)}"
