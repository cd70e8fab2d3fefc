"""Manifests: columns, paths, delimiters, and what is wrong with them."""

from pathlib import Path

import pytest

from pixelwise.data.layouts.find import find_layout
from pixelwise.data.layouts.found import Layout, LayoutOptions
from pixelwise.errors import LayoutError


@pytest.fixture
def write(tmp_path):
    """write(text, "m.csv"): a manifest, and empty pictures a, b in x/ and y/ beside it."""

    def write(text: str, name: str = "manifest.csv", encoding: str = "utf-8") -> Path:
        for file in ("x/a.png", "x/b.png", "y/a.png", "y/b.png"):
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).touch()
        (tmp_path / name).write_text(text, encoding=encoding)
        return tmp_path

    return write


def pairs_of(layout: Layout) -> dict[str, str | None]:
    return {
        sample.name: None if sample.mask is None else sample.mask.path.parent.name
        for sample in layout.samples
    }


BOTH = {"x/a": "y", "x/b": None}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_delimiters_marks_and_line_ends(write, delimiter, encoding, ending):
    text = ending.join(["image,mask", "x/a.png,y/a.png", "x/b.png,", ""])
    root = write(text.replace(",", delimiter), encoding=encoding)
    assert pairs_of(find_layout(root)) == BOTH


@pytest.mark.parametrize("name", ["manifest.csv", "list.csv", "list.tsv", "list.txt", "LIST.CSV"])
def test_a_manifest_may_be_the_data_itself(write, name):
    layout = find_layout(write("image,mask\nx/a.png,y/a.png\nx/b.png,\n", name) / name)
    assert pairs_of(layout) == BOTH and layout.description == name


def test_it_has_the_word_before_everything_else(write, tmp_path):
    root = write("image,mask\nx/a.png,y/b.png\n")
    assert find_layout(root).samples[0].mask.path == tmp_path / "y" / "b.png"


@pytest.mark.parametrize("options", [{"masks": Path("y")}, {"layout": "folders"}])
def test_but_not_before_what_a_person_says(write, options):
    layout = find_layout(write("image,mask\nx/a.png,y/b.png\n"), LayoutOptions(**options))
    assert layout.description == "x/ + y/"
    assert [sample.mask.path.name for sample in layout.samples] == ["a.png", "b.png"]


def test_paths_are_relative_to_the_manifest_or_absolute(write, tmp_path):
    root = write(f"image,mask\n{tmp_path}/x/a.png,{tmp_path}/y/a.png\nx/b.png,y/b.png\n")
    samples = find_layout(root).samples
    assert {sample.image.name: sample.mask.path for sample in samples} == {
        "a.png": tmp_path / "y" / "a.png",
        "b.png": tmp_path / "y" / "b.png",
    }


def test_paths_that_lead_above_the_folder(write, tmp_path):
    write("", "y/unused.csv")
    (tmp_path / "lists").mkdir()
    path = tmp_path / "lists" / "m.csv"
    path.write_text("image,mask\n../x/a.png,../y/a.png\n")
    (sample,) = find_layout(path).samples
    assert sample.image.resolve() == (tmp_path / "x" / "a.png").resolve()


def test_splits_and_groups(write):
    text = "Group,Split,Image,Mask\np1,Training,x/a.png,y/a.png\n,valid,x/b.png,y/b.png\n"
    samples = find_layout(write(text)).samples
    assert [(s.name, s.split, s.group) for s in samples] == [
        ("x/a", "train", "p1"), ("x/b", "val", None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        'image,mask\n"x/a.png","y/a.png"\nx/b.png\n',
        "image,mask\n x/a.png , y/a.png \n\nx/b.png,\n",
        "image,mask,remark\nx/a.png,y/a.png,good\nx/b.png,,bad\n",
        "\nimage,mask\nx/a.png,y/a.png\nx/b.png,\n".lstrip("\n"),
    ],
)
def test_quotes_blanks_short_lines_and_other_columns(write, text):
    assert pairs_of(find_layout(write(text))) == BOTH


