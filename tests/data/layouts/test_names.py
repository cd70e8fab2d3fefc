"""Names: endings, words, and what the names of folders say."""

import unicodedata
from pathlib import Path

import pytest

from pixelwise.data.layouts.find import find_layout
from pixelwise.data.layouts.names import (
    choose_folder,
    holds_images,
    is_image_folder,
    is_mask_folder,
    leads_back,
    list_folder,
    list_images,
    mask_stem,
    near_key,
    own_split,
    remember_folders,
    rest_of,
    role_words,
    split_folders,
    split_in_name,
    stem_of,
    suffix_of,
    words_of,
)
from pixelwise.errors import LayoutError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("a.png", "a", ".png"),
        ("a.b.PNG", "a.b", ".PNG"),
        ("a.nii.gz", "a", ".nii.gz"),
        ("a.Ome.Tiff", "a", ".Ome.Tiff"),
        ("a.ome.zarr", "a", ".ome.zarr"),
        ("a.b.gz", "a.b", ".gz"),
        ("a", "a", ""),
        (".nii.gz", ".nii", ".gz"),
    ],
)
def test_stems_and_endings(name, stem, suffix):
    assert (stem_of(Path(name)), suffix_of(Path(name))) == (stem, suffix)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Image_2d", ["image", "2", "d"]),
        ("leftImg8bit", ["left", "img", "8", "bit"]),
        ("GroundTruth", ["ground", "truth"]),
        ("JPEGImages", ["jpeg", "images"]),
        ("gtFine_labelTrainIds", ["gt", "fine", "label", "train", "ids"]),
        ("Straße-ÄPFEL 7", ["straße", "äpfel", "7"]),
        ("___", []),
    ],
)
def test_words(name, words):
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("stem", "base"), [("a_mask", "a"), ("a_GT", "a"), ("a", None), ("_mask", None)]
)
def test_usual_suffixes_of_masks(stem, base):
    assert mask_stem(stem) == base


@pytest.mark.parametrize("name", ["my cell-1", "MY_Cell_1", " my  cell 1 ", "My-cell-_1"])
def test_names_that_are_near(name):
    assert near_key(name) == "my_cell_1"
    composed, apart = (unicodedata.normalize(form, "zéro") for form in ("NFC", "NFD"))
    assert near_key(composed) == near_key(apart) != near_key("zero")


@pytest.mark.parametrize(
    ("name", "is_image", "is_mask"),
    [
        ("images", True, False),
        ("JPEGImages", True, False),
        ("rawimages", True, False),
        ("train_x", True, False),
        ("photos", True, False),
        ("masks", False, True),
        ("mask_images", False, True),
        ("trainannot", False, True),
        ("SegmentationClass", False, True),
        ("1st_manual", False, True),
        ("Ground Truth", False, True),
        ("y_test", False, True),
        ("instances", False, True),
        ("overlays", False, False),
        ("predictions", False, False),
        ("patient_x_1", False, False),
        ("train", False, False),
        ("", False, False),
    ],
)
def test_what_the_name_of_a_folder_says(name, is_image, is_mask):
    folder = Path("data", name) if name else Path()
    assert (is_image_folder(folder), is_mask_folder(folder)) == (is_image, is_mask)


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("images", ()),
        ("Ground Truth", ()),
        ("train_masks", ("train",)),
        ("trainannot", ("train",)),
        ("train_x", ("train",)),
        ("01_GT", ("01",)),
        ("gt_image_2", ("2",)),
        ("label_colors", ()),
        ("lesions", ()),
    ],
)
def test_what_else_the_name_of_a_folder_says(name, rest):
    assert rest_of(Path(name)) == rest


def test_an_ending_without_a_sign_is_a_word():
    assert role_words("defaultannot") == ["default", "annot"]
    assert role_words("groundtruth") == ["groundtruth"]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("instances_train2017", "train"),
        ("DUTS-TR", "train"),
        ("stage1_test", "test"),
        ("ISIC2018_Validation_Input", "val"),
        ("train_val", None),
        ("restraint", None),
    ],
)
def test_the_split_in_a_name(name, split):
    assert split_in_name(name) == split


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (["validation", "train", "Test"], ["train", "validation", "Test"]),
        (["train"], ["train"]),
        (["stage1_train", "stage1_test"], ["stage1_train", "stage1_test"]),
        (["stage1_train"], []),  # one alone may be any name
        (["train_a", "train_b", "test_a"], []),  # one split twice is no split
        (["train_images", "test_images"], []),  # these are images
        (["train", "test_old"], ["train"]),
        (["images", "masks"], []),
    ],
)
def test_folders_of_splits(tmp_path, folders, splits):
    touch(tmp_path, *(f"{folder}/a.png" for folder in folders))
    assert [path.name for path in split_folders(tmp_path)] == splits


