"""COCO: hand-made files, broken ones, and the real set of car parts."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from pixelwise.data.layouts.coco import find_coco
from pixelwise.data.layouts.found import LayoutOptions
from pixelwise.data.layouts.unique import with_unique_names
from pixelwise.data.masks.read import read_stored_mask
from pixelwise.data.masks.runs import encode_runs
from pixelwise.errors import DataError, FileError, LayoutError

SQUARE = [[2, 1, 6, 1, 6, 4, 2, 4]]  # x 2..6, y 1..4: 12 pixels


def image(number, name="a.jpg", **fields):
    return {"id": number, "file_name": name, "height": 8, "width": 10, **fields}


def annotation(number, image_id=1, category=1, segmentation=SQUARE, **fields):
    ids = {"id": number, "image_id": image_id, "category_id": category}
    return {**ids, "segmentation": segmentation, "iscrowd": 0, **fields}


def content(images=None, annotations=None, categories=None):
    return {
        "images": [image(1)] if images is None else images,
        "annotations": [annotation(1)] if annotations is None else annotations,
        "categories": [{"id": 1, "name": "cat"}] if categories is None else categories,
    }


@pytest.fixture
def write(tmp_path):
    """write(content, "train/annotations.json", pictures=[...]): a file and black pictures."""

    def write(what, name="annotations.json", pictures=("images/a.jpg",)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(what if isinstance(what, str) else json.dumps(what))
        for picture in pictures:
            (tmp_path / picture).parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (10, 8)).save(tmp_path / picture)
        return tmp_path

    return write


def find(root, **options):
    layout = find_coco(root, LayoutOptions(**options))
    assert layout is not None
    return with_unique_names(layout, root)


def paint(sample):
    return read_stored_mask(sample.mask, (8, 10))


def codes(layout):
    return {finding.code: finding for finding in layout.findings}


def test_a_polygon_by_hand(write):
    layout = find(write(content()))
    (sample,) = layout.samples
    values = paint(sample).values
    assert values.sum() == 12 and (values[1:4, 2:6] == 1).all()
    assert (sample.name, sample.split, sample.mask.size) == ("a", None, (8, 10))
    assert layout.description == "COCO annotations in annotations.json"
    assert layout.findings == ()


def test_categories_get_values_in_the_order_of_their_ids(write):
    categories = [
        {"id": 90, "name": "zebra", "color": "#112233"},
        {"id": 0, "name": "ant", "color": [1, 2, 3]},
        {"id": 7, "name": "bee"},
    ]
    annotations = [annotation(1, category=90), annotation(2, category=0)]
    layout = find(write(content(annotations=annotations, categories=categories)))
    declared = layout.declaration.encoding().classes
    assert [(c.name, c.value, c.source) for c in declared] == [
        ("background", 0, None),
        ("ant", 1, "0"),
        ("bee", 2, "7"),
        ("zebra", 3, "90"),
    ]
    assert declared[3].color == "#112233"
    assert [shape.value for shape in layout.samples[0].mask.shapes] == [3, 1]


@pytest.mark.parametrize(
    "name", ["_background_", "background", "Background", "__background__", "_bg_"]
)
def test_a_background_category_is_class_0(write, name):
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": name}]
    annotations = [
        annotation(1),
        annotation(2, category=2, segmentation=[[2, 1, 4, 1, 4, 4, 2, 4]]),
    ]
    layout = find(write(content(annotations=annotations, categories=categories)))
    assert [c.name for c in layout.declaration.classes] == [name, "cat"]
    mask = paint(layout.samples[0])
    assert mask.values.sum() == 6  # the left half is cut out again
    assert mask.instances.max() == 1


def test_two_categories_of_one_name_stay_apart(write):
    categories = [{"id": 3, "name": "cat"}, {"id": 1, "name": "cat"}]
    layout = find(write(content(categories=categories)))
    assert [c.name for c in layout.declaration.classes] == ["background", "cat (1)", "cat (3)"]


def run_lengths(compressed):
    inside = np.zeros((8, 10), dtype=np.uint8, order="F")
    inside[1:4, 2:6] = 1
    packed = coco_mask.encode(inside)
    counts = [17, 3, 5, 3, 5, 3, 5, 3, 36]
    return {"size": [8, 10], "counts": packed["counts"].decode() if compressed else counts}


@pytest.mark.parametrize("compressed", [True, False])
def test_both_kinds_of_run_lengths(write, compressed):
    outline = run_lengths(compressed)
    layout = find(write(content(annotations=[annotation(1, segmentation=outline)])))
    values = paint(layout.samples[0]).values
    assert values.sum() == 12 and (values[1:4, 2:6] == 1).all()


def test_a_crowd_has_a_class_but_no_id_and_lies_below_the_objects(write):
    annotations = [
        annotation(1),
        annotation(2, category=2, segmentation=[[0, 0, 10, 0, 10, 8, 0, 8]], iscrowd=1),
    ]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "herd"}]
    mask = paint(find(write(content(annotations=annotations, categories=categories))).samples[0])
    assert np.bincount(mask.values.ravel()).tolist() == [0, 12, 68]
    assert (mask.instances > 0).sum() == 12
    assert mask.num_overlap == 0


def test_listed_images_are_background_others_have_no_mask(write):
    root = write(
        content([image(1), image(2, "b.jpg")]), pictures=[f"images/{n}.jpg" for n in "abc"]
    )
    masks = {sample.name: sample.mask for sample in find(root).samples}
    assert masks["b"].shapes == () and masks["c"] is None
    assert paint(find(root).samples[1]).values.sum() == 0


def test_split_folders(write):
    write(content(), "train/annotations.json", ["train/images/a.jpg"])
    root = write(content(), "test/_annotations.coco.json", ["test/a.jpg"])
    layout = find(root)
    assert [(s.name, s.split) for s in layout.samples] == [("test/a", "test"), ("train/a", "train")]
    assert "train/annotations.json, test/_annotations.coco.json" in layout.description


def test_the_folders_of_coco_itself(write):
    write(content(), "annotations/instances_train2017.json", ["train2017/a.jpg"])
    write(content(), "annotations/captions_train2017.json", [])
    root = write(content(), "annotations/instances_val2017.json", ["images/val2017/a.jpg"])
    layout = find(root)
    assert [(s.image.relative_to(root).as_posix(), s.split) for s in layout.samples] == [
        ("train2017/a.jpg", "train"),
        ("images/val2017/a.jpg", "val"),
    ]


def test_a_file_and_images_that_are_named(write, tmp_path):
    root = write(content(), "tables/new.json", ["photos/a.jpg", "old/a.jpg"])
    layout = find(root, masks=Path("tables/new.json"), images=Path("photos"))
    assert [s.image for s in layout.samples] == [tmp_path / "photos/a.jpg"]


def test_paths_in_file_names_choose_between_files_of_one_name(write):
    listed = [image(1, "left/a.jpg"), image(2, "C:\\data\\right\\a.jpg")]
    annotations = [annotation(1, image_id=2)]
    root = write(content(listed, annotations), pictures=["left/a.jpg", "right/a.jpg"])
    shapes = {s.name: len(s.mask.shapes) for s in find(root).samples}
    assert shapes == {"left/a": 0, "right/a": 1}


def test_files_that_cannot_be_told_apart_are_refused(write):
    root = write(content(), pictures=["left/a.jpg", "right/a.jpg"])
    with pytest.raises(LayoutError, match=r"a\.jpg may be .*left.* or .*right.*Write the folder"):
        find(root)


@pytest.mark.parametrize("on_disk", ["images/a.png", "images/A.jpg"])
def test_names_that_differ_are_matched_by_stem_and_said(write, on_disk):
    layout = find(write(content(), pictures=[on_disk]))
    assert len(layout.samples[0].mask.shapes) == 1
    assert "a.jpg for" in codes(layout)["near-name"].message


def test_images_that_are_missing_are_named(write):
    root = write(content([image(1), image(2, "gone.jpg")], [annotation(1, image_id=2)]))
    finding = codes(find(root))["missing-image"]
    assert "gone.jpg" in finding.message and finding.severity == "warning"


def test_an_image_listed_twice_keeps_all_its_shapes(write):
    annotations = [annotation(1), annotation(2, image_id=2)]
    layout = find(write(content([image(1), image(2)], annotations)))
    assert len(layout.samples) == 1 and len(layout.samples[0].mask.shapes) == 2
    assert "a.jpg" in codes(layout)["duplicate-entry"].message


def test_an_id_for_two_images_is_refused(write):
    root = write(content([image(1), image(1, "b.jpg")]), pictures=["a.jpg", "b.jpg"])
    with pytest.raises(LayoutError, match=r"gives the id 1 to a\.jpg and to b\.jpg"):
        find(root)


@pytest.mark.parametrize(
    ("broken", "code", "severity"),
    [
        ({"segmentation": [[1, 1, 2, 2]]}, "broken-shape", "warning"),
        ({"segmentation": [[1, 1, 2, 2, 3]]}, "broken-shape", "warning"),
        ({"segmentation": [[1, None, 2, 2, 3, 3]]}, "broken-shape", "warning"),
        ({"segmentation": [["a", "b", "c", "d", "e", "f"]]}, "broken-shape", "warning"),
        ({"segmentation": "text"}, "broken-shape", "warning"),
        ({"segmentation": {"size": [8, 10], "counts": "5220P"}}, "broken-shape", "error"),
        ({"segmentation": {"size": [10, 8], "counts": [80]}}, "broken-shape", "error"),
        ({"segmentation": {"size": [8, 10], "counts": [-1, 81]}}, "broken-shape", "error"),
        ({"segmentation": {"size": [8, 10]}}, "broken-shape", "error"),
        ({"segmentation": []}, "boxes-only", "warning"),
        ({"image_id": 77}, "lost-shapes", "warning"),
        ({"image_id": [1]}, "lost-shapes", "warning"),
    ],
)
def test_broken_annotations_are_named_and_the_others_kept(write, broken, code, severity):
    annotations = [annotation(1), {**annotation(55), **broken}]
    layout = find(write(content(annotations=annotations)))
    assert len(layout.samples[0].mask.shapes) == 1
    finding = codes(layout)[code]
    assert "annotation 55" in finding.message and finding.severity == severity


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (content(annotations=[annotation(5, category=9)]), "annotation 5 has the category 9"),
        (content(annotations=[annotation(5, category=None)]), "should be a whole number"),
        (content(annotations=[annotation(5, segmentation=None)]), "made for detection"),
        (content(annotations={}), "annotations should be a list, but is dict"),
        (content(annotations=[3]), r"annotations\[0\] should be an object, but is int"),
        (content(categories=[]), "lists 0 classes"),
        (content(categories=[{"id": "x", "name": "a"}]), r"categories\[0\] has the id 'x'"),
        (content(categories=[{"id": n, "name": f"c{n}"} for n in range(300)]), "300 classes"),
        (content(images=[{"id": 1}]), r"images\[0\] has the id 1 and the file_name None"),
    ],
)
def test_broken_files_are_refused_with_the_place(write, what, message):
    with pytest.raises(LayoutError, match=message) as caught:
        find(write(what))
    assert "annotations.json" in str(caught.value)


def test_files_that_disagree_about_a_category_are_refused(write):
    write(content(), "train/annotations.json", ["train/a.jpg"])
    other = content(categories=[{"id": 1, "name": "dog"}])
    with pytest.raises(LayoutError, match="calls category 1 dog, but it was cat"):
        find(write(other, "test/annotations.json", ["test/a.jpg"]))


def test_a_file_that_is_cut_off_names_the_place(write):
    with pytest.raises(FileError, match=r"annotations\.json is not valid JSON: .* line 1, column"):
        find(write(json.dumps(content())[:-30]))


@pytest.mark.parametrize("position", range(5, 330, 25))
def test_whatever_is_cut_or_changed_ends_in_a_data_error_or_none(write, position):
    text = json.dumps(content())
    for damaged in (text[:position], text[:position] + "7" + text[position + 1 :]):
        try:
            find_coco(write(damaged), LayoutOptions())
        except DataError as error:
            assert "annotations.json" in str(error)


@pytest.mark.parametrize("name", ["classes.json", "a.json"])
def test_other_json_files_are_not_coco(write, name):
    assert find_coco(write({"classes": ["a"], "images": 1}, name), LayoutOptions()) is None


def test_a_size_that_is_not_claimed_is_that_of_the_image(write):
    entry = {"id": 1, "file_name": "a.jpg"}
    (sample,) = find(write(content(images=[entry]))).samples
    assert sample.mask.size is None
    assert paint(sample).values.shape == (8, 10)


def test_car_parts(shared_data):
    layout = find(shared_data / "car_parts_coco")
    assert Counter(sample.split for sample in layout.samples) == {"train": 150, "test": 50}
    assert layout.findings == ()
    declared = layout.declaration.encoding().classes
    assert len(declared) == 19
    assert (declared[0].name, declared[0].source) == ("_background_", "1")
    assert (declared[18].name, declared[18].source) == ("wheel", "19")
    shapes = Counter(s.value for sample in layout.samples for s in sample.mask.shapes)
    assert set(shapes) == set(range(1, 19))
    assert sum(shapes.values()) == 1510


def test_car_parts_cover_the_area_that_the_file_states(shared_data):
    """`area` was written by the program that drew them: another painter, within 1 % in sum."""
    root = shared_data / "car_parts_coco" / "train"
    stated = {
        a["id"]: a["area"]
        for a in json.loads((root / "annotations.json").read_text())["annotations"]
    }
    painted = 0
    for sample in find(root).samples[:20]:
        painted += (read_stored_mask(sample.mask, None).values > 0).sum()
        painted += read_stored_mask(sample.mask, None).num_overlap
    names = [shape.name for sample in find(root).samples[:20] for shape in sample.mask.shapes]
    assert painted == pytest.approx(sum(stated[int(name.split()[1])] for name in names), rel=0.01)


# --- ids, lists of run lengths, and what is lost ----------------------------------------------


@pytest.mark.parametrize(
    ("listed", "meant"), [(1, "1"), ("1", 1), (1, 1.0), ("00001", 1), (1, " 1 "), ("a1", "a1")]
)
def test_ids_compare_as_what_they_mean(write, listed, meant):
    root = write(content([image(listed)], [annotation(1, image_id=meant)]))
    assert paint(find(root).samples[0]).values.sum() == 12


@pytest.mark.parametrize(("listed", "meant"), [(1, "01"), ("1", 1.0)])
def test_ids_of_categories_compare_so_too(write, listed, meant):
    categories = [{"id": listed, "name": "cat"}]
    root = write(content(annotations=[annotation(1, category=meant)], categories=categories))
    assert paint(find(root).samples[0]).values.sum() == 12


def test_two_images_whose_ids_mean_one_number_are_refused(write):
    root = write(content([image(1), image("01", "b.jpg")]), pictures=["a.jpg", "b.jpg"])
    with pytest.raises(LayoutError, match=r"gives the id 1 to a\.jpg and to b\.jpg"):
        find(root)


@pytest.mark.parametrize(("crowd", "num_objects"), [("0", 1), (0, 1), ("1", 0), (True, 0)])
def test_a_crowd_may_be_written_as_text(write, crowd, num_objects):
    layout = find(write(content(annotations=[annotation(1, iscrowd=crowd)])))
    assert paint(layout.samples[0]).instances.max() == num_objects


def rows_of(*rows):
    """Run lengths of whole rows of the 8 x 10 picture."""
    inside = np.zeros((8, 10), dtype=bool)
    inside[list(rows)] = True
    return {"size": [8, 10], "counts": encode_runs(inside).tolist()}


@pytest.mark.parametrize(
    ("outline", "rows"),
    [
        ([rows_of(1)], [1]),
        ([rows_of(1, 2), rows_of(2, 5)], [1, 2, 5]),
        ([rows_of(1), [0, 3, 10, 3, 10, 5, 0, 5]], [1, 3, 4]),  # and a polygon
    ],
)
def test_a_list_of_run_lengths_is_one_object(write, outline, rows):
    layout = find(write(content(annotations=[annotation(1, segmentation=outline)])))
    mask = paint(layout.samples[0])
    assert np.flatnonzero(mask.values.any(axis=1)).tolist() == rows
    assert (mask.values.sum(), mask.instances.max()) == (10 * len(rows), 1)
    assert layout.findings == ()


def test_a_list_with_damaged_run_lengths_keeps_its_polygon_and_says_so(write):
    outline = [rows_of(1), {"size": [8, 10], "counts": [3]}, [0, 3, 10, 3, 10, 5, 0, 5]]
    layout = find(write(content(annotations=[annotation(7, segmentation=outline)])))
    assert paint(layout.samples[0]).values.sum() == 20
    assert "annotation 7" in codes(layout)["broken-shape"].message


def listing(num_there, num_gone):
    there = [image(n, "a.jpg") for n in range(num_there)]
    return content(there + [image(100 + n, f"up/{n}-x.jpg") for n in range(num_gone)], [])


@pytest.mark.parametrize(
    ("num_there", "num_gone", "severity"), [(2, 2, "warning"), (2, 3, "error")]
)
def test_more_than_half_of_the_images_missing_is_an_error_that_shows_both_sides(
    write, num_there, num_gone, severity
):
    finding = codes(find(write(listing(num_there, num_gone))))["missing-image"]
    assert finding.severity == severity
    assert "up/0-x.jpg" in finding.message
    both_sides = f"In all {num_gone} of {num_there + num_gone} images are lost; there are a.jpg."
    assert (both_sides in finding.message) == (severity == "error")


def test_shapes_lost_for_any_reason_count_together(write):
    """One of four is whole: an error under each of the reasons, none of which has more than one."""
    annotations = [
        annotation(1),
        annotation(2, image_id=77),
        annotation(3, segmentation=[]),
        annotation(4, segmentation=[[1, 1, 2, 2]]),
    ]
    found = codes(find(write(content(annotations=annotations))))
    assert {code: found[code].severity for code in found} == {
        "lost-shapes": "error", "boxes-only": "error", "broken-shape": "error",
    }  # fmt: skip
    message = found["lost-shapes"].message
    assert "annotation 2 (image 77)" in message
    assert "In all 3 of 4 shapes are lost; there are image 1." in message


def test_a_class_none_of_whose_shapes_can_be_drawn_is_an_error_that_names_it(write):
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "unused"}]
    annotations = [*map(annotation, range(5)), annotation(9, category=2, segmentation=[])]
    layout = find(write(content(annotations=annotations, categories=categories)))
    finding = codes(layout)["lost-shapes"]
    assert finding.severity == "error"
    assert "has 1 shapes of dog, none of which can be drawn: annotation 9" in finding.message
    assert "unused" not in finding.message


def test_a_class_lost_in_one_file_and_drawn_in_another_is_no_error(write):
    lost = content(annotations=[annotation(1), annotation(2, segmentation=[])])
    write(lost, "train/annotations.json", ["train/a.jpg"])
    layout = find(write(content(), "test/annotations.json", ["test/a.jpg"]))
    assert {finding.code for finding in layout.findings} == {"boxes-only"}


def test_finding_the_images_looks_at_each_once(write, monkeypatch):
    """Comparisons of paths grow with the number of images, not with its square."""
    number, seen = 300, 0
    listed = [image(n, f"{n}.jpg") for n in range(number)]
    root = write(content(listed, []), pictures=[f"{n}.jpg" for n in range(number)])
    compare = type(root).__eq__

    def count(one, other):
        nonlocal seen
        seen += 1
        return compare(one, other)

    monkeypatch.setattr(type(root), "__eq__", count)
    assert len(find(root).samples) == number
    assert seen < 20 * number
