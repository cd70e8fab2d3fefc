"""classes.json: names, values, colours and ignored values as people declare them."""

import pytest

from pixelwise.data.masks.class_file import read_class_file
from pixelwise.errors import MaskError


@pytest.fixture
def encoding_of(tmp_path):
    def read(text: str):
        (tmp_path / "classes.json").write_text(text)
        return read_class_file(tmp_path / "classes.json").encoding()

    return read


def test_names_stand_for_0_1_2(encoding_of):
    encoding = encoding_of('{"classes": ["Sky", "Road", "Car"], "ignore": 11}')
    assert [(c.name, c.index, c.value) for c in encoding.classes] == [
        ("Sky", 0, 0),
        ("Road", 1, 1),
        ("Car", 2, 2),
    ]
    assert encoding.ignore == (11,)
    assert len(set(encoding.class_colors)) == 3
    assert "#000000" not in encoding.class_colors


def test_values_and_colours(encoding_of):
    encoding = encoding_of(
        '{"classes": [{"name": "Background", "value": 0},'
        ' {"name": "crack", "value": 2, "color": "#Ff0000"}], "ignore": [255, -1]}'
    )
    assert [c.value for c in encoding.classes] == [0, 2]
    assert encoding.class_colors == ("#000000", "#Ff0000")
    assert encoding.ignore == (255, -1)


def test_nothing_ignored(encoding_of):
    assert encoding_of('{"classes": ["a", "b"], "ignore": null}').ignore == ()
    assert encoding_of('{"classes": ["a", "b"]}').ignore == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ('{"classes": ["a", }', "Invalid JSON"),
        ("[1, 2]", "not understood"),
        ("{}", "classes: Field required"),
        ('{"classes": []}', "at least 1"),
        ('{"classes": ["a", "a"]}', "same name"),
        ('{"classes": ["a", "b"], "ignore": 1}', "or be ignored"),
        ('{"classes": ["a", {"name": "b", "value": 1}]}', "every class a value, or none"),
        ('{"classes": [{"name": "a", "color": "red"}]}', "color: String should match"),
        ('{"classes": ["a"], "ignored": 3}', "ignored: Extra inputs"),
        ('{"classes": ["a"], "ignore": "x"}', "ignore"),
    ],
)
def test_what_is_wrong_is_said_with_an_example(encoding_of, text, message):
    with pytest.raises((MaskError, ValueError), match=message) as caught:
        encoding_of(text)
    assert "classes.json" in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_other_encodings(tmp_path, encoding):
    (tmp_path / "classes.json").write_bytes('{"classes": ["Zähne", "b"]}'.encode(encoding))
    assert read_class_file(tmp_path / "classes.json").classes[0].name == "Zähne"
