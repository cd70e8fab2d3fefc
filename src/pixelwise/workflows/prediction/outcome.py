"""What a prediction wrote, left out and could not do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pixelwise.io import write_text
from pixelwise.text import format_csv, show_number

ERRORS_FILE = "errors.csv"
ERRORS_COLUMNS = ("file", "message")
NUM_SHOWN = 3


@dataclass(slots=True)
class Predictions:
    """What a prediction wrote, left out and could not do.

    Attributes:
        folder: folder of the results.
        num_images: that were to be predicted.
        written: the files, image by image; with those of an earlier run that was interrupted.
        num_kept: images that an earlier run had finished.
        num_pixels: of the images predicted.
        seconds: that it took, the loading of the model included.
        computed: on which device, in which number format, and with how much memory.
        left_out: pictures in the folders given that were not taken, and why.
        failed: images that could not be predicted, and why.
    """

    folder: Path
    num_images: int
    num_kept: int = 0
    num_pixels: int = 0
    seconds: float = 0.0
    computed: str = ""
    written: list[Path] = field(default_factory=list)
    left_out: Mapping[Path, str] = field(default_factory=dict)
    failed: dict[Path, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Plain lists and texts."""
        return {
            "written": [str(path) for path in self.written],
            "left_out": [{"file": str(p), "reason": why} for p, why in self.left_out.items()],
            "failed": [{"file": str(p), "message": text} for p, text in self.failed.items()],
        }

    def describe(self, *, verbose: bool = False) -> str:
        """What was written, how much that was, and how fast; verbose: and how it was computed."""
        number = len(self.written)
        texts = [f"{number} file{'' if number == 1 else 's'} written to {self.folder}"]
        if self.num_pixels:
            mega, seconds = self.num_pixels / 1e6, max(self.seconds, 1e-3)
            speed = f" ({show_number(mega / seconds)} a second)" if mega >= 1 else ""
            texts.append(f"{show_number(mega)} megapixels in {seconds:.1f} s{speed}")
        if self.num_kept:
            kept = "1 image was" if self.num_kept == 1 else f"{self.num_kept} images were"
            texts.append(f"{kept} done before, and kept (--overwrite does them again)")
        if verbose:
            texts.append(self.computed)
        return "; ".join(texts) + "."

    def describe_left_out(self) -> str:
        """How many, an example, and how to take them."""
        first, why = next(iter(self.left_out.items()))
        number = len(self.left_out)
        what = "a picture that looks" if number == 1 else f"{number} pictures that look"
        example = f"{first}" if number == 1 else f"for example {first}"
        return (
            f"left out {what} like masks or earlier results, {example} ({why}). Predict all with "
            "--all (take_all=True)."
        )

    def describe_failed(self, num_shown: int = NUM_SHOWN) -> str:
        """How many, the first few, and where all are."""
        texts, where = list(self.failed.values()), self.folder / ERRORS_FILE
        is_all = len(texts) == self.num_images
        others = "" if is_all else f"; the masks of the others are in {self.folder}"
        left = len(texts) - num_shown
        more = f"And {left} more in {where}." if left > 0 else f"See {where}."
        start = f"{len(texts)} of {self.num_images} images could not be predicted{others}."
        between = "\n" if num_shown > NUM_SHOWN else " "  # many are a list, few a sentence
        return between.join([start, *texts[:num_shown], more])


def write_errors(result: Predictions) -> None:
    """Write errors.csv where images failed; remove that of an earlier run where none did."""
    place = result.folder / ERRORS_FILE
    if result.failed:
        rows = [(str(path), text) for path, text in result.failed.items()]
        write_text(place, format_csv(ERRORS_COLUMNS, rows))
    else:
        place.unlink(missing_ok=True)


def is_errors_file(path: Path) -> bool:
    """Whether a file is a list of errors that pixelwise wrote."""
    try:
        with path.open("rb") as file:
            return file.readline().decode("utf-8", "replace").strip() == ",".join(ERRORS_COLUMNS)
    except OSError:
        return False
