"""Real data sets load as what they are; skipped where they are absent.

What is expected was taken from the files with other programs: counts of files, class values and
pixels with Pillow, tifffile and nibabel, polygons with pycocotools, object files by adding them up.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.reading import read_dataset

from pixelwise.data.layouts.found import LayoutOptions
from pixelwise.doctor import ReadOptions, examine_dataset
from pixelwise.io import read_image

STREETS = (
    "Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car",
    "Pedestrian", "Bicyclist",
)  # fmt: skip
CAR_PARTS = (
    "_background_", "back_bumper", "back_glass", "back_left_door", "back_left_light",
    "back_right_door", "back_right_light", "front_bumper", "front_glass", "front_left_door",
    "front_left_light", "front_right_door", "front_right_light", "hood", "left_mirror",
    "right_mirror", "tailgate", "trunk", "wheel",
)  # fmt: skip
VOC = (
    "_background_", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa",
    "train", "tv/monitor",
)  # fmt: skip
FOREGROUND = ("background", "foreground")
OBJECTS = ("background", "object")


@dataclass(frozen=True)
class Known:
    """What is known of a data set, and of one of its samples.

    Attributes:
        folder: below the shared data.
        num_images: with masks, in all.
        task: to be learnt.
        classes: their names.
        values: of the classes in the files.
        ignore: values left out.
        num_sizes: different sizes of images.
        sample: name of one sample.
        shape: (C, *S) of its image.
        mean: of its image.
        pixels: of each class of its mask; 255 is ignored.
        num_objects: in its mask, where objects are told apart.
        masks: folder of the masks, where there are several.
        within: pixels of a class by which polygons may differ from what other programs draw.
    """

    folder: str
    num_images: int
    task: str
    classes: tuple[str, ...]
    values: tuple[int, ...]
    ignore: tuple[int, ...]
    num_sizes: int
    sample: str
    shape: tuple[int, ...]
    mean: float
    pixels: dict[int, int]
    num_objects: int | None = None
    masks: str | None = None
    within: int = 0


SETS = (
    Known("nuclei", 464, "binary", FOREGROUND, (0, 255), (), 9,
          "00ae65c1c663", (3, 256, 320), 174.85, {0: 52545, 1: 29375}),
    Known("nuclei", 464, "instances", OBJECTS, (0, 1), (), 9,
          "00ae65c1c663", (3, 256, 320), 174.85, {0: 52545, 1: 29375}, 70, "instances"),
    Known("streets", 701, "multiclass", STREETS, tuple(range(11)), (11,), 1,
          "0001TP_006690", (3, 360, 480), 45.85,
          {0: 23726, 1: 64726, 2: 1904, 3: 16139, 4: 11897, 5: 2303, 6: 2543, 8: 40851, 9: 731,
           255: 7980}),
    Known("car_parts_coco", 200, "multiclass", CAR_PARTS, tuple(range(19)), (), 29,
          "train1", (3, 512, 512), 64.37, {0: 237571, 9: 17537, 10: 557, 18: 6479}, 3, within=10),
    Known("hippocampus_volumes", 60, "multiclass", ("background", "class 1", "class 2"), (0, 1, 2),
          (), 58, "hippocampus_001", (1, 35, 51, 35), 63.52, {0: 59527, 1: 1324, 2: 1624}),
    Known("formats/one_file_per_object", 12, "binary", FOREGROUND, (0, 1), (), 4,
          "1023509cf8d4", (3, 360, 360), 13.0, {0: 86899, 1: 42701}, 23),
    Known("formats/object_files_rgba", 2, "multiclass", ("background", "circle", "square"),
          (0, 1, 2), (), 1, "1000", (3, 128, 128), 160.41, {0: 12663, 2: 3721}, 1),
    Known("formats/labelme_and_voc/data_annotated", 3, "multiclass", VOC, tuple(range(21)), (255,),
          2, "2011_000006", (3, 375, 500), 59.63,
          {0: 93492, 9: 44306, 15: 34792, 18: 14001, 255: 909}, 9,
        within=900,  # Pillow fills the outlines too
    ),
    Known("formats/labelme_and_voc/data_dataset_voc", 3, "multiclass", VOC, tuple(range(21)),
          (255,), 2, "2011_000006", (3, 375, 500), 59.82,
          {0: 93492, 9: 44306, 15: 34791, 18: 14002, 255: 909}),
    Known("formats/labelme_and_voc/data_dataset_voc", 3, "multiclass", VOC, tuple(range(21)),
          (-1,), 2, "2011_000006", (3, 375, 500), 59.82,
          {0: 93492, 9: 44306, 15: 34791, 18: 14002, 255: 909}, masks="SegmentationClassNpy"),
    Known("formats/odd_files/bbbc039_onehot", 1, "multiclass", ("class 0", "class 1", "class 2"),
          (0x010000, 0x000100, 0x000001), (), 1,
          "image", (1, 232, 232), 17.22, {0: 36215, 1: 13919, 2: 3690}),
    Known("formats/odd_files/inria_kitsap11", 1, "binary", FOREGROUND, (0, 255), (), 1,
          "kitsap11", (3, 1000, 1000), 97.46, {0: 909670, 1: 90330}),
    Known("formats/odd_files/kvasir_seg_5", 5, "binary", FOREGROUND, (0, 255), (), 5,
          "cju0qoxqj9q6s0835b43399p4", (3, 1070, 1348), 108.42, {0: 1052065, 1: 390295}),
    Known("formats/microscopy_tiff/batch_process", 2, "multiclass",
          ("background", *(f"class {k}" for k in range(1, 8))), tuple(range(8)), (), 1,
          "xy_8bit__mitocheck_incenp_t70", (1, 364, 260), 24.93,
          {0: 80945, 1: 3196, 2: 2585, 3: 65, 4: 1497, 5: 2615, 6: 1779, 7: 1958}),
    Known("formats/instance_ids", 2, "instances", OBJECTS, (0, 1), (), 2,
          "img2d", (1, 512, 512), 31.78, {0: 209918, 1: 52226}, 125),
    Known("formats/instance_ids/tests", 2, "instances", OBJECTS, (0, 1), (), 2,
          "img2d", (1, 256, 256), 21.12, {0: 61344, 1: 4192}, 65),
    Known("formats/spine_volumes", 6, "binary", FOREGROUND, (0, 1), (), 6,
          "mt1", (1, 5, 40, 40), 243.78, {0: 7901, 1: 99}, masks="masks"),
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("known", SETS, ids=lambda k: f"{k.folder} {k.masks or ''}".strip())
def test_a_set_loads_as_what_it_is(known, shared_data):
    masks = None if known.masks is None else Path(known.masks)
    options = ReadOptions(layout=LayoutOptions(masks=masks))
    examination = examine_dataset(shared_data / known.folder, options)
    dataset = examination.dataset
    assert len(dataset.files) == known.num_images
    assert dataset.task == known.task
    assert dataset.encoding.class_names == known.classes
    assert tuple(entry.value for entry in dataset.encoding.classes) == known.values
    assert dataset.encoding.ignore == known.ignore
    assert dataset.num_sizes == known.num_sizes
    assert_sample(known, dataset)
    if known.masks is None and known.folder in TRUE_OF:
        TRUE_OF[known.folder]({found.code: found for found in examination.findings})


def assert_sample(known, dataset):
    """One sample has the pixels that its files have."""
    (files,) = [entry for entry in dataset.files if entry.name == known.sample]
    samples = dataset.samples(files.split)
    index = samples.files.index(files)
    sample = samples[index]
    assert sample.image.shape == known.shape
    assert sample.image.mean() == pytest.approx(known.mean, abs=0.01)
    assert sample.mask.shape == known.shape[1:]
    values, counts = np.unique(sample.mask, return_counts=True)
    assert values.tolist() == list(known.pixels)
    assert counts == pytest.approx(list(known.pixels.values()), abs=known.within)
    objects = samples.instances(index)
    assert (None if objects is None else len(np.unique(objects)) - 1) == known.num_objects


def true_of_nuclei(findings):
    """Two frames of one embryo, ids beside the masks, many sizes; nothing else."""
    assert list(findings) == ["near-duplicate", "left-aside", "mixed-sizes"]
    pair = [path.stem for path in findings["near-duplicate"].files]
    assert pair == ["20b20ab04937", "cb4df20a83b2"]
    assert "instances/" in findings["left-aside"].message


def true_of_streets(findings):
    """A mask of another picture; two drives cut into two splits each; frames at a red light."""
    assert set(findings) == {"shifted-mask", "group-leak", "near-duplicate"}
    assert [path.name for path in findings["shifted-mask"].files] == ["Seq05VD_f02610.png"]
    assert "0001TP in test and train; 0016E5 in train and val" in findings["group-leak"].message
    assert findings["group-leak"].count == 124 + 305  # frames of the two drives
    assert findings["near-duplicate"].severity == "note"
    assert 150 < findings["near-duplicate"].count < 200


def true_of_car_parts(findings):
    """A polygon beyond its image, mirrors on few pixels, two pairs of copies; the rest is usual."""
    assert {code: finding.severity for code, finding in findings.items()} == {
        "class-imbalance": "warning",
        "out-of-bounds": "warning",
        "saturated": "note",
        "near-duplicate": "note",
        "overlapping-objects": "note",
        "mixed-sizes": "note",
    }
    names = {code: [path.stem for path in finding.files] for code, finding in findings.items()}
    assert names["out-of-bounds"] == ["train130"]
    on_white = ["train112", "train117", "train118", "train119"]
    assert names["saturated"] == on_white
    assert names["near-duplicate"] == ["train109", "train11", "train162", "train201"]
    assert "left_mirror (0.088 %)" in findings["class-imbalance"].message


def true_of_hippocampus(findings):
    """One volume of another brightness, and eight of another number type."""
    warnings = {code for code, found in findings.items() if found.severity != "note"}
    assert warnings == {"intensity-range", "mixed-depth"}
    assert [path.name for path in findings["intensity-range"].files] == ["hippocampus_044.nii.gz"]
    assert "8 uint8" in findings["mixed-depth"].message


TRUE_OF = {
    "nuclei": true_of_nuclei,
    "streets": true_of_streets,
    "car_parts_coco": true_of_car_parts,
    "hippocampus_volumes": true_of_hippocampus,
}


def test_every_set_of_formats_is_read(shared_data):
    read = {known.folder.split("/")[1] for known in SETS if known.folder.startswith("formats/")}
    assert {path.name for path in (shared_data / "formats").iterdir()} == read


def test_masks_of_fractions_are_refused_and_the_rest_is_understood(shared_data):
    folder = shared_data / "formats" / "odd_files" / "multiband_tiff"
    examination = examine_dataset(folder)
    (error,) = examination.errors
    assert error.code == "mask-values"
    assert [path.name for path in error.files] == ["regression_test_0_label.tif"]
    assert examination.encoding.class_names == FOREGROUND
    image = read_image(folder / "images" / "segmentation_test_0_input.tif")
    assert (image.shape, image.dtype) == ((224, 224, 10), np.float32)


def test_one_split_of_nuclei(shared_data):
    dataset = read_dataset(shared_data / "nuclei" / "test", for_training=False)
    assert dataset.splits == {"test": 67}


def test_the_share_of_pixels_that_jpeg_damaged_is_said(shared_data):
    dataset = read_dataset(shared_data / "formats" / "odd_files" / "kvasir_seg_5")
    assert dataset.encoding.snap
    assert any("0.75 % of their pixels" in note for note in dataset.notes)
