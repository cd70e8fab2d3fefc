"""Planning: samples + machine + budget -> Plan."""

from pixelwise.plan.budget import closing_seconds, format_seconds, parse_budget
from pixelwise.plan.calibration import Machine
from pixelwise.plan.choices import ENCODER_WIDTHS, Encoder
from pixelwise.plan.decide import make_plan, network_config
from pixelwise.plan.fingerprint import Fingerprint, take_fingerprint
from pixelwise.plan.numbers import check_number, check_seed
from pixelwise.plan.plan import Augmentation, LossName, Plan, format_megabytes, parse_plan
from pixelwise.plan.timing import Calibration, Timing

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
    "make_plan",
    "network_config",
    "parse_budget",
    "parse_plan",
    "take_fingerprint",
]
