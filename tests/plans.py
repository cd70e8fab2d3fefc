"""Small plans that tests train by."""

from pixelwise.network import IntensityScaling
from pixelwise.planning import Plan


def small_plan(**values):
    """A plan of a tiny network; what is given goes before what is usual."""
    usual = {
        "scaling": IntensityScaling(scheme="percentiles"),
        "patch_size": (16, 16),
        "batch_size": 4,
        "widths": (4, 8),
        "normalization": "batch",
        "loss": "cross_entropy_dice",
        "learning_rate": 2e-2,
        "num_steps": 10,
        "validate_every": 5,
    }
    return Plan(**usual | values)
