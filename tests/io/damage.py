"""Read damaged files in a process of its own: python damage.py FOLDER FIRST LAST

Each file is read as image and as mask, under a ceiling of memory and a limit of time, and must end
in pixels or in a FileError that names it. Prints what happened as JSON; a hang, a crash in a
library or any other exception ends the process with another status than 0.
"""

import faulthandler
import gzip
import io
import json
import resource
import shutil
import sys
import zlib
from collections import Counter
from pathlib import Path

import imagecodecs
import nibabel
import numpy as np
import tifffile
import zarr
from PIL import Image

from pixelwise.errors import FileError
from pixelwise.io.image_files import read_pixels

MEMORY_CEILING = 3 * 2**30  # bytes of addresses, those of the libraries included
SECONDS = 10  # for one file
SIDES = (24, 30)
PIXELS = np.random.default_rng(0).integers(0, 256, (*SIDES, 3), dtype=np.uint8)
STACK = np.random.default_rng(1).integers(0, 4000, (10, *SIDES), dtype=np.uint16)
NAMES = ("bad.png", "bad.jpg", "bad.tif", "bad.nii.gz", "bad.npy")  # most of them lie
HUGE = 10**6


def picture(kind: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(file, format=kind)
    return file.getvalue()


def tiff(values: np.ndarray = PIXELS, **options) -> bytes:
    file = io.BytesIO()
    options = {"photometric": "rgb" if values is PIXELS else "minisblack", **options}
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def nifti(kind=nibabel.Nifti1Image, values: np.ndarray = STACK) -> bytes:
    data: bytes = kind(values.T, np.diag([0.5, -0.5, 2, 1])).to_bytes()
    return data


def numpy_file(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    if list(arrays) == ["npy"]:
        np.save(file, arrays["npy"])
    else:
        np.savez_compressed(file, **arrays)
    return file.getvalue()


FILES = {
    "PNG": picture("PNG"),
    "palette PNG": picture("PNG", "P"),
    "1-bit PNG": picture("PNG", "1"),
    "16-bit PNG": imagecodecs.png_encode(PIXELS.astype(np.uint16) * 200),
    "JPEG": picture("JPEG"),
    "BMP": picture("BMP"),
    "GIF": picture("GIF"),
    "WebP": picture("WEBP"),
    "PNM": picture("PPM"),
    "TIFF": tiff(),
    "deflate TIFF": tiff(compression="zlib", predictor=True),
    "LZW TIFF": tiff(compression="lzw"),
    "ZSTD TIFF": tiff(compression="zstd"),
    "JPEG TIFF": tiff(compression="jpeg"),
    "tiled TIFF": tiff(tile=(16, 16)),
    "BigTIFF": tiff(STACK, bigtiff=True),
    "big-endian TIFF": tiff(STACK[0], byteorder=">"),
    "ImageJ TIFF": tiff(STACK, imagej=True, metadata={"axes": "ZYX", "unit": "um", "spacing": 2}),
    "OME TIFF": tiff(STACK, ome=True, metadata={"axes": "ZYX", "PhysicalSizeX": 0.5}),
    "NIfTI": nifti(),
    "NIfTI-2": nifti(nibabel.Nifti2Image),
    "gzipped NIfTI": gzip.compress(nifti(), mtime=0),
    "npy": numpy_file(npy=STACK),
    "npz": numpy_file(image=STACK, other=PIXELS),
}


def write_zarr(folder: Path, version: int) -> None:
    """An OME-Zarr image of NGFF 0.4 (version 2) or 0.5 (version 3)."""
    group = zarr.open_group(folder, mode="w", zarr_format=version)
    group.create_array("0", data=STACK, chunks=(5, 24, 16))
    scale = {"type": "scale", "scale": [2.0, 0.5, 0.5]}
    axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"]
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
    group.attrs.update(
        {"multiscales": [image]} if version == 2 else {"ome": {"multiscales": [image]}}
    )


def absurd_files() -> dict[str, bytes]:
    """Files of a few bytes, or of many zeros, whose headers claim 10^6 x 10^6 pixels or so."""
    png = bytearray(picture("PNG", "L"))
    png[16:24] = HUGE.to_bytes(4, "big") * 2
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    bmp = bytearray(picture("BMP"))
    bmp[18:26] = HUGE.to_bytes(4, "little") * 2
    gif, jpeg = bytearray(picture("GIF")), bytearray(picture("JPEG"))
    gif[6:10] = b"\xff\xff\xff\xff"
    start = jpeg.index(b"\xff\xc0")
    jpeg[start + 5 : start + 9] = b"\xff\xff\xff\xff"
    header = nibabel.Nifti1Header()
    header["dim"], header["datatype"], header["bitpix"] = (
        [3, 32767, 32767, 32767, 1, 1, 1, 1],
        4,
        16,
    )
    header["magic"], header["vox_offset"] = b"n+1", 352
    bomb = nibabel.Nifti1Header.copy(header)
    bomb["dim"][1:4] = (1000, 1000, 40)
    npy = b"{'descr': '<u2', 'fortran_order': False, 'shape': (1000000, 1000000), }\n"
    npy = b"\x93NUMPY\x01\x00" + len(npy).to_bytes(2, "little") + npy
    deep = b"(" * 5000
    return {
        "PNG": bytes(png),
        "BMP": bytes(bmp),
        "GIF": bytes(gif),
        "JPEG": bytes(jpeg),
        "PNM": b"P5 1000000 1000000 255\n" + bytes(99),
        "TIFF": with_tags(tiff(), {256: HUGE, 257: HUGE}),
        "deflate TIFF": with_tags(tiff(compression="zlib"), {256: 40000, 257: 40000}),
        "LZW TIFF": with_tags(tiff(compression="lzw"), {256: 60000, 257: 60000}),
        "tiled TIFF": with_tags(tiff(tile=(16, 16)), {322: 2**20, 323: 2**20}),
        "NIfTI": header.binaryblock + bytes(99),
        "gzipped NIfTI": gzip.compress(header.binaryblock + bytes(2**20)),
        "gzip bomb": gzip.compress(bomb.binaryblock + bytes(2**27), 9),
        "npy": npy + bytes(99),
        "deep npy": b"\x93NUMPY\x01\x00" + len(deep).to_bytes(2, "little") + deep,
        "zip bomb": numpy_file(image=np.zeros((1000, 1000, 80), np.uint8)),
    }


def with_tags(data: bytes, values: dict[int, int]) -> bytes:
    """A TIFF file (little-endian) with numbers of its first page replaced."""
    changed = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for code, value in values.items():
            tag = file.pages.first.tags[code]
            changed[tag.offset + 2 : tag.offset + 4] = (4).to_bytes(2, "little")  # a 32-bit number
            changed[tag.offset + 8 : tag.offset + 12] = value.to_bytes(4, "little")
    return bytes(changed)


def damage(whole: bytes, random: np.random.Generator) -> bytes:
    """Cut a file short, or change a few bytes, mostly in its header."""
    if random.random() < 0.3:
        return whole[: random.integers(len(whole))]
    data = bytearray(whole)
    end = min(len(data), int(random.choice([40, 200, 600, len(data)])))
    for place in random.integers(0, end, random.integers(1, 10)):
        data[place] = random.integers(256)
    return bytes(data)


def damage_folder(folder: Path, random: np.random.Generator) -> None:
    """Damage or remove one of the files of a Zarr image, mostly of its metadata."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    metadata = [path for path in files if path.suffix == ".json" or path.name.startswith(".z")]
    path = (metadata if random.random() < 0.7 else files)[random.integers(len(metadata))]
    content = damage(path.read_bytes(), random)
    if random.random() < 0.3:  # still JSON, but with another number or word
        place = random.integers(len(NUMBERS))
        content = path.read_bytes().replace(*NUMBERS[place])
    if random.random() < 0.1:
        path.unlink()
    else:
        path.write_bytes(content)


NUMBERS = [
    (b"24", b"1000000000"), (b"30", b"0"), (b"10", b"-1"), (b"5", b"999999"), (b"null", b"7"),
    (b"uint16", b"object"), (b"<u2", b"|O"), (b"zstd", b"pickle"), (b'"0"', b'"../0"'),
    (b'"z"', b'"t"'), (b"16", b'"a"'), (b"scale", b"shift"), (b"2.0", b"NaN"), (b"[", b"{"),
    (b"array", b"group"),
]  # fmt: skip


def make_case(number: int, folder: Path) -> tuple[str, Path]:
    """Write the damaged file of a number; return its kind and place."""
    random = np.random.default_rng(number)
    kinds = [*FILES, "zarr 2", "zarr 3"]
    kind = kinds[number % len(kinds)]
    if kind.startswith("zarr"):
        path = folder / "bad.ome.zarr"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(folder / kind, path)
        damage_folder(path, random)
        return kind, path
    path = folder / NAMES[random.integers(len(NAMES))]
    path.write_bytes(damage(FILES[kind], random))
    return kind, path


def read_both(path: Path) -> str:
    """Read a file as image and as mask: "pixels", or "refused" where it cannot be read."""
    outcome = "pixels"
    for as_mask in (False, True):
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            pixels = read_pixels(path, as_mask)
        except FileError as error:
            outcome = "refused"
            if not str(error).startswith(str(path)):
                raise RuntimeError(f"{path} is not named") from error
        else:
            if pixels.values.size == 0 or pixels.spatial_dims not in (2, 3):
                raise RuntimeError(f"{path} gave {pixels}")
        finally:
            faulthandler.cancel_dump_traceback_later()
    return outcome


def peak_bytes() -> int:
    """Most memory that this process had; `getrusage` would count that of its parent, too."""
    status = Path("/proc/self/status")
    if not status.exists():  # no Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def main(folder: Path, first: int, last: int) -> None:
    """Read the damaged files first ... last - 1; the absurd ones where there are none."""
    write_zarr(folder / "zarr 2", 2)
    write_zarr(folder / "zarr 3", 3)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_CEILING, MEMORY_CEILING))
    counts: Counter[str] = Counter()
    for number in range(first, last):
        kind, path = make_case(number, folder)
        try:
            counts[f"{kind}, {read_both(path)}"] += 1
        except BaseException:
            print(f"case {number}: {kind}", file=sys.stderr)
            raise
    for kind, data in absurd_files().items() if first == last else ():
        path = folder / "absurd.png"
        path.write_bytes(data)
        counts[f"absurd {kind}, {read_both(path)}"] += 1
    print(json.dumps({"counts": counts, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
