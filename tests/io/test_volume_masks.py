"""Masks of NIfTI images lie on them, as nibabel reads both; masks of stacks keep their axes."""

import itertools

import nibabel as nib
import numpy as np
import pytest
import tifffile

from pixelwise.errors import ArrayError
from pixelwise.io import (
    is_result,
    read_image,
    read_mask_values,
    read_place,
    write_nifti_mask,
    write_stack_mask,
)
from pixelwise.io.image_files import read_pixels

STORED = np.random.default_rng(0).integers(0, 250, (4, 5, 6), np.uint8)  # i, j, k
OBLIQUE = np.array(
    [[1.9, -0.4, 0.1, -30], [0.6, 2.8, 0.2, 12.5], [-0.1, 0.3, 4.0, 7], [0, 0, 0, 1]]
)
COLORS = ("#000000", "#ff0000", "#00ff00")


def save(path, values, affine, kind=nib.Nifti1Image, codes=(1, 1)):
    image = kind(values, affine)
    image.set_qform(affine, codes[0])
    image.set_sform(affine, codes[1])
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def write_back(path, out):
    """Write what is read of a file as a mask of it."""
    write_nifti_mask(out, read_image(path)[..., 0], read_place(path))
    return nib.load(out)


def check_same_place(mask, image):
    np.testing.assert_array_equal(mask.affine, image.affine)
    for name in ("qform_code", "sform_code", "xyzt_units", "pixdim", "quatern_b", "qoffset_x"):
        np.testing.assert_array_equal(mask.header[name], image.header[name], name)
    assert mask.shape == image.shape
    assert nib.aff2axcodes(mask.affine) == nib.aff2axcodes(image.affine)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product((1, -1), repeat=3)))
def test_in_every_orientation_each_value_is_where_it_was(order, flips, tmp_path):
    """The 48 ways in which a volume may be stored, all of them a little oblique."""
    turns = np.array([(axis, flip) for axis, flip in zip(order, flips, strict=True)])
    affine = OBLIQUE @ nib.orientations.inv_ornt_aff(turns, STORED.shape)
    path = save(tmp_path / "a.nii.gz", STORED, affine)
    mask = write_back(path, tmp_path / "m.nii.gz")
    check_same_place(mask, nib.load(path))
    np.testing.assert_array_equal(np.asarray(mask.dataobj), STORED)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 1), (7, 1, 5), (1, 7, 5), (7, 5, 1, 1)])
def test_a_picture_keeps_its_shape(shape, kind, tmp_path):
    values = np.arange(35, dtype=np.uint8).reshape(shape)
    path = save(tmp_path / "a.nii", values, OBLIQUE @ np.diag([-1, 1, 1, 1]), kind)
    assert read_image(path).ndim == 3
    mask = write_back(path, tmp_path / "m.nii.gz")
    assert type(mask) is kind
    expected = nib.load(path)
    np.testing.assert_array_equal(mask.affine, expected.affine)
    assert mask.shape == shape[:3]
    np.testing.assert_array_equal(np.asarray(mask.dataobj), values.reshape(shape[:3]))


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 2), (1, 4)])
def test_codes_are_kept_and_a_file_without_any_stays_as_stored(codes, tmp_path):
    path = save(tmp_path / "a.nii.gz", STORED, OBLIQUE, codes=codes)
    mask = write_back(path, tmp_path / "m.nii.gz")
    check_same_place(mask, nib.load(path))
    np.testing.assert_array_equal(np.asarray(mask.dataobj), STORED)


