"""What is wrong with data, and a repaired copy of them."""

from pixelwise.doctor.accept import check_accepted
from pixelwise.doctor.examination import Examination
from pixelwise.doctor.examine import ReadOptions, examine_dataset
from pixelwise.doctor.repair import Repair, fix, fixable_codes

__all__ = [
    "Examination",
    "ReadOptions",
    "Repair",
    "check_accepted",
    "examine_dataset",
    "fix",
    "fixable_codes",
]
