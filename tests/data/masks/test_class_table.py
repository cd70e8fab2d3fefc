"""Class tables of other tools."""

import pytest

from pixelwise.data.masks.class_file import read_class_file
from pixelwise.data.masks.class_table import read_class_table
from pixelwise.errors import FileError, MaskError

SKY_ROAD = [{"name": "Sky", "color": "#808080"}, {"name": "Road", "color": "#804080"}]


@pytest.fixture
def read(tmp_path):
    def read_text(name, text, encoding="utf-8"):
        (tmp_path / name).write_text(text, encoding=encoding)
        return read_class_table(tmp_path / name)

    return read_text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("class_dict.csv", "name,r,g,b\nSky,128,128,128\nRoad,128,64,128\n"),
        ("label_class_dict.csv", "name, r, g, b\nSky, 128, 128, 128\nRoad, 128, 64, 128\n"),
        ("classes.csv", "Red,Green,Blue,Class\n128,128,128,Sky\n128,64,128,Road\n"),
        ("classes.csv", "label,colour\nSky,#808080\nRoad,804080\n"),
        ("label_colors.txt", "128 128 128\tSky\n128 64 128\tRoad\n"),
        ("labels.txt", "# label:color\nSky: 128,128,128\nRoad: 128,64,128\n"),
        ("labels.txt", "Sky: (128, 128, 128)\nRoad: [128, 64, 128]\n"),
        ("label_colors.txt", "\n128, 128, 128, Sky\n\n128, 64, 128, Road\n"),
    ],
)
def test_colours_in_every_usual_way(read, name, text):
    assert read(name, text) == {"classes": SKY_ROAD}


def test_values_and_names(read, tmp_path):
    assert read("classes.csv", "id,name\n0,sound\n2,crack\n") == {
        "classes": [{"name": "sound", "value": 0}, {"name": "crack", "value": 2}]
    }
    encoding = read_class_file(tmp_path / "classes.csv").encoding()
    assert [(entry.name, entry.value) for entry in encoding.classes] == [("sound", 0), ("crack", 2)]


def test_names_alone_and_a_byte_order_mark(read):
    entries = read("labels.txt", "wheel arch\nWindscheibe é\n", "utf-8-sig")
    assert entries == {"classes": [{"name": "wheel arch"}, {"name": "Windscheibe é"}]}


def test_the_ignored_name_of_labelme(read):
    table = read("labels.txt", "__ignore__\n_background_\ncat\n")
    assert table == {
        "classes": [{"name": "_background_"}, {"name": "cat"}],
        "ignore": [255, -1],
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("classes.csv", "Sky,128,128,128\n", "no column of names in its header"),
        ("classes.csv", "name,value\nSky,blue\n", "every line|Every line"),
        ("classes.csv", "name,value\nSky\n", "Every line should have the columns"),
        ("classes.csv", "name,r,g,b\nSky,300,0,0\n", "300, 0, 0 is not a colour"),
        ("label_colors.txt", "300 0 0 Sky\n", "300, 0, 0 is not a colour"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(read, name, text, message):
    with pytest.raises(MaskError, match=message) as caught:
        read(name, text)
    assert name in str(caught.value)


def test_empty_tables_are_refused(read):
    with pytest.raises((FileError, MaskError), match=r"classes\.csv"):
        read("classes.csv", "")


def test_the_label_map_of_cvat(read):
    text = "# label:color_rgb:parts:actions\nSky:128,128,128::\nRoad:128,64,128:lane,kerb:\n"
    assert read("labelmap.txt", text) == {"classes": SKY_ROAD}


def test_the_table_of_roboflow(read):
    assert read("_classes.csv", "Pixel Value, Class\n0, background\n1, cell\n") == {
        "classes": [{"name": "background", "value": 0}, {"name": "cell", "value": 1}]
    }


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
def test_tables_of_spreadsheets(read, encoding):
    found = read("classes.csv", "value;name\n1;Zähne\n", encoding)
    assert found == {"classes": [{"name": "Zähne", "value": 1}]}
    assert read("labels.txt", "Zähne\n", encoding) == {"classes": [{"name": "Zähne"}]}
