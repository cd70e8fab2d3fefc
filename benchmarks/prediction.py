"""File to file prediction of one network: pixelwise, MONAI, nnU-Net, Keras, a plain loop.

    python benchmarks/prediction.py                       all cases, U-Net 32 to 512
    python benchmarks/prediction.py --network tutorial --cases folder --rounds 3

Cases: a picture of 4,096 x 4,096 (tiled TIFF, RGB), and a folder of 500 PNG files of 256 x 256.
Each way is a process of its own that reads the files, predicts and writes masks; ways take turns.
Weights are the same, but for nnU-Net and Keras, whose environments (environments.py) have random
ones; where an environment is not there the way is left out.
Seconds are from the first file to the last, imports and the loading of the model left out; memory
is the process's peak above what it has when libraries and model are loaded. "Same" is the share of
pixels of the class that plain float32 PyTorch gives them, in tiles of 512.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from environments import python_of

PREFIX = ":: "
NETWORKS = {
    "unet": {"widths": (32, 64, 128, 256, 512), "normalization": "batch"},
    "tutorial": {"widths": (16, 32, 64), "normalization": "none"},
    "small": {"widths": (8, 16, 32, 64, 128), "normalization": "instance"},
}
PEER_SCRIPTS = Path(__file__).parent / "peers"
TILE, OVERLAP = 256, 0.25  # of MONAI's tutorials
LOOP_TILE = 512


def make_model(network: str, path: Path) -> None:
    """A binary model of random weights."""
    import torch

    from pixelwise.network import IntensityScaling, Model, ModelConfig, UNet, UNetConfig, save_model
    from pixelwise.task import Task

    torch.manual_seed(0)
    config = UNetConfig(in_channels=3, out_channels=1, **NETWORKS[network])
    scaling = IntensityScaling(scheme="statistics", mean=(127.0,) * 3, std=(60.0,) * 3)
    model = ModelConfig(
        network=config, scaling=scaling, task=Task.BINARY, class_names=("background", "a"),
        class_colors=("#000000", "#ff0000"),
    )  # fmt: skip
    save_model(path, Model(model, UNet(config)))


def make_images(case: str, folder: Path) -> None:
    """Smooth blobs with noise, so that files are neither empty nor noise alone."""
    import tifffile
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    random = np.random.default_rng(0)

    def picture(side: int) -> np.ndarray:
        blobs = gaussian_filter(random.normal(0, 900, (side, side, 3)), (6, 6, 0))
        return (127 + blobs + random.normal(0, 5, (side, side, 3))).clip(0, 255).astype(np.uint8)

    folder.mkdir(parents=True)
    if case == "large":
        one = picture(2048)
        tifffile.imwrite(
            folder / "large.tif", np.tile(one, (2, 2, 1)), photometric="rgb", tile=(512, 512),
            compression="zlib",
        )  # fmt: skip
        return
    for number in range(500):
        Image.fromarray(picture(256)).save(folder / f"{number:03}.png")


def run_pixelwise(model: Path, images: Path, out: Path, options: dict[str, str]) -> float:
    """Predict with `pixelwise.predict`; its seconds hold the loading of the model."""
    import tifffile  # noqa: F401  (libraries that are loaded when they are needed)
    import torch
    from PIL import Image  # noqa: F401

    from pixelwise.workflows.predict import load_for_files, predict_images

    torch.empty(1)
    load_for_files(model)  # and let go of: as for the others, what it takes is not counted
    memory_before()
    return predict_images(model, images, out, device="cpu", progress=False, **options).seconds


def read(path: Path) -> np.ndarray:
    """An image (1, 3, H, W) float32, scaled."""
    import tifffile
    from PIL import Image

    pixels = tifffile.imread(path) if path.suffix == ".tif" else np.asarray(Image.open(path))
    return ((np.moveaxis(pixels, -1, 0).astype(np.float32) - 127) / 60)[None]


def load_network(model: Path):  # noqa: ANN201
    """The network alone, as any PyTorch module."""
    import torch

    from pixelwise.network import load_model

    network = load_model(model).network.eval()
    torch.set_grad_enabled(False)
    return network


def run_monai(model: Path, images: Path, out: Path, options: dict[str, str]) -> float:
    """MONAI's `sliding_window_inference` as its tutorials call it."""
    import torch
    from monai.inferers import sliding_window_inference
    from PIL import Image

    network = load_network(model)
    memory_before()
    started = time.perf_counter()
    for path in sorted(images.iterdir()):
        batch = torch.from_numpy(read(path))
        logits = sliding_window_inference(
            batch, (TILE, TILE), 4, network, overlap=OVERLAP, mode="gaussian"
        )
        mask = (torch.sigmoid(logits)[0, 0] >= 0.5).numpy().astype(np.uint8)
        Image.fromarray(mask * 255).save(out / f"{path.stem}.png")
    return time.perf_counter() - started


def run_loop(model: Path, images: Path, out: Path, options: dict[str, str]) -> float:
    """Tiles of 512 without overlap, in float32 or under autocast, channels last."""
    import torch
    from PIL import Image

    network = load_network(model).to(memory_format=torch.channels_last)
    memory_before()
    started = time.perf_counter()
    for path in sorted(images.iterdir()):
        pixels = read(path)
        mask = np.zeros(pixels.shape[2:], np.uint8)
        for top in range(0, mask.shape[0], LOOP_TILE):
            for left in range(0, mask.shape[1], LOOP_TILE):
                tile = pixels[:, :, top : top + LOOP_TILE, left : left + LOOP_TILE]
                batch = torch.from_numpy(np.ascontiguousarray(tile))
                batch = batch.contiguous(memory_format=torch.channels_last)
                with torch.autocast("cpu", torch.bfloat16, enabled="precision" in options):
                    logits = network(batch)[0, 0]
                place = slice(top, top + LOOP_TILE), slice(left, left + LOOP_TILE)
                mask[place] = (logits.float().sigmoid() >= 0.5).numpy()
        Image.fromarray(mask * 255).save(out / f"{path.stem}.png")
    return time.perf_counter() - started


