"""read_dataset: what is understood and said, and that no input ends in a traceback."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.reading import read_dataset

from pixelwise.data import MaskClass, MaskEncoding
from pixelwise.doctor import ReadOptions, examine_dataset
from pixelwise.errors import DataError, FileError, LayoutError, MaskError


def test_a_plain_folder_is_described_in_one_line(save_pairs, disc):
    root = save_pairs([disc * 255] * 11 + [np.vstack([disc, disc]) * 255])
    dataset = read_dataset(root)
    assert dataset.describe() == (
        "12 images (9 train, 2 val, 1 test), 2 classes: background, foreground (value 255); "
        "2 sizes; grey"
    )
    assert dataset.layout == "images/ + masks/"
    assert dataset.splits == {"train": 9, "val": 2, "test": 1}
    assert dataset.num_sizes == 2
    assert dataset.notes == ()
    assert dataset.root == root


def test_grey_stored_as_rgba_is_one_channel(save, disc, tmp_path):
    for number in range(10):
        grey = np.random.default_rng(number).integers(0, 256, (32, 32), dtype=np.uint8)
        rgba = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
        save(f"img/{number}.png", rgba)
        save(f"labels/{number}.png", disc)
    dataset = read_dataset(str(tmp_path))
    assert dataset.in_channels == 1
    assert dataset.describe().endswith("1 size; grey stored as RGBA")
    assert dataset.samples("val")[0].image.shape == (1, 32, 32)


def test_declared_classes_and_ignored_values(save_pairs, tmp_path):
    mask = np.arange(16, dtype=np.uint8).reshape(4, 4) % 4
    save_pairs([mask] * 10)
    (tmp_path / "classes.json").write_text('{"classes": ["Sky", "Road", "Car"], "ignore": 3}')
    dataset = read_dataset(tmp_path)
    assert "3 classes: Sky, Road, Car; ignored: 3;" in dataset.describe()
    assert sorted(np.unique(dataset.samples("train")[0].mask)) == [0, 1, 2, 255]


def test_declared_names_are_mapped_to_0_and_255(save_pairs, disc, tmp_path):
    save_pairs([disc * 255] * 10)
    (tmp_path / "classes.json").write_text('{"classes": ["background", "cell"]}')
    dataset = read_dataset(tmp_path)
    assert "background, cell (value 255)" in dataset.describe()
    assert "0, 255 became the class indices 0 to 1" in dataset.notes[0]


def test_classes_of_the_folder_above_hold_for_a_split_folder(save_pairs, disc, tmp_path):
    for split in ("train", "val"):
        save_pairs([disc] * 10, folder=split, start=0 if split == "train" else 10)
    (tmp_path / "classes.json").write_text('{"classes": ["sky", "sun"]}')
    dataset = read_dataset(tmp_path / "val", for_training=False)
    assert dataset.encoding.class_names == ("sky", "sun")
    assert dataset.splits == {"val": 10}


def test_smoothed_masks_are_snapped_with_the_share(save_pairs, disc, tmp_path):
    edge = disc * 255
    edge[0, 0:4] = (60, 120, 130, 200)
    dataset = read_dataset(save_pairs([edge] * 10))
    assert dataset.encoding.snap
    assert "0.39 % of their pixels were moved" in dataset.notes[0]  # 4 of 1024
    mask = dataset.samples("train")[0].mask
    assert mask[0, :5].tolist() == [0, 0, 1, 1, 0]


def test_a_person_overrides_the_reading(save_pairs, disc):
    root = save_pairs([disc * 255] * 10)
    inverted = read_dataset(root, foreground=0)
    np.testing.assert_array_equal(inverted.samples("train")[0].mask, 1 - disc)
    with pytest.raises(MaskError, match="only the value 0"):
        read_dataset(root, ignore=255)
    with pytest.raises(MaskError, match="foreground=7, but"):
        read_dataset(root, foreground=7)


def test_a_person_and_classes_json_may_not_disagree(save_pairs, disc, tmp_path):
    root = save_pairs([disc] * 10)
    (tmp_path / "classes.json").write_text('{"classes": ["a", "b"]}')
    with pytest.raises(MaskError, match="Leave out one of them"):
        read_dataset(root, foreground=1)
    with pytest.raises(MaskError, match=r"1 is to be ignored, but classes.json calls it b"):
        read_dataset(root, ignore=1)


def test_an_encoding_known_from_training_is_used(save_pairs, disc):
    classes = [
        MaskClass(index=i, name=name, value=i, color="#000000") for i, name in enumerate("abcd")
    ]
    encoding = MaskEncoding(classes=tuple(classes))
    mask = disc * 3
    dataset = read_dataset(save_pairs([mask] * 10), encoding=encoding)
    assert dataset.encoding == encoding
    assert set(np.unique(dataset.samples("train")[0].mask)) == {0, 3}


def test_seed_and_fingerprint(save_pairs, save, disc):
    root = save_pairs([disc] * 20)
    one, again, other = read_dataset(root), read_dataset(root), read_dataset(root, seed=1)
    assert one.files == again.files
    assert one.files != other.files
    assert one.fingerprint == again.fingerprint == other.fingerprint
    assert len(one.fingerprint) == 12
    save("images/000.png", np.zeros((32, 32), np.uint8))
    assert read_dataset(root).fingerprint != one.fingerprint


def test_split_folders_are_kept(save_pairs, disc):
    save_pairs([disc] * 3, folder="train", start=0)
    save_pairs([disc] * 2, folder="valid", start=3)
    root = save_pairs([disc] * 1, folder="testing", start=5)
    dataset = read_dataset(root)
    assert dataset.splits == {"train": 3, "val": 2, "test": 1}
    assert dataset.layout == (
        "train/ (images/ + masks/), valid/ (images/ + masks/), testing/ (images/ + masks/)"
    )


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_truncated_image_is_named(save_pairs, disc):
    root = save_pairs([disc] * 10)
    truncate(root / "images/003.png")
    with pytest.raises(FileError, match=r"003.png is damaged or truncated .* Copy it again"):
        read_dataset(root)


def test_several_bad_files_are_counted(save_pairs, disc):
    root = save_pairs([disc] * 10)
    truncate(root / "images/003.png")
    (root / "masks/005.png").write_bytes(b"")
    Image.new("L", (5, 5)).save(root / "masks/006.png")
    with pytest.raises(FileError) as caught:
        read_dataset(root)
    assert "The same is wrong with 1 more file." in str(caught.value)
    assert "Also wrong: size-mismatch (" in str(caught.value)


def test_mask_of_another_size(save_pairs, save, disc):
    root = save_pairs([disc] * 10)
    save("masks/004.png", disc[:20])
    with pytest.raises(MaskError, match=r"masks/004.png is 20x32 but .*images/004.png is 32x32"):
        read_dataset(root)


def test_mask_that_lacks_the_exif_turn_of_its_image(save_pairs, save, disc):
    root = save_pairs([disc] * 10)
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    save("images/turned.jpg", pixels, exif=exif)
    save("masks/turned.png", disc[:16, :24])
    with pytest.raises(MaskError, match=r"turned by its EXIF data .* Turn the mask"):
        read_dataset(root)


def test_values_that_are_no_class(save_pairs, save, disc, tmp_path):
    root = save_pairs([disc] * 10)
    save("masks/004.png", disc * 9)
    (tmp_path / "classes.json").write_text('{"classes": ["a", "b"]}')
    with pytest.raises(MaskError, match=r"004.png holds the values 9, .* \(0, 1\)"):
        read_dataset(root)


def test_masks_in_colours_are_read_with_grey_files_among_them(save_pairs, save, disc):
    root = save_pairs([np.dstack([disc * 255, disc * 0, disc * 0])] * 9)
    save("images/grey.png", np.arange(1024, dtype=np.uint8).reshape(32, 32))
    save("masks/grey.png", disc * 0)
    dataset = read_dataset(root)
    assert "background (#000000), foreground (#ff0000)" in dataset.describe()
    masks = {sample.name: sample.mask for sample in dataset.samples("train")}
    assert all((mask == (0 if name == "grey" else disc)).all() for name, mask in masks.items())


def test_images_of_different_channels(save, disc, tmp_path):
    for number, channels in enumerate([5, 5, 7]):
        bands = np.random.default_rng(0).random((channels, 32, 32), dtype=np.float32)
        save(f"images/{number}.tif", bands, metadata={"axes": "CYX"}, photometric="minisblack")
        save(f"masks/{number}.png", disc)
    with pytest.raises(DataError, match=r"different numbers of channels .2 with 5, 1 with 7"):
        read_dataset(tmp_path)


def test_nan_pixels(save_pairs, save, disc):
    root = save_pairs([disc] * 10)
    save("images/x.tif", np.full((32, 32), np.nan, np.float32))
    save("masks/x.png", disc)
    with pytest.raises(DataError, match=r"x.tif holds NaN or infinite pixels"):
        read_dataset(root)


def test_bad_classes_file(save_pairs, disc, tmp_path):
    root = save_pairs([disc] * 10)
    (tmp_path / "classes.json").write_text(json.dumps({"class": ["a"]}))
    with pytest.raises(MaskError, match=r"classes.json is not understood: class: Extra"):
        read_dataset(root)


@pytest.mark.parametrize("name", ["none", "empty", "a.png"])
def test_no_data_folder(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.png").touch()
    with pytest.raises(LayoutError, match=name):
        read_dataset(tmp_path / name)


def test_an_examination_gives_the_data_set_or_raises_its_errors(save_pairs, disc):
    examination = examine_dataset(save_pairs([disc] * 10), ReadOptions(seed=3))
    assert examination.errors == []
    assert len(examination.dataset.files) == 10
    nothing = examine_dataset("nowhere")
    assert [finding.code for finding in nothing.errors] == ["layout"]
    with pytest.raises(LayoutError, match="nowhere"):
        _ = nothing.dataset


def test_images_to_test_alone_can_be_scored_and_not_trained_on(save_pairs, disc):
    root = save_pairs([disc] * 3, "test")
    with pytest.raises(LayoutError, match=r"no training images, only test\. .*pixelwise evaluate"):
        _ = examine_dataset(root).dataset
    scored = examine_dataset(root, ReadOptions(for_training=False))
    assert scored.dataset.splits == {"test": 3}
