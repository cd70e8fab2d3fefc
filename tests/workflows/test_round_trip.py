"""`predict`, then `evaluate --predictions`, gives the scores of `evaluate MODEL`: exactly those.

For small parts of every real data set at hand, and for names that are nested, alike or odd.
"""

import json
import shutil
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.reading import read_dataset

import pixelwise as pw
from pixelwise.data import Dataset, to_channels
from pixelwise.inference import Predictor
from pixelwise.io import read_image
from pixelwise.network import IntensityScaling, save_model
from pixelwise.workflows import predict_images
from pixelwise.workflows.from_plan import new_model

FORMATS = (
    "labelme_and_voc/data_annotated", "labelme_and_voc/data_dataset_voc",
    "object_files_rgba", "odd_files/bbbc039_onehot", "odd_files/kvasir_seg_5",
    "one_file_per_object",
)  # fmt: skip
SPLIT_SETS = ("nuclei", "streets", "panel/drive", "panel/neu_seg", "panel/wbc_tiny")
NUM_KEPT = 2  # images of each split


def write_model(dataset: Dataset, plan, path: Path) -> Path:
    """A network of fixed random weights, with a threshold that half of an image's pixels pass."""
    scaling = IntensityScaling(scheme="percentiles")
    model = new_model(dataset, plan.model_copy(update={"scaling": scaling}), {})
    image = to_channels(read_image(dataset.files[0].image), dataset.in_channels, "")
    middle = float(np.median(Predictor(model).probabilities(image)))
    save_model(path, model.with_config(threshold=middle))
    return path


def check_round_trip(
    data: Path,
    plan,
    place: Path,
    inputs: Path | Sequence[Path] = (),
    save: str = "mask",
    read_as: str = "class indices",
) -> None:
    """Score a model, and what it writes for some inputs, which are the whole folder if left out."""
    dataset = read_dataset(data)
    model = write_model(dataset, plan, place / "model.safetensors")
    by_model = pw.evaluate(model, data, split="all")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pw.PixelwiseWarning)  # masks are left out
        predict_images(model, inputs or data, place / "predictions", save=(save,))
    by_masks = pw.evaluate(data=data, predictions=place / "predictions", split="all")
    assert by_masks == by_model
    assert by_masks.names == by_model.names
    np.testing.assert_array_equal(by_masks.counts, by_model.counts)
    assert by_masks.mean_dice == by_model.mean_dice
    tp, fp, _ = by_model.counts.sum(axis=0).T
    assert ((tp + fp) > 0).sum() > 1  # two classes at least were predicted: no constant mask
    assert by_masks.notes[0].startswith(f"The predictions were read as {read_as}")


def keep_few(source: Path, target: Path) -> Path:
    """Copy the first images of each split, with everything named like them."""
    for path in (path for path in source.iterdir() if path.is_file()):
        shutil.copyfile(path, (target.mkdir(exist_ok=True) or target) / path.name)
    for split in (path for path in source.iterdir() if path.is_dir()):
        for image in sorted((split / "images").iterdir())[:NUM_KEPT]:
            for path in split.glob(f"*/{image.stem}.*"):
                place = target / path.relative_to(source)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
    return target


@pytest.mark.slow
@pytest.mark.parametrize("name", SPLIT_SETS)
def test_real_folders_of_splits(name, shared_data, plan, tmp_path):
    check_round_trip(keep_few(shared_data / name, tmp_path / "data"), plan, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_real_formats(name, shared_data, plan, tmp_path):
    check_round_trip(shared_data / "formats" / name, plan, tmp_path)


@pytest.mark.slow
def test_a_real_coco_file(shared_data, plan, tmp_path):
    source = shared_data / "car_parts_coco/test"
    content = json.loads((source / "annotations.json").read_text())
    content["images"] = content["images"][:4]
    kept = {image["id"] for image in content["images"]}
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] in kept]
    (tmp_path / "data/images").mkdir(parents=True)
    for image in content["images"]:
        name = Path(image["file_name"]).name
        shutil.copyfile(source / "images" / name, tmp_path / "data/images" / name)
    (tmp_path / "data/annotations.json").write_text(json.dumps(content))
    check_round_trip(tmp_path / "data", plan, tmp_path)


# --- names and masks of every kind, made here -------------------------------------------------

SIZE = (12, 16)
NFC = unicodedata.normalize("NFC", "é ü")
NFD = unicodedata.normalize("NFD", NFC)
NESTED = [f"plate{plate}/{index}.png" for plate in (1, 2) for index in range(4)]
ODD = [
    "a b.png", f"{NFC}.png", "dots.v1.2.png", "UPPER.PNG", "-dash.png", "=sum.png", "x/y/z.png",
    "x.png", "mask of nothing.png", "[a]*.png",
]  # fmt: skip
ALIKE = [
    "k.png", "k_png.png", "a.png", "a_overlay.png", "a_probability.png", "b/k.png", "i.png",
    f"{NFC}.png", f"{NFD}.png",
]  # fmt: skip
UNLISTED = ["k.tif", "b/k.jpg"]  # pictures too, which make k.png and b/k.png change their names


