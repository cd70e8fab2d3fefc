"""--fix: many faults planted at once, repaired into a copy that is clean and trains."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.reading import read_dataset

from pixelwise.doctor import examine_dataset, fix
from pixelwise.doctor.repair import copy_image
from pixelwise.doctor.repair_masks import turn_upright
from pixelwise.doctor.repair_plan import name_key, safe_name
from pixelwise.errors import DataError, OutputError
from pixelwise.io import exif_orientation, read_image, read_mask_values
from pixelwise.workflows import check, fixable_codes, train

SIZE = (24, 32)


def scene(seed: int, size=SIZE) -> tuple[np.ndarray, np.ndarray]:
    """A noisy image of one bright square, and its mask of 0 and 255."""
    random = np.random.default_rng(seed)
    row, column = random.integers(0, size[0] - 12), random.integers(0, size[1] - 12)
    is_square = np.zeros(size, bool)
    is_square[row : row + 12, column : column + 12] = True
    image = is_square * 120 + random.integers(0, 100, size)
    return image.astype(np.uint8), is_square * np.uint8(255)


def save(path: Path, pixels: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def add(root: Path, split: str, name: str, seed: int) -> None:
    image, mask = scene(seed)
    save(root / split / "images" / f"{name}.png", image)
    save(root / split / "masks" / f"{name}.png", mask)


def clean_set(root: Path, num_train: int = 12) -> Path:
    for split, first, count in (("train", 0, num_train), ("val", 100, 3), ("test", 200, 3)):
        for seed in range(first, first + count):
            add(root, split, f"s{seed}", seed)
    return root


def turned(root: Path, name: str, seed: int, orientation: int = 6) -> None:
    """A JPEG with an EXIF turn whose mask was drawn on the picture as stored."""
    image, mask = scene(seed)
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(root / "train" / "images" / f"{name}.jpg", image, exif=exif, quality=95)
    save(root / "train" / "masks" / f"{name}.png", mask)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fixed(root: Path, out: Path):
    return fix(root, check(root), out)


def place(out: Path, kind: str, name: str) -> Path:
    """The one file of that name, in whatever split folder."""
    (path,) = [path for path in out.rglob(name) if path.parent.name == kind]
    return path


def log(out: Path) -> list[dict[str, str]]:
    with (out / "fixes.csv").open() as file:
        return list(csv.DictReader(file))


def manifest(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Path:
    """A folder with one of every fault that can be repaired."""
    root = clean_set(tmp_path_factory.mktemp("planted") / "data")
    train_images, train_masks = root / "train" / "images", root / "train" / "masks"
    (train_images / "s0.png").write_bytes((train_images / "s0.png").read_bytes()[:60])
    (train_masks / "s1.png").write_bytes(b"")
    (train_masks / "s2.png").unlink()  # an image without a mask
    save(train_masks / "lonely.png", scene(50)[1])  # a mask without an image
    turned(root, "turned", 51)
    save(train_masks / "s3.png", scene(3)[1][:20])  # a row of another size
    for folder in ("images", "masks"):
        data = (root / "train" / folder / "s4.png").read_bytes()
        (root / "train" / folder / "copy.png").write_bytes(data)  # a duplicate
        (root / "test" / folder / "leak.png").write_bytes(data)  # and a leak
    return root


@pytest.fixture(scope="module")
def repaired(planted, tmp_path_factory):
    before = contents(planted)
    out = tmp_path_factory.mktemp("repaired") / "out"
    repair = fixed(planted, out)
    assert contents(planted) == before
    return repair


def test_the_planted_faults_are_there(planted):
    codes = {finding.code for finding in check(planted).findings}
    assert {"unreadable", "missing-mask", "missing-image", "size-mismatch", "split-leak"} <= codes
    assert {"unreadable", "size-mismatch", "split-leak"} <= set(fixable_codes(check(planted)))


def test_the_copy_is_clean_of_what_was_repaired(repaired):
    findings = check(repaired.folder).findings
    assert [finding for finding in findings if finding.severity == "error"] == []
    assert {finding.code for finding in findings} <= {"tiny-objects", "few-images"}


def test_the_copy_holds_what_was_right(repaired):
    names = {Path(row["image"]).stem for row in manifest(repaired.folder)}
    assert names == {
        *(f"s{seed}" for seed in range(5, 12)),
        *("copy", "s100", "s101", "s102", "s200", "s201", "s202", "turned"),
    }
    assert repaired.num_samples == len(names)


def test_every_change_is_logged_with_its_code(planted, repaired):
    done = {(Path(row["file"]).name, row["code"]) for row in log(repaired.folder)}
    assert {
        ("s0.png", "unreadable"),
        ("s1.png", "unreadable"),
        ("s2.png", "missing-mask"),
        ("lonely.png", "missing-image"),
        ("s3.png", "size-mismatch"),
        ("turned.png", "size-mismatch"),
        ("turned.jpg", "exif-turned"),
        ("leak.png", "split-leak"),
    } <= done
    assert len(log(repaired.folder)) == len(repaired.changes)


def test_splits_stay_and_the_leak_is_resolved_towards_train(repaired):
    splits = {Path(row["image"]).stem: row["split"] for row in manifest(repaired.folder)}
    assert (splits["s5"], splits["s100"], splits["s200"]) == ("train", "val", "test")
    assert "leak" not in splits
    read = check(repaired.folder).splits
    assert {Path(name).name: split for name, split in read.items()} == splits
    assert splits["copy"] == "train"


def test_masks_are_class_indices_in_colour(planted, repaired):
    with Image.open(place(repaired.folder, "masks", "s5.png")) as picture:
        assert picture.mode == "P"
        index = np.array(picture)
    assert np.array_equal(index, scene(5)[1] // 255)
    classes = json.loads((repaired.folder / "classes.json").read_text())["classes"]
    assert [(entry["name"], entry["value"]) for entry in classes] == [
        ("background", 0),
        ("foreground", 1),
    ]


def test_images_without_fault_are_copied_byte_for_byte(planted, repaired):
    copy, original = (
        place(repaired.folder, "images", "s5.png"),
        planted / "train" / "images" / "s5.png",
    )
    assert copy.read_bytes() == original.read_bytes()


def test_a_turned_image_is_written_upright_with_its_mask(planted, repaired):
    image = read_image(place(repaired.folder, "images", "turned.png"))
    assert np.array_equal(image, read_image(planted / "train" / "images" / "turned.jpg"))
    mask = np.array(Image.open(place(repaired.folder, "masks", "turned.png")))
    assert mask.shape == SIZE[::-1]
    inside = image[..., 0][mask == 1].mean()
    assert inside - image[..., 0][mask == 0].mean() > 100  # it lies on the square


def test_training_on_the_copy_works(repaired, plan, tmp_path):
    run = train(repaired.folder, tmp_path / "run", plan=plan, device="cpu")
    assert run.num_steps == plan.num_steps


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_masks_are_turned_as_readers_turn_images(orientation, tmp_path):
    mask = np.arange(6, dtype=np.uint8).reshape(2, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", mask, exif=exif)
    assert exif_orientation(path) == orientation
    assert np.array_equal(turn_upright(mask, orientation), read_image(path)[..., 0])


def test_equal_images_with_other_masks_are_left_out(tmp_path):
    root = clean_set(tmp_path / "data")
    image, mask = scene(4)
    save(root / "train" / "images" / "other.png", image)
    save(root / "train" / "masks" / "other.png", np.roll(mask, 5, axis=0))
    repair = fixed(root, tmp_path / "out")
    left_out = [change for change in repair.changes if "other masks" in change.what]
    assert sorted(change.file.name for change in left_out) == ["other.png", "s4.png"]
    assert not list((tmp_path / "out").rglob("s4.png"))


def test_images_that_are_no_numbers_are_left_out(tmp_path):
    root = tmp_path / "data"
    for seed in range(11):
        image, mask = scene(seed)
        save(root / "masks" / f"{seed:02}.png", mask)
        (root / "images").mkdir(exist_ok=True)
        values = np.where(image == image.max(), np.nan if seed == 4 else 1.0, image)
        tifffile.imwrite(root / "images" / f"{seed:02}.tif", values.astype(np.float32))
    repair = fixed(root, tmp_path / "out")
    assert [(c.file.name, c.code) for c in repair.changes if c.code] == [("04.tif", "non-finite")]
    assert repair.num_left_out == 1
    assert check(tmp_path / "out").errors == []


def test_values_that_are_no_class_are_left_out(tmp_path):
    root = clean_set(tmp_path / "data")
    declared = {"classes": [{"name": "ground", "value": 0}, {"name": "cell", "value": 255}]}
    (root / "classes.json").write_text(json.dumps(declared))
    mask = scene(3)[1]
    mask[:6, :6] = 9  # more than a speck
    save(root / "train" / "masks" / "s3.png", mask)
    repair = fixed(root, tmp_path / "out")
    assert [(c.file.name, c.code) for c in repair.changes if c.code] == [
        ("s3.png", "unknown-value")
    ]
    assert check(tmp_path / "out").encoding.class_names == ("ground", "cell")


def test_ignored_pixels_stay_ignored(tmp_path):
    root = tmp_path / "data"
    for seed in range(10):
        image, mask = scene(seed)
        mask = mask // 255
        mask[0] = 255
        mask[1, :3] = 2
        save(root / "images" / f"{seed}.png", image)
        save(root / "masks" / f"{seed}.png", mask)
    fixed(root, tmp_path / "out")
    copy = read_dataset(tmp_path / "out")
    assert copy.encoding.ignore == (255,)
    with Image.open(tmp_path / "out" / "masks" / "0.png") as picture:
        assert (np.array(picture)[0] == 255).all()


def test_names_that_nearly_match_are_paired(tmp_path):
    root = clean_set(tmp_path / "data")
    masks = root / "train" / "masks"
    (masks / "s5.png").rename(masks / "S 5.png")
    repair = fixed(root, tmp_path / "out")
    assert place(tmp_path / "out", "masks", "s5.png").is_file()
    assert repair.open == ()
    assert check(tmp_path / "out").findings == ()
    rows = [row for row in log(tmp_path / "out") if row["code"] == "near-miss-name"]
    assert [Path(row["file"]).name for row in rows] in ([], ["S 5.png"])


def test_names_alike_in_two_splits_are_never_paired(tmp_path):
    root = clean_set(tmp_path / "data")
    save(root / "train" / "masks" / "alone.png", scene(60)[1])
    save(root / "test" / "images" / "alone.png", scene(61)[0])
    fixed(root, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("alone.png"))


def test_constant_alpha_is_dropped(tmp_path):
    root = clean_set(tmp_path / "data")
    image = np.stack([*[scene(5)[0]] * 3, np.full(SIZE, 255, np.uint8)], axis=-1)
    image[..., 1] = 7
    save(root / "train" / "images" / "s5.png", image)
    fixed(root, tmp_path / "out")
    assert np.array_equal(read_image(place(tmp_path / "out", "images", "s5.png")), image[..., :3])


@pytest.mark.parametrize("where", ["data", "data/below", "other"])
def test_a_place_that_is_in_use_is_refused(where, tmp_path):
    root = clean_set(tmp_path / "data")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="Choose a"):
        fixed(root, tmp_path / where)
    assert contents(tmp_path) == before


def test_masks_without_a_clear_meaning_cannot_be_repaired(tmp_path):
    root = clean_set(tmp_path / "data")
    for path in root.glob("*/masks/*.png"):
        save(path, np.where(np.array(Image.open(path)) > 0, 200, 100).astype(np.uint8))
    with pytest.raises(DataError, match=r"cannot be repaired before this is: .* --foreground"):
        fixed(root, tmp_path / "out")


def test_what_needs_a_person_is_listed(tmp_path):
    root = clean_set(tmp_path / "data")
    save(root / "train" / "images" / "s5.png", np.full(SIZE, 9, np.uint8))
    repair = fixed(root, tmp_path / "out")
    assert "constant-image" in [finding.code for finding in repair.open]
    assert place(tmp_path / "out", "images", "s5.png").is_file()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b 1", "a/b_1"),
        ("../x", "x"),
        ("cafe\u0301", "caf\u00e9"),
        ("a:b*c?", "a_b_c"),
        ("  ", "image"),
    ],
)
def test_names_become_safe(name, safe):
    assert safe_name(name) == safe
    assert name_key("Cafe\u0301_01") == name_key("caf\u00e9 01")


def test_an_image_that_is_a_folder_is_copied_whole(tmp_path):
    (tmp_path / "a.ome.zarr" / "0").mkdir(parents=True)
    (tmp_path / "a.ome.zarr" / "0" / "0").write_bytes(b"chunk")
    copy_image(tmp_path / "a.ome.zarr", tmp_path / "b.ome.zarr")
    assert (tmp_path / "b.ome.zarr" / "0" / "0").read_bytes() == b"chunk"


def test_names_that_become_alike_stay_apart(tmp_path):
    root = tmp_path / "data"
    for seed, name in enumerate(["a b", "a_b", *map(str, range(10))]):
        image, mask = scene(seed)
        save(root / "images" / f"{name}.png", image)
        save(root / "masks" / f"{name}.png", mask)
    fixed(root, tmp_path / "out")
    assert (tmp_path / "out" / "masks" / "a_b.png").is_file()
    assert (tmp_path / "out" / "masks" / "a_b-2.png").is_file()
    assert len(examine_dataset(tmp_path / "out").surveyed) == 12


# --- every encoding becomes class indices -----------------------------------------------------


def index_masks(number: int = 12) -> list[np.ndarray]:
    """(24, 32) uint8 of the classes 0, 1 and 2."""
    masks = []
    for seed in range(number):
        mask = (scene(seed)[1] // 255).astype(np.uint8)
        mask[2:5, seed : seed + 4] = 2
        masks.append(mask)
    return masks


def write_encoded(root: Path, masks: list[np.ndarray], save_mask) -> Path:
    for seed, mask in enumerate(masks):
        save(root / "images" / f"{seed:02}.png", scene(seed)[0])
        path = root / "masks" / f"{seed:02}.png"
        path.parent.mkdir(exist_ok=True)
        save_mask(path, mask)
    return root


def save_colors(path: Path, mask: np.ndarray) -> None:
    colors = np.array([[0, 0, 0], [0, 0, 200], [200, 0, 0]], np.uint8)
    Image.fromarray(colors[mask]).save(path)


def save_spread(path: Path, mask: np.ndarray) -> None:
    Image.fromarray(np.array([0, 120, 240], np.uint8)[mask]).save(path)


def save_wide(path: Path, mask: np.ndarray) -> None:
    tifffile.imwrite(path.with_suffix(".tif"), mask.astype(np.int64))


@pytest.mark.parametrize("save_mask", [save_colors, save_spread, save_wide])
def test_masks_of_any_encoding_become_class_indices(save_mask, tmp_path):
    masks = index_masks()
    root = write_encoded(tmp_path / "data", masks, save_mask)
    known = check(root).encoding
    fixed(root, tmp_path / "out")
    copy = check(tmp_path / "out")
    assert copy.errors == []
    assert copy.encoding is not None
    assert copy.encoding.class_names == known.class_names
    for number, mask in enumerate(masks):
        with Image.open(tmp_path / "out" / "masks" / f"{number:02}.png") as picture:
            assert np.array_equal(np.array(picture), mask)


@pytest.mark.parametrize("num_classes", [2, 3, 4, 6])
def test_classes_that_overlap_stay_as_they_are(num_classes, tmp_path):
    random = np.random.default_rng(num_classes)
    planes = random.random((12, num_classes, *SIZE)) > 0.6
    planes[0, -1] = False  # a class that is absent from one image
    root = tmp_path / "data"
    for number, mask in enumerate(planes):
        save(root / "images" / f"{number:02}.png", scene(number)[0])
        (root / "masks").mkdir(exist_ok=True)
        stored = np.zeros((max(5, num_classes), *SIZE), np.uint8)
        stored[:num_classes] = mask
        tifffile.imwrite(root / "masks" / f"{number:02}.tif", stored, metadata={"axes": "CYX"})
    names = [{"name": f"c{k}", "value": k + 1} for k in range(num_classes)]
    (root / "classes.json").write_text(json.dumps({"classes": names, "multilabel": True}))
    assert check(root).encoding.task == "multilabel"
    fixed(root, tmp_path / "out")
    copy = check(tmp_path / "out")
    assert copy.encoding.task == "multilabel"
    for sample in copy.dataset.samples("train"):
        assert np.array_equal(sample.mask, planes[int(Path(sample.name).name)])


@pytest.mark.parametrize("num_objects", [9, 300])
def test_object_ids_are_kept(num_objects, tmp_path):
    root = tmp_path / "data"
    for number in range(12):
        ids = np.zeros((40, 64), np.uint16)
        for index in range(num_objects - number % 3):
            row, column = divmod(index, 31)
            ids[4 * row + 1 : 4 * row + 3, 2 * column + 1] = index + 1
        image = np.random.default_rng(number).integers(0, 99, (40, 64)).astype(np.uint8)
        save(root / "images" / f"{number:02}.png", image)
        (root / "masks").mkdir(exist_ok=True)
        tifffile.imwrite(root / "masks" / f"{number:02}.tif", ids)
    assert check(root).encoding.task == "instances"
    fixed(root, tmp_path / "out")
    assert check(tmp_path / "out").encoding.task == "instances"
    (path,) = (tmp_path / "out" / "masks").glob("00.*")
    assert int(read_mask_values(path).max()) == num_objects


# --- leaks ------------------------------------------------------------------------------------


def test_groups_in_two_splits_go_to_train(tmp_path):
    root = tmp_path / "data"
    for split, patients in (("train", range(6)), ("val", (5, 6)), ("test", (7, 8))):
        for patient in patients:
            for part in range(3):
                number = part + 3 * (split != "train")
                add(root, split, f"patient_{patient:02}_slice_{number:02}", 10 * patient + number)
    assert "group-leak" in fixable_codes(check(root))
    repair = fixed(root, tmp_path / "out")
    moved = [change.file.name for change in repair.changes if change.code == "group-leak"]
    assert sorted(moved) == [f"patient_05_slice_{number:02}.png" for number in (3, 4, 5)]
    splits = {Path(row["image"]).stem: row["split"] for row in manifest(tmp_path / "out")}
    assert splits["patient_05_slice_03"] == "train"
    assert splits["patient_06_slice_03"] == "val"


def test_groups_stay_where_a_split_would_be_left_empty(tmp_path):
    root = tmp_path / "data"
    for split, numbers in (("train", range(6)), ("val", (6, 7))):
        for patient in range(3):
            for number in numbers:
                name = f"patient_{patient:02}_slice_{number:02}"
                add(root, split, name, 10 * patient + number)
    repair = fixed(root, tmp_path / "out")
    assert "group-leak" in [finding.code for finding in repair.open]
    assert {row["split"] for row in manifest(tmp_path / "out")} == {"train", "val"}


def test_images_that_look_the_same_leave_the_later_split(tmp_path):
    root = clean_set(tmp_path / "data")
    image = np.kron(scene(900)[0], np.ones((4, 4), np.uint8))
    image = (image * np.linspace(0.5, 1, image.shape[1])).astype(np.uint8)
    mask = np.kron(scene(900)[1], np.ones((4, 4), np.uint8))
    for split, quality in (("train", 95), ("test", 70)):
        save(root / split / "images" / f"{split}-jpeg.jpg", image, quality=quality)
        save(root / split / "masks" / f"{split}-jpeg.png", mask)
    assert "split-leak" in {finding.code for finding in check(root).findings}
    repair = fixed(root, tmp_path / "out")
    (dropped,) = [change for change in repair.changes if change.code == "split-leak"]
    assert dropped.file.name == "test-jpeg.jpg"
    assert "looks the same as" in dropped.what
    assert "split-leak" not in {finding.code for finding in check(tmp_path / "out").findings}
