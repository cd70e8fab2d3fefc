"""NIfTI: one orientation for image and mask, spacing, scale of intensities; films refused."""

import gzip
import itertools

import nibabel as nib
import numpy as np
import pytest
from tests.reading import read_dataset

from pixelwise.errors import FileError
from pixelwise.io import read_image, read_mask_values
from pixelwise.io.image_files import read_pixels

STORED = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)  # i, j, k
RAS = np.diag([1.0, 2.0, 3.0, 1.0])


@pytest.fixture
def saved(tmp_path):
    def save(values, affine=RAS, name="a.nii", kind=nib.Nifti1Image, **header):
        image = kind(values, affine)
        for field, value in header.items():
            image.header[field] = value
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        nib.save(image, path)
        return path

    return save


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_volume_is_depth_height_width_with_spacing(saved, name, kind):
    pixels = read_pixels(saved(STORED, name=name, kind=kind))
    assert (pixels.spatial_dims, pixels.note) == (3, "")
    assert pixels.values.dtype == np.int16
    np.testing.assert_array_equal(pixels.values[..., 0], STORED.transpose(2, 1, 0))
    assert pixels.spacing_um == (3000, 2000, 1000)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product((1, -1), repeat=3)))
def test_every_orientation_gives_the_same_volume(saved, order, flips):
    """The 48 ways to store one volume: axes in any order, each in either direction."""
    turns = np.array([(axis, flip) for axis, flip in zip(order, flips, strict=True)])
    values = nib.orientations.apply_orientation(STORED, turns)
    affine = RAS @ nib.orientations.inv_ornt_aff(turns, STORED.shape)
    path = saved(values, affine)
    np.testing.assert_array_equal(read_mask_values(path), STORED.transpose(2, 1, 0))
    assert read_pixels(path).spacing_um == (3000, 2000, 1000)


def test_oblique_volumes_are_turned_to_the_closest(saved):
    angle = np.deg2rad(20)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    path = saved(STORED, turn @ np.diag([-1, 1, 1, 1]))
    np.testing.assert_array_equal(read_mask_values(path), STORED[::-1].transpose(2, 1, 0))


def test_without_orientation_the_order_is_as_stored_and_it_is_said(saved):
    path = saved(STORED, np.diag([-1, -1, 1, 1]))
    data = bytearray(path.read_bytes())
    data[252:256] = bytes(4)  # qform_code, sform_code
    path.write_bytes(data)
    pixels = read_pixels(path)
    np.testing.assert_array_equal(pixels.values[..., 0], STORED.transpose(2, 1, 0))
    assert pixels.note == "NIfTI without orientation: order as stored"


def test_scale_of_the_header_is_for_images_only(saved):
    path = saved(STORED)
    data = bytearray(path.read_bytes())
    data[112:120] = np.array([0.5, 10], "<f4").tobytes()  # scl_slope, scl_inter
    path.write_bytes(data)
    image = read_image(path)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[..., 0], STORED.transpose(2, 1, 0) * 0.5 + 10)
    mask = read_mask_values(path)
    assert mask.dtype == np.int16
    np.testing.assert_array_equal(mask, STORED.transpose(2, 1, 0))


@pytest.mark.parametrize(("unit", "factor"), [(0, 1000), (1, 1e6), (2, 1000), (3, 1)])
def test_units_of_length(saved, unit, factor):
    pixels = read_pixels(saved(STORED, xyzt_units=unit | 8))  # 8: seconds
    assert pixels.spacing_um == (3 * factor, 2 * factor, factor)


def test_one_slice_is_a_picture(saved):
    pixels = read_pixels(saved(STORED[:, :, :1]))
    assert pixels.values.shape == (5, 4, 1)
    assert (pixels.spatial_dims, pixels.spacing_um) == (2, (2000, 1000))
    sagittal = read_pixels(saved(STORED[:1]))
    assert (sagittal.values.shape, sagittal.spacing_um) == ((6, 5, 1), (3000, 2000))
    assert read_image(saved(STORED[:, :, 0])).shape == (5, 4, 1)


