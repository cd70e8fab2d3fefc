"""What is wrong with data, and a repaired copy of them."""

from pixelwise.doctor.examine import Examination, ReadOptions, examine_dataset
from pixelwise.doctor.repair import Repair, fix, fixable_codes

__all__ = ["Examination", "ReadOptions", "Repair", "examine_dataset", "fix", "fixable_codes"]
