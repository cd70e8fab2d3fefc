"""Decide with how many channels the images of a data set are given to a network."""

from collections import Counter
from collections.abc import Sequence

from pixelwise.data.survey.image_facts import ImageFacts
from pixelwise.errors import DataError

STORED_NAMES = {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGBA"}


def choose_channels(images: Sequence[ImageFacts]) -> tuple[int, str]:
    """Choose the number of channels, and say how they are stored.

    Args:
        images: facts of all images.

    Returns:
        in_channels: 1 where every image is grey, also when stored as RGB or RGBA; 3 for colour,
            also where some are grey; otherwise the one number of channels that all have.
        channel_note: how they are stored: "grey", "grey stored as RGBA", "RGB", ...

    Raises:
        DataError: the images have numbers of channels that do not go together.
    """
    alpha_is_data = any(
        image.channels in (2, 4) and not image.has_constant_alpha for image in images
    )
    if alpha_is_data:
        return _all_alike([image.channels for image in images])
    channels = [image.channels - image.has_constant_alpha for image in images]
    if all(image.is_grey for image in images):
        return 1, _describe_storage("grey", 1, images)
    if not set(channels) <= {1, 3}:
        return _all_alike(channels)
    num_grey = sum(image.is_grey for image in images)
    if num_grey == 0:
        return 3, _describe_storage("RGB", 3, images)
    return 3, f"{num_grey} grey and {len(images) - num_grey} colour images, read as RGB"


def have_rare_channels(images: Sequence[ImageFacts]) -> list[bool]:
    """Of each image whether most others have another number of channels."""
    channels = [image.channels for image in images]
    usual = Counter(channels).most_common(1)[0][0]
    return [number != usual for number in channels]


def _all_alike(channels: Sequence[int]) -> tuple[int, str]:
    """The one number of channels that all images have."""
    counts = Counter(channels)
    if len(counts) > 1:
        found = ", ".join(f"{number} with {c}" for c, number in sorted(counts.items()))
        raise DataError(
            f"the images have different numbers of channels ({found}). Save all images with the "
            "same channels, and without alpha unless it carries data."
        )
    number = channels[0]
    return number, f"{number} channels" + (
        " (alpha is not constant and kept)" if number in (2, 4) else ""
    )


def _describe_storage(what: str, channels: int, images: Sequence[ImageFacts]) -> str:
    """For example "grey stored as RGBA"; "grey" alone where it is stored as such."""
    stored = sorted({image.channels for image in images})
    if stored == [channels]:
        return what
    return f"{what} stored as {' and '.join(STORED_NAMES[number] for number in stored)}"
