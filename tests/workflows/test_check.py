"""What check understood as JSON, as one error, and as a contact sheet."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data import MaskClass, MaskEncoding
from pixelwise.doctor import ReadOptions
from pixelwise.errors import FileError, LayoutError, MaskError, PixelwiseError, PlanError
from pixelwise.workflows import check, evaluate, summarize_check, train, write_sheet
from pixelwise.workflows.check import describe_encoding, shorten_paths
from pixelwise.workflows.sheet import (
    MAX_FLAGGED_ALIKE,
    choose_flagged,
    choose_sample,
    codes_by_sample,
    draw_mask,
    shrink,
    to_plane,
)

VALUES = (0, 255)


@pytest.fixture(scope="module")
def squares(write_squares, tmp_path_factory) -> Path:
    return write_squares(tmp_path_factory.mktemp("squares"), {"train": 8, "val": 2, "test": 2})


@pytest.fixture
def damaged(write_squares, tmp_path) -> Path:
    """Two images that cannot be read, and a mask of another size."""
    root = write_squares(tmp_path / "bad", {"train": 8, "val": 2})
    for name in ("train0", "train1"):
        path = root / "train" / "images" / f"{name}.png"
        path.write_bytes(path.read_bytes()[:80])
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(root / "train" / "masks" / "train2.png")
    return root


def encoding(values=VALUES, **options) -> MaskEncoding:
    colors = ["#000000", "#ff0000", "#00ff00"]
    return MaskEncoding(
        classes=tuple(
            MaskClass(index=i, name=f"c{i}", value=value, color=colors[i])
            for i, value in enumerate(values)
        ),
        **options,
    )


def test_a_clean_folder_as_json(squares):
    content = summarize_check(check(squares))
    assert content == json.loads(json.dumps(content))
    assert content["layout"].startswith("train/")
    assert (content["num_images"], content["num_pairs"]) == (12, 12)
    assert content["splits"] == {"train": 8, "val": 2, "test": 2}
    assert content["mask_encoding"] == "one value a class"
    assert content["task"] == "binary"
    assert content["ignore"] is None
    assert [c["source"] for c in content["classes"]] == [0, 255]


def test_a_folder_with_errors_tells_what_is_known(damaged):
    content = summarize_check(check(damaged))
    assert content["num_pairs"] == 10
    assert content["task"] == "binary"
    found = {finding["code"]: finding for finding in content["findings"]}
    assert found["unreadable"]["count"] == 2
    assert found["unreadable"]["files"] == [
        str(damaged / "train" / "images" / f"train{i}.png") for i in (0, 1)
    ]
    assert all(finding["message"] and finding["fix"] for finding in content["findings"])


def test_a_folder_without_images_has_nothing_but_the_error(tmp_path):
    content = summarize_check(check(tmp_path))
    assert (content["layout"], content["num_images"], content["splits"]) == (None, 0, {})
    assert (content["mask_encoding"], content["task"], content["classes"]) == (None, None, [])
    assert [finding["code"] for finding in content["findings"]] == ["layout"]


def test_a_missing_folder_is_an_error_of_the_request(tmp_path):
    with pytest.raises(LayoutError, match=r"does not exist\. Check the name"):
        check(tmp_path / "missing")


def test_the_progress_counts_every_sample(squares):
    seen: list[tuple[int, int]] = []
    check(squares, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) == 12
    assert max(seen) == (12, 12)


def test_what_a_person_says_counts(squares):
    examination = check(squares, read=ReadOptions(foreground=0))
    assert [c["source"] for c in summarize_check(examination)["classes"]] == [255, 0]


def test_errors_are_named_together_with_the_repair(damaged):
    with pytest.raises(FileError) as caught:
        _ = check(damaged).dataset
    text = str(caught.value)
    assert "train0.png" in text
    assert "size-mismatch" in text
    assert text.endswith(f"`pixelwise check {damaged} --fix OUT` writes a repaired copy.")


def test_errors_that_need_a_person_do_not_promise_a_repair(tmp_path):
    with pytest.raises(LayoutError) as caught:
        _ = check(tmp_path).dataset
    assert "--fix" not in str(caught.value)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (encoding((0, 1)), "class index"),
        (encoding((0, 255)), "one value a class"),
        (encoding((0, 255), snap=True), "two tones, other values moved to the nearer"),
        (encoding((0, 0xFF0000), form="colors"), "one colour a class"),
    ],
)
def test_encodings_in_words(made, words):
    assert describe_encoding(made) == words


# --- the contact sheet ------------------------------------------------------------------------


def test_the_sheet_shows_every_image_of_a_small_set(squares, tmp_path):
    write_sheet(squares, check(squares), tmp_path / "check.html")
    page = (tmp_path / "check.html").read_text()
    assert page.count("<img") == 24
    assert "value 255" in page


def test_flagged_images_are_shown_with_their_codes(damaged, tmp_path):
    examination = check(damaged)
    codes = codes_by_sample(examination)
    assert ("error", "unreadable") in codes["train0"]
    assert ("error", "size-mismatch") in codes["train2"]
    assert "train5" not in {n for n, own in codes.items() if any(s == "error" for s, _ in own)}
    write_sheet(damaged, examination, tmp_path / "check.html")
    page = (tmp_path / "check.html").read_text()
    assert "cannot be read" in page
    assert "the mask is 5x5, the image is not" in page


def test_a_sheet_of_a_folder_that_is_not_understood_shows_the_error(tmp_path):
    write_sheet(tmp_path, check(tmp_path), tmp_path / "check.html")
    assert "holds no images" in (tmp_path / "check.html").read_text()
    with pytest.raises(PixelwiseError):
        write_sheet(tmp_path, check(tmp_path), tmp_path / "missing" / "check.html")


def test_of_many_flagged_each_code_is_shown(squares):
    samples = check(squares).surveyed
    names = [sample.found.name for sample in samples]
    codes = {name: [("warning", "constant-image")] for name in names[:10]}
    codes[names[11]] = [("warning", "saturated")]
    chosen = [sample.found.name for sample in choose_flagged(samples, codes, 6)]
    assert len(chosen) == 6
    assert chosen[0] == names[0]  # what matters more comes first: an image of one colour
    assert names[11] in chosen
    assert len(choose_flagged(samples, codes, 36)) == MAX_FLAGGED_ALIKE + 1
    codes[names[11]] = [("error", "unreadable")]
    assert choose_flagged(samples, codes, 6)[0].found.name == names[11]


def test_a_sample_is_spread_and_has_every_class(squares):
    examination = check(squares)
    samples, known = examination.surveyed, examination.encoding
    chosen = choose_sample(samples, known, 5)
    assert len(chosen) == 5
    assert chosen[0] is samples[0]
    assert choose_sample(samples, known, 100) == list(samples)
    assert choose_sample(samples, known, 0) == []


def test_a_rare_class_is_in_the_sample(tmp_path):
    for index in range(30):
        image = np.random.default_rng(index).integers(0, 255, (16, 16)).astype(np.uint8)
        mask = np.zeros((16, 16), np.uint8)
        mask[:8] = 1
        mask[0, 0] = 2 if index == 17 else 1
        for kind, pixels in (("images", image), ("masks", mask)):
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / kind / f"{index:02}.png")
    examination = check(tmp_path)
    chosen = choose_sample(examination.surveyed, examination.encoding, 4)
    assert "17" in [sample.found.name for sample in chosen]


def test_masks_are_drawn_in_class_colours_and_ignored_pixels_striped():
    picture = np.full((4, 6, 3), 100, np.uint8)
    mask = np.zeros((8, 12), np.uint8)
    mask[:, 6:] = 1
    mask[:2] = 255
    drawn = draw_mask(picture, mask, encoding())
    assert drawn.shape == picture.shape
    assert drawn[3, 5].tolist() == [178, 50, 50]  # half red, half of the picture
    assert drawn[3, 0].tolist() == [100, 100, 100]  # background stays
    assert set(drawn[0].ravel().tolist()) == {119, 255}


def test_classes_that_overlap_are_drawn_one_over_the_other():
    layers = np.zeros((3, 4, 4), bool)
    layers[1, :2], layers[2, :, :2] = True, True
    drawn = draw_mask(np.zeros((4, 4, 3), np.uint8), layers, encoding((1, 2, 3)))
    assert drawn[0, 3, 0] > 0 and drawn[0, 3, 1] == 0
    assert drawn[3, 0, 1] > 0 and drawn[3, 0, 0] == 0
    assert drawn[3, 3].tolist() == [0, 0, 0]


def test_pictures_are_made_to_fit_and_volumes_show_the_middle():
    assert shrink(np.zeros((100, 50, 3), np.uint8), 20).shape == (20, 10, 3)
    assert shrink(np.zeros((10, 5, 3), np.uint8), 20).shape == (10, 5, 3)
    volume = np.arange(5).reshape(5, 1, 1, 1)
    assert to_plane(volume, 3).ravel().tolist() == [2]
    assert to_plane(volume[0], 2).shape == (1, 1, 1)


# --- what a person says, in training and evaluation --------------------------------------------


def test_training_and_evaluation_take_what_a_person_says(write_squares, plan, tmp_path):
    root = write_squares(tmp_path / "data", values=(10, 20))
    with pytest.raises(MaskError, match="--foreground 10 or --foreground 20"):
        train(root, tmp_path / "run", plan=plan, device="cpu")
    run = train(root, tmp_path / "run", plan=plan, device="cpu", read=ReadOptions(foreground=20))
    assert run.scores is not None
    assert evaluate(tmp_path / "run", root, device="cpu").num_images == 2
    with pytest.raises(PlanError, match="knows from its training"):
        evaluate(tmp_path / "run", root, read=ReadOptions(foreground=20))


def test_findings_are_shown_by_their_places_in_the_folder(damaged):
    for finding in check(damaged).findings:
        short = shorten_paths(finding, damaged)
        assert str(damaged) not in short.message + short.fix
        assert [damaged / file for file in short.files] == list(finding.files)
        assert (short.code, short.count) == (finding.code, finding.count)


@pytest.mark.parametrize(
    "splits", [{"train": 1}, {"train": 2, "test": 2}, {"test": 2}, {"val": 2, "test": 2}]
)
def test_check_and_train_agree(write_squares, plan, tmp_path, splits):
    data = write_squares(tmp_path / "data", splits)
    is_usable = not check(data).errors
    assert is_usable == ("train" in splits)
    try:
        train(data, tmp_path / "run", plan=plan.model_copy(update={"num_steps": 1}), progress=False)
    except LayoutError as error:
        assert not is_usable and "no training images" in str(error)
    else:
        assert is_usable
