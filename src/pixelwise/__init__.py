"""A folder of images and masks in, a segmentation model that can be trusted out."""

__version__ = "0.1.0"