def draw(index: int) -> np.ndarray:
    """(12, 16) class indices: a band of class 1, and one of class 2 in every image."""
    mask = np.zeros(SIZE, np.uint8)
    mask[index % 5 : 6] = 1
    mask[8:, index % 7 :] = 2
    return mask


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if pixels.dtype == bool:  # planes of classes
        tifffile.imwrite(path, pixels.astype(np.uint8), metadata={"axes": "CYX"})
    else:
        Image.fromarray(pixels).save(path)


def write_images(root: Path, names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        noise = np.random.default_rng(index).integers(0, 90, SIZE)
        save(root / name, (noise + 70 * draw(index)).astype(np.uint8))


@pytest.mark.parametrize("names", [NESTED, ODD], ids=["nested", "odd"])
def test_names_in_folders(names, plan, tmp_path):
    write_images(tmp_path / "data/images", names)
    for index, name in enumerate(names):
        save(tmp_path / "data/masks" / name, draw(index))
    check_round_trip(tmp_path / "data", plan, tmp_path)


def write_listed(root: Path, names: Sequence[str]) -> Path:
    """Images in a manifest, with masks of other names."""
    write_images(root, names)
    for index in range(len(names)):
        save(root / "drawn" / f"{index}.png", draw(index))
    rows = [f'"{name}",drawn/{index}.png' for index, name in enumerate(names)]
    (root / "manifest.csv").write_text("\n".join(["image,mask", *rows]), encoding="utf-8")
    return root


@pytest.mark.parametrize("unlisted", [[], UNLISTED], ids=["alone", "beside others"])
def test_names_that_are_alike(unlisted, plan, tmp_path):
    data = write_listed(tmp_path / "data", ALIKE)
    write_images(data, unlisted)
    check_round_trip(data, plan, tmp_path)
    written = {path.stem for path in (tmp_path / "predictions").iterdir()}
    assert ("k_png_png" in written) == bool(unlisted)
    assert "i" in written


def test_names_that_are_alike_predicted_file_by_file(plan, tmp_path):
    data = write_listed(tmp_path / "data", ALIKE)
    inputs = [data / name for name in sorted(ALIKE, reverse=True)]
    check_round_trip(data, plan, tmp_path, inputs)


def test_two_folders_given_one_by_one(plan, tmp_path):
    data = write_listed(tmp_path / "data", NESTED)
    check_round_trip(data, plan, tmp_path, [data / "plate2", data / "plate1"])


def test_photographs_beside_their_masks(plan, tmp_path):
    write_images(tmp_path / "data", [f"{index}.jpg" for index in range(8)])
    for index in range(8):
        save(tmp_path / "data" / f"{index}.png", draw(index))
    check_round_trip(tmp_path / "data", plan, tmp_path)


def test_probabilities_of_several_classes(plan, tmp_path):
    data = write_listed(tmp_path / "data", NESTED)
    check_round_trip(data, plan, tmp_path, save="probability", read_as="probabilities")


COLORS = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)
MASKS = {
    "other values": lambda mask: np.array([0, 2, 3], np.uint8)[mask],
    "turned values": lambda mask: np.array([2, 1, 0], np.uint8)[mask],
    "colours": lambda mask: COLORS[mask],
    "two tones": lambda mask: np.where(mask > 0, 255, 0).astype(np.uint8),
    "planes": lambda mask: np.stack([mask > 0, mask != 1]),
}
CLASSES = {
    "other values": '{"classes": [{"name": "b", "value": 0}, {"name": "c", "value": 2},'
    ' {"name": "d", "value": 3}]}',
    "turned values": '{"classes": [{"name": "background", "value": 2}, {"name": "c", "value": 1},'
    ' {"name": "d", "value": 0}]}',
    "planes": '{"classes": ["cell", "halo"]}',
}


@pytest.mark.parametrize("kind", MASKS)
def test_masks_of_every_kind(kind, plan, tmp_path):
    write_images(tmp_path / "data/images", [f"{index}.png" for index in range(10)])
    for index in range(10):
        end = "tif" if kind == "planes" else "png"
        save(tmp_path / f"data/masks/{index}.{end}", MASKS[kind](draw(index)))
    if kind in CLASSES:
        (tmp_path / "data/classes.json").write_text(CLASSES[kind])
    check_round_trip(tmp_path / "data", plan, tmp_path)
    own = pw.evaluate(data=tmp_path / "data", predictions=tmp_path / "data/masks", split="all")
    assert own.mean_dice == 1
