"""Volumes: checked, not yet trained on, and said so in one message."""

import numpy as np
import pytest
import tifffile

from pixelwise.errors import DataError
from pixelwise.workflows import check, train


def test_training_on_volumes_is_one_message_and_leaves_nothing(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for number in range(4):
            values = np.random.default_rng(number).integers(0, 2, (9, 20, 24), dtype=np.uint8)
            path = tmp_path / "data" / folder / f"{number}.tif"
            tifffile.imwrite(path, values, imagej=True, metadata={"axes": "ZYX"})
    assert check(tmp_path / "data").dataset.spatial_dims == 3
    message = r"holds 4 volumes, for example .*0\.tif \(9x20x24\)\. Training on volumes comes in a"
    with pytest.raises(DataError, match=message):
        train(tmp_path / "data", tmp_path / "run", epochs=1)
    assert not (tmp_path / "run").exists()