def test_big_endian(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    image = nib.Nifti1Image(STORED.astype(">i2"), RAS, header)
    nib.save(image, tmp_path / "a.nii")
    assert (tmp_path / "a.nii").read_bytes()[:4] == (348).to_bytes(4, "big")
    np.testing.assert_array_equal(read_mask_values(tmp_path / "a.nii"), STORED.transpose(2, 1, 0))


def test_colours_and_vectors_are_channels_without_a_word(saved):
    rgb = np.zeros((4, 5, 6), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["G"] = 7
    pixels = read_pixels(saved(rgb))
    assert pixels.values.shape == (6, 5, 4, 3)
    assert pixels.values[0, 0, 0].tolist() == [0, 7, 0]
    vector = np.zeros((4, 5, 6, 1, 3), np.float32)
    assert read_pixels(saved(vector, intent_code=1007)).values.shape == (6, 5, 4, 3)
    assert pixels.note == read_pixels(saved(vector, intent_code=1007)).note == ""


def test_a_short_fourth_axis_is_said_and_a_long_one_is_refused(saved):
    pixels = read_pixels(saved(np.zeros((4, 5, 6, 4), np.int16)))
    assert pixels.values.shape == (6, 5, 4, 4)
    assert pixels.note == "NIfTI, fourth axis of length 4: it was taken for channels"
    with pytest.raises(FileError, match="120 volumes, most likely moments of a film"):
        read_image(saved(np.zeros((4, 5, 6, 120), np.int16)))
    with pytest.raises(FileError, match="too many axes"):
        read_image(saved(np.zeros((4, 5, 6, 2, 3), np.int16)))


def test_truncated_and_damaged_files(saved):
    for name in ("a.nii", "a.nii.gz"):
        path = saved(
            np.random.default_rng(0).integers(0, 999, (20, 20, 20)).astype(np.int16), name=name
        )
        whole = path.read_bytes()
        for share in (0.02, 0.5, 0.99):
            path.write_bytes(whole[: int(share * len(whole))])
            with pytest.raises(FileError, match=name):
                read_image(path)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    path.write_bytes(flipped)
    with pytest.raises(FileError, match="damaged"):
        read_image(path)


def test_members_of_gzip_one_after_the_other(saved):
    data = saved(STORED).read_bytes()
    path = saved(STORED, name="b.nii.gz")
    path.write_bytes(gzip.compress(data[:400]) + gzip.compress(data[400:]))
    np.testing.assert_array_equal(read_mask_values(path), STORED.transpose(2, 1, 0))


def test_nothing_is_printed(saved, capfd):
    read_image(saved(STORED, pixdim=[0, -1, 0, np.nan, 1, 1, 1, 1]))
    assert capfd.readouterr() == ("", "")


def test_a_folder_of_volumes_with_masks_in_another_orientation(saved, tmp_path):
    random = np.random.default_rng(0)
    expected = []
    for number in range(3):
        image = random.integers(0, 200, (12, 14, 16)).astype(np.int16)
        saved(image, name=f"images/{number}.nii.gz")
        saved(
            (image > 99).astype(np.uint8)[::-1],
            np.diag([-1, 2, 3, 1]),
            name=f"masks/{number}.nii.gz",
        )
        expected.append((image > 99).transpose(2, 1, 0))
    dataset = read_dataset(tmp_path)
    assert dataset.spatial_dims == 3
    assert dataset.spacing_um == (3000, 2000, 1000)
    assert dataset.describe().endswith("int16; spacing 3 x 2 x 1 mm")
    for split in dataset.splits:
        for sample in dataset.samples(split):
            np.testing.assert_array_equal(sample.mask, expected[int(sample.name)])
            assert sample.image.shape == (1, 16, 14, 12)


def test_real_volumes_are_those_of_nibabel(shared_data):
    paths = [
        *(shared_data / "formats" / "spine_volumes").glob("*/*.nii.gz"),
        *sorted((shared_data / "hippocampus_volumes" / "test").glob("*/*.nii.gz"))[:6],
    ]
    assert len(paths) == 24
    for path in paths:
        canonical = nib.as_closest_canonical(nib.load(path))
        expected = np.asarray(canonical.dataobj).transpose(2, 1, 0)
        pixels = read_pixels(path)
        np.testing.assert_array_equal(pixels.values[..., 0], expected)
        np.testing.assert_array_equal(read_mask_values(path), expected)
        sizes = np.array(canonical.header.get_zooms()[::-1]) * 1000
        np.testing.assert_allclose(pixels.spacing_um, sizes, rtol=1e-5)
