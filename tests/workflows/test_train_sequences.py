"""Train and evaluate on sequences of arrays, and on data that grew: the split of before holds."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise as pw
from pixelwise.data import read_split
from pixelwise.doctor import ReadOptions
from pixelwise.network import load_model

# --- sequences --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def arrays(data):
    """The pixels of the folder, as a person has them in Python."""
    return [
        (np.array(Image.open(path)), np.array(Image.open(path.parents[1] / "masks" / path.name)))
        for split in ("train", "val", "test")
        for path in sorted((data / split / "images").iterdir())
    ]


def with_details(data, arrays):
    paths = [p for s in ("train", "val", "test") for p in sorted((data / s / "images").iterdir())]
    return [
        (*pair, {"name": path.stem, "split": path.parents[1].name})
        for pair, path in zip(arrays, paths, strict=True)
    ]


def test_arrays_train_to_the_weights_of_the_folder(data, arrays, plan, tmp_path):
    pairs = with_details(data, arrays)
    folder = pw.train(data, tmp_path / "folder", plan=plan)
    found = pw.train(pairs, tmp_path / "arrays", plan=plan)
    weights = [load_model(run.folder).network.state_dict() for run in (folder, found)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert found.scores.mean == folder.scores.mean
    assert pw.evaluate(found.folder, pairs).mean == pw.evaluate(found.folder, data).mean
    assert (found.folder / "split.csv").read_text() == (folder.folder / "split.csv").read_text()


def test_arrays_without_details_are_split_and_scored_on_what_was_held_out(arrays, plan, tmp_path):
    run = pw.train(arrays, tmp_path / "run", plan=plan)
    with (run.folder / "split.csv").open() as file:
        split = {row["name"]: row["split"] for row in csv.DictReader(file)}
    assert set(split) == {f"array {number}" for number in range(8)}
    scores = pw.evaluate(run.folder, arrays, split="val", out=tmp_path / "scores")
    assert scores == run.scores
    assert "the sequence" in (tmp_path / "scores" / "report.html").read_text()
    more = pw.train(arrays, run.folder, resume=True, epochs=4)
    assert more.num_steps > run.num_steps


def test_the_split_of_a_run_is_not_applied_to_other_arrays(arrays, plan, tmp_path):
    run = pw.train(arrays, tmp_path / "run", plan=plan)
    other = arrays[::-1]
    with pytest.raises(pw.DataError, match=r'these arrays are not those .* split="all"'):
        pw.evaluate(run.folder, other, split="val")
    assert pw.evaluate(run.folder, other, split="all").num_images == 8
    with pytest.raises(pw.DataError, match="these arrays are not those"):
        pw.train(other, run.folder, resume=True, epochs=4)


def test_what_is_wrong_with_arrays_stops_training_and_leaves_nothing(arrays, tmp_path):
    image, mask = arrays[0]
    bad = [*arrays, (image, mask[:5]), (np.moveaxis(np.dstack([image] * 3), -1, 0), mask)]
    with pytest.raises(pw.DataError, match=r"array 9 has shape .* channels come first") as raised:
        pw.train(bad, tmp_path / "run", epochs=1)
    assert "Also wrong: size-mismatch (pixelwise.check has all)" in str(raised.value)
    assert "--fix" not in str(raised.value)
    assert not (tmp_path / "run").exists()


# --- an earlier split -------------------------------------------------------------------------


def test_a_split_that_a_person_gives_is_used(write_squares, plan, tmp_path):
    write_squares(tmp_path / "some", {"train": 12})
    root = tmp_path / "some" / "train"
    first = pw.train(root, tmp_path / "first", plan=plan)
    earlier = read_split(first.folder / "split.csv")
    names = sorted(earlier)
    wanted = dict(zip(names, [earlier[name] for name in names[::-1]], strict=True))
    second = pw.train(root, tmp_path / "second", plan=plan, read=ReadOptions(split=wanted))
    assert read_split(second.folder / "split.csv") == wanted
    model = second.folder / "model.safetensors"
    scores = pw.evaluate(model, root, split="val", read=ReadOptions(split=wanted))
    assert scores == second.scores


def test_split_csv_beside_the_data_keeps_old_images_where_they_were(write_squares, plan, tmp_path):
    write_squares(tmp_path / "some", {"train": 12})
    root = tmp_path / "some" / "train"
    first = pw.train(root, tmp_path / "first", plan=plan)
    earlier = read_split(first.folder / "split.csv")
    turned = {name: {"train": "test", "test": "train"}.get(s, s) for name, s in earlier.items()}
    (root / "split.csv").write_text(
        "name,split\n" + "".join(f"{n},{s}\n" for n, s in turned.items())
    )
    for number in range(12):
        for kind in ("images", "masks"):
            path = root / kind / f"train{number}.png"
            shifted = np.roll(np.array(Image.open(path)), 3, axis=1)
            Image.fromarray(shifted).save(path.with_name(f"new{number}.png"))
    second = pw.train(root, tmp_path / "second", plan=plan)
    later = read_split(second.folder / "split.csv")
    assert {name: later[name] for name in turned} == turned
    assert len(later) == 24
    for path in root.rglob("new*.png"):
        path.unlink()
    assert pw.evaluate(first.folder, root, split="val") == first.scores  # its own split
