"""A draft of a plan: decisions with their reasons, some of which are still to be made.

draft = Draft({"loss": Decision("dice", "small objects count")})
draft = draft.with_({"seed": Decision(0, "as asked")})      a new draft; the old one stays
plan = draft.to_plan()                                       all that a plan must have is there
"""

from typing import Any, Generic, NamedTuple, TypeVar

from pixelwise.planning.plan import Plan

Value = TypeVar("Value")


class Decision(NamedTuple, Generic[Value]):
    """What was decided, and why."""

    value: Value
    reason: str


Decisions = dict[str, Decision[Any]]  # by the names of a plan's fields


class Draft:
    """Decisions of a plan by name. Immutable.

    Args:
        decisions: made so far.

    Raises:
        ValueError: a plan has no such field; it is a mistake of this program.
    """

    def __init__(self, decisions: Decisions) -> None:
        unknown = decisions.keys() - Plan.model_fields.keys()
        if unknown:
            raise ValueError(f"a plan has no {', '.join(sorted(unknown))}")
        self._decisions = dict(decisions)

    def with_(self, decisions: Decisions) -> "Draft":
        """The draft with more decisions; later ones take the place of earlier ones."""
        return Draft({**self._decisions, **decisions})

    def decision(self, name: str) -> Decision[Any] | None:
        """What was decided; None where nothing was."""
        return self._decisions.get(name)

    def value(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  (that of the field)
        """The value that was decided, or `default` where nothing was."""
        return self._decisions[name].value if name in self._decisions else default

    def to_plan(self, **more: object) -> Plan:
        """The plan of all decisions.

        Args:
            more: values that are measured, or only for this plan.
        """
        values = {name: value for name, (value, _) in self._decisions.items()}
        reasons = {name: reason for name, (_, reason) in self._decisions.items()}
        return Plan.model_validate({**values, "reasons": reasons, **more})
