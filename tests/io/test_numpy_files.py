"""Arrays of NumPy: axes by length and said; one array of an archive; no pickles."""

import io

import numpy as np
import pytest
from tests.reading import check_dataset, read_dataset

from pixelwise.errors import FileError
from pixelwise.io import read_image, read_mask_values
from pixelwise.io.image_files import read_pixels

GREY = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)


@pytest.fixture
def saved(tmp_path):
    def save(values, name="a.npy", **arrays):
        path = tmp_path / name
        if name.endswith(".npz"):
            np.savez_compressed(path, **arrays)
        else:
            np.save(path, values)
        return path

    return save


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32", ">u2", "bool"])
def test_array_of_each_type(saved, dtype):
    path = saved((GREY % 2).astype(dtype))
    np.testing.assert_array_equal(read_mask_values(path), GREY % 2)
    scale = 255 if dtype == "bool" else 1
    np.testing.assert_array_equal(read_image(path)[..., 0], GREY % 2 * scale)


def test_order_of_fortran(saved):
    np.testing.assert_array_equal(read_mask_values(saved(np.asfortranarray(GREY))), GREY)


@pytest.mark.parametrize(
    ("shape", "read", "said"),
    [
        ((20, 30), (20, 30, 1), ""),
        ((20, 30, 3), (20, 30, 3), "the last was taken for channels"),
        ((3, 20, 30), (20, 30, 3), "the first was taken for channels"),
        ((12, 20, 30), (12, 20, 30, 1), "the first was taken for slices of a volume"),
        ((12, 20, 30, 2), (12, 20, 30, 2), "the last was taken for channels"),
    ],
)
def test_axes_are_taken_by_their_length_and_said(saved, shape, read, said):
    pixels = read_pixels(saved(np.zeros(shape, np.uint8)))
    assert pixels.values.shape == read
    assert pixels.note.endswith(said)
    assert bool(pixels.note) == bool(said)


def test_the_one_array_of_an_archive(saved):
    path = saved(None, "a.npz", arr_0=GREY)
    np.testing.assert_array_equal(read_mask_values(path), GREY)
    assert read_pixels(path).note == ""


def test_the_array_with_a_telling_name_and_it_is_said(saved):
    path = saved(None, "a.npz", image=GREY, mask=GREY % 2, time=np.zeros(3))
    np.testing.assert_array_equal(read_image(path)[..., 0], GREY)
    np.testing.assert_array_equal(read_mask_values(path), GREY % 2)
    assert read_pixels(path).note == 'the array "image" was read'


def test_several_arrays_are_listed(saved):
    path = saved(None, "a.npz", first=GREY, second=GREY)
    with pytest.raises(FileError, match=r'2 arrays \(first, second\).*call it "image"'):
        read_image(path)
    with pytest.raises(FileError, match='call it "mask"'):
        read_mask_values(path)


def test_pickles_are_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return print, ("code was run",)

    path = tmp_path / "a_seg.npy"  # what Cellpose writes
    np.save(path, np.array({"masks": GREY, "bomb": Bomb()}, dtype=object), allow_pickle=True)
    with pytest.raises(FileError, match=r"Python objects \(a pickle\).*as a plain array"):
        read_image(path)
    np.savez(tmp_path / "a.npz", mask=np.array([Bomb()], dtype=object))
    with pytest.raises(FileError, match="Python objects"):
        read_mask_values(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "values",
    [np.zeros(5), np.float32(3), np.zeros((2, 0)), np.array([["a"]]), np.zeros((3, 3), complex)],
    ids=["1-D", "0-D", "empty", "text", "complex"],
)
def test_what_is_no_picture_is_refused(saved, values):
    with pytest.raises(FileError, match=r"a\.npy"):
        read_image(saved(values))


def test_absurd_claims_and_truncation(saved):
    path = saved(GREY)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(FileError, match="truncated"):
        read_image(path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<u2", "fortran_order": False, "shape": (10**6, 10**6)}
    )
    path.write_bytes(header.getvalue())
    with pytest.raises(FileError, match="1000000x1000000"):
        read_image(path)


def test_other_zip_files_are_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(FileError, match="zip file without arrays"):
        read_image(tmp_path / "a.npz")


def test_folder_of_arrays(tmp_path):
    for folder, values in (("images", GREY.astype(np.uint8)), ("masks", (GREY > 99))):
        (tmp_path / folder).mkdir()
        for number in range(3):
            np.save(tmp_path / folder / f"{number}.npy", values + np.uint8(number * (values < 9)))
    assert read_dataset(tmp_path).describe().startswith("3 images")
    assert "unreadable" not in {finding.code for finding in check_dataset(tmp_path)}


def test_masks_of_labelme(shared_data):
    """The program wrote the same masks as .npy and as palette PNG (-1 is 255 there)."""
    folder = shared_data / "formats" / "labelme_and_voc" / "data_dataset_voc"
    paths = sorted((folder / "SegmentationClassNpy").iterdir())
    assert len(paths) == 3
    for path in paths:
        png = read_mask_values(folder / "SegmentationClass" / f"{path.stem}.png")
        np.testing.assert_array_equal(read_mask_values(path) & 255, png)
