"""VGG Image Annotator: exports and projects of both versions, whole and broken."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.layouts.annotations import ellipse_ring
from pixelwise.data.layouts.found import LayoutOptions
from pixelwise.data.layouts.unique import with_unique_names
from pixelwise.data.layouts.via import find_via
from pixelwise.data.masks.read import read_stored_mask
from pixelwise.errors import FileError, LayoutError

SQUARE = {"name": "polygon", "all_points_x": [2, 6, 6, 2], "all_points_y": [1, 1, 4, 4]}


def region(shape=None, **attributes):
    return {"shape_attributes": SQUARE if shape is None else shape, "region_attributes": attributes}


def entry(regions, name="a.jpg"):
    return {"filename": name, "size": 100, "regions": regions, "file_attributes": {}}


@pytest.fixture
def write(tmp_path):
    """write([entries], "via.json"): an export, and black pictures a.jpg and b.jpg beside it."""

    def write(entries, name="via.json", project=False) -> Path:
        content = {f"{e['filename']}100" if isinstance(e, dict) else "x": e for e in entries}
        folder = (tmp_path / name).parent
        folder.mkdir(exist_ok=True)
        whole = {"_via_settings": {}, "_via_img_metadata": content}
        (tmp_path / name).write_text(json.dumps(whole if project else content))
        for picture in ("a.jpg", "b.jpg"):
            Image.new("L", (10, 8)).save(folder / picture)
        return tmp_path

    return write


def find(root, **options):
    layout = find_via(root, LayoutOptions(**options))
    assert layout is not None
    return with_unique_names(layout, root)


def values_of(layout):
    return read_stored_mask(layout.samples[0].mask, (8, 10)).values


@pytest.mark.parametrize("project", [True, False])
def test_an_export_and_a_project(write, project):
    layout = find(write([entry([region(kind="cat")])], project=project))
    assert values_of(layout).sum() == 12 and (values_of(layout)[1:4, 2:6] == 1).all()
    assert [c.name for c in layout.declaration.classes] == ["background", "cat"]
    assert layout.samples[1].mask is None  # b.jpg is not listed
    assert layout.description == "VIA annotations in via.json"


def test_numbered_regions_of_version_1(write):
    assert values_of(find(write([entry({"0": region(), "1": region()})]))).sum() == 12


@pytest.mark.parametrize(
    ("shape", "widths"),  # of rows 2 to 5: centres within 2 rows of row 4, at 1.5 and at 0.5
    [
        ({"name": "rect", "x": 2, "y": 2, "width": 6, "height": 4}, [6, 6, 6, 6]),
        ({"name": "circle", "cx": 5, "cy": 4, "r": 2}, [2, 4, 4, 2]),
        ({"name": "ellipse", "cx": 5, "cy": 4, "rx": 4, "ry": 2}, [6, 8, 8, 6]),
        ({"name": "ellipse", "cx": 5, "cy": 4, "rx": 2, "ry": 4, "theta": 1.5707963}, [6, 8, 8, 6]),
    ],
)
def test_other_shapes_hold_the_pixels_whose_centres_are_inside(write, shape, widths):
    values = values_of(find(write([entry([region(shape)])])))
    assert values.sum(axis=1).tolist() == [0, 0, *widths, 0, 0]
    assert (values == values[::-1, ::-1]).all()  # around row 4 and column 5


@pytest.mark.parametrize("radii", [(1, 1), (3, 8), (40, 25), (600, 900)])
def test_ellipses_have_the_area_of_ellipses(radii):
    (rows, columns), area = ellipse_ring(0, 0, *radii, angle=0.7).T, math.pi * math.prod(radii)
    shoelace = abs(rows @ np.roll(columns, 1) - columns @ np.roll(rows, 1)) / 2
    assert shoelace == pytest.approx(area, abs=0.01 * 2 * math.pi * max(radii))


def test_without_attributes_there_is_one_class(write):
    layout = find(write([entry([region()])]))
    assert [c.name for c in layout.declaration.classes] == ["background", "object"]


def test_classes_by_the_attribute_that_all_have(write):
    regions = [region(species="dog", remark="x"), region(species="ant", remark="")]
    layout = find(write([entry(regions)]))
    assert [c.name for c in layout.declaration.classes] == ["background", "ant", "dog"]
    assert [shape.value for shape in layout.samples[0].mask.shapes] == [2, 1]


def test_ticked_choices_and_the_usual_name_among_several(write):
    regions = [region(Class={"cat": True, "dog": False}, remark="x")]
    layout = find(write([entry(regions)]))
    assert [c.name for c in layout.declaration.classes] == ["background", "cat"]


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ([region(species="dog"), region()], "species, but none is in all regions"),
        ([region(one="a", two="b")], "one, two, but several are in all regions"),
        ([region(species={"cat": True, "dog": True})], "a region with 2 choices of species"),
        ([3], r"regions\[0\] should be an object"),
        ("text", "no list of regions"),
    ],
)
def test_what_is_not_clear_is_refused(write, regions, message):
    with pytest.raises(LayoutError, match=message) as caught:
        find(write([entry(regions)]))
    assert "via.json" in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ({"name": "point", "cx": 1, "cy": 1}, "not-an-area"),
        ({"name": "polyline", "all_points_x": [1, 2], "all_points_y": [1, 2]}, "not-an-area"),
        ({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]}, "broken-shape"),
        ({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]}, "broken-shape"),
        ({"name": "rect", "x": 2, "y": 1, "width": None, "height": 3}, "broken-shape"),
        ({"name": "circle", "cx": 2}, "broken-shape"),
        ({"name": "circle", "cx": 2, "cy": 2, "r": float("nan")}, "broken-shape"),
        ({}, "broken-shape"),
        ([], "broken-shape"),
    ],
)
def test_what_covers_nothing_is_left_out_and_said(write, shape, code):
    layout = find(write([entry([region(), region(shape)])]))
    assert values_of(layout).sum() == 12
    (finding,) = layout.findings
    assert finding.code == code and "a.jpg regions[1]" in finding.message


def test_one_file_in_each_split_folder(write):
    write([entry([region()])], "train/via_region_data.json")
    layout = find(write([entry([region()], "b.jpg")], "val/via_region_data.json"))
    assert [(s.name, s.split, s.mask is None) for s in layout.samples] == [
        ("train/a", "train", False),
        ("train/b", "train", True),
        ("val/a", "val", True),
        ("val/b", "val", False),
    ]


def test_images_that_are_missing_are_named(write):
    layout = find(write([entry([region()]), entry([], "gone.jpg")]))
    assert [(f.code, "gone.jpg" in f.message) for f in layout.findings] == [("missing-image", True)]


def test_an_image_listed_without_regions_is_background(write):
    assert find(write([entry([])])).samples[0].mask.shapes == ()


def test_other_files(write, tmp_path):
    (tmp_path / "classes.json").write_text('{"classes": ["regions", "filename"]}')
    assert find_via(tmp_path, LayoutOptions()) is None
    (tmp_path / "via.json").write_text('{"a": {"filename": "a.jpg", "regions": [')
    with pytest.raises(FileError, match=r"via\.json is not valid JSON"):
        find_via(tmp_path, LayoutOptions())


def test_a_shape_of_an_unknown_type_is_named(write):
    layout = find(write([entry([region(), region({"name": "spiral"})])]))
    (finding,) = layout.findings
    assert "types that are not known: a.jpg regions[1] (spiral)" in finding.message


def test_most_images_missing_and_a_class_of_points_alone_are_errors(write):
    regions = [region(kind="cat"), region({"name": "point", "cx": 1, "cy": 1}, kind="eye")]
    root = write([entry(regions), entry([], "x/1.jpg"), entry([], "x/2.jpg")])
    found = {finding.code: finding for finding in find(root).findings}
    assert {code: finding.severity for code, finding in found.items()} == {
        "missing-image": "error", "not-an-area": "warning", "lost-shapes": "error",
    }  # fmt: skip
    assert (
        "In all 2 of 3 images are lost; there are a.jpg, b.jpg." in found["missing-image"].message
    )
    assert "1 shapes of eye, none of which can be drawn" in found["lost-shapes"].message
