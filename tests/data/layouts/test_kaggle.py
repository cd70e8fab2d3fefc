"""Kaggle tables of run lengths: counted from 1 down the columns, one row an object."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.layouts.find import find_layout
from pixelwise.data.layouts.found import Layout, LayoutOptions
from pixelwise.data.layouts.kaggle import find_kaggle, to_runs
from pixelwise.data.layouts.unique import with_unique_names
from pixelwise.data.masks.read import read_stored_mask
from pixelwise.errors import FileError, LayoutError


def write(root: Path, text: str, name: str = "train.csv", folder: str = "images") -> Path:
    """A table, and black pictures a.png and b.png, 4 wide and 3 high."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    for picture in ("a.png", "b.png"):
        Image.new("L", (4, 3)).save(root / folder / picture)
    (root / name).write_text(text)
    return root


def find(root: Path, **options: Path) -> Layout:
    layout = find_kaggle(root, LayoutOptions(**options))
    assert layout is not None
    return with_unique_names(layout, root)


def values_of(layout: Layout, number: int = 0) -> list[list[int]]:
    return read_stored_mask(layout.samples[number].mask, (3, 4)).values.tolist()


def test_pixels_are_counted_down_the_columns_from_one(tmp_path):
    layout = find(write(tmp_path, "ImageId,EncodedPixels\na.png,2 3 8 1\nb.png,\n"))
    assert values_of(layout) == [[0, 1, 0, 0], [1, 1 - 1, 1, 0], [1, 0, 0, 0]]
    assert not np.any(values_of(layout, 1))
    assert layout.description == "run lengths in train.csv"
    assert [c.name for c in layout.declaration.classes] == ["background", "object"]


def test_one_row_an_object(tmp_path):
    layout = find(write(tmp_path, "ImageId,EncodedPixels\na.png,1 1\na.png,12 1\n"))
    mask = read_stored_mask(layout.samples[0].mask, (3, 4))
    assert values_of(layout) == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert len(layout.samples[0].mask.shapes) == 2 and mask.values.sum() == 2


@pytest.mark.parametrize(
    "text",
    [
        "ImageId,ClassId,EncodedPixels\na.png,2,1 1\na.png,10,2 1\n",
        "ImageId_ClassId,EncodedPixels\na.png_2,1 1\na.png_10,2 1\n",
        "Image_Label;EncodedPixels\na.png_2;1 1\na.png_10;2 1\n",
        "image_id,class,rle\na,2,1 1\na,10,2 1\n",
        '"ImageId","ClassId","EncodedPixels"\r\n"a.png","2","1 1"\r\n"a.png","10","2 1"\r\n',
        "\ufeffimageid\tclassid\tencodedpixels\na.png\t2\t1 1\na.png\t10\t2 1\n",
    ],
)
def test_classes_in_the_order_of_their_numbers(tmp_path, text):
    layout = find(write(tmp_path, text))
    classes = [(c.name, c.source) for c in layout.declaration.classes]
    assert classes == [("background", None), ("class 2", "2"), ("class 10", "10")]
    assert [row[0] for row in values_of(layout)] == [1, 2, 0]


def test_names_of_classes_by_the_alphabet(tmp_path):
    layout = find(write(tmp_path, "Image_Label,EncodedPixels\na.png_Sugar,1 1\na.png_Fish,2 1\n"))
    assert [c.name for c in layout.declaration.classes] == ["background", "Fish", "Sugar"]


@pytest.mark.parametrize("nothing", ["", "-1", "NaN", "None"])
def test_an_image_with_nothing_is_background_and_one_not_listed_has_no_mask(tmp_path, nothing):
    first, second = find(write(tmp_path, f"ImageId,EncodedPixels\na.png,{nothing}\n")).samples
    assert first.mask.shapes == () and second.mask is None


def test_images_that_are_missing_are_named(tmp_path):
    layout = find(write(tmp_path, "ImageId,EncodedPixels\na.png,1 1\nc.png,1 1\n"))
    (finding,) = layout.findings
    assert finding.code == "missing-image" and "c.png" in finding.message


