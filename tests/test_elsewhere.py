"""Names of other libraries are answered with what does the same here."""

import copy
import re
from pathlib import Path

import pytest

import pixelwise as pw
from pixelwise import metrics
from pixelwise.elsewhere import OF_METRICS, OF_PACKAGE, OF_SEGMENTER, missing


@pytest.fixture
def model():
    return pw.unet((32, 32, 1), widths=(2, 4))


@pytest.mark.parametrize("name", OF_PACKAGE)
def test_of_the_package(name):
    if name in ("losses", "metrics", "encoders"):
        return
    with pytest.raises(AttributeError) as caught:
        getattr(pw, name)
    assert str(caught.value) == f"pixelwise has no {name!r}. {OF_PACKAGE[name]}"


@pytest.mark.parametrize("name", OF_SEGMENTER)
def test_of_a_model(model, name):
    with pytest.raises(AttributeError) as caught:
        getattr(model, name)
    assert str(caught.value) == f"A model has no {name!r}. {OF_SEGMENTER[name]}"


@pytest.mark.parametrize("name", OF_METRICS)
def test_of_the_metrics(name):
    with pytest.raises(AttributeError) as caught:
        getattr(metrics, name)
    assert str(caught.value) == f"pixelwise.metrics has no {name!r}. {OF_METRICS[name]}"


def test_what_is_missing_inside_a_property_is_said(model, monkeypatch):
    """Not that there is no such property."""
    monkeypatch.setattr(type(model), "class_names", property(lambda self: self.model.clases))
    with pytest.raises(AttributeError, match="has no attribute 'clases'"):
        model.class_names  # noqa: B018


def test_other_names_are_only_missing(model):
    with pytest.raises(AttributeError, match=r"^pixelwise has no 'trian'\.$") as caught:
        pw.trian  # noqa: B018
    assert caught.value.name == "trian"
    with pytest.raises(AttributeError, match=r"^A model has no 'fitt'\.$"):
        model.fitt  # noqa: B018
    assert not hasattr(model, "_repr_png_")


def test_letters_of_another_size():
    assert missing("x", "Train", {}, ["train"]) == "x has no 'Train'. It is written 'train'."
    with pytest.raises(AttributeError, match="It is written 'evaluate'"):
        pw.Evaluate  # noqa: B018


def test_what_a_model_does_not_have_cannot_be_set(model):
    """Else `model.trainable = False` would do nothing, in silence."""
    for name in ("trainable", "learning_rate"):
        with pytest.raises(AttributeError, match=f"A model has no {name!r}"):
            setattr(model, name, False)
    model.stop_training = True
    assert model.stop_training
    with pytest.raises(AttributeError, match="has no setter"):  # there is one
        model.history = {}


def test_a_model_can_be_copied(model):
    again = copy.copy(model)
    assert again.model is model.model


def test_every_piece_of_advice_names_what_is_there(model):
    """Names of `pw.` and `model.` in the texts are real ones."""
    for text in {*OF_PACKAGE.values(), *OF_SEGMENTER.values()}:
        for name in re.findall(r"\bpw\.(\w+)", text):
            assert name in pw.__all__, text
        for name in re.findall(r"\bmodel\.(\w+)", text):
            if name not in ("safetensors", "model", "network"):
                assert hasattr(type(model), name), text


def test_the_page_names_what_is_there(model):
    page = (Path(__file__).parents[1] / "docs" / "from-others.md").read_text()
    for row in re.findall(r"^\| .+ \| (.+) \|$", page, re.M):
        for name in re.findall(r"\bpw\.(\w+)", row):
            assert name in pw.__all__, row
    typed = re.findall(r"\b(?:learn|model)\.(\w+)\(", page)
    assert {"lr_find", "fit_one_cycle", "show_results", "save_pretrained"} <= set(typed)
    for name in typed:
        assert name in OF_SEGMENTER or hasattr(type(model), name), name