def test_files_that_are_missing_are_said_and_left_out(write, tmp_path):
    root = write("image,mask\nx/a.png,y/none.png\nx/none.png,y/b.png\nx/b.png,y/b.png\n")
    layout = find_layout(root)
    assert pairs_of(layout) == {"x/a": None, "x/b": "y"}
    (finding,) = layout.findings
    assert (finding.code, finding.severity) == ("missing-file", "warning")
    assert finding.files == (tmp_path / "y" / "none.png", tmp_path / "x" / "none.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n", "has the columns none. It needs image and mask"),
        ("a.png,b.png\n", "has the columns a.png, b.png. It needs image and mask"),
        ("image\nx/a.png\n", "has the columns image. It needs image and mask"),
        ("image,mask,split\nx/a.png,y/a.png,night\n", "line 2: 'night' is not a split.*train, val"),
        ("image,mask\nnone.png,\n", r"exists: none.png was looked for as /.*/none.png\. Paths"),
        ("image,mask\n", "lists no image"),
        ("image,mask\nx/a.png,\nx/a.png,y/a.png\n", r"'x/a.png' \(.*x/a.png and .*x/a.png\)"),
    ],
)
def test_what_is_wrong_is_said_with_the_fix(write, text, message):
    with pytest.raises(LayoutError, match=message):
        find_layout(write(text))


def test_a_manifest_that_was_asked_for_must_be_there(write, tmp_path):
    write("", "other.csv")
    with pytest.raises(LayoutError, match="not arranged as manifest"):
        find_layout(tmp_path, LayoutOptions(layout="manifest"))


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_any_encoding_and_delimiter(write, tmp_path, encoding, delimiter):
    root = write("", "y/unused.csv")
    (tmp_path / "x" / "Zähne.png").touch()
    text = "Image,Mask,Split\r\nx/Zähne.png,y/a.png,train\r\nx/b.png,y/b.png,val\r\n"
    (root / "manifest.csv").write_bytes(text.replace(",", delimiter).encode(encoding))
    samples = find_layout(root).samples
    assert [(s.name, s.split) for s in samples] == [("x/Zähne", "train"), ("x/b", "val")]


@pytest.mark.parametrize(
    "start", ["", ".\\", "C:\\Users\\me\\set\\", "\\\\server\\share\\", "/home/me/set/"]
)
def test_paths_of_windows_and_of_another_machine(write, start):
    rows = [f"{start}x\\{name}.png,{start}y\\{name}.png" for name in "ab"]
    layout = find_layout(write("\n".join(["image,mask", *rows])))
    assert pairs_of(layout) == {"x/a": "y", "x/b": "y"}
    is_moved = start not in ("", ".\\")
    assert [finding.code for finding in layout.findings] == ["near-name"] * is_moved


def test_a_file_of_the_same_name_elsewhere_is_not_taken_for_another(write, tmp_path):
    (tmp_path / "a.png").touch()  # beside the manifest, while the masks are missing
    root = write("image,mask\nx/a.png,D:\\set\\masks\\a.png\n")
    (sample,) = find_layout(root).samples
    assert sample.mask is None
    (finding,) = find_layout(root).findings
    assert "D:\\set\\masks\\a.png was looked for as" in finding.message


def test_an_image_that_is_its_own_mask_is_refused(write):
    with pytest.raises(LayoutError, match=r"line 2: x/a.png and x.a.png are one file"):
        find_layout(write("image,mask\nx/a.png,x\\a.png\n"))


def test_a_first_line_that_says_the_separator(write):
    text = "sep=;\n\nimage;mask;split\nx/a.png;y/a.png;night\n"
    with pytest.raises(LayoutError, match="line 4: 'night'"):
        find_layout(write(text))


def test_two_images_that_differ_in_their_endings(write, tmp_path):
    (tmp_path / "x").mkdir(exist_ok=True)
    (tmp_path / "x" / "a.tif").touch()
    layout = find_layout(write("image,mask\nx/a.png,y/a.png\nx/a.tif,y/b.png\n"))
    assert pairs_of(layout) == {"x/a.png": "y", "x/a.tif": "y"}
