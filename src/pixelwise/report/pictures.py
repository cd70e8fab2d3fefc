"""Images as text inside the page."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_SIDE = 640  # pixels: sharp at the size a page shows them, small enough for thirty of them
MAX_PNG_BYTES = 60_000  # above it a photograph, which JPEG keeps as well in a fifth of the space
PIXELATED_SIDE = 160  # smaller images are shown with their pixels visible, not blurred


def to_data_uri(image: NDArray[np.uint8], max_png_bytes: int = MAX_PNG_BYTES) -> str:
    """Encode uint8 (H, W, 3) for an `<img src>`: PNG where that is small, else JPEG."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    data, kind = _encode(picture, "PNG", optimize=True), "png"
    if len(data) > max_png_bytes:  # no `optimize`: Pillow's JPEG buffer is too small for noise
        data, kind = _encode(picture, "JPEG", quality=88, subsampling=0), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def is_small(image: NDArray[np.uint8]) -> bool:
    """Whether an image is so small that a page should show its pixels as squares."""
    return bool(max(image.shape[:2]) < PIXELATED_SIDE)


def _encode(picture: Image.Image, kind: str, **settings: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **settings)
    return stream.getvalue()
