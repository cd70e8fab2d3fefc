"""Regions as COCO annotations: a JSON file for one image, with run lengths.

The format: cocodataset.org/#format-data. Run lengths are those of pixels outside and inside in
turn, down one column after the other: an outline with holes in whole numbers, in pixels.
"""

from collections.abc import Sequence

import numpy as np

from pixelwise.objects.formats import RegionFormat, json_items, to_json
from pixelwise.objects.measure import Region


def coco_format(
    class_names: Sequence[str], image_name: str, size: tuple[int, int], *, has_background: bool
) -> RegionFormat:
    """A COCO file of one image: an annotation for each region, a category for each class.

    Args:
        class_names: of the model; the id of a category is the index of its class.
        image_name: name of the image's file.
        size: height and width of the image.
        has_background: class 0 is background, which is no category.
    """
    height, width = size
    head = {
        "info": {"description": "pixelwise result"},
        "images": [{"id": 1, "file_name": image_name, "height": height, "width": width}],
        "categories": [
            {"id": index, "name": name}
            for index, name in enumerate(class_names)
            if index > 0 or not has_background
        ],
    }

    def write(regions: Sequence[Region]) -> str:
        return json_items(regions, (_annotation(region, size) for region in regions))

    return RegionFormat(f'{to_json(head)[:-1]},"annotations":[', write, "\n]}\n")


def _annotation(region: Region, size: tuple[int, int]) -> dict[str, object]:
    top, left, bottom, right = region.box
    return {
        "id": region.number,
        "image_id": 1,
        "category_id": region.class_index,
        "segmentation": {"size": list(size), "counts": run_lengths(region, size)},
        "area": region.area,
        "bbox": [left, top, right - left, bottom - top],
        "iscrowd": 0,
    }


def run_lengths(region: Region, size: tuple[int, int]) -> list[int]:
    """Numbers of pixels outside and inside in turn, column by column, of an image of a size.

    In each line between two rows, what is inside begins or ends where one of the rows has a run and
    the other has none: between the first and second end of their runs, the third and fourth, ...
    """
    height, width = size
    row, start, stop = region.runs.astype(np.int64).T
    line = np.concatenate([row, row, row + 1, row + 1])
    column = np.concatenate([start, stop, start, stop])
    order = np.lexsort((column, line))
    begin, end = column[order].reshape(-1, 2).T
    number = end - begin
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    first = begin * height + line[order][::2]
    changes, times = np.unique(np.repeat(first, number) + within * height, return_counts=True)
    changes = changes[times == 1]  # the lower end of a column is the upper end of the next
    if changes[-1] < height * width:
        changes = np.append(changes, height * width)
    lengths: list[int] = np.diff(changes, prepend=0).tolist()
    return lengths
