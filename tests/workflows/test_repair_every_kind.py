"""Whatever --fix claims to repair: planted in a clean set, gone from the copy, which can train."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.doctor.conftest import PlantedSet, draw_pair
from tests.doctor.test_every_kind import PLANTS, annotation, to_coco, write_coco

from pixelwise.data.findings import KINDS
from pixelwise.doctor import fix
from pixelwise.workflows import check, fixable_codes, train

TAKES_A_PERSON = {  # nothing is left to copy:
    ("mask-values", "error"),  # no mask has a clear meaning
    ("missing-image", "error"),  # the file's images are all of another folder
}
REPAIRED = sorted(key for key in PLANTS if KINDS[key[0]].repair and key not in TAKES_A_PERSON)


@pytest.fixture
def planted(tmp_path) -> PlantedSet:
    """Sixteen pairs in three splits, on which nothing is found."""
    planted = PlantedSet(tmp_path / "set")
    for number in range(16):
        image, mask = draw_pair(number)
        planted.write(planted.image(number), image)
        planted.write(planted.mask(number), mask)
    return planted


def hashes(folder: Path) -> dict[Path, str]:
    """Hash of every file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(("code", "severity"), REPAIRED)
def test_what_is_repaired_is_gone_from_the_copy(code, severity, planted, tmp_path):
    PLANTS[code, severity](planted)
    before = hashes(planted.root)
    examination = check(planted.root)
    assert code in {finding.code for finding in examination.findings}
    repair = fix(planted.root, examination, tmp_path / "out")
    copy = check(tmp_path / "out")
    assert copy.errors == []
    assert fixable_codes(copy) == []
    assert code not in {finding.code for finding in copy.findings}
    assert code not in {finding.code for finding in repair.open}
    assert hashes(planted.root) == before


def test_many_faults_at_once_then_training(planted, plan, tmp_path):
    for code in ("unreadable", "missing-mask", "missing-image", "exif-turned"):
        PLANTS[code, KINDS[code].severity](planted)
    planted.write(planted.image(14), planted.read(planted.image(1)))
    planted.write(planted.mask(14), planted.read(planted.mask(1)))
    before = hashes(planted.root)
    fix(planted.root, check(planted.root), tmp_path / "out")
    copy = check(tmp_path / "out")
    assert (copy.errors, fixable_codes(copy)) == ([], [])
    run = train(tmp_path / "out", tmp_path / "run", plan=plan, device="cpu")
    assert run.num_steps == plan.num_steps
    assert hashes(planted.root) == before


# --- every layout -----------------------------------------------------------------------------


def masks_of(out: Path) -> list[np.ndarray]:
    """The masks of a copy in the order of their names."""
    paths = sorted(out.rglob("masks/*.png"), key=lambda path: path.name)
    return [np.array(Image.open(path)) for path in paths]


def test_coco_becomes_images_and_masks(planted, tmp_path):
    masks = [planted.read(planted.mask(number)) // 255 for number in range(16)]
    content = to_coco(planted)
    content["categories"].append({"id": 2, "name": "tree"})
    square = annotation(3, [[10, 10, 30, 10, 30, 30, 10, 30]])
    content["annotations"].append({**square, "id": 99, "category_id": 2})
    write_coco(planted, content)
    masks[3][10:30, 10:30] = 2
    fix(planted.root, check(planted.root), tmp_path / "out")
    assert all(np.array_equal(a, b) for a, b in zip(masks_of(tmp_path / "out"), masks, strict=True))
    names = [c["name"] for c in json.loads((tmp_path / "out/classes.json").read_text())["classes"]]
    assert names == ["background", "cell", "tree"]
    assert check(tmp_path / "out").encoding.class_names == ("background", "cell", "tree")


def test_one_file_an_object_becomes_one_mask_an_image(planted, tmp_path):
    root = tmp_path / "objects"
    for number in range(12):
        mask = planted.read(planted.mask(number))
        mask[:, 47:49] = 0
        name = f"cell{number:02}"
        (root / name / "images").mkdir(parents=True)
        (root / name / "masks").mkdir()
        Image.fromarray(planted.read(planted.image(number))).save(
            root / name / f"images/{name}.png"
        )
        for side, columns in enumerate((slice(0, 47), slice(49, 96))):
            part = np.zeros_like(mask)
            part[:, columns] = mask[:, columns]
            if part.any():
                Image.fromarray(part).save(root / name / "masks" / f"{side}.png")
    before = check(root)
    assert before.errors == []
    fix(root, before, tmp_path / "out")
    copy = check(tmp_path / "out")
    assert (copy.errors, copy.encoding.task) == ([], before.encoding.task)
    for number, mask in enumerate(masks_of(tmp_path / "out")):
        expected = planted.read(planted.mask(number)) > 0
        expected[:, 47:49] = False
        assert np.array_equal(mask > 0, expected)
