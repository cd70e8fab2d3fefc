"""Predictions belong to images by the names that `predict` gives, or are refused."""

import shutil
import unicodedata
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

import pixelwise as pw
from pixelwise.data import SampleFiles, find_images
from pixelwise.workflows.pair_predictions import pair_predictions
from pixelwise.workflows.result_names import name_results

SIZE = (8, 10)


def write_data(root, names, masks="masks"):
    """Noise with a brighter square, and masks of 0 and 255."""
    for index, name in enumerate(names):
        noise = np.random.default_rng(zlib.crc32(str(root / name).encode())).integers(0, 90, SIZE)
        mask = np.zeros(SIZE, np.uint8)
        mask[index % 4 : 4 + index % 3, index // 4 % 5 : 5] = 255
        for kind, pixels in (("images", mask // 2 + noise), (masks, mask)):
            path = root / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    return root


PLATES = [f"plate{plate}/{index}.png" for plate in (1, 2) for index in range(4)]


@pytest.fixture
def plates(tmp_path):
    return write_data(tmp_path / "data", PLATES)


def copy_masks(data, to, *names):
    """Perfect predictions under other names: (mask, prediction)."""
    for name, prediction in names:
        (to / prediction).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(data / "masks" / name, to / prediction)
    return to


def evaluate(data, predictions, split="all"):
    return pw.evaluate(data=data, predictions=predictions, split=split)


@pytest.mark.parametrize("before", ["", "images/", "data/images/"])
def test_trees_of_predictions_pair_from_wherever_they_were_made(plates, tmp_path, before):
    masks = copy_masks(plates, tmp_path / "p", *((name, before + name) for name in PLATES))
    scores = evaluate(plates, masks)
    assert (scores.num_images, scores.mean_dice) == (8, 1)
    assert len(scores.notes) == 1


def test_the_tree_of_the_masks_themselves_pairs(plates, tmp_path):
    shutil.copytree(plates / "masks", tmp_path / "p" / "masks")
    assert evaluate(plates, tmp_path / "p").mean_dice == 1
    assert evaluate(plates, plates / "masks").mean_dice == 1


def test_masks_with_names_of_their_own_pair_by_those(tmp_path):
    data = write_data(tmp_path / "data", [f"{index}.png" for index in range(8)])
    for path in (data / "masks").iterdir():
        path.rename(path.with_name(f"{path.stem}_mask.png"))
    shutil.copytree(data / "masks", tmp_path / "p")
    assert evaluate(data, tmp_path / "p").mean_dice == 1


def test_flat_masks_of_one_plate_are_not_scored_on_two(plates, tmp_path):
    masks = copy_masks(plates, tmp_path / "p", *((f"plate1/{i}.png", f"{i}.png") for i in range(4)))
    with pytest.raises(pw.LayoutError, match=r"p.0\.png may be the mask of .*1.0.png and of .*2.0"):
        evaluate(plates, masks)


def test_masks_of_one_plate_lack_those_of_the_other(plates, tmp_path):
    shutil.copytree(plates / "masks/plate1", tmp_path / "p/plate1")
    with pytest.raises(
        pw.LayoutError, match=r"no masks for 4 of 8 images, .*plate2.0.png\. It hol"
    ):
        evaluate(plates, tmp_path / "p")


def test_flat_masks_of_a_split_across_plates_are_refused(plates, tmp_path):
    """The split takes some images of either plate; 1.png may be that of the wrong one."""
    rows = [
        f"{n.removesuffix('.png')},{'test' if n[5:7] + n[7] in '1/02/1' else 'train'}"
        for n in PLATES
    ]
    (plates / "split.csv").write_text("name,split\n" + "\n".join(rows))
    masks = copy_masks(plates, tmp_path / "p", *((f"plate1/{i}.png", f"{i}.png") for i in range(4)))
    with pytest.raises(pw.LayoutError, match="may be the mask of"):
        evaluate(plates, masks, "test")
    scores = evaluate(plates, plates / "masks", "test")
    assert (scores.num_images, scores.mean_dice) == (2, 1)
    assert "6 files in" in scores.notes[1]  # of the other split


def test_names_in_train_and_test_may_be_the_same(tmp_path):
    for split in ("train", "test"):
        write_data(tmp_path / "data" / split, ["0.png", "1.png", "2.png"])
    shutil.copytree(tmp_path / "data/test/masks", tmp_path / "flat")
    assert evaluate(tmp_path / "data", tmp_path / "flat", "test").mean_dice == 1
    for split in ("train", "test"):
        shutil.copytree(tmp_path / "data" / split / "masks", tmp_path / "p" / split / "images")
    for path in (tmp_path / "p/train/images").iterdir():
        Image.new("L", SIZE[::-1]).save(path)
    scores = evaluate(tmp_path / "data", tmp_path / "p", "test")
    assert scores.mean_dice == 1
    assert "3 files in" in scores.notes[1]
    assert "train/images/0.png" in scores.notes[1]
    assert evaluate(tmp_path / "data", tmp_path / "p", "all").mean_dice == 0.5


def test_two_files_for_one_image_are_shown(plates, tmp_path):
    masks = copy_masks(plates, tmp_path / "p", *((name, name) for name in PLATES))
    shutil.copy(masks / "plate2/3.png", masks / "plate2/3.bmp")
    with pytest.raises(pw.LayoutError, match=r"plate2.3\.bmp and .*plate2.3\.png may both be"):
        evaluate(plates, masks)


def test_other_results_of_the_same_images_are_no_masks_and_not_left_over(plates, tmp_path):
    masks = copy_masks(plates, tmp_path / "p", *((name, name) for name in PLATES))
    for path in sorted(masks.rglob("*.png")):
        shutil.copy(path, path.with_name(f"{path.stem}_overlay.png"))
        shutil.copy(path, path.with_name(f"{path.stem}_probability.png"))
    assert len(evaluate(plates, masks).notes) == 1
    (masks / "errors.csv").write_text("file,message\n")
    shutil.copy(masks / "plate1/0.png", masks / "mine.png")
    assert evaluate(plates, masks).notes[1].startswith("1 files in")


def test_names_in_another_unicode_form_pair(tmp_path):
    data = write_data(tmp_path / "data", [f"é{index}.png" for index in range(8)])
    masks = [(p.name, unicodedata.normalize("NFD", p.name)) for p in (data / "masks").iterdir()]
    assert masks[0][0] != masks[0][1]
    assert evaluate(data, copy_masks(data, tmp_path / "p", *masks)).mean_dice == 1


def test_a_name_with_its_ending_pairs_where_another_file_made_it_necessary(tmp_path):
    """`predict` was given k.tif too, which is no sample: k.png became k_png."""
    data = write_data(tmp_path / "data", [f"k{index}.png" for index in range(8)])
    names = [(f"k{i}.png", "k0_png.png" if i == 0 else f"k{i}.png") for i in range(8)]
    assert evaluate(data, copy_masks(data, tmp_path / "p", *names)).mean_dice == 1


def test_nothing_in_the_folder(plates, tmp_path):
    (tmp_path / "p").mkdir()
    with pytest.raises(pw.LayoutError, match=r"no masks for 8 of 8 images, .*\. It holds none\."):
        evaluate(plates, tmp_path / "p")


# --- whatever the names, an image never gets the mask of another ------------------------------

FOLDERS = ("", "p1/", "p2/", "p1/x/", "p1/p1/")
STEMS = ("a", "b", "a_overlay", "a_png")
PICTURES = [f"{f}{s}.{e}" for f in FOLDERS for s in STEMS for e in ("png", "jpg")]


@example(["a_png.png", "p1/a.png", "p1/a.jpg"], set(), "folders")  # was paired with p1/a.png
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(PICTURES), min_size=1, max_size=12, unique=True),
    st.sets(st.integers(0, 11)),
    st.sampled_from(["folder", "files", "folders"]),
)
def test_right_or_refused(names, chosen, way):
    """Pictures, of which some are samples that are wanted, predicted in one way or another."""
    with TemporaryDirectory() as place:
        root, out = Path(place, "data"), Path(place, "out")
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        stems = {Path(name).with_suffix(""): name for name in names}  # a sample has a name alone
        known = [
            SampleFiles(stem.as_posix(), (root / name,), None, "test", SIZE)
            for stem, name in stems.items()
        ]
        wanted = [entry for index, entry in enumerate(known) if index in chosen] or known
        tops = sorted({root / name.split("/")[0] for name in names})
        inputs = {"folder": [root], "files": [entry.image for entry in wanted], "folders": tops}[
            way
        ]
        found = find_images(inputs).places
        results = dict(zip(found, name_results(list(found.values())), strict=True))
        for name in results.values():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / f"{name}.png").touch()
        try:
            paths = pair_predictions(out, wanted, known).paths
        except pw.LayoutError as error:
            assert "may" in str(error)  # two readings, never a mask that is missing
            return
        assert paths == {e.name: out / f"{results[e.image]}.png" for e in wanted}
