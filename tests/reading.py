"""Short ways to read data that tests take."""

from pixelwise.data.masks.facts import describe_mask
from pixelwise.data.masks.read import read_stored_mask
from pixelwise.data.survey.image_facts import describe_image, read_pixels
from pixelwise.doctor import ReadOptions, examine_dataset


def read_dataset(data, **options):
    """The data set, or its first error raised."""
    examination = examine_dataset(data, ReadOptions(**options))
    if examination.dataset is None:
        raise examination.errors[0].to_error(len(examination.errors) - 1)
    return examination.dataset


def check_dataset(data):
    """All that is found in data."""
    return list(examine_dataset(data).findings)


def survey_mask(source, image_size):
    """The facts of a mask."""
    return describe_mask(read_stored_mask(source, image_size), source)


def survey_image(images):
    """The facts of an image."""
    return describe_image(read_pixels(images))
