"""How the process of a peer talks with benchmarks/training.py. Standard library only.

process                                      benchmark
:: {"gflop": 211.0, "what": "..."}   ->      it is ready: built, compiled, warm
                                     <-      7
:: 3.213                             ->      seconds that 7 training steps took
                                     <-      (end of input)
:: {"megabytes": 2112.0}             ->      peak memory
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PREFIX = ":: "


@dataclass(frozen=True)
class Case:
    """What every peer trains: a network, a batch, and options of the peer itself."""

    widths: tuple[int, ...]
    size: int  # of the square images, pixels
    batch_size: int
    in_channels: int
    normalization: str  # "batch" or "none"
    loss: str  # "cross_entropy_dice" or "cross_entropy"
    device: str  # "cpu" or "cuda"
    options: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of a batch of images, channels last."""
        return (self.batch_size, self.size, self.size, self.in_channels)


def read_case() -> Case:
    """The case that the command line holds as JSON."""
    case = json.loads(sys.argv[1])
    return Case(**{**case, "widths": tuple(case["widths"])})


def tell(value: object) -> None:
    """Send one answer, whatever else the libraries print."""
    print(PREFIX + json.dumps(value), flush=True)


def serve(
    run: Callable[[int], float], facts: dict[str, Any], megabytes: Callable[[], float]
) -> None:
    """Answer until the input ends; `run(n)` trains n steps and returns the seconds they took."""
    run(1)
    tell(facts)
    for line in sys.stdin:
        tell(run(int(line)))
    tell({"megabytes": megabytes()})


def process_megabytes() -> float:
    """The most memory that this process has held, its libraries included."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
