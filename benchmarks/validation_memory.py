"""Peak memory of validating one large image, by its number of classes.

    python benchmarks/validation_memory.py [--size 6000] [--classes 1 5 20]

Each line is a process of its own: the image and its mask are there, then memory is measured at its
peak while the predictor's tiles are scored and their loss is added up.
"""

import argparse
import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor

TILE = 512  # pixels, so that every number of classes has the same tiles


def measure(num_classes: int, size: int) -> tuple[float, float, float]:
    """Return megabytes of image and mask, of all probabilities, and the peak beyond the start."""
    import numpy as np
    import torch

    from pixelwise.data import Sample
    from pixelwise.inference import Predictor
    from pixelwise.network import Model, ModelConfig, UNet, UNetConfig
    from pixelwise.task import Task
    from pixelwise.training import loss_for
    from pixelwise.training.validate import validate

    torch.set_num_threads(1)
    task = Task.BINARY if num_classes == 1 else Task.MULTICLASS
    names = ("background", "object") if num_classes == 1 else tuple(map(str, range(num_classes)))
    network = UNetConfig(
        in_channels=1, out_channels=num_classes, widths=(4, 8), normalization="none"
    )
    config = ModelConfig(
        network=network, task=task, class_names=names, class_colors=("#000000",) * len(names)
    )
    predictor = Predictor(Model(config, UNet(network)), device="cpu", tile_size=TILE)
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (1, size, size), np.uint8)
    mask = random.integers(0, len(names), (size, size), np.uint8)
    small = Sample("small", image[:, :TILE, :TILE], mask[:TILE, :TILE], None)
    loss = loss_for("cross_entropy_dice", task)
    validate(predictor, [small], loss)  # what a single tile takes is there before
    before = peak()
    validate(predictor, [Sample("large", image, mask, None)], loss)
    stored, whole = image.nbytes + mask.nbytes, num_classes * size * size * 4
    return stored / 2**20, whole / 2**20, peak() - before


def peak() -> float:
    """Megabytes that this process had at its peak."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=6000, help="pixels of a side")
    parser.add_argument("--classes", type=int, nargs="+", default=[1, 5, 20])
    given = parser.parse_args()
    print(f"One image of {given.size} x {given.size}, in MB:\n")
    print("| classes | image and mask | all probabilities | peak beyond one tile |")
    print("|---|---|---|---|")
    for num_classes in given.classes:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            stored, whole, found = pool.submit(measure, num_classes, given.size).result()
        print(f"| {num_classes} | {stored:.0f} | {whole:.0f} | {found:.0f} |", flush=True)


if __name__ == "__main__":
    main()
