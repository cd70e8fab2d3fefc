"""A data set with pixelwise: `pixelwise train DATA --budget`; its own validations count.

Its own validations under a small budget take some of the images; the last line is of all.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from common import Clock, read_arguments, tell

import pixelwise as pw
from pixelwise.training import Watcher


class Teller(Watcher):
    """Tells each validation, at the moment when its score is known."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def validated(self, row: Mapping[str, float]) -> None:
        """Tell."""
        tell({"seconds": round(self._clock.elapsed, 1), "dice": row["val_dice"]})


def main() -> None:
    """Train, with everything that a user gets; the budget is what is left after the imports."""
    args = read_arguments(__doc__)
    clock = Clock(args)
    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"  # the test images stay out, as for everybody else
        data.mkdir()
        for name in ("train", "val", "classes.json"):
            if (args.data / name).exists():
                (data / name).symlink_to((args.data / name).resolve())
        budget = 60 * args.minutes - clock.elapsed
        pw.train(
            data,
            args.out / "run",
            budget=budget,
            device=args.device,
            seed=args.seed,
            accept=("split-leak",),  # of the set, for all alike
            overwrite=True,
            watcher=Teller(clock),
        )
    model = pw.load(args.out / "run", device=args.device)
    clock.validate(model.segment)


if __name__ == "__main__":
    main()
