"""Planning: samples + machine + budget -> Plan."""

from pixelwise.plan.budget import parse_budget
from pixelwise.plan.calibration import Calibration, Timing
from pixelwise.plan.decide import make_plan, network_config
from pixelwise.plan.fingerprint import Fingerprint, take_fingerprint
from pixelwise.plan.plan import Augmentation, LossName, Plan, parse_plan

__all__ = [
    "Augmentation",
    "Calibration",
    "Fingerprint",
    "LossName",
    "Plan",
    "Timing",
    "make_plan",
    "network_config",
    "parse_budget",
    "parse_plan",
    "take_fingerprint",
]