def test_two_folders_for_one_split_are_an_error(tmp_path):
    with pytest.raises(LayoutError, match=r"two folders for one split \(val, valid\)"):
        split_folders(touch(tmp_path, "val/a.png", "valid/a.png"))


def test_a_folder_is_a_split_where_another_lies_beside_it(tmp_path):
    touch(tmp_path, "train/a.png", "test/a.png")
    assert own_split(tmp_path / "test") == "test"
    assert own_split(tmp_path) is None
    (tmp_path / "train").rename(tmp_path / "other")
    assert own_split(tmp_path / "test") is None


def test_a_folder_is_listed_without_what_is_hidden(tmp_path):
    touch(tmp_path, "b.png", "a.JPG", ".c.png", "notes.txt", "in/d.png", ".cache/e.png")
    touch(tmp_path, "__MACOSX/f.png", "g.png/h.png")
    folders, files = list_folder(tmp_path)
    assert [path.name for path in folders] == ["g.png", "in"]
    assert [path.name for path in files] == ["a.JPG", "b.png"]
    assert [path.name for path in list_images(tmp_path)] == ["a.JPG", "b.png", "h.png", "d.png"]
    (tmp_path / "empty").mkdir()
    assert holds_images(tmp_path / "in") and not holds_images(tmp_path / "empty")


def test_folders_are_remembered_only_while_asked_for(tmp_path):
    touch(tmp_path, "a.png")
    with remember_folders():
        assert len(list_folder(tmp_path)[1]) == 1
        touch(tmp_path, "b.png")
        assert len(list_folder(tmp_path)[1]) == 1
    assert len(list_folder(tmp_path)[1]) == 2


def test_the_plainest_name_is_chosen(tmp_path):
    names = [tmp_path / name for name in ("masks", "instances", "label_colors")]
    assert choose_folder(names, "masks") == (names[0], (names[1], names[2]))
    names = [tmp_path / name for name in ("raw", "images")]
    assert choose_folder(names, "images") == (names[1], (names[0],))
    with pytest.raises(LayoutError, match=r"masks/ and labels/, .* with --masks"):
        choose_folder([tmp_path / "masks", tmp_path / "labels"], "masks")


LOOPS = [
    {"images/up": ".."},
    {"images/up": "..", "images/again": "..", "masks/up": ".."},
    {"images/here": "."},
    {"images/above": "../.."},  # above the data
    {"images/over": "../masks", "masks/back": "../images"},
    {"up": "."},
    {"images/self": "self", "images/self.png": "self.png", "gone": "nowhere"},
]


@pytest.mark.parametrize("links", LOOPS, ids=lambda links: " ".join(links))
def test_links_in_a_ring_are_no_endless_walk(tmp_path, links):
    root = touch(tmp_path / "data", *(f"{k}/{n}.png" for k in ("images", "masks") for n in "ab"))
    for link, target in links.items():
        (root / link).symlink_to(target)
    found = [path.relative_to(root).as_posix() for path in list_images(root)]
    assert {"images/a.png", "masks/b.png"} <= set(found) and len(found) <= 12
    assert holds_images(root)
    assert {path.name for path in list_images(root)} <= {"a.png", "b.png", "self.png"}


def test_a_link_to_another_folder_is_followed(tmp_path):
    touch(tmp_path / "store", "a.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images").symlink_to(tmp_path / "store")
    assert not leads_back(tmp_path / "data" / "images")
    assert [path.name for path in list_images(tmp_path / "data")] == ["a.png"]
    (tmp_path / "data" / "images" / "ring").symlink_to(tmp_path / "data")
    assert leads_back(tmp_path / "data" / "images" / "ring")


@pytest.mark.parametrize("links", [{"images/up": "..", "masks/up": ".."}, {"images/up": "../.."}])
def test_data_with_links_in_a_ring_are_read(tmp_path, links):
    root = touch(tmp_path / "data", *(f"{k}/{n}.png" for k in ("images", "masks") for n in "ab"))
    for link, target in links.items():
        (root / link).symlink_to(target)
    for data in (root, tmp_path):
        assert [sample.name for sample in find_layout(data).samples] == ["a", "b"]


def test_a_folder_that_holds_a_link_to_itself_alone(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "loop").symlink_to(".")
    with pytest.raises(LayoutError, match="holds no images"):
        find_layout(tmp_path)