@pytest.mark.parametrize("runs", ["1", "1 2 3", "0 3", "1 0", "3 2 4 1", "a b", "1 -2", "1.5 2"])
def test_damaged_run_lengths_are_named_by_row(tmp_path, runs):
    layout = find(write(tmp_path, f"ImageId,EncodedPixels\na.png,1 1\nb.png,{runs}\n"))
    (finding,) = layout.findings
    assert (finding.code, finding.severity) == ("broken-shape", "error")
    assert "row 3" in finding.message


def test_runs_out_of_order_are_sorted():
    assert to_runs("8 1 2 3").tolist() == [1, 3, 3, 1]
    assert to_runs("") is None


def test_a_table_in_every_split_folder_and_one_given_by_name(tmp_path):
    for split in ("train", "test"):
        write(tmp_path / split, "ImageId,EncodedPixels\na.png,1 1\n", "t.csv")
    splits = {sample.name: sample.split for sample in find(tmp_path).samples}
    assert splits["train/a"] == "train" and splits["test/a"] == "test"
    layout = find(tmp_path / "train", masks=Path("t.csv"), images=Path("images"))
    assert len(layout.samples) == 2


def test_the_bowl_of_2018_has_its_table_beside_its_folder(tmp_path):
    write(tmp_path, "ImageId,EncodedPixels\na,1 1\nb,2 1\n", "stage1_train_labels.csv",
          "stage1_train")  # fmt: skip
    layout = find_layout(tmp_path)
    assert [len(sample.mask.shapes) for sample in layout.samples] == [1, 1]


@pytest.mark.parametrize(
    "text", ["", "image,mask\na.png,m.png\n", "id,label\na,3\n", "just text", "ImageId,width\n"]
)
def test_other_tables_are_left_alone(tmp_path, text):
    assert find_kaggle(write(tmp_path, text), LayoutOptions()) is None


def test_the_example_of_a_submission_holds_no_labels(tmp_path):
    write(tmp_path, "ImageId,EncodedPixels\na.png,1 1\n", "sample_submission.csv")
    assert find_kaggle(tmp_path, LayoutOptions()) is None


def test_a_table_that_is_cut_off_or_without_pictures_is_an_error(tmp_path):
    with pytest.raises(FileError, match="has 1 cells in row 3, but 2 columns"):
        find(write(tmp_path, "ImageId,EncodedPixels\na.png,1 1\nb.pn"))
    labels = "".join(f"a.png,{number},1 1\n" for number in range(300))
    with pytest.raises(LayoutError, match="300 classes"):
        find(write(tmp_path, f"ImageId,ClassId,EncodedPixels\n{labels}"))


def test_a_table_of_other_images_is_an_error_that_shows_both_sides(tmp_path):
    layout = find(write(tmp_path, "ImageId,EncodedPixels\na.png,1 1\nx1,2 1\nx2,2 1\n"))
    (finding,) = layout.findings
    assert (finding.code, finding.severity) == ("missing-image", "error")
    assert "x1, x2. In all 2 of 3 images are lost; there are a.png, b.png." in finding.message


def test_a_class_all_of_whose_rows_are_damaged_is_an_error(tmp_path):
    text = "ImageId,EncodedPixels,ClassId\na.png,1 1,1\nb.png,3 1 1,2\nb.png,2 1,1\n"
    found = {finding.code: finding for finding in find(write(tmp_path, text)).findings}
    assert "1 shapes of class 2, none of which can be drawn: row 3" in found["lost-shapes"].message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "cp1252"])
def test_tables_of_spreadsheets(tmp_path, encoding):
    root = write(tmp_path, "")
    text = "ImageId,ClassId,EncodedPixels\r\na.png,Zähne,1 1\r\n"
    (root / "train.csv").write_bytes(text.encode(encoding))
    assert [c.name for c in find(root).declaration.classes] == ["background", "Zähne"]
