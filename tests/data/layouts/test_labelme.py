"""LabelMe: hand-made files, and the program's own example against its own VOC masks."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.layouts.found import LayoutOptions
from pixelwise.data.layouts.labelme import find_labelme
from pixelwise.data.masks.read import read_stored_mask
from pixelwise.errors import FileError, LayoutError
from pixelwise.io.image_files import read_mask_values

SQUARE = [[2, 1], [6, 1], [6, 4], [2, 4]]


def shape(label="cat", points=SQUARE, kind="polygon", **fields):
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, **fields}


@pytest.fixture
def write(tmp_path):
    """write([shapes], "a"): a.json and a black a.jpg."""

    def write(shapes, name="a", picture=True, **fields) -> Path:
        content = {"version": "5.0.1", "imagePath": f"{Path(name).name}.jpg", "shapes": shapes}
        content |= {"imageHeight": 8, "imageWidth": 10, "imageData": "AAAA"} | fields
        path = tmp_path / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        if picture:
            Image.new("L", (10, 8)).save(tmp_path / f"{name}.jpg")
        return tmp_path

    return write


def find(root, **options):
    layout = find_labelme(root, LayoutOptions(**options))
    assert layout is not None
    return layout


def values_of(layout, number=0):
    return read_stored_mask(layout.samples[number].mask, (8, 10)).values


def test_polygons_and_labels_by_the_alphabet(write):
    write([shape("dog")])
    layout = find(write([shape("cat"), shape("ant", [[0, 0], [2, 0], [2, 1], [0, 1]])], "b"))
    assert [c.name for c in layout.declaration.classes] == ["background", "ant", "cat", "dog"]
    assert values_of(layout, 0).sum() == 12 * 3
    assert values_of(layout, 1).sum() == 12 * 2 + 2 * 1
    assert [sample.name for sample in layout.samples] == ["a", "b"]


@pytest.mark.parametrize(
    ("entry", "num_pixels"),
    [
        (shape(points=[[2, 1], [6, 4]], kind="rectangle"), 12),
        (shape(points=[[6, 4], [2, 1]], kind="rectangle"), 12),
        (shape(points=SQUARE, kind="rectangle"), 12),
        (shape(points=[[5, 4], [5, 6]], kind="circle"), 12),
        (shape(points=[[2, 1], [6, 1], [6, 4], [2, 4]], kind=None), 12),
    ],
)
def test_other_kinds_of_areas(write, entry, num_pixels):
    assert values_of(find(write([entry]))).sum() == num_pixels


def png(values):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_a_mask_in_a_box(write):
    inside = np.array([[255, 0, 255], [0, 255, 0]], dtype=np.uint8)
    entry = shape(points=[[4, 3], [6, 4]], kind="mask", mask=png(inside))
    values = values_of(find(write([entry])))
    assert np.argwhere(values).tolist() == [[3, 4], [3, 6], [4, 5]]


def test_a_mask_is_cut_at_the_edge(write):
    entry = shape(points=[[8, 6], [12, 9]], kind="mask", mask=png(np.full((4, 5), 1, np.uint8)))
    assert values_of(find(write([entry]))).sum() == 4


def test_ignored_and_background_regions(write):
    left, top = [[0, 0], [5, 0], [5, 8], [0, 8]], [[0, 0], [10, 0], [10, 2], [0, 2]]
    root = write([shape("cat", left), shape("_background_", SQUARE), shape("__ignore__", top)])
    layout = find(root)
    values = values_of(layout)
    assert (values[:2] == 255).all() and values[2, 1] == 1 and values[2, 3] == 0
    assert layout.declaration.ignore == (255,)
    assert [c.name for c in layout.declaration.classes] == ["_background_", "cat"]


@pytest.mark.parametrize("name", ["labels.txt", "class_names.txt"])
def test_the_order_of_a_list_of_labels(write, tmp_path, name):
    (tmp_path / name).write_text("__ignore__\n_background_\nzebra\n\nant\n")
    layout = find(write([shape("ant")]))
    assert [c.name for c in layout.declaration.classes] == ["_background_", "zebra", "ant"]
    assert values_of(layout).max() == 2


def test_a_label_that_the_list_lacks_is_refused(write, tmp_path):
    (tmp_path / "labels.txt").write_text("zebra\n")
    with pytest.raises(LayoutError, match=r"label cat, which .*labels\.txt lacks"):
        find(write([shape("cat")]))


def test_shapes_of_a_group_are_one_object(write):
    left, right = [[0, 0], [2, 0], [2, 2], [0, 2]], [[5, 5], [7, 5], [7, 7], [5, 7]]
    root = write([shape(points=left, group_id=1), shape(), shape(points=right, group_id=1)])
    mask = read_stored_mask(find(root).samples[0].mask, None)
    assert mask.instances[0, 0] == mask.instances[5, 5] == 1
    assert mask.instances.max() == 2


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (shape(points=[[1, 1], [5, 5]], kind="line"), "not-an-area"),
        (shape(points=[[1, 1]], kind="point"), "not-an-area"),
        (shape(points=[[1, 1], [5, 5]], kind="linestrip"), "not-an-area"),
        (shape(points=[[1, 1], [5, 5]]), "broken-shape"),
        (shape(points=[[1, 1], [5, None], [2, 2]]), "broken-shape"),
        (shape(points=[[1, 1]], kind="circle"), "broken-shape"),
        (shape(points="text", kind="rectangle"), "broken-shape"),
        (shape(points=SQUARE, kind="spiral"), "broken-shape"),
        (shape(kind="mask", mask="no base64"), "broken-shape"),
        (shape(kind="mask", mask="AAAA"), "broken-shape"),
        (shape(kind="mask"), "broken-shape"),
    ],
)
def test_what_covers_nothing_is_left_out_and_said(write, entry, code):
    layout = find(write([shape(), entry]))
    assert values_of(layout).sum() == 12
    (finding,) = layout.findings
    assert finding.code == code and "a.json shapes[1]" in finding.message


def test_images_elsewhere_missing_and_without_annotations(write, tmp_path):
    write([shape()], "tables/x", picture=False, imagePath="../photos/x1.jpg")
    write([shape()], "tables/gone", picture=False)
    for name in ("x1", "y"):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.new("L", (10, 8)).save(tmp_path / f"photos/{name}.jpg")
    layout = find(tmp_path)
    assert {sample.name: sample.mask is None for sample in layout.samples} == {
        "x1": False,
        "y": True,
    }
    assert [(f.code, "gone.json" in f.message) for f in layout.findings] == [
        ("missing-image", True)
    ]


def test_splits_come_from_folders(write):
    write([shape()], "train/a")
    layout = find(write([shape()], "val/a"))
    assert [(s.name, s.split) for s in layout.samples] == [("train/a", "train"), ("val/a", "val")]


def test_other_json_files_are_left_alone(write, tmp_path):
    (tmp_path / "classes.json").write_text("{}")
    assert find_labelme(tmp_path, LayoutOptions()) is None
    assert len(find(write([shape()])).samples) == 1


def test_two_files_for_one_image_are_refused(write):
    write([shape()])
    with pytest.raises(LayoutError, match="both annotate"):
        find(write([shape()], "b", picture=False, imagePath="a.jpg"))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ("text", "shapes should be a list, but is str"),
        ([3], r"shapes\[0\] should be an object, but is int"),
        ([shape(label=None)], r"shapes\[0\] has no label"),
        ([shape(label=" ")], r"shapes\[0\] has no label"),
    ],
)
def test_broken_files_are_refused_with_the_place(write, shapes, message):
    with pytest.raises(LayoutError, match=rf"a\.json: {message}"):
        find(write(shapes))


def test_a_file_that_is_cut_off_is_named(write, tmp_path):
    text = (write([shape()]) / "a.json").read_text()
    (tmp_path / "a.json").write_text(text[:-5])
    with pytest.raises(FileError, match=r"a\.json is not valid JSON"):
        find(tmp_path)


def test_the_example_of_the_program_agrees_with_its_own_masks(shared_data):
    """LabelMe paints outlines too, so that its regions are half a pixel larger: 99.5 % agree."""
    folder = shared_data / "formats" / "labelme_and_voc"
    layout = find(folder / "data_annotated")
    assert [sample.name for sample in layout.samples] == [
        "2011_000003",
        "2011_000006",
        "2011_000025",
    ]
    names = [c.name for c in layout.declaration.classes]
    assert len(names) == 21 and names[15] == "person"
    for sample in layout.samples:
        painted = read_stored_mask(sample.mask, None).values
        theirs = read_mask_values(
            folder / "data_dataset_voc" / "SegmentationClass" / f"{sample.name}.png"
        )
        assert set(np.unique(painted)) == set(np.unique(theirs))
        assert (painted == theirs).mean() > 0.994
        inner = (painted > 0) & (theirs > 0)
        assert (painted == theirs)[inner].mean() > 0.999


TURNED = [[1.9, 2], [4, -0.1], [6.1, 2], [4, 4.1]]  # on its corner: 2 + 4 + 4 + 2 pixels


@pytest.mark.parametrize(
    "kind", ["rotation", "rectangle", "quadrilateral", "oriented_rectangle", "Rotation", "polygon"]
)
def test_four_corners_are_an_outline(write, kind):
    layout = find(write([shape(points=TURNED, kind=kind)]))
    assert values_of(layout).sum(axis=1).tolist() == [2, 4, 4, 2, 0, 0, 0, 0]
    assert layout.findings == ()


def test_an_ellipse_fills_its_box(write):
    values = values_of(find(write([shape(points=[[1, 1], [9, 5]], kind="ellipse")])))
    rows, columns = np.nonzero(values)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 4, 1, 8)
    assert values.sum() == pytest.approx(np.pi * 4 * 2, abs=3)


@pytest.mark.parametrize(("kind", "code"), [("cuboid", "broken-shape"), ("point", "not-an-area")])
def test_a_type_that_is_not_drawn_is_named_and_an_error_where_it_is_all(write, kind, code):
    layout = find(write([shape(kind=kind), shape(kind=kind)]))
    found = {finding.code: finding for finding in layout.findings}
    assert found[code].severity == found["lost-shapes"].severity == "error"
    assert f"a.json shapes[0] ({kind})" in found[code].message
    assert "In all 2 of 2 shapes are lost" in found[code].message
    assert "2 shapes of cat, none of which can be drawn" in found["lost-shapes"].message


def test_files_most_of_which_have_no_image_are_an_error(write):
    write([shape()])
    write([shape()], "b", picture=False)
    root = write([shape()], "c", picture=False, imagePath="other.png")
    (finding,) = find(root).findings
    assert (finding.code, finding.severity) == ("missing-image", "error")
    assert "c.json (image other.png)" in finding.message
    assert "In all 2 of 3 images are lost; there are a.jpg." in finding.message


def test_a_mask_shape_takes_no_memory_for_the_size_that_is_claimed(write):
    """A square of 2 x 2 in an image that claims to be 2**29 x 2**29."""
    entry = shape(points=[[4, 3], [5, 4]], kind="mask", mask=png(np.ones((2, 2), np.uint8)))
    layout = find(write([entry], imageHeight=2**29, imageWidth=2**29))
    (drawn,) = layout.samples[0].mask.shapes
    first, inside, between, again, last = drawn.runs.tolist()
    assert (first, inside, between, again) == (4 * 2**29 + 3, 2, 2**29 - 2, 2)
    assert first + inside + between + again + last == 2**58


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_files_in_other_encodings(write, tmp_path, encoding):
    root = write([{"label": "Zähne", "points": [[1, 1], [5, 1], [5, 5]], "shape_type": "polygon"}])
    text = (root / "a.json").read_text()
    (root / "a.json").write_bytes(text.encode(encoding))
    assert [c.name for c in find(root).declaration.classes] == ["background", "Zähne"]
