"""Tell object ids from class indices by evidence.

ids       many values, each one connected region, other values in other images
classes   few values, each in many places, the same values everywhere
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pixelwise.colors import default_color
from pixelwise.data.masks.binary_artifacts import find_two_tones
from pixelwise.data.masks.encoding import MaskClass, MaskEncoding
from pixelwise.data.masks.facts import MaskFacts
from pixelwise.data.masks.remarks import Reading, Remark
from pixelwise.data.masks.value_counts import add_counts

MAX_REGIONS = 1.2  # regions a value: objects are whole, but for a few that others cut in two
MANY_IDS = 32  # more values than that, each one region, are not classes
MIN_IDS = 8  # that many, numbered without gaps to another end in every image, are not classes


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the masks speak for: "ids", "classes", or "either", and why.

    Attributes:
        verdict: what the values are.
        reason: what was seen, for people.
        differs: some masks hold other values than others, as ids do more often than classes.
    """

    verdict: Literal["ids", "classes", "either"]
    reason: str = ""
    differs: bool = False


def weigh_instance_ids(masks: Sequence[MaskFacts], ignored: Sequence[int] = ()) -> Evidence:
    """Whether the values of masks are object ids, class indices or could be either.

    Args:
        masks: facts of the masks, in numbers.
        ignored: values left out.
    """
    kept = [mask.values[(mask.values > 0) & ~np.isin(mask.values, ignored)] for mask in masks]
    with_ids = [i for i, values in enumerate(kept) if len(values) and masks[i].num_regions]
    num_ids = [_num_ids(masks[i], len(kept[i])) for i in with_ids]
    if max(num_ids, default=0) < 2 or any(masks[i].form != "numbers" for i in with_ids):
        return Evidence("classes")
    regions = sum(masks[i].num_regions for i in with_ids) / sum(num_ids)
    if regions > MAX_REGIONS or _is_one_object(masks, ignored):
        return Evidence("classes")
    num_values = max(len(np.unique(np.concatenate([kept[i] for i in with_ids]))), max(num_ids))
    reason = f"{num_values} values, nearly each of which is one connected region in its mask"
    if num_values > MANY_IDS:
        return Evidence("ids", reason)
    ends = {int(kept[i][-1]) for i in with_ids}
    is_numbered = all(
        int(kept[i][-1]) == number for i, number in zip(with_ids, num_ids, strict=True)
    )
    if max(ends) > MIN_IDS and is_numbered and len(ends) > 1:
        return Evidence("ids", f"{reason}, numbered from 1 to another end in each mask")
    differs = len({tuple(kept[i].tolist()) for i in with_ids}) > 1
    return Evidence("either", reason, differs)


def _is_one_object(masks: Sequence[MaskFacts], ignored: Sequence[int]) -> bool:
    """Whether the values are one tone with soft edges or specks, each of which looks like an id."""
    counts = add_counts(masks).without((0, *ignored))
    with_ground = add_counts(masks).without(ignored)
    if len(counts.values) < 2 or with_ground.values[0] < 0:
        return False
    tones = find_two_tones(with_ground)
    return bool(tones) and 2 * int(counts.counts.max()) >= int(counts.counts.sum())


def _num_ids(mask: MaskFacts, num_kept: int) -> int:
    """Distinct ids, also of those that were not kept."""
    return num_kept + max(0, mask.num_values - len(mask.values))


def as_instances(names: Sequence[str], ignore: tuple[int, ...], reason: str) -> Reading:
    """Background and objects, whatever their number; said with the reason.

    Args:
        names: names of background and object.
        ignore: values left out.
        reason: why the values were taken for ids; "" where a person said so.
    """
    background, name = names
    classes = (
        MaskClass(index=0, name=background, value=0, color=default_color(0, "background")),
        MaskClass(index=1, name=name, value=1, color=default_color(1, name), source="every id"),
    )
    encoding = MaskEncoding(classes=classes, ignore=ignore, form="instances")
    return Reading(encoding, (_ids_remark(reason),) if reason else ())


def _ids_remark(reason: str) -> Remark:
    return Remark(
        "object-ids",
        f"the numbers in the masks are taken for object ids ({reason}): 0 is background, every "
        "other number an object of one class.",
        'If they are classes, say so in classes.json: {"instances": false}, or name them there.',
    )


def either_remark(evidence: Evidence) -> Remark:
    """Said where class indices were taken but object ids are possible too."""
    return Remark(
        "object-ids-or-classes",
        "the numbers in the masks are taken for class indices, since they are few, but could be "
        f"object ids ({evidence.reason}).",
        'If they are ids, say so in classes.json: {"instances": true}.',
        "warning" if evidence.differs else "note",
    )
