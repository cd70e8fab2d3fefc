"""Train as `pixelwise train` does, by torchrun; a rank may come to grief in a step.

    torchrun --nproc-per-node 2 tests/workflows/together.py HOW STEP ARGUMENTS...

HOW is "killed" (the last rank, by the system) or "unread" (it cannot read an image).
"""

import os
import signal
import sys

from pixelwise.cli import main
from pixelwise.errors import FileError
from pixelwise.training.step import Stepper

how, step = sys.argv[1], int(sys.argv[2])
prepare = Stepper._prepare


def prepare_or_fail(stepper, crops, number):
    if number == step and os.environ["RANK"] == "1":
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise FileError("images/a.png is gone. Put it back.")
    return prepare(stepper, crops, number)


Stepper._prepare = prepare_or_fail
sys.argv = ["pixelwise", *sys.argv[3:]]
main()
