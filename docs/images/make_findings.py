"""Make the picture of what `check` finds: damage that is done to a data set, and found.

python docs/images/make_findings.py docs/images/findings.png

Each tile is the damage that its caption names: the script ends with an error where `pw.check` does
not report that very code.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import pixelwise as pw
from pixelwise.data import overlay
from pixelwise.data.synthetic import write_cells

COLUMNS, SIDE, GAP, CAPTION = 5, (192, 256), 10, 26  # (height, width) in pixels
COLORS = ("#000000", "#12b5a6")
Change = Callable[[np.ndarray], np.ndarray]


def specks(mask: np.ndarray) -> np.ndarray:
    """Every fifth pixel along each axis, as from a threshold on noise."""
    thin = np.zeros_like(mask)
    thin[::5, ::5] = mask[::5, ::5]
    return thin


def soft(mask: np.ndarray) -> np.ndarray:
    """Grey edges, as drawing programs and resizing make them."""
    return np.asarray(Image.fromarray(mask).filter(ImageFilter.GaussianBlur(2)))


def saturated(image: np.ndarray) -> np.ndarray:
    """All that is as bright as the median is white."""
    return np.where(image >= np.median(image), 255, image).astype(np.uint8)


# code: how many of twelve images, what is done to the image, what to the mask
DAMAGE: dict[str, tuple[int, Change | None, Change | None]] = {
    "inverted-mask": (1, None, lambda mask: 255 - mask),
    "shifted-mask": (12, None, lambda mask: np.roll(mask, (14, 10), (0, 1))),
    "turned-mask": (12, None, lambda mask: np.ascontiguousarray(mask[::-1])),
    "size-mismatch": (1, None, lambda mask: mask[:150, :200]),
    "snapped-values": (12, None, soft),
    "tiny-objects": (12, None, specks),
    "empty-mask": (1, None, np.zeros_like),
    "intensity-range": (1, lambda image: (image // 24).astype(np.uint8), None),
    "saturated": (1, saturated, None),
    "constant-image": (1, lambda image: np.full_like(image, 70), None),
}


def damaged(folder: Path, code: str) -> np.ndarray:
    """Damage a data set, see that it is found, and draw the first image that is."""
    number, of_image, of_mask = DAMAGE[code]
    images = sorted(path for path in folder.rglob("images/*") if "train" in path.parts)
    for path in images[:number]:
        for kind, change in (("images", of_image), ("masks", of_mask)):
            file = path.parents[1] / kind / path.name
            if change is not None:
                Image.fromarray(change(np.asarray(Image.open(file)))).save(file)
    found = {finding.code for finding in pw.check(folder, progress=False).findings}
    if code not in found:
        raise SystemExit(f"{code} was not found, but {', '.join(sorted(found)) or 'nothing'}.")
    image = np.asarray(Image.open(images[0]))
    mask = np.asarray(Image.open(images[0].parents[1] / "masks" / images[0].name))
    whole = np.zeros(image.shape[:2], np.uint8)
    whole[: mask.shape[0], : mask.shape[1]] = mask > 127
    return overlay(image, whole, COLORS)


def main(out: str) -> None:
    """Write the picture."""
    rows = -(-len(DAMAGE) // COLUMNS)
    height, width = SIDE[0] + CAPTION + GAP, SIDE[1] + GAP
    sheet = Image.new("RGB", (COLUMNS * width - GAP, rows * height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    with TemporaryDirectory() as folder:
        whole = write_cells(Path(folder) / "cells", num_images=24, size=SIDE)
        for place, code in enumerate(DAMAGE):
            data = shutil.copytree(whole, Path(folder) / code)
            left, top = place % COLUMNS * width, place // COLUMNS * height
            sheet.paste(Image.fromarray(damaged(data, code)), (left, top))
            draw.text((left, top + SIDE[0] + 3), code, "black", font)
    sheet.quantize(96).save(out, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
