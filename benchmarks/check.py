"""How long `pixelwise check` takes and how much memory, and how both grow with the images.

    python benchmarks/check.py [--numbers 1000,10000] [--folder DIR]

Writes generated images (192 x 256, grey PNG with masks) into a folder for each number, which is
kept where --folder names one, checks each in a process of its own, and prints a line for each:
seconds on the clock, which other work on the machine makes longer, and seconds of all cores.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pixelwise.data.synthetic import write_cells


def measure(folder: Path) -> tuple[float, float, float, int]:
    """Seconds on the clock and of the cores, peak memory in MB, and exit status of one check."""
    command = [sys.executable, "-m", "pixelwise", "check", str(folder)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds, core_seconds = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
    return seconds, core_seconds, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def main() -> None:
    """Check every number of images and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--numbers", default="1000,10000")
    parser.add_argument("--folder", type=Path, default=None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = args.folder or Path(temporary)
        print(f"{'images':>8} {'seconds':>8} {'of cores':>9} {'ms/image':>9} {'MB':>6} {'exit':>5}")
        for number in (int(text) for text in args.numbers.split(",")):
            folder = root / f"cells-{number}"
            if not folder.exists():
                write_cells(folder, number)
            seconds, cores, megabytes, status = measure(folder)
            rates = f"{seconds:8.1f} {cores:9.1f} {1000 * cores / number:9.1f} {megabytes:6.0f}"
            print(f"{number:8d} {rates} {status:5d}")


if __name__ == "__main__":
    main()