WAYS = {
    "pixelwise": (run_pixelwise, {}),
    "pixelwise, --memory 600MB": (run_pixelwise, {"memory": "600MB"}),
    "pixelwise, float32": (run_pixelwise, {"precision": "float32"}),
    "pixelwise, OpenVINO": (run_pixelwise, {"runtime": "openvino"}),
    "pixelwise, ONNX Runtime": (run_pixelwise, {"runtime": "onnx"}),
    "MONAI sliding window (256, 0.25, gaussian)": (run_monai, {}),
    "PyTorch, tiles of 512, float32": (run_loop, {}),
    "PyTorch, tiles of 512, bfloat16": (run_loop, {"precision": "bfloat16"}),
}
PEERS = {  # their environments and scripts
    "nnU-Net (256, half overlapping, gaussian)": ("nnunet", "predict_nnunet.py"),
    "Keras on TensorFlow, tiles of 256": ("keras-tensorflow", "predict_keras.py"),
    "Keras on JAX, tiles of 256": ("keras-jax", "predict_keras.py"),
}
REFERENCE = "PyTorch, tiles of 512, float32"
_before = [0.0]


def peak() -> float:
    """Megabytes of this process at most, so far; `ru_maxrss` would count its parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 2**10


def memory_before() -> None:
    """Note the memory from which on it is the prediction's."""
    _before[0] = peak()


def run_child(args: argparse.Namespace) -> None:
    """One way on one case; prints what was measured."""
    run, options = WAYS[args.way]
    args.out.mkdir()
    seconds = run(args.model, args.images, args.out, options)
    print(PREFIX + json.dumps({"seconds": seconds, "megabytes": peak() - _before[0]}))


def measure(way: str, network: str, model: Path, images: Path, out: Path) -> dict[str, float]:
    """Run a way in a process of its own."""
    words = [sys.executable, __file__, "--way", way, "--model", model, "--images", images]
    variables = dict(os.environ)
    if way in PEERS:
        environment, script = PEERS[way]
        options = json.dumps(NETWORKS[network])
        words = [python_of(environment), PEER_SCRIPTS / script, images, out, options]
        variables["KERAS_BACKEND"] = environment.removeprefix("keras-")
    else:
        words += ["--out", out]
    done = subprocess.run(
        [*map(str, words)], stdout=subprocess.PIPE, text=True, check=True, env=variables
    )
    line = next(one for one in done.stdout.splitlines() if one.startswith(PREFIX))
    return json.loads(line.removeprefix(PREFIX))


def read_masks(folder: Path) -> dict[str, np.ndarray]:
    """Foreground of all masks, by name."""
    from pixelwise.io import read_mask_values

    return {p.stem: read_mask_values(p) > 0 for p in sorted(folder.glob("[!.]*"))}


def same_share(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    """Share of pixels of the same class."""
    assert one.keys() == other.keys()
    return float(np.mean([(one[name] == other[name]).mean() for name in one]))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, default="unet")
    parser.add_argument("--cases", default="large,folder")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--ways", default="", help="words of which each way's name has one")
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.way:
        run_child(args)
        return
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_model(args.network, root / "model.safetensors")
        for case in args.cases.split(","):
            make_images(case, root / case)
            mega = 4096**2 / 1e6 if case == "large" else 500 * 256**2 / 1e6
            words = args.ways.split(",")
            there = [peer for peer, (name, _) in PEERS.items() if python_of(name).exists()]
            ways = [*WAYS, *there]
            ways = [w for w in ways if w == REFERENCE or any(word in w for word in words)]
            found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
            for number in range(args.rounds):
                for index, way in enumerate(ways):
                    out = root / f"{case} {index} {number}"
                    measured = measure(
                        way, args.network, root / "model.safetensors", root / case, out
                    )
                    found[way].append(measured)
                    print(f"{case}, {way}: {measured}", file=sys.stderr)
            masks = {way: read_masks(root / f"{case} {i} 0") for i, way in enumerate(ways)}
            print_table(args.network, case, mega, found, masks)
    print(f"\n{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, load before {load:.1f}")


def print_table(
    network: str,
    case: str,
    mega: float,
    found: dict[str, list[dict[str, float]]],
    masks: dict[str, dict[str, np.ndarray]],
) -> None:
    """A Markdown table of one case."""
    print(f"\n{network}, {case}, {mega:.1f} megapixels\n")
    print("| way | seconds | megapixels a second | memory, MB | same |")
    print("|---|---|---|---|---|")
    for way, rows in found.items():
        seconds = statistics.median(row["seconds"] for row in rows)
        memory = max(row["megabytes"] for row in rows)
        same = f"{100 * same_share(masks[way], masks[REFERENCE]):.2f} %"
        same = "other weights" if way in PEERS else same
        print(f"| {way} | {seconds:.1f} | {mega / seconds:.2f} | {memory:.0f} | {same} |")


if __name__ == "__main__":
    main()
