"""Texts that are written piece by piece: whole at the end, or not there."""

import pytest

import pixelwise as pw
from pixelwise.io import TextWriter


def test_pieces_are_joined_as_they_are(tmp_path):
    path = tmp_path / "a.csv"
    with TextWriter(path) as writer:
        writer.write("ä\n")
        writer.write("b\udcff\r\n")
        assert not path.exists()
    assert path.read_bytes() == b"\xc3\xa4\nb\xff\r\n"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("before")
    with pytest.raises(KeyError), TextWriter(path) as writer:
        writer.write("after")
        raise KeyError
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one(tmp_path):
    path, link = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_text("before")
    link.symlink_to(path)
    with TextWriter(link) as writer:
        writer.write("after")
    assert link.is_symlink()
    assert path.read_text() == "after"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(pw.OutputError, match=r"Make the folder .*none first"):
        TextWriter(tmp_path / "none" / "a.csv").__enter__()


def test_a_folder_of_that_name(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with (
        pytest.raises(pw.OutputError, match=r"a\.csv cannot be written"),
        TextWriter(tmp_path / "a.csv") as writer,
    ):
        writer.write("text")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_full_disk_is_said(tmp_path):
    """/dev/full refuses every byte, at the latest when the file is closed."""
    writer = TextWriter(tmp_path / "a.csv")
    writer._temporary.symlink_to("/dev/full")
    with pytest.raises(pw.OutputError, match="Free some space"), writer:
        writer.write("x" * 2**20)
    assert list(tmp_path.iterdir()) == []
