"""Copies and groups planted within one split, and across two."""

import shutil

import pytest
from PIL import Image

from pixelwise.doctor import examine_dataset


class TestLeaks:
    def test_a_copy_in_one_split(self, planted):
        shutil.copy(planted.image(2), planted.image(5))
        shutil.copy(planted.mask(2), planted.mask(5))
        assert planted.found() == {"duplicate": ("warning", ["02.png", "05.png"])}

    def test_a_copy_in_another_format_is_a_copy(self, planted):
        image = Image.open(planted.image(2))
        planted.image(5).unlink()
        image.save(planted.image(5).with_suffix(".bmp"))
        shutil.copy(planted.mask(2), planted.mask(5))
        assert planted.found() == {"duplicate": ("warning", ["02.png", "05.bmp"])}

    def test_a_copy_in_another_split(self, planted):
        shutil.copy(planted.image(2), planted.image(13))
        shutil.copy(planted.mask(2), planted.mask(13))
        severity, files = planted.found()["split-leak"]
        assert (severity, sorted(files)) == ("error", ["02.png", "13.png"])
        assert [f.code for f in examine_dataset(planted.root).errors] == ["split-leak"]

    @pytest.mark.parametrize(
        ("other", "code", "severity"),
        [
            (5, "near-duplicate", "note"),
            (13, "split-leak", "warning"),
        ],
    )
    @pytest.mark.parametrize("change", ["jpeg", "small", "large", "bright", "dark"])
    def test_a_copy_in_another_size_or_quality(self, planted, other, code, severity, change):
        image, mask = Image.open(planted.image(2)), Image.open(planted.mask(2))
        factor = {"small": 0.75, "large": 1.5}.get(change, 1)
        size = round(image.width * factor), round(image.height * factor)
        image, mask = image.resize(size, Image.BICUBIC), mask.resize(size, Image.NEAREST)
        light = {"bright": 1.2, "dark": 0.7}.get(change, 1)
        planted.image(other).unlink()
        image = image.point(lambda value: value * light)
        if change == "jpeg":
            image.save(planted.image(other).with_suffix(".jpg"), quality=60)
        else:
            image.save(planted.image(other))
        mask.save(planted.mask(other))
        found = planted.found()
        assert set(found) == {code}
        assert found[code][0] == severity
        assert sorted(name[:2] for name in found[code][1]) == ["02", f"{other:02}"]

    def test_one_patient_in_two_splits(self, planted):
        for number in range(16):
            name = f"patient_{number // 4 + (number == 9)}_slice_{number:02}.png"
            planted.image(number).rename(planted.image(number).with_name(name))
            planted.mask(number).rename(planted.mask(number).with_name(name))
        found = planted.found()
        assert set(found) == {"group-leak"}
        assert found["group-leak"][0] == "warning"
        assert sorted(name[-6:-4] for name in found["group-leak"][1]) == [
            "09", "12", "13", "14", "15",
        ]  # fmt: skip
        message = planted.messages()["group-leak"]
        assert message.startswith("1 group of images in more than one split (patient_3 in ")
