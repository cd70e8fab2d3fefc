"""YOLO segmentation text: outlines in shares of the image, names, folders, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.layouts.find import find_layout
from pixelwise.data.layouts.found import Layout, LayoutOptions
from pixelwise.data.layouts.yolo import find_yolo
from pixelwise.data.masks.read import read_stored_mask
from pixelwise.errors import FileError, LayoutError

SQUARE = "0 0.2 0.25 0.6 0.25 0.6 0.75 0.2 0.75"  # columns 2 to 6, rows 2 to 6 of 10 x 8


def write(root: Path, image: str, text: str, label: str | None = None) -> None:
    """A black picture, 10 wide and 8 high, and its text file: in labels/ where it is in images/."""
    path = root / image
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (10, 8)).save(path)
    beside = Path(image.replace("images", "labels")).with_suffix(".txt")
    text_path = root / (label or beside)
    text_path.parent.mkdir(parents=True, exist_ok=True)
    text_path.write_text(text)


def find(root: Path, **options: Path) -> Layout:
    layout = find_yolo(root, LayoutOptions(**options))
    assert layout is not None
    return layout


def values_of(layout: Layout, number: int = 0) -> np.ndarray:
    return read_stored_mask(layout.samples[number].mask, (8, 10)).values


def test_outlines_are_shares_of_the_size(tmp_path):
    write(tmp_path, "images/a.jpg", f"{SQUARE}\n1 0 0 1 0 1 0.25 0 0.25\n")
    values = values_of(find(tmp_path))
    assert (values[2:6, 2:6] == 1).all() and (values[:2] == 2).all()
    assert (values != 0).sum() == 16 + 20


@pytest.mark.parametrize(
    ("image", "label", "split"),
    [
        ("images/train/a.jpg", "labels/train/a.txt", "train"),
        ("images/val/a.jpg", "labels/val/a.txt", "val"),
        ("valid/images/a.jpg", "valid/labels/a.txt", "val"),
        ("test/a.jpg", "test/a.txt", "test"),
        ("images/a.jpg", "labels/a.txt", None),
        ("a.jpg", "a.txt", None),
        ("a.jpg", "labels/a.txt", None),
        ("pictures/a.jpg", "labels/a.txt", None),
    ],
)
def test_where_the_text_lies(tmp_path, image, label, split):
    write(tmp_path, image, SQUARE, label)
    (sample,) = find(tmp_path).samples
    assert (sample.mask.path, sample.split) == (tmp_path / label, split)


def test_a_folder_of_texts_may_be_named(tmp_path):
    write(tmp_path, "photos/x/a.jpg", SQUARE, "outlines/x/a.txt")
    write(tmp_path, "photos/x/b.jpg", SQUARE, "outlines/b.txt")
    layout = find(tmp_path, images=Path("photos"), masks=Path("outlines"))
    assert [sample.mask.path.name for sample in layout.samples] == ["a.txt", "b.txt"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("data.yaml", "names: [cat, dog]\nnc: 2\n"),
        ("data.yaml", "names:\n  0: cat\n  1: dog\n"),
        ("other.yml", "train: images\nnames: {1: dog, 0: cat}\n"),
        ("classes.txt", "cat\ndog\n"),
        ("obj.names", "cat\ndog"),
    ],
)
def test_names_of_classes(tmp_path, file, text):
    write(tmp_path, "images/a.jpg", "1" + SQUARE[1:])
    (tmp_path / file).write_text(text)
    layout = find(tmp_path)
    classes = [(c.name, c.value) for c in layout.declaration.classes]
    assert classes == [("background", 0), ("cat", 1), ("dog", 2)]
    assert values_of(layout).max() == 2


def test_without_names_classes_are_numbered(tmp_path):
    write(tmp_path, "a.jpg", "2" + SQUARE[1:])
    names = [c.name for c in find(tmp_path).declaration.classes]
    assert names == ["background", "class 0", "class 1", "class 2"]


def test_the_names_of_the_folder_above_hold_for_a_split_given_alone(tmp_path):
    write(tmp_path, "train/images/a.jpg", SQUARE)
    write(tmp_path, "test/images/b.jpg", SQUARE)
    (tmp_path / "data.yaml").write_text("names: [cat]")
    assert [c.name for c in find(tmp_path / "test").declaration.classes] == ["background", "cat"]


def test_an_empty_file_is_background_and_no_file_is_no_mask(tmp_path):
    write(tmp_path, "images/a.jpg", SQUARE)
    write(tmp_path, "images/b.jpg", "")
    write(tmp_path, "images/c.jpg", "\n \n")
    Image.new("L", (10, 8)).save(tmp_path / "images" / "d.jpg")
    masks = {sample.name: sample.mask for sample in find(tmp_path).samples}
    assert masks["b"].shapes == masks["c"].shapes == ()
    assert masks["d"] is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.2 0.2", r"line 2 has 5 numbers: these are boxes .* for segmentation"),
        ("0 0.1 0.1 0.2 0.2", "5 numbers"),
        ("0 0.1 0.1 0.2 0.2 0.3", r"line 2 has 6 numbers, where .* three or more pairs"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "8 numbers"),
        ("-1 0.1 0.1 0.2 0.2 0.3 0.3", "a class number"),
        ("0.5 0.1 0.1 0.2 0.2 0.3 0.3", "a class number"),
        ("0 10 10 20 20 30 310", r"corners up to 310, which are not shares"),
        ("0 nan 0.1 0.2 0.2 0.3 0.3", "not shares"),
        ("0 a b c d e f", "are not all numbers"),
        ("9 0.1 0.1 0.2 0.2 0.3 0.3", r"a.txt has the class 9, but 1 classes are named"),
    ],
)
def test_lines_that_are_no_outlines_are_refused_with_file_and_line(tmp_path, line, message):
    write(tmp_path, "images/a.jpg", f"{SQUARE}\n{line}")
    (tmp_path / "classes.txt").write_text("cat")
    with pytest.raises(LayoutError, match=message) as caught:
        find_layout(tmp_path)
    assert str(tmp_path / "labels" / "a.txt") in str(caught.value)


def test_files_of_boxes_alone_are_refused(tmp_path):
    write(tmp_path, "images/a.jpg", "0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.1 0.1")
    with pytest.raises(LayoutError, match="boxes for detection, not outlines"):
        find_layout(tmp_path)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("names: [cat", FileError, r"data.yaml is not valid YAML"),
        ("names: {100000: cat}", LayoutError, "names the class 100000"),
    ],
)
def test_broken_names_are_said(tmp_path, text, error, message):
    write(tmp_path, "images/a.jpg", SQUARE)
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(error, match=message):
        find(tmp_path)


def test_other_texts_are_not_taken_for_outlines(tmp_path):
    write(tmp_path, "images/a.jpg", "a photograph of the sea\n")
    assert find_yolo(tmp_path, LayoutOptions()) is None
    (tmp_path / "data.yaml").write_text("key: value")
    assert find_yolo(tmp_path, LayoutOptions()) is None


@pytest.mark.parametrize(
    "line",
    [
        "0,0.2,0.25,0.6,0.25,0.6,0.75,0.2,0.75",
        "0, 0.2, 0.25, 0.6, 0.25, 0.6, 0.75, 0.2, 0.75",
        "0 0.2,0.25 0.6,0.25 0.6,0.75 0.2,0.75",
    ],
)
def test_commas_between_the_numbers(tmp_path, line):
    write(tmp_path, "images/a.jpg", line)
    values = values_of(find(tmp_path))
    assert values.sum() == 16 and (values[2:6, 2:6] == 1).all()


def test_commas_in_place_of_points_are_refused_and_never_read_as_other_numbers(tmp_path):
    write(tmp_path, "images/a.jpg", SQUARE)
    write(tmp_path, "images/b.jpg", "0 0,1 0,2 1,0")
    with pytest.raises(LayoutError, match=r"line 1: '0 0,1 0,2 1,0' are not all numbers"):
        find(tmp_path)


@pytest.mark.parametrize(("num_lone", "severity"), [(0, None), (2, "warning"), (3, "error")])
def test_text_files_without_an_image_are_counted(tmp_path, num_lone, severity):
    for name in "ab":
        write(tmp_path, f"images/{name}.jpg", SQUARE)
    for number in range(num_lone):
        (tmp_path / f"labels/img_{number}.txt").write_text(SQUARE)
    (tmp_path / "labels/classes.txt").write_text("cat")
    (tmp_path / "labels/readme.txt").write_text("drawn in spring")
    found = [(f.code, f.severity) for f in find(tmp_path).findings]
    assert found == ([("missing-image", severity)] if severity else [])


def test_names_that_refer_to_anchors_are_refused(tmp_path):
    """Ten bytes a line, each of which would be ten times as long as the one before."""
    write(tmp_path, "images/a.jpg", SQUARE)
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    for level in range(1, 30):
        lines.append(f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 10)}]")
    (tmp_path / "data.yaml").write_text("\n".join([*lines, "names: [*a29]"]))
    with pytest.raises(FileError, match=r"line 2 refers to the anchor a0, .* write the value out"):
        find(tmp_path)
