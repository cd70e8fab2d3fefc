"""JSON, text and CSV files: read whole, or refused with their name and the place."""

import json
from pathlib import Path

import pytest

from pixelwise.data.layouts import tables
from pixelwise.data.layouts.tables import read_csv, read_json, read_names, read_table, read_text
from pixelwise.errors import FileError


@pytest.fixture
def write(tmp_path):
    """write(bytes or text): a file called t."""

    def write(content: bytes | str) -> Path:
        path = tmp_path / "t"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_in_any_unicode(write, encoding):
    content = {"name": "Zürich", "ids": [1, 2]}
    assert read_json(write(json.dumps(content, ensure_ascii=False).encode(encoding))) == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1,\n "b": }', "not valid JSON: Expecting value in line 2, column 7"),
        ('{"a": [1, 2', "line 1, column 12.*cut off"),
        (b'{"a": "\xff\x00"}', r"is not text in .*byte 7\)"),
        ("[" * 100_000, "is not valid JSON"),
        ("", "is empty"),
    ],
)
def test_broken_json_is_refused_with_the_place(write, content, message):
    with pytest.raises(FileError, match=message) as caught:
        read_json(write(content))
    assert str(caught.value).startswith(str(write(content)))


def test_missing_and_absurdly_large_files(write, tmp_path, monkeypatch):
    with pytest.raises(FileError, match="none"):
        read_table(tmp_path / "none")
    monkeypatch.setattr(tables, "MAX_TABLE_BYTES", 3)
    with pytest.raises(FileError, match=r"has 4 bytes, above the limit of 3.*Split it"):
        read_table(write("1234"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
def test_text_json_and_tables_in_other_encodings(write, encoding):
    assert read_text(write("aä\n".encode(encoding))) == "aä\n"
    assert read_json(write('{"name": "Zähne"}'.encode(encoding))) == {"name": "Zähne"}
    assert read_csv(write("name;runs\nä;1\n".encode(encoding)))[1] == [["ä", "1"]]


def test_bytes_are_no_text(write):
    with pytest.raises(FileError, match=r"not text in .* \(byte 1\)\. Save it as UTF-8"):
        read_text(write(b"a\xff\x00"))


def test_names_are_lines_that_are_not_blank(write):
    assert read_names(write("cat \r\n\n  dog\n\t\n")) == ["cat", "dog"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv(write, separator):
    text = 'name , runs\na,"1 2"\n\nb,\n'.replace(",", separator)
    assert read_csv(write(text)) == (["name", "runs"], [["a", "1 2"], ["b", ""]])


def test_cells_longer_than_the_limit_of_python(write):
    (row,) = read_csv(write("a,b\n" + "1 " * 100_000 + ",x\n"))[1]
    assert len(row[0]) == 200_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", "has 1 cells in row 3, but 2 columns.*cut off"),
        ("a,b\n1,2,3\n", "has 3 cells in row 2, but 2 columns"),
        ("\n\n", "is blank"),
    ],
)
def test_tables_that_are_cut_off_are_refused(write, text, message):
    with pytest.raises(FileError, match=message):
        read_csv(write(text))
