"""Errors that a person knows of and accepts: they become warnings that say so."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pixelwise.data import KINDS, Finding
from pixelwise.errors import DataError

ACCEPTED = "Accepted: "  # before the message of an error that a person accepted


def check_accepted(codes: Iterable[str]) -> tuple[str, ...]:
    """The codes of errors that a person accepts, each once.

    Raises:
        DataError: one of them is not the code of an error that training is possible with.
    """
    known = tuple(code for code, kind in KINDS.items() if kind.can_accept)
    codes = tuple(dict.fromkeys(codes))
    for code in codes:
        if code not in known:
            why = (
                "training is not possible with it"
                if code in KINDS
                else "there is no finding of that name"
            )
            raise DataError(
                f"{code!r} cannot be accepted: {why}. Errors that can be accepted: "
                f"{', '.join(known)}."
            )
    return codes


def accept_findings(findings: Iterable[Finding], codes: Sequence[str]) -> list[Finding]:
    """The same findings, where errors that a person accepts are warnings that say so."""
    return [
        replace(one, severity="warning", message=f"{ACCEPTED}{one.message}")
        if one.severity == "error" and one.code in codes
        else one
        for one in findings
    ]


def accepted_codes(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Codes of the errors among findings that a person accepted."""
    codes = (one.code for one in findings if one.message.startswith(ACCEPTED))
    return tuple(dict.fromkeys(codes))
