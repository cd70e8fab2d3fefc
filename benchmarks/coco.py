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


def main() -> None:
    """Make the set, check it in a process of its own, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=118_000)
    parser.add_argument("--profile", type=Path, help="write a profile of `check` here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        num_shapes = make_set(Path(folder), options.images)
        profile = ["-m", "cProfile", "-o", str(options.profile)] if options.profile else []
        script = Path(folder) / "check_it.py"
        script.write_text(CHECK)
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *profile, str(script), folder], capture_output=True, text=True
        )
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(done.stdout.strip()[-1500:] or done.stderr[-1500:])
    print(
        f"{options.images:,} images, {num_shapes:,} shapes: check took {seconds:.1f} s and "
        f"{peak:,.0f} MB at most (exit {done.returncode})"
    )


if __name__ == "__main__":
    main()
