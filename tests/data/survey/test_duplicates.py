"""Twins: copies and near copies of generated pictures, and none among many that differ."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter
from tests.doctor.conftest import draw_pair

from pixelwise.data.layouts.found import FoundSample
from pixelwise.data.survey import duplicates
from pixelwise.data.survey.duplicates import (
    find_near_pairs,
    find_twins,
    group_twins,
    hash_thumbnails,
    look_the_same,
)
from pixelwise.data.survey.image_facts import describe_image
from pixelwise.data.survey.sample_facts import SampleFacts
from pixelwise.errors import FileError
from pixelwise.io.image_files import Pixels


def survey(images):
    """Facts of arrays, named a, b, c, ..."""
    return [
        SampleFacts(
            FoundSample(chr(97 + number), (Path(f"{number}.png"),), None),
            describe_image(Pixels(image[..., np.newaxis], 1)),
            None,
        )
        for number, image in enumerate(images)
    ]


def test_every_name_gets_the_first_of_its_twins():
    one, other = draw_pair(0)[0], draw_pair(1)[0]
    brighter = (one * 0.8 + 20).astype(np.uint8)
    surveyed = survey([one, other, one, brighter, other])
    assert find_twins(surveyed) == {"a": "a", "b": "b", "c": "a", "d": "a", "e": "b"}
    assert find_twins(surveyed, near=False) == {"a": "a", "b": "b", "c": "a", "d": "d", "e": "b"}
    assert group_twins(find_twins(surveyed)) == [["a", "c", "d"], ["b", "e"]]


def cut(picture, *shares):
    """Without these shares of its left, top, right and bottom."""
    width, height = picture.size
    left, top, right, bottom = shares
    return picture.crop((width * left, height * top, width * (1 - right), height * (1 - bottom)))


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture.resize((96, 72), Image.Resampling.BOX),
        lambda picture: picture.resize((300, 225), Image.Resampling.BICUBIC),
        lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
        lambda picture: ImageEnhance.Contrast(picture).enhance(0.6),
        lambda picture: picture.point(lambda value: 255 * (value / 255) ** 1.3),
        lambda picture: cut(picture, 0.02, 0.02, 0.02, 0.02),
        lambda picture: cut(picture, 0.03, 0, 0, 0.03),
        lambda picture: cut(picture.resize((384, 288)), 0.01, 0, 0.03, 0.02),
    ],
    ids=[
        "halved",
        "enlarged",
        "brighter",
        "flatter",
        "gamma",
        "cut-around",
        "cut-at-a-corner",
        "cut-and-doubled",
    ],
)
def test_copies_saved_again(change):
    images = [np.kron(draw_pair(seed)[0], np.ones((2, 2), np.uint8)) for seed in range(3)]
    again = np.array(change(Image.fromarray(images[1])))
    assert find_twins(survey([*images, again])) == {"a": "a", "b": "b", "c": "c", "d": "b"}


def test_twins_of_twins_are_twins():
    """Each step is small, the first and the last differ."""
    one, other = draw_pair(0)[0].astype(float), draw_pair(1)[0].astype(float)
    steps = [(one + share * (other - one)).astype(np.uint8) for share in np.linspace(0, 1, 31)]
    assert set(find_twins(survey(steps)).values()) == {"a"}
    assert set(find_twins(survey([steps[0], steps[-1]])).values()) == {"a", "b"}


def test_images_that_cannot_be_read_are_left_out():
    surveyed = survey([draw_pair(0)[0], draw_pair(1)[0]])
    lost = SampleFacts(FoundSample("x", (Path("x.png"),), None), FileError("gone."), None)
    assert find_twins([*surveyed, lost]) == {"a": "a", "b": "b"}
    assert find_twins([lost]) == {}


def test_other_proportions_are_another_image():
    image = draw_pair(0)[0]
    wide = np.repeat(image, 2, axis=1)
    assert find_twins(survey([image, wide])) == {"a": "a", "b": "b"}


def test_blank_images_are_no_near_copies():
    surveyed = survey([np.full((40, 40), 7, np.uint8), np.full((40, 40), 9, np.uint8)])
    assert find_twins(surveyed) == {"a": "a", "b": "b"}


def test_images_of_one_kind_differ_in_detail():
    """The same bright disc, as in pictures of eyes, with other vessels in each."""
    rows, columns = np.mgrid[:128, :128]
    disc = 120.0 * ((rows - 64) ** 2 + (columns - 64) ** 2 < 55**2)
    random = np.random.default_rng(0)
    eyes = [
        np.clip(disc + 40 * gaussian_filter(random.normal(size=disc.shape), 3) * 10, 0, 255)
        for _ in range(8)
    ]
    assert group_twins(find_twins(survey([eye.astype(np.uint8) for eye in eyes]))) == []


def test_a_passing_car_makes_another_image():
    street = draw_pair(0)[0]
    passing = street.copy()
    passing[32:40, 62:72] = 120  # instead of 140: alike in all, as in detail, but not in one place
    assert group_twins(find_twins(survey([street, passing]))) == []


def test_hashes_are_near_for_copies_only():
    thumbnails = np.stack(
        [facts.image.thumbnail for facts in survey([draw_pair(i)[0] for i in range(6)])]
    )
    hashes = hash_thumbnails(thumbnails)
    assert hashes.shape == (6, 24)
    assert (np.linalg.norm(hashes, axis=1) <= 1).all()
    noisy = np.clip(
        thumbnails + np.random.default_rng(0).integers(-4, 5, thumbnails.shape), -127, 127
    )
    distance = np.linalg.norm(hashes[:, None] - hash_thumbnails(noisy.astype(np.int8)), axis=-1)
    assert distance.diagonal().max() < 0.05
    assert distance[~np.eye(6, dtype=bool)].min() > 0.25
    assert look_the_same(thumbnails, thumbnails).all()
    assert not look_the_same(thumbnails, np.roll(thumbnails, 1, axis=0)).any()


@pytest.mark.slow
def test_copies_among_thousands():
    """An image and its three copies are found, and nothing else."""
    random = np.random.default_rng(0)
    facts = survey([draw_pair(0)[0]])[0].image
    pictures = random.normal(0, 32, (3000, 32, 32)).clip(-127, 127).astype(np.int8)
    pictures[[17, 1800, 2999]] = pictures[5]
    images = [(str(i), replace(facts, thumbnail=one)) for i, one in enumerate(pictures)]
    found = {frozenset(pair) for pair in find_near_pairs(images)}
    names = {"5", "17", "1800", "2999"}
    assert found == {frozenset((a, b)) for a in names for b in names if a < b}


def test_noise_is_not_aligned(monkeypatch):
    """Noise has next to nothing in its lowest cosines: every hash is near, no picture is alike."""
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (32, 32), np.uint8) for _ in range(40)]
    aligned = 0

    def count(one, other):
        nonlocal aligned
        aligned += len(one)
        return look_the_same(one, other)

    monkeypatch.setattr(duplicates, "look_the_same", count)
    assert len(set(find_twins(survey([*noise, noise[3] // 2])).values())) == 40
    assert 1 <= aligned < 10