def test_big_endian_scaled_floats_give_plain_indices(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    image = nib.Nifti1Image(STORED.astype(">f4") * 7, OBLIQUE, header)
    image.header["cal_max"], image.header["descrip"] = 1750, "T1"
    nib.save(image, tmp_path / "a.nii")
    data = bytearray((tmp_path / "a.nii").read_bytes())
    data[112:120] = np.array([0.5, 10], ">f4").tobytes()  # scl_slope, scl_inter
    (tmp_path / "a.nii").write_bytes(data)
    write_nifti_mask(tmp_path / "m.nii.gz", read_image(tmp_path / "a.nii")[..., 0] > 100,
                     read_place(tmp_path / "a.nii"))  # fmt: skip
    mask = nib.load(tmp_path / "m.nii.gz")
    assert mask.get_data_dtype() == np.uint8
    assert (float(mask.header["cal_max"]), bytes(mask.header["descrip"])[:2]) == (0, b"pi")
    np.testing.assert_array_equal(mask.get_fdata(), STORED * 3.5 + 10 > 100)
    assert mask.header.get_intent()[0] == "label"


def test_it_is_known_as_a_result_and_always_has_the_same_bytes(tmp_path):
    path = save(tmp_path / "a.nii.gz", STORED, OBLIQUE)
    write_back(path, tmp_path / "m.nii.gz")
    write_back(path, tmp_path / "n.nii.gz")
    assert (tmp_path / "m.nii.gz").read_bytes() == (tmp_path / "n.nii.gz").read_bytes()
    assert is_result(tmp_path / "m.nii.gz")
    assert not is_result(path)
    (tmp_path / "damaged.gz").write_bytes(b"\x1f\x8b no gzip at all")
    assert not is_result(tmp_path / "damaged.gz")


def test_a_mask_of_another_size_is_refused(tmp_path):
    path = save(tmp_path / "a.nii.gz", STORED, OBLIQUE)
    with pytest.raises(ArrayError, match="the mask is"):
        write_nifti_mask(tmp_path / "m.nii.gz", np.zeros((5, 6, 4), np.uint8), read_place(path))


@pytest.mark.parametrize(("columns", "axis"), [("xyz", 0), ("xzy", 1), ("yzx", 2)])
def test_planes_are_those_along_the_third_axis_of_the_file(columns, axis, tmp_path):
    """Stored as axial, coronal and sagittal slices: k runs along z, y and x."""
    affine = OBLIQUE[:, ["xyz".index(name) for name in columns] + [3]] @ np.diag([1, -1, -1, 1])
    path = save(tmp_path / "a.nii.gz", STORED, affine)
    place = read_place(path)
    assert (place.num_planes, place.plane_axis) == (6, axis)
    plane = save(tmp_path / "k.nii.gz", STORED[:, :, 2:3], affine)
    planes = list(np.moveaxis(read_image(path)[..., 0], axis, 0))
    alone = read_image(plane)[..., 0]
    assert any(np.array_equal(one, alone) for one in planes)


def test_a_place_knows_spacing_and_planes_of_each_format(tmp_path):
    path = save(tmp_path / "a.nii.gz", STORED, np.diag([1.0, 2.0, 3.0, 1.0]))
    assert read_place(path).spacing_um == read_pixels(path).spacing_um == (3000, 2000, 1000)
    flat = save(tmp_path / "b.nii.gz", STORED[:, :, :1], np.diag([1.0, 2.0, 3.0, 1.0]))
    assert (read_place(flat).spacing_um, read_place(flat).num_planes) == ((2000, 1000), 1)
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((9, 40, 50), np.uint8))
    assert read_place(tmp_path / "c.tif").num_planes == 9
    tifffile.imwrite(tmp_path / "d.tif", np.zeros((3, 40, 50), np.uint8), photometric="rgb")
    assert read_place(tmp_path / "d.tif").num_planes == 1


@pytest.mark.parametrize("kind", ["imagej", "ome", "plain"])
def test_a_stack_of_tiff_gives_one_of_the_same_axes_and_spacing(kind, tmp_path):
    values = np.random.default_rng(0).integers(0, 3, (12, 40, 50), np.uint8)
    options = {
        "imagej": {"imagej": True, "resolution": (4, 2),
                   "metadata": {"axes": "ZYX", "unit": "um", "spacing": 1.5}},
        "ome": {"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 0.25,
                                          "PhysicalSizeY": 0.5, "PhysicalSizeZ": 1.5}},
        "plain": {},
    }[kind]  # fmt: skip
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    write_stack_mask(tmp_path / "m.tif", values, COLORS, read_place(tmp_path / "a.tif"))
    pixels = read_pixels(tmp_path / "m.tif", as_mask=True)
    np.testing.assert_array_equal(pixels.values, values)
    assert pixels.spatial_dims == 3
    assert pixels.spacing_um == (None if kind == "plain" else (1.5, 0.5, 0.25))
    assert pixels.palette[2].tolist() == [0, 255, 0]
    with tifffile.TiffFile(tmp_path / "m.tif") as tiff:
        assert tiff.series[0].axes == "ZYX"
    assert is_result(tmp_path / "m.tif")
    np.testing.assert_array_equal(read_mask_values(tmp_path / "m.tif"), values)
