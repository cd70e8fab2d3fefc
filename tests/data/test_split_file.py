"""split.csv: comes back as it was written, is refused where it is damaged, and keeps old splits."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reading import check_dataset, read_dataset

from pixelwise.data import read_split, write_split
from pixelwise.data.splits import SPLITS, match_names
from pixelwise.doctor import ReadOptions, examine_dataset
from pixelwise.errors import DataError, FileError, LayoutError

ANY_NAME = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["a,b", 'a"b', "a\nb", "a\rb", "a\r\nb", " a ", "a;b", "é", "e\u0301", "a\tb", "\udcff", ""]
)


@pytest.fixture
def dataset(save_pairs, disc):
    return read_dataset(save_pairs([disc] * 12))


def grow(save, disc, *numbers):
    for number in numbers:
        pixels = np.random.default_rng([7, number]).integers(0, 256, (32, 32), dtype=np.uint8)
        save(f"images/{number:03}.png", pixels)
        save(f"masks/{number:03}.png", disc)


def splits_of(dataset):
    return {entry.name: entry.split for entry in dataset.files}


# --- reading and writing ----------------------------------------------------------------------


def test_split_file_round_trip(dataset, tmp_path):
    path = tmp_path / "run" / "split.csv"
    path.parent.mkdir()
    write_split(path, dataset)
    assert path.read_text().splitlines()[:2] == ["name,split", f"000,{splits_of(dataset)['000']}"]
    assert read_split(path) == splits_of(dataset)
    moved = splits_of(dataset) | {"000": "val", "001": "test"}
    assert splits_of(read_dataset(tmp_path, split=moved)) == moved


@given(
    rows=st.lists(
        st.tuples(ANY_NAME, st.sampled_from(SPLITS), st.none() | ANY_NAME),
        unique_by=lambda row: row[0],
        min_size=1,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_names_come_back(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("split") / "split.csv"

    class Files:
        files = tuple(type("E", (), {"name": n, "split": s, "group": g}) for n, s, g in rows)
        groups = tuple({g for _, _, g in rows if g})

    write_split(path, Files)
    assert read_split(path) == {name: split for name, split, _ in rows}


def test_a_table_that_a_spreadsheet_saved_is_read(tmp_path):
    path = tmp_path / "split.csv"
    path.write_bytes(
        "\ufeffname;split;note\r\na;Train;x\r\nb; validation;\r\n\r\nc;testing;\r\n".encode()
    )
    assert read_split(path) == {"a": "train", "b": "val", "c": "test"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,part\na,train\n", "has the columns image, part; it needs name and split. Correct"),
        ("image,part\n", "has the columns image, part"),
        ("\n", "has the columns none"),
        ("name,split\na,train\nb,dev\n", "line 3: 'dev' is not a split"),
        ("name,split\na,train\nb\n", "line 3: '' is not a split"),
        ("name,split\na,b,train\n", "line 2: 'b' is not a split"),
        ("name,split\na,train\nb,val\na,test\n", "line 4: 'a' is in test here and in train above"),
        ("name,split\na,train\n\0\0\0\0,\0\n", "no table|is not a split"),
        ('name,split\n"a,train\n' + "b,val\n" * 30_000, "is not a table .*field larger"),
    ],
)
def test_bad_split_files_are_refused_with_the_fix(text, message, tmp_path):
    path = tmp_path / "split.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as raised:
        read_split(path)
    assert str(path) in str(raised.value)
    assert str(raised.value).endswith(".")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_a_split_file_of_a_spreadsheet(encoding, tmp_path):
    (tmp_path / "split.csv").write_bytes("Name;Split\r\nZähne;val\r\n".encode(encoding))
    assert match_names(["Zähne"], read_split(tmp_path / "split.csv")) == {"Zähne": "val"}


def test_a_split_file_that_is_not_there_or_empty(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        read_split(tmp_path / "split.csv")
    (tmp_path / "split.csv").write_text("")
    with pytest.raises(FileError, match="is empty"):
        read_split(tmp_path / "split.csv")


@given(data=st.binary(min_size=1, max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("split") / "split.csv"
    path.write_bytes(b"name,split\n" + data)
    try:
        found = read_split(path)
    except DataError:
        return
    assert set(found.values()) <= set(SPLITS)


# --- in a data folder -------------------------------------------------------------------------


def test_the_split_of_an_earlier_training_keeps_old_images_where_they_were(
    dataset, save, disc, tmp_path
):
    before = splits_of(dataset)
    wanted = before | {"000": "test", "001": "val", "002": "train"}  # as no hash would have it
    old = replace(
        dataset, files=tuple(replace(entry, split=wanted[entry.name]) for entry in dataset.files)
    )
    write_split(tmp_path / "split.csv", old)
    grow(save, disc, *range(12, 60))
    grown = read_dataset(tmp_path)
    after = splits_of(grown)
    assert {name: after[name] for name in wanted} == wanted
    assert grown.layout == "images/ + masks/, split.csv"
    counts = Counter(after.values())
    assert all(0.08 * 60 - 1 <= counts[split] <= 0.25 * 60 for split in ("val", "test"))
    assert "missing-file" not in {finding.code for finding in check_dataset(tmp_path)}


def test_only_new_images_are_balanced(dataset, save, disc, tmp_path):
    names = [entry.name for entry in dataset.files]
    (tmp_path / "split.csv").write_text("name,split\n" + "".join(f"{n},train\n" for n in names))
    grow(save, disc, 12, 13)
    after = splits_of(read_dataset(tmp_path))
    assert {after[name] for name in names} == {"train"}
    assert {after["012"], after["013"]} == {"val", "test"}


def test_a_folder_or_manifest_has_the_word_over_the_file(save_pairs, disc, tmp_path):
    save_pairs([disc] * 3, folder="train")
    save_pairs([disc] * 2, folder="val", start=3)
    names = [f.name for f in read_dataset(tmp_path).files]
    (tmp_path / "split.csv").write_text("name,split\n" + "".join(f"{n},test\n" for n in names))
    assert read_dataset(tmp_path).splits == {"train": 3, "val": 2}


def test_the_split_of_a_run_has_the_word_over_the_file(dataset, tmp_path):
    (tmp_path / "split.csv").write_text("name,split\n000,test\n001,test\n")
    after = splits_of(read_dataset(tmp_path, split={"000": "train"}))
    assert (after["000"], after["001"]) == ("train", "test")


def test_what_was_unlabelled_is_new(dataset, tmp_path):
    before = splits_of(dataset)
    (tmp_path / "split.csv").write_text("name,split\n000,unlabelled\n001,test\n")
    after = splits_of(read_dataset(tmp_path))
    assert after["001"] == "test"
    assert after["000"] == before["000"]


def test_names_that_no_image_has_are_a_warning(dataset, tmp_path):
    (tmp_path / "split.csv").write_text("name,split\n000.png,test\n001.png,test\n002,val\n")
    (found,) = [finding for finding in check_dataset(tmp_path) if finding.code == "missing-file"]
    assert found.severity == "warning"
    assert [file.name for file in found.files] == ["000.png", "001.png"]
    assert "split.csv has 2 names that no image has (000.png and 1 more file)" in found.message
    assert "without their ending" in found.fix


def test_another_unicode_form_is_the_same_name(dataset, save, disc, tmp_path):
    for folder in ("images", "masks"):
        path = tmp_path / folder / "000.png"
        path.rename(path.with_name("caf\u00e9.png"))
    (tmp_path / "split.csv").write_text("name,split\ncafe\u0301,test\n", encoding="utf-8")
    assert splits_of(read_dataset(tmp_path))["caf\u00e9"] == "test"
    assert "missing-file" not in {finding.code for finding in check_dataset(tmp_path)}


def test_a_damaged_file_stops_and_says_so(dataset, tmp_path):
    (tmp_path / "split.csv").write_text("id,fold\n1,2\n")
    with pytest.raises(LayoutError, match=r"split\.csv has the columns id, fold.*rename the file"):
        read_dataset(tmp_path)


def test_copies_and_groups_of_old_images_follow_them(dataset, save, disc, tmp_path):
    test_name = next(entry for entry in dataset.files if entry.split == "test").name
    write_split(tmp_path / "split.csv", dataset)
    grow(save, disc, *range(12, 20))
    (tmp_path / "images" / "019.png").write_bytes(
        (tmp_path / "images" / f"{test_name}.png").read_bytes()
    )
    assert splits_of(read_dataset(tmp_path))["019"] == "test"
    old_names = {entry.name for entry in dataset.files}
    after = examine_dataset(tmp_path, ReadOptions(split_by=r"^\d\d(\d)")).splits
    by_digit = {}
    for name in sorted(after):
        if name in old_names:
            by_digit.setdefault(name[2], set()).add(after[name])
    for name in set(after) - old_names:
        assert after[name] in by_digit[name[2]]
