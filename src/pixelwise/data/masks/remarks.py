"""What the values of all masks together were taken for, with remarks on what was assumed."""

from dataclasses import dataclass

from pixelwise.data.findings import Severity
from pixelwise.data.masks.encoding import MaskEncoding
from pixelwise.data.masks.facts import MaskFacts


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was assumed.

    Attributes:
        code: code of its finding.
        message: what was assumed.
        fix: how to change it.
        severity: severity of the finding.
        values: where they are the reason; the masks that hold them can be named.
        masks: where these masks are the reason.
    """

    code: str
    message: str
    fix: str
    severity: Severity = "note"
    values: tuple[int, ...] = ()
    masks: tuple[MaskFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The meaning taken, and what was assumed for it."""

    encoding: MaskEncoding
    remarks: tuple[Remark, ...] = ()
