"""What the numbers in predictions mean: one reading for all of them, said, or a clear no."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

import pixelwise as pw
from pixelwise.cli import app
from pixelwise.doctor import ReadOptions
from pixelwise.io import TiffBands, probability_planes, write_mask

SIZE = (10, 12)
INDICES = "The predictions were read as class indices."
OWN = "The predictions were read as the values of the data's own masks."
COLORS = ("#000000", "#ff0000", "#00ff00")


def draw(index, num_classes=3):
    """Class 1 in every image; class 2, where there is one, in every second."""
    mask = np.zeros(SIZE, np.uint8)
    mask[2:6, index % 5 : 6] = 1
    if num_classes > 2 and index % 2:
        mask[7:, 3:9] = 2
    return mask


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        axes = "YX" if pixels.ndim == 2 else "CYX"
        tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": axes})
    else:
        Image.fromarray(pixels).save(path)


def write_data(root, values, number=12, classes=None):
    """Images, and masks that store `values`, one for each class: numbers or colours."""
    values = np.array(values, np.uint8)
    for index in range(number):
        noise = np.random.default_rng(index).integers(0, 60, SIZE)
        mask = draw(index, len(values))
        save(root / f"images/{index}.png", (noise + 60 * mask).astype(np.uint8))
        save(root / f"masks/{index}.png", values[mask])
    if classes is not None:
        (root / "classes.json").write_text(json.dumps(classes))
    return root


def predict(root, make, number=12, end="png"):
    """What `make` gives for the class indices of each image."""
    for index in range(number):
        save(root / f"{index}.{end}", make(index))
    return root


def evaluate(data, predictions, **options):
    return pw.evaluate(data=data, predictions=predictions, split="all", **options)


# --- the data's own masks score 1, whatever they store ----------------------------------------

NAMED = {"classes": [{"name": name, "value": value} for name, value in (("b", 7), ("a", 0))]}


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ((0, 1), None),
        ((0, 255), None),
        ((0, 2, 3), None),
        ((0, 128, 255), None),
        ((7, 0), NAMED),
        (((0, 0, 0), (255, 0, 0), (0, 0, 255)), None),
    ],
    ids=str,
)
def test_the_own_masks_of_the_data_are_perfect(values, classes, tmp_path):
    data = write_data(tmp_path / "data", values, classes=classes)
    scores = evaluate(data, data / "masks")
    assert scores.mean_dice == 1
    assert scores.notes == (INDICES if values == (0, 1) else OWN,)
    mapped = np.array(values, np.uint8)
    copies = predict(tmp_path / "p", lambda index: mapped[draw(index, len(values))])
    assert evaluate(data, copies).mean_dice == 1


def test_masks_whose_values_are_turned_round(tmp_path):
    data = write_data(tmp_path / "data", (1, 0))  # 0 is the object
    read = ReadOptions(foreground=0)
    scores = evaluate(data, data / "masks", read=read)
    assert (scores.mean_dice, scores.notes) == (1, (OWN,))
    indices = predict(tmp_path / "index", lambda index: draw(index, 2))
    with pytest.raises(pw.MaskError, match=r"two readings: class indices .*--values index or"):
        evaluate(data, indices, read=read)
    assert evaluate(data, indices, read=read, values="index").mean_dice == 1
    assert evaluate(data, indices, read=read, values="stored").mean_dice < 0.3
    (tmp_path / "ours").mkdir()
    for index in range(12):
        write_mask(tmp_path / f"ours/{index}.png", draw(index, 2), COLORS[:2])
    assert evaluate(data, tmp_path / "ours", read=read).mean_dice == 1  # known by its signature


# --- one decision for the folder --------------------------------------------------------------


def test_one_file_decides_for_all(tmp_path):
    """Values 0, 2, 3: an image without 3 reads as indices too, as class 2 in place of class 1."""
    data = write_data(tmp_path / "data", (0, 2, 3))
    stored = np.array((0, 2, 3), np.uint8)
    wrong = predict(tmp_path / "p", lambda index: np.roll(stored[draw(index)], 1, axis=1))
    assert evaluate(data, wrong).notes == (OWN,)
    indices = predict(tmp_path / "index", draw)
    scores = evaluate(data, indices)
    assert (scores.mean_dice, scores.notes) == (1, (INDICES,))


def test_two_readings_are_refused_unless_one_is_named(tmp_path):
    data = write_data(tmp_path / "data", (0, 2, 3))
    masks = predict(tmp_path / "p", lambda index: 2 * draw(index, 2))  # 0 and 2 alone
    with pytest.raises(pw.MaskError) as info:
        evaluate(data, masks)
    for text in ("0.png (0, 2)", "(background, class 2)", "2: class 1", "--values stored"):
        assert text in str(info.value)
    as_stored, as_index = (evaluate(data, masks, values=name) for name in ("stored", "index"))
    assert as_stored.classes["class 1"].dice.mean == 1
    assert as_stored.notes == (OWN,)
    assert as_index.classes["class 1"].dice.mean == 0
    assert as_index.notes == (INDICES,)


def test_a_reading_that_is_named_must_fit(tmp_path):
    data = write_data(tmp_path / "data", (0, 255))
    with pytest.raises(pw.MaskError, match=r"holds 255, but class indices go from 0 to 1"):
        evaluate(data, data / "masks", values="index")
    with pytest.raises(pw.PlanError, match="'value' is no reading"):
        evaluate(data, data / "masks", values="value")
    pw.unet((8, 8, 1), widths=(4, 8)).save(tmp_path / "m.safetensors")
    with pytest.raises(pw.PlanError, match="but a model was given"):
        pw.evaluate(tmp_path / "m.safetensors", data, values="index")


def test_indices_count_where_two_tones_would_only_be_near(tmp_path):
    """JPEG-damaged 0 and 255 go to the nearest; 1 would be background."""
    data = write_data(tmp_path / "data", (0, 255))
    for index in range(12):
        (data / f"masks/{index}.png").unlink()
        save(data / f"masks/{index}.jpg", 255 * draw(index, 2))
    assert 1 < len(np.unique(Image.open(data / "masks/0.jpg"))) != 2
    scores = evaluate(data, predict(tmp_path / "p", lambda index: draw(index, 2)))
    assert (scores.mean_dice, scores.notes) == (1, (INDICES,))
    assert evaluate(data, data / "masks").mean_dice == 1


def test_values_of_neither_reading_name_the_file(tmp_path):
    data = write_data(tmp_path / "data", (0, 2, 3))
    masks = predict(tmp_path / "p", lambda index: 50 * draw(index))
    with pytest.raises(pw.MaskError, match=r"0\.png holds 50, but class indices go from 0 to 2"):
        evaluate(data, masks)


@pytest.mark.parametrize("ignore", [None, 255])
def test_255_for_the_foreground_is_not_taken_for_no_class(ignore, tmp_path):
    classes = {"classes": ["background", "cell"]} | ({"ignore": ignore} if ignore else {})
    data = write_data(tmp_path / "data", (0, 1), classes=classes)
    masks = predict(tmp_path / "p", lambda index: 255 * draw(index, 2))
    with pytest.raises(pw.MaskError, match=r"hold 255 and 0 alone, and 255 is no class here"):
        evaluate(data, masks)
    mixed = predict(tmp_path / "q", lambda index: np.where(draw(index) == 2, 255, draw(index)))
    assert evaluate(data, mixed).mean_dice == 1  # beside classes it is "no class"


# --- fractions --------------------------------------------------------------------------------


def test_probabilities_of_a_foreground_are_cut_in_the_middle(tmp_path):
    data = write_data(tmp_path / "data", (0, 255))
    soft = predict(
        tmp_path / "p", lambda i: np.where(draw(i, 2), 0.5, 0.49).astype(np.float32), end="tif"
    )
    scores = evaluate(data, soft, out=tmp_path / "scores")
    assert scores.mean_dice == 1
    said = "The predictions were read as probabilities (cut at 0.5, or the largest of several"
    assert scores.notes[0].startswith(said)
    assert "read as probabilities" in (tmp_path / "scores/report.html").read_text()


def test_probabilities_of_an_empty_image_may_be_whole_numbers(tmp_path):
    data = write_data(tmp_path / "data", (0, 255))
    soft = predict(tmp_path / "p", lambda i: (0.9 * draw(i, 2)).astype(np.float32), end="tif")
    save(tmp_path / "p/3.tif", np.zeros(SIZE, np.float32))
    assert evaluate(data, soft).mean_dice == pytest.approx(11 / 12)


def save_probabilities(path, planes):
    """(K, H, W) from 0 to 1, as predict saves them: 0 to 255."""
    with TiffBands(path, planes.shape[1:], probability_planes(len(planes))) as file:
        file.write(np.rint(planes * 255).astype(np.uint8))


def test_probabilities_of_one_class_as_predict_saves_them(tmp_path):
    """128 of 255 is the foreground, 127 is not; numbers alone could be anything."""
    data = write_data(tmp_path / "data", (0, 255))
    (tmp_path / "p").mkdir()
    for index in range(12):
        planes = np.where(draw(index, 2), 128, 127)[np.newaxis] / 255
        save_probabilities(tmp_path / f"p/{index}.tif", planes)
    scores = evaluate(data, tmp_path / "p")
    assert scores.mean_dice == 1
    assert "read as probabilities" in scores.notes[0]


def test_certain_probabilities_are_no_class_indices(tmp_path):
    """0 and 1 of 255 are two classes in a mask, and none at all as probabilities."""
    data = write_data(tmp_path / "data", (0, 1))
    (tmp_path / "p").mkdir()
    for index in range(12):
        save_probabilities(tmp_path / f"p/{index}.tif", draw(index, 2)[np.newaxis] / 255)
    assert evaluate(data, tmp_path / "p").mean_dice == 0


def test_probabilities_among_masks_are_refused(tmp_path):
    data = write_data(tmp_path / "data", (0, 1))
    masks = predict(tmp_path / "p", lambda index: draw(index, 2))
    (masks / "0.png").unlink()
    save_probabilities(masks / "0.tif", draw(0, 2)[np.newaxis] / 255)
    with pytest.raises(pw.MaskError, match=r"0\.tif holds probabilities, written as 0 to 255, and"):
        evaluate(data, masks)


def test_planes_of_probabilities_as_predict_saves_them(tmp_path):
    """The largest wins; NAME_probability.tif counts where there is no NAME.png."""
    data = write_data(tmp_path / "data", (0, 2, 3))
    (tmp_path / "p").mkdir()
    for index in range(12):
        planes = np.stack([draw(index) == k for k in range(3)]) * np.float32(0.4) + np.float32(0.2)
        save_probabilities(tmp_path / f"p/{index}_probability.tif", planes)
    assert evaluate(data, tmp_path / "p").mean_dice == 1
    predict(tmp_path / "p", lambda index: np.zeros(SIZE, np.uint8))  # the masks count
    scores = evaluate(data, tmp_path / "p")
    assert scores.mean_dice == 0
    assert len(scores.notes) == 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda mask: mask * 1.9, "float64 from 0.0 to 1.9, but probabilities are floats in"),
        (lambda mask: mask - 0.5, "from -0.5 to 0.5, but"),
        (lambda mask: np.where(mask, np.nan, 0.5), "from nan to nan, but"),
        (lambda mask: np.stack([mask * 0.5] * 3), "3 planes of probabilities, but there are 2 cl"),
    ],
)
def test_other_fractions_are_refused(make, said, tmp_path):
    data = write_data(tmp_path / "data", (0, 255))
    masks = predict(tmp_path / "p", lambda index: make(draw(index, 2)), end="tif")
    with pytest.raises(pw.MaskError, match=said):
        evaluate(data, masks)


def test_fractions_among_masks_are_refused(tmp_path):
    data = write_data(tmp_path / "data", (0, 255))
    masks = predict(tmp_path / "p", lambda index: draw(index, 2))
    (masks / "5.png").unlink()
    save(masks / "5.tif", (0.9 * draw(5, 2)).astype(np.float32))
    with pytest.raises(pw.MaskError, match=r"0\.png holds uint8 from 0 to 1, but probabilities"):
        evaluate(data, masks)


def test_whole_floats_are_masks(tmp_path):
    data = write_data(tmp_path / "data", (0, 255))
    masks = predict(tmp_path / "p", lambda index: 255.0 * draw(index, 2), end="tif")
    assert evaluate(data, masks).notes == (OWN,)


def test_planes_of_classes_that_overlap(tmp_path):
    root = tmp_path / "data"
    for index in range(10):
        mask = draw(index)
        noise = np.random.default_rng(index).integers(0, 60, SIZE)
        save(root / f"images/{index}.png", (noise + 60 * mask).astype(np.uint8))
        save(root / f"masks/{index}.tif", np.stack([mask > 0, mask != 1]).astype(np.uint8))
    (root / "classes.json").write_text('{"classes": ["cell", "halo"]}')
    assert evaluate(root, root / "masks").mean_dice == 1
    soft = lambda i: np.stack([0.9 * (draw(i) > 0), 0.7 * (draw(i) != 1)])  # noqa: E731
    scores = evaluate(root, predict(tmp_path / "p", soft, number=10, end="tif"))
    assert scores.mean_dice == 1
    assert "read as probabilities" in scores.notes[0]


# --- the command line -------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_says_how_masks_were_read(tmp_path):
    data = write_data(tmp_path / "data", (0, 2, 3))
    masks = predict(tmp_path / "p", lambda index: 2 * draw(index, 2))
    start = ("evaluate", "--predictions", masks, data, "--split", "all", "-q")
    refused = run(*start)
    assert refused.exit_code == 1
    assert "--values index or --values stored" in refused.stderr
    done = run(*start, "--values", "stored", "--json", tmp_path / "scores.json")
    assert done.exit_code == 0
    assert OWN in done.stdout
    assert json.loads((tmp_path / "scores.json").read_text())["notes"] == [OWN]
    assert run(*start, "--values", "other").exit_code == 2
