"""Real data sets, as their sources describe them; skipped where they are absent."""

import time

import numpy as np

from pixelwise.data import examine_dataset, read_dataset, read_image


def test_nuclei(shared_data):
    start = time.perf_counter()
    examination = examine_dataset(shared_data / "nuclei")
    seconds = time.perf_counter() - start
    dataset = examination.dataset
    assert dataset.describe() == (
        "464 images (330 train, 67 val, 67 test), 2 classes: background, foreground (value 255); "
        "9 sizes; 387 grey and 77 colour images, read as RGB"
    )
    codes = [finding.code for finding in examination.findings]
    assert codes == ["near-duplicate", "left-aside", "mixed-sizes"]
    pair = [path.stem for path in examination.findings[0].files]  # two frames of one embryo
    assert pair == ["20b20ab04937", "cb4df20a83b2"]
    assert seconds < 60  # 3 s on two free cores
    sample = dataset.samples("test")[0]
    assert sample.image.shape[0] == 3
    assert sample.image.shape[1:] == sample.mask.shape
    assert set(np.unique(sample.mask)) == {0, 1}


def test_streets(shared_data):
    examination = examine_dataset(shared_data / "streets")
    dataset = examination.dataset
    assert dataset.splits == {"train": 367, "val": 101, "test": 233}
    assert dataset.encoding.class_names == (
        "Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car",
        "Pedestrian", "Bicyclist",
    )  # fmt: skip
    assert dataset.encoding.ignore == (11,)
    assert_what_is_true_of_streets({finding.code: finding for finding in examination.findings})
    sample = dataset.samples("val")[0]
    assert sample.image.shape == (3, 360, 480)
    assert set(np.unique(sample.mask)) <= {*range(11), 255}


def assert_what_is_true_of_streets(findings):
    """A mask of another picture; two drives cut into two splits each; frames at a red light."""
    assert set(findings) == {"shifted-mask", "group-leak", "near-duplicate"}
    assert [path.name for path in findings["shifted-mask"].files] == ["Seq05VD_f02610.png"]
    assert "0001TP in test and train; 0016E5 in train and val" in findings["group-leak"].message
    assert findings["group-leak"].count == 124 + 305  # frames of the two drives
    assert findings["near-duplicate"].severity == "note"
    assert 150 < findings["near-duplicate"].count < 200


def test_one_split_of_nuclei(shared_data):
    assert read_dataset(shared_data / "nuclei" / "test").splits == {"test": 67}


def test_jpeg_masks_of_polyps(shared_data):
    dataset = read_dataset(shared_data / "formats" / "odd_files" / "kvasir_seg_5")
    assert dataset.encoding.snap
    assert [entry.value for entry in dataset.encoding.classes] == [0, 255]
    assert any("0.75 % of their pixels" in note for note in dataset.notes)


def test_ten_band_geotiff(shared_data):
    folder = shared_data / "formats" / "odd_files" / "multiband_tiff"
    image = read_image(next((folder / "images").glob("segmentation*")))
    assert (image.shape, image.dtype) == ((224, 224, 10), np.float32)
