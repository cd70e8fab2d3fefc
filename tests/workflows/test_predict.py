"""Predict files and folders: a mask for every image, and no file of anybody lost."""

import csv
import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image

import pixelwise as pw
from pixelwise.io import read_image, read_mask_values
from pixelwise.workflows import predict_images


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of grey images from files, saved by a Segmenter."""
    segmenter = pw.unet((8, 8, 1), widths=(4, 8), seed=0)
    images = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 1), dtype=np.uint8)
    segmenter.fit(images, images > 120, epochs=3, verbose=0)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    segmenter.save(path)
    return path


@pytest.fixture
def images(data):
    return data / "test" / "images"


def contents(folder):
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_masks_are_those_of_segment_in_the_size_of_each_image(model, tmp_path):
    (tmp_path / "images").mkdir()
    random = np.random.default_rng(1)
    for index, size in enumerate([(1, 1), (7, 30), (40, 9)]):
        pixels = random.integers(0, 255, size, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{index}.png")
    written = pw.predict(model, tmp_path / "images", tmp_path / "masks", precision="float32")
    assert [path.name for path in written] == ["0.png", "1.png", "2.png"]
    segmenter = pw.load(model)
    for path in written:
        expected = segmenter.segment(read_image(tmp_path / "images" / path.name))
        np.testing.assert_array_equal(read_mask_values(path), expected)


def test_everything_that_can_be_saved(model, images, tmp_path):
    steps = []
    written = pw.predict(
        model,
        [images / "test0.png"],
        tmp_path,
        save=("mask", "probability", "overlay"),
        precision="float32",
        progress=lambda *step: steps.append(step),
    )
    names = ["test0.png", "test0_probability.tif", "test0_overlay.png"]
    assert [path.name for path in written] == names
    image = read_image(images / "test0.png")
    probabilities = tifffile.imread(written[1])
    expected = pw.load(model).predict(image[np.newaxis])[0]
    assert probabilities.dtype == np.uint8
    np.testing.assert_allclose(probabilities / 255, np.moveaxis(expected, -1, 0), atol=0.5 / 255)
    np.testing.assert_array_equal(read_mask_values(written[0]), probabilities[0] >= 128)
    assert read_image(written[2]).shape == (*image.shape[:2], 3)
    assert steps == [(1, 1)]


def test_mirrored_copies_change_little_and_are_symmetric(model, tmp_path):
    """Averaged over flips, a mirrored image has the mirrored probabilities."""
    pixels = np.random.default_rng(2).integers(0, 255, (8, 16), dtype=np.uint8)
    for name, content in (("a", pixels), ("b", pixels[:, ::-1])):
        Image.fromarray(np.ascontiguousarray(content)).save(tmp_path / f"{name}.png")
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    one, other = pw.predict(model, files, tmp_path / "out", save=("probability",), tta=True)
    np.testing.assert_allclose(
        tifffile.imread(one).astype(int), tifffile.imread(other)[..., ::-1], atol=1
    )  # fmt: skip


def test_one_broken_image_does_not_lose_the_others(model, images, tmp_path):
    shutil.copytree(images, tmp_path / "images")
    (tmp_path / "images" / "a_broken.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(pw.DataError) as info:
        pw.predict(model, tmp_path / "images", tmp_path / "masks")
    for word in ("1 of 3 images", "a_broken.png", str(tmp_path / "masks")):
        assert word in str(info.value)
    names = {path.name for path in (tmp_path / "masks").glob("[!.]*")}
    assert names == {"test0.png", "test1.png", "errors.csv"}


def test_an_image_of_other_channels_is_named_and_the_others_written(model, images, tmp_path):
    shutil.copytree(images, tmp_path / "images")
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "images" / "colour.png")
    with pytest.raises(pw.DataError, match=r"colour\.png is a colour image"):
        pw.predict(model, tmp_path / "images", tmp_path / "masks")
    assert len(list((tmp_path / "masks").glob("*.png"))) == 2


def test_predictions_are_replaced_but_nothing_that_a_person_made(model, data, images, tmp_path):
    pw.predict(model, images, tmp_path / "masks")
    before = contents(tmp_path)
    pw.predict(model, images, tmp_path / "masks")
    assert contents(tmp_path) == before
    drawn = contents(data)
    with pytest.raises(pw.OutputError, match="no result that pixelwise wrote"):
        pw.predict(model, images, data / "test" / "masks")  # the masks that the scores rest on
    with pytest.raises(pw.OutputError, match="holds the image test0"):
        pw.predict(model, images, images)
    assert contents(data) == drawn


def test_nothing_to_save_and_unknown_things_are_refused(model, images, tmp_path):
    for save in ((), ("masks",)):
        with pytest.raises(pw.PlanError, match="mask, probability, uncertainty, overlay"):
            pw.predict(model, images, tmp_path / "masks", save=save)
    assert not (tmp_path / "masks").exists()


def test_models_whose_masks_no_file_can_hold_are_refused(data, images, tmp_path):
    pw.unet((8, 8, 8, 1), widths=(4, 8)).save(tmp_path / "model.safetensors")
    with pytest.raises(pw.ModelFileError, match="volumes"):
        pw.predict(tmp_path / "model.safetensors", images, tmp_path / "masks")
    with pytest.raises(pw.ModelFileError, match="volumes"):
        pw.evaluate(tmp_path / "model.safetensors", data)
    assert not (tmp_path / "masks").exists()


# --- folders of pictures ----------------------------------------------------------------------


def write_pictures(root, *names, size=(8, 9)):
    """Noise, another in each file."""
    for index, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 255, size, dtype=np.uint8)
        Image.fromarray(pixels).save(root / name)
    return root


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("[!.]*.*"))


def test_results_lie_in_the_tree_of_the_images(model, tmp_path):
    folder = write_pictures(tmp_path / "in", "a.png", "raw/z.png", "day 1/ü.b.png")
    written = pw.predict(model, folder, tmp_path / "out", save=("mask", "overlay"))
    assert tree(tmp_path / "out") == [
        "a.png", "a_overlay.png", "day 1/ü.b.png", "day 1/ü.b_overlay.png", "raw/z.png",
        "raw/z_overlay.png",
    ]  # fmt: skip
    assert sorted(path.relative_to(tmp_path / "out").as_posix() for path in written) == tree(
        tmp_path / "out"
    )
    expected = pw.load(model).segment(read_image(folder / "raw/z.png"))
    np.testing.assert_array_equal(read_mask_values(tmp_path / "out/raw/z.png"), expected)
    pw.predict(model, folder, tmp_path / "flat", recursive=False)
    assert tree(tmp_path / "flat") == ["a.png"]


def test_what_looks_like_a_mask_is_left_out_with_a_word(model, tmp_path):
    folder = write_pictures(tmp_path / "in", "slide.png", "slide_label.png", "x.png", "x_seg.png")
    said = (
        r"left out 2 pictures that look like masks .* example .*slide_label\.png \(the mask of sli"
    )
    with pytest.warns(pw.PixelwiseWarning, match=said):
        result = predict_images(model, folder, tmp_path / "out")
    assert [path.name for path in result.left_out] == ["slide_label.png", "x_seg.png"]
    assert tree(tmp_path / "out") == ["slide.png", "x.png"]
    assert len(pw.predict(model, folder, tmp_path / "all", take_all=True)) == 4


def test_results_inside_the_folder_are_never_images(model, tmp_path):
    folder = write_pictures(tmp_path / "in", "a.png", "b.png")
    out, save = folder / "images", ("mask", "probability", "overlay")
    pw.predict(model, folder, out, save=save)
    before = contents(folder)
    with pytest.warns(
        pw.PixelwiseWarning, match=r"left out 6 .*images.a\.png \(pixelwise wrote it"
    ):
        pw.predict(model, folder, out, save=save)
    assert contents(folder) == before
    with pytest.warns(pw.PixelwiseWarning, match="left out 6"):
        pw.predict(model, folder, out, save=save, take_all=True)
    assert contents(folder) == before


@pytest.mark.parametrize("save", [("mask",), ("overlay",), ("mask", "probability", "overlay")])
def test_no_result_replaces_another(model, tmp_path, save):
    names = ["a.png", "a_overlay.png", "a_probability.tif", "k.png", "k.tif", "i.png"]
    folder = write_pictures(tmp_path / "in", *names)
    written = pw.predict(model, folder, tmp_path / "out", save=save, precision="float32")
    assert len(written) == len(set(written)) == len(tree(tmp_path / "out")) == 6 * len(save)
    if "mask" in save:
        segmenter = pw.load(model)
        for image, result in (("a_overlay", "a_overlay_png"), ("i", "i"), ("k", "k_png")):
            expected = segmenter.segment(read_image(folder / f"{image}.png"))
            found = read_mask_values(tmp_path / "out" / f"{result}.png")
            np.testing.assert_array_equal(found, expected)


def test_nothing_of_anybody_is_replaced_by_any_result(model, tmp_path):
    """Refused before the first file is written."""
    folder = write_pictures(tmp_path / "in", "a.png", "b.png")
    for name in ("b.png", "b_overlay.png", "b_probability.tif", "errors.csv"):
        out = tmp_path / f"out_{name}"
        out.mkdir()
        (out / name).write_text("mine")
        with pytest.raises(pw.OutputError, match=f"{name} is there already"):
            pw.predict(model, folder, out, save=("mask", "probability", "overlay"))
        assert tree(out) == [name]
        assert (out / name).read_text() == "mine"


def test_a_folder_that_has_the_name_of_a_result_is_refused(model, tmp_path):
    folder = write_pictures(tmp_path / "in", "x.tif", "x.png/y.png")
    with pytest.raises(pw.OutputError, match=r"x\.png is there already"):
        pw.predict(model, folder, tmp_path / "out")


def test_results_never_lie_among_images(model, tmp_path):
    folder = write_pictures(tmp_path / "in", "a.png", "sub/b.png")
    before = contents(folder)
    for out in (folder, folder / "sub", folder / "sub" / ".."):
        with pytest.raises(pw.OutputError, match=r"holds the image [ab]\.png"):
            pw.predict(model, folder, out)
    assert contents(folder) == before
    pw.predict(model, folder / "sub", folder / "out")  # beside them they may


# --- what fails -------------------------------------------------------------------------------


def break_files(folder, number):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        (folder / f"bad{index}.png").write_bytes(b"xx")


def test_all_that_failed_is_listed_and_the_list_goes_when_nothing_fails(model, tmp_path):
    folder, out = write_pictures(tmp_path / "in", "ok.png"), tmp_path / "out"
    break_files(folder, 8)
    with pytest.raises(pw.DataError) as info:
        pw.predict(model, folder, out)
    assert "8 of 9 images could not be predicted; the masks of the others" in str(info.value)
    assert f"And 5 more in {out / 'errors.csv'}." in str(info.value)
    assert [f"bad{index}.png" in str(info.value) for index in range(8)] == [True] * 3 + [False] * 5
    with (out / "errors.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [str(folder / f"bad{index}.png") for index in range(8)]
    assert all("is not a picture" in row["message"] for row in rows)
    for index in range(1, 8):
        (folder / f"bad{index}.png").unlink()
    result = predict_images(model, folder, out)
    assert list(result.failed) == [folder / "bad0.png"]
    assert "bad7" not in (out / "errors.csv").read_text()
    (folder / "bad0.png").unlink()
    pw.predict(model, folder, out)
    assert tree(out) == ["ok.png"]


def test_an_earlier_mask_of_an_image_that_fails_now_does_not_stay(model, tmp_path):
    folder, out = write_pictures(tmp_path / "in", "a.png", "b.png"), tmp_path / "out"
    pw.predict(model, folder, out)
    (folder / "b.png").write_bytes(b"xx")
    with pytest.raises(pw.DataError, match="1 of 2 images"):
        pw.predict(model, folder, out)
    assert tree(out) == ["a.png", "errors.csv"]


def test_names_like_formulas_are_text_in_the_list(model, tmp_path, monkeypatch):
    (tmp_path / "=1+1.png").write_bytes(b"xx")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pw.DataError, match=r"1 of 1 images could not be predicted\."):
        pw.predict(model, "=1+1.png", "out")
    with (tmp_path / "out/errors.csv").open(newline="") as file:
        _, row = csv.reader(file)
    assert [cell[:9] for cell in row] == ["'=1+1.png", "'=1+1.png"]
