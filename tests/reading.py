"""Short ways to read data that tests take."""

from pixelwise.data.masks.facts import describe_mask
from pixelwise.data.masks.read import read_stored_mask
from pixelwise.data.survey.image_facts import describe_image, read_source
from pixelwise.doctor import ReadOptions, examine_dataset


def read_dataset(data, **options):
    """The data set, or its first error raised."""
    return examine_dataset(data, ReadOptions(**options)).dataset


def check_dataset(data):
    """All that is found in data."""
    return list(examine_dataset(data).findings)


def survey_mask(source, image_size):
    """The facts of a mask."""
    return describe_mask(read_stored_mask(source, image_size), source)


def survey_image(images):
    """The facts of an image."""
    return describe_image(read_source(images))
