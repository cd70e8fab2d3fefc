"""Text that people write, in any encoding; lists of files of other machines."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.errors import FileError
from pixelwise.io.text_files import as_letters, decode_text, find_listed, read_rows

WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F), min_size=1)
PATH = Path("list.csv")


@given(WORDS, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_text_comes_back_with_a_mark_or_as_utf_8(text, encoding):
    assert decode_text(text.encode(encoding), PATH) == text


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_plain_letters_come_back_as_utf_16_without_a_mark(text):
    for encoding in ("utf-16-le", "utf-16-be"):
        assert decode_text(text.encode(encoding), PATH) == text


@given(st.binary())
def test_any_bytes_are_text_or_refused(data):
    try:
        assert isinstance(decode_text(data, PATH), str)
    except FileError as error:
        assert str(error).endswith("Save it as UTF-8.")


def test_letters_of_windows():
    assert decode_text("Zähne, 5 €".encode("cp1252"), PATH) == "Zähne, 5 €"
    assert decode_text(b"caf\xe9 \x81", PATH) == "café \x81"  # 0x81 is no letter of Windows-1252
    with pytest.raises(FileError, match=r"list\.csv is not text .*\(byte 1\)\. Save it as UTF-8\."):
        decode_text(b"a\xff\x00\x01b", PATH)
    with pytest.raises(FileError, match="is not text"):
        decode_text(b"\xff\xfea", PATH)  # UTF-16 that is cut off


def test_bytes_of_file_names_are_kept_where_they_are_wanted():
    kept = decode_text(b"caf\xe9", PATH, is_raw=True)
    assert kept == "caf\udce9" and as_letters(kept) == "café"
    assert as_letters("café") == "café" and as_letters("abc") == "abc"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\n1,2\n", [(1, ["a", "b"]), (2, ["1", "2"])]),
        ("\n a;b\r\n\r\n1;2,5\r\n", [(2, [" a", "b"]), (4, ["1", "2,5"])]),
        ("sep=\t\na\tb\n", [(2, ["a", "b"])]),
        ("SEP=,\r\na,b;c;d\r\n", [(2, ["a", "b;c;d"])]),
        ("sep=x,b\n", [(1, ["sep=x", "b"])]),  # a name that begins like that
        (",,\n\n", []),
    ],
)
def test_rows_of_tables(text, rows):
    assert list(read_rows(text)) == rows


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x/a.png", "x/a.png"),
        ("x\\a.png", "x/a.png"),
        ("./x/./a.png", "x/a.png"),
        ("D:\\old\\x\\a.png", "x/a.png"),
        ("/mnt/old/x/a.png", "x/a.png"),
        ("C:\\old\\set\\top.png", "top.png"),  # set is the folder of the list
        ("x/cafe\u0301.png", "x/caf\u00e9.png"),
    ],
)
def test_listed_files_are_found(tmp_path, text, found):
    root = tmp_path / "Set"
    (root / "x").mkdir(parents=True)
    for name in ("x/a.png", "top.png", "x/caf\u00e9.png"):
        (root / name).touch()
    assert find_listed(root, text).resolve() == (root / found).resolve()


@pytest.mark.parametrize("text", ["x\\b.png", "D:\\old\\top.png", "/old/top.png", "a" * 5000, "\0"])
def test_what_is_not_there_is_said_as_it_was_looked_for(tmp_path, text):
    (tmp_path / "top.png").touch()  # of another folder than listed, perhaps another picture
    path = find_listed(tmp_path, text)
    assert path in (tmp_path / text, tmp_path / text.replace("\\", "/"))


def test_names_on_disk_that_are_no_utf_8(tmp_path):
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    (tmp_path / name).touch()
    assert find_listed(tmp_path, "café.png") == tmp_path / name
