"""Planning: samples + machine + budget -> Plan."""

from pixelwise.planning.budget import closing_seconds, format_seconds, kept_for_test, parse_budget
from pixelwise.planning.calibration import Machine
from pixelwise.planning.choices import ENCODER_WIDTHS, Encoder
from pixelwise.planning.decide import make_plan, network_config
from pixelwise.planning.fingerprint import Fingerprint, take_fingerprint
from pixelwise.planning.numbers import check_number, check_seed
from pixelwise.planning.plan import (
    Augmentation,
    LossName,
    Plan,
    format_megabytes,
    parse_plan,
    read_plan,
)
from pixelwise.planning.timing import Calibration, Timing

__all__ = [
    "ENCODER_WIDTHS",
    "Augmentation",
    "Calibration",
    "Encoder",
    "Fingerprint",
    "LossName",
    "Machine",
    "Plan",
    "Timing",
    "check_number",
    "check_seed",
    "closing_seconds",
    "format_megabytes",
    "format_seconds",
    "kept_for_test",
    "make_plan",
    "network_config",
    "parse_budget",
    "parse_plan",
    "read_plan",
    "take_fingerprint",
]
