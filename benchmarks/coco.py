"""How long `pixelwise check` takes, and how much memory, on a COCO set as large as COCO itself.

    python benchmarks/coco.py                        118,000 images, 860,000 shapes
    python benchmarks/coco.py --images 10000         fewer, with as many shapes an image

The images are tiny (24 x 32, coarse blocks with some noise, each its own), so that what is measured
is what grows with their number: names, ids, shapes and findings. All is made in a temporary folder
and removed.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HEIGHT, WIDTH = 24, 32
SHAPES_PER_IMAGE = 860_000 / 118_000
NUM_CATEGORIES = 80
HEADER = f"P6 {WIDTH} {HEIGHT} 255\n".encode()
READ = """
import sys
from pathlib import Path
from pixelwise.data.layouts.find import find_layout
from pixelwise.data.layouts.found import LayoutOptions
print(len(find_layout(Path(sys.argv[1]), LayoutOptions()).samples), "samples")
"""
CHECK = """
import sys
from pixelwise.cli import main
sys.argv[1:] = ["check", sys.argv[1], "-q"]
main()
"""


def make_set(root: Path, num_images: int) -> int:
    """Write annotations.json and images/; return the number of shapes."""
    random = np.random.default_rng(0)
    (root / "images").mkdir()
    for number in range(num_images):
        blocks = random.integers(0, 230, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
        pixels = blocks.repeat(8, axis=0).repeat(8, axis=1)
        pixels += random.integers(0, 25, pixels.shape, dtype=np.uint8)
        (root / "images" / f"{number:012}.ppm").write_bytes(HEADER + pixels.tobytes())
    num_shapes = round(num_images * SHAPES_PER_IMAGE)
    corners = random.integers(0, (WIDTH - 8, HEIGHT - 8), (num_shapes, 2))
    sides = random.integers(2, 9, (num_shapes, 2))
    content = {
        "images": [
            {"id": n, "file_name": f"{n:012}.ppm", "height": HEIGHT, "width": WIDTH}
            for n in range(num_images)
        ],
        "annotations": [
            make_annotation(n, n * num_images // num_shapes, corners[n], sides[n])
            for n in range(num_shapes)
        ],
        "categories": [{"id": n + 1, "name": f"thing {n + 1}"} for n in range(NUM_CATEGORIES)],
    }
    (root / "annotations.json").write_text(json.dumps(content))
    return num_shapes


def make_annotation(number: int, image: int, corner: np.ndarray, sides: np.ndarray) -> dict:
    """A polygon of eight corners."""
    (x, y), (w, h) = corner.tolist(), sides.tolist()
    ring = [x, y + 1, x + 1, y, x + w - 1, y, x + w, y + 1]
    ring += [x + w, y + h - 1, x + w - 1, y + h, x + 1, y + h, x, y + h - 1]
    return {
        "id": number, "image_id": image, "category_id": number % NUM_CATEGORIES + 1,
        "segmentation": [ring], "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0,
    }  # fmt: skip


def run(script: str, folder: str, *options: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run a script on the folder in a process of its own; give what it said, and the seconds."""
    path = Path(folder) / "script.py"
    path.write_text(script)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *options, str(path), folder], capture_output=True, text=True
    )
    return done, time.perf_counter() - start


def main() -> None:
    """Make the set, read and check it in processes of their own, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=118_000)
    parser.add_argument("--profile", type=Path, help="write a profile of `check` here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        num_shapes = make_set(Path(folder), options.images)
        profile = ["-m", "cProfile", "-o", str(options.profile)] if options.profile else []
        for name, script, words in (
            ("Reading names and shapes", READ, ()),
            ("check", CHECK, profile),
        ):
            done, seconds = run(script, folder, *words)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(done.stdout.strip()[-1500:] or done.stderr[-1500:])
            print(
                f"{options.images:,} images, {num_shapes:,} shapes: {name} took {seconds:.1f} s "
                f"and {peak:,.0f} MB at most (exit {done.returncode})",
                flush=True,
            )


if __name__ == "__main__":
    main()
