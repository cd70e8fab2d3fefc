"""COCO annotations, by hand and as pycocotools reads them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from tests.objects.test_objects import MASK, MASKS, NAMES, PLANES, paint, regions

from pixelwise.objects import coco_format
from pixelwise.objects.coco import run_lengths


def content_of(mask, has_background=True):
    form = coco_format(NAMES, "a.png", mask.shape[-2:], has_background=has_background)
    text = form.start + form.write(regions(mask, has_background)) + form.end
    return json.loads(text)


def test_run_lengths_by_hand():
    """Down the columns: two pixels in, four out, two in, and out to the end."""
    square, _, ring = regions()
    assert run_lengths(square, MASK.shape) == [0, 2, 4, 2, 28]
    assert run_lengths(ring, MASK.shape) == [9, 3, 3, 1, 1, 1, 3, 3, 12]


def test_a_region_from_edge_to_edge_is_one_run():
    (all_of_it,) = regions(np.ones((3, 5), np.uint8))
    assert run_lengths(all_of_it, (3, 5)) == [0, 15]


def test_the_head_by_hand():
    content = content_of(MASK)
    assert content["images"] == [{"id": 1, "file_name": "a.png", "height": 6, "width": 6}]
    assert content["categories"] == [{"id": 1, "name": "cell"}, {"id": 2, "name": "rim"}]
    first = content["annotations"][0]
    assert (first["id"], first["category_id"], first["bbox"]) == (1, 1, [0, 0, 2, 2])


def test_without_background_class_0_is_a_category():
    assert content_of(MASK, has_background=False)["categories"][0]["name"] == "background"


@settings(deadline=None, max_examples=200)
@given(MASKS | PLANES)
def test_run_lengths_are_those_of_pycocotools(mask):
    height, width = size = mask.shape[-2:]
    for region in regions(mask):
        inside = np.asfortranarray(paint(region, size), np.uint8)
        lengths = run_lengths(region, size)
        ours = coco_mask.frPyObjects({"size": list(size), "counts": lengths}, height, width)
        assert ours == coco_mask.encode(inside)
        top, left, bottom, right = region.box
        assert coco_mask.toBbox(ours).tolist() == [left, top, right - left, bottom - top]


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # raised inside pycocotools
def test_pycocotools_opens_the_file(tmp_path, capsys):
    path = tmp_path / "a_coco.json"
    path.write_text(json.dumps(content_of(MASK)))
    coco = COCO(path)
    assert coco.getImgIds(catIds=[2]) == [1]
    painted = np.zeros(MASK.shape, int)
    for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[1], iscrowd=False)):
        inside = coco.annToMask(annotation)
        assert inside.sum() == annotation["area"]
        painted += inside * annotation["category_id"]
    np.testing.assert_array_equal(painted, np.where(MASK == 255, 0, MASK))
