"""Images as callers give them to a Segmenter: all kinds mean the same."""

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise as pw
from pixelwise import ArrayError, DataError, FileError


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    model = pw.unet((16, 16, 3), num_classes=3, widths=(4, 8), seed=1, device="cpu")
    images = np.random.default_rng(0).integers(0, 256, (2, 20, 24, 3)).astype(np.uint8)
    paths = [folder / f"{number}.png" for number in range(2)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    return model, images, paths


class TestKindsOfImages:
    """Arrays, tensors, PIL images, paths and lists of them mean the same."""

    def test_segment(self, case):
        model, images, paths = case
        expected = np.stack([model.segment(image) for image in images])
        assert expected.shape == (2, 20, 24)
        assert expected.dtype == np.uint8
        np.testing.assert_array_equal(model.segment(images), expected)
        np.testing.assert_array_equal(model.segment(torch.from_numpy(images)), expected)
        lists = (
            list(images), paths, [str(path) for path in paths],
            [Image.open(path) for path in paths], [torch.from_numpy(images[0]), paths[1]],
        )  # fmt: skip
        for given in lists:
            found = model.segment(given)
            assert isinstance(found, list)
            np.testing.assert_array_equal(np.stack(found), expected)
        np.testing.assert_array_equal(model.segment(images[0].tolist()), expected[0])

    def test_a_list_may_hold_images_of_any_sizes(self, case):
        model, images, _ = case
        found = model.segment([images[0], images[1, :9, :7]])
        assert [mask.shape for mask in found] == [(20, 24), (9, 7)]
        assert model.segment([]) == []

    def test_predict(self, case):
        model, images, paths = case
        expected = model.predict(images)
        assert expected.shape == (2, 20, 24, 3)
        for given in (paths, [str(path) for path in paths], [Image.open(path) for path in paths]):
            np.testing.assert_allclose(model.predict(given), expected, atol=1e-6)
        np.testing.assert_allclose(model.predict(str(paths[0])), expected[:1], atol=1e-6)

    def test_which_image_is_none_is_said(self, case, tmp_path):
        model, images, paths = case
        with pytest.raises(DataError, match="Image 1 has 5 channels"):
            model.segment([images[0], np.random.default_rng(0).random((8, 8, 5))])
        with pytest.raises(FileError, match=r"none\.png"):
            model.segment([paths[0], tmp_path / "none.png"])
        with pytest.raises(ArrayError, match=r"The image has shape \(3,\); expected"):
            model.segment(np.zeros(3))

    def test_its_classes(self, case):
        assert case[0].class_names == ("background", "class 1", "class 2")
