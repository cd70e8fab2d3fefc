"""Large images, places, interrupted runs, shares: what `predict` does beyond one small picture."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.io.test_places import GEO

import pixelwise as pw
from pixelwise.data import overlay
from pixelwise.inference import Predictor, normalized_entropy
from pixelwise.io import read_image, read_mask_values, remove_result, windows
from pixelwise.network import (
    IntensityScaling,
    Model,
    ModelConfig,
    UNet,
    UNetConfig,
    load_model,
    save_model,
)
from pixelwise.task import Task
from pixelwise.workflows.predict import predict_images
from pixelwise.workflows.prediction import files
from pixelwise.workflows.prediction.files import FilePredictor
from pixelwise.workflows.prediction.results import held_by

EXACT = {"precision": "float32", "device": "cpu", "progress": False}
random = np.random.default_rng(0)
RGB = random.integers(0, 256, (700, 900, 3), np.uint8)


def make_model(folder, task=Task.MULTICLASS, scheme="statistics"):
    """A model whose classes depend on the colours nearby."""
    network_seed = 3
    config = UNetConfig(in_channels=3, out_channels=task.num_logits(3), widths=(4, 8, 8))
    names = ("background", "a", "b")[: task.num_classes(config.out_channels)]
    scaling = IntensityScaling(
        scheme=scheme, mean=(127.0,) * 3 if scheme == "statistics" else (),
        std=(70.0,) * 3 if scheme == "statistics" else (),
    )  # fmt: skip
    import torch

    torch.manual_seed(network_seed)
    model = Model(
        ModelConfig(
            network=config, scaling=scaling, task=task, class_names=names,
            class_colors=("#000000", "#ff0000", "#00ff00")[: len(names)],
        ),
        UNet(config),
    )  # fmt: skip
    path = folder / "model.safetensors"
    save_model(path, model)
    return path


@pytest.fixture
def in_parts(monkeypatch):
    """Read every picture in parts that can be."""
    monkeypatch.setattr(windows, "LARGE_BYTES", 0)


@pytest.mark.parametrize("kind", ["tiles", "strips", "npy", "zarr"])
@pytest.mark.parametrize("scheme", ["statistics", "percentiles"])
def test_in_parts_the_mask_is_that_of_the_array_in_the_same_tiles(
    kind, scheme, tmp_path, monkeypatch
):
    model = make_model(tmp_path, scheme=scheme)
    path = tmp_path / f"image.{ {'npy': 'npy', 'zarr': 'zarr'}.get(kind, 'tif') }"
    if kind == "npy":
        np.save(path, RGB)
    elif kind == "zarr":
        zarr = pytest.importorskip("zarr")
        group = zarr.open_group(path, mode="w", zarr_format=2)
        group.create_array("0", data=np.moveaxis(RGB, -1, 0), chunks=(3, 128, 128))
        axes = [{"name": "c", "type": "channel"}, {"name": "y"}, {"name": "x"}]
        group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}]}]
    else:
        how = {"tile": (128, 128)} if kind == "tiles" else {"rowsperstrip": 10}
        tifffile.imwrite(path, RGB, photometric="rgb", compression="zlib", **how)
    monkeypatch.setattr(windows, "LARGE_BYTES", 0)
    monkeypatch.setattr("pixelwise.inference.memory.SHARES", (0.5,))
    (mask,) = pw.predict(model, path, tmp_path / "out", **EXACT)
    assert mask.name == ("image.ome.zarr" if kind == "zarr" else "image.tif")
    predictor = pw.inference.Predictor(pw.network.load_model(model), device="cpu", tile_size=256)
    expected = predictor.segment(np.moveaxis(RGB, -1, 0))
    found = read_mask_values(mask)
    assert len(np.unique(found)) > 1
    if scheme == "statistics":
        np.testing.assert_array_equal(found, expected)
    else:  # scaled by the percentiles of all pixels, and not of every n-th of each axis
        assert (found == expected).mean() > 0.999


@pytest.mark.usefixtures("in_parts")
def test_nothing_is_left_of_an_image_that_breaks_off(tmp_path):
    """A NaN far down is met when half of the mask is written."""
    pixels = RGB.astype(np.float32)
    pixels[650, 5] = np.nan
    tifffile.imwrite(
        tmp_path / "x.tif", pixels, tile=(64, 64), compression="zlib", photometric="rgb"
    )
    with pytest.raises(pw.DataError, match="NaN"):
        pw.predict(make_model(tmp_path), tmp_path / "x.tif", tmp_path / "out", **EXACT)
    assert [path.name for path in (tmp_path / "out").glob("[!.]*")] == ["errors.csv"]


PIXELS = ("mask", "probability", "uncertainty", "overlay")
SMALL = RGB[:90, :70]


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.MULTILABEL, Task.BINARY])
def test_all_results_in_parts_are_those_of_the_whole(task, tmp_path, monkeypatch):
    """In the same tiles of 256; the picture is JPEG, and nearly the same."""
    model = make_model(tmp_path, task)
    tifffile.imwrite(tmp_path / "x.tif", RGB, tile=(64, 64), compression="zlib", photometric="rgb")
    options = {**EXACT, "save": PIXELS, "format": "tif"}
    monkeypatch.setattr(Predictor, "_plan_tile_size", lambda self, size, side: (256, 256))
    whole = pw.predict(model, tmp_path / "x.tif", tmp_path / "whole", **options)
    monkeypatch.setattr(windows, "LARGE_BYTES", 0)
    parts = pw.predict(model, tmp_path / "x.tif", tmp_path / "parts", **options)
    assert [path.name for path in parts] == [
        "x.tif", "x_probability.tif", "x_uncertainty.tif", "x_overlay.tif",
    ]  # fmt: skip
    for one, other in zip(whole, parts, strict=True):
        if "overlay" in one.name:
            found = read_image(one).astype(int) - read_image(other)
            assert np.abs(found).mean() < 16  # noise is what JPEG keeps worst
        else:
            assert one.read_bytes() == other.read_bytes()
    uncertainty, probabilities = read_mask_values(parts[2]), read_mask_values(parts[1])
    assert uncertainty.shape == (700, 900) and len(np.unique(uncertainty)) > 2
    assert probabilities.shape[:2] == (700, 900)
    expected = normalized_entropy(np.moveaxis(np.atleast_3d(probabilities), -1, 0) / 255, task)
    np.testing.assert_allclose(uncertainty / 255, expected, atol=0.03)


def test_objects_in_parts_are_those_of_the_whole(tmp_path, monkeypatch):
    model = make_model(tmp_path)
    np.save(tmp_path / "x.npy", SMALL)
    options = {**EXACT, "save": ("table", "polygons")}
    monkeypatch.setattr(Predictor, "_plan_tile_size", lambda self, size, side: (32, 32))
    monkeypatch.setattr(Predictor, "batch_size", lambda self, size: 1)  # in tiles, too
    whole = pw.predict(model, tmp_path / "x.npy", tmp_path / "whole", **options)
    monkeypatch.setattr(windows, "LARGE_BYTES", 0)
    parts = pw.predict(model, tmp_path / "x.npy", tmp_path / "parts", **options)
    assert [path.name for path in parts] == ["x_objects.csv", "x_polygons.geojson"]
    for one, other in zip(whole, parts, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.usefixtures("in_parts")
def test_a_large_image_that_is_read_whole_is_written_in_bands(tmp_path, monkeypatch):
    """PNG and JPEG cannot be read in parts; results are the same."""
    Image.fromarray(RGB).save(tmp_path / "x.png")
    options = {**EXACT, "save": PIXELS}
    monkeypatch.setattr(Predictor, "_plan_tile_size", lambda self, size, side: (256, 256))
    model = make_model(tmp_path)
    small = pw.predict(model, tmp_path / "x.png", tmp_path / "small", **options)
    monkeypatch.setattr(files, "LARGE", 0)
    monkeypatch.setattr(FilePredictor, "_write", None)
    large = pw.predict(model, tmp_path / "x.png", tmp_path / "large", **options)
    assert [path.suffix for path in large] == [".png", ".tif", ".tif", ".png"]
    for one, other in zip(small, large, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.usefixtures("in_parts")
def test_a_png_mask_of_an_image_in_parts_is_gathered(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", RGB, tile=(64, 64), compression="zlib", photometric="rgb")
    model = make_model(tmp_path)
    (tif,) = pw.predict(model, tmp_path / "x.tif", tmp_path / "tif", **EXACT)
    (png,) = pw.predict(model, tmp_path / "x.tif", tmp_path / "png", format="png", **EXACT)
    assert png.read_bytes()[:4] == b"\x89PNG"
    np.testing.assert_array_equal(read_mask_values(png), read_mask_values(tif))


def test_what_writers_hold_is_counted(tmp_path):
    """Of 3 classes, in bytes of a pixel: of rows on their way, and of files of the whole."""
    config = load_model(make_model(tmp_path)).config
    tif, png = tmp_path / "a.tif", tmp_path / "a.png"
    assert held_by({"mask": tif}, config, 3) == (1, 0, False, 0)
    assert held_by({"mask": png}, config, 3) == (1, 3, False, 0)
    assert held_by({"mask": tif, "probability": tif}, config, 3) == (4, 0, False, 0)
    assert held_by({"overlay": tif}, config, 6) == (1 + 3 + 6, 0, True, 0)
    assert held_by({"mask": tif, "overlay": png, "uncertainty": tif}, config, 6) == (11, 9, True, 0)
    several = load_model(make_model(tmp_path, Task.MULTILABEL)).config
    assert held_by({"mask": tif}, several, 3) == (3 + 5, 0, False, 0)
    cleaned = config.model_copy(update={"min_area": 50})
    assert held_by({"mask": tif}, cleaned, 3) == (1, 0, False, 200)


def test_an_image_that_does_not_fit_is_refused(tmp_path):
    """A PNG is read whole."""
    Image.fromarray(np.tile(RGB, (4, 3, 1))).save(tmp_path / "x.png")
    model = make_model(tmp_path)
    with pytest.raises(pw.DataError, match=r"where 0\.20 GB may be taken. Save it as a tiled TIFF"):
        pw.predict(model, tmp_path / "x.png", tmp_path / "o", memory="200MB", **EXACT)


@pytest.mark.usefixtures("in_parts")
def test_too_little_memory_for_a_png_mask_names_tiff(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", RGB, tile=(64, 64), compression="zlib", photometric="rgb")
    options = {**EXACT, "format": "png", "memory": "100MB"}
    with pytest.raises(pw.DataError, match=r"Give more, or write TIFF masks, which are not held"):
        pw.predict(make_model(tmp_path), tmp_path / "x.tif", tmp_path / "out", **options)


@pytest.mark.usefixtures("in_parts")
def test_a_large_dark_image_is_stretched_as_a_whole(tmp_path):
    """16 bits, the upper half darker: bands alike in brightness would hide that."""
    pixels = np.full((600, 520, 3), 100, np.uint16)
    pixels[300:] = 1000
    tifffile.imwrite(tmp_path / "x.tif", pixels, tile=(64, 64), photometric="rgb", compression=8)
    model = make_model(tmp_path)
    saved = ("mask", "overlay")
    mask, found = pw.predict(model, tmp_path / "x.tif", tmp_path / "out", save=saved, **EXACT)
    assert found.name == "x_overlay.tif"
    colors = load_model(model).config.class_colors
    expected = overlay(pixels, read_mask_values(mask), colors).astype(int)
    assert np.abs(read_image(found) - expected).mean() < 3  # JPEG


@pytest.mark.usefixtures("in_parts")
def test_too_little_memory_is_refused_beforehand(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", RGB, tile=(64, 64), compression="zlib", photometric="rgb")
    model = make_model(tmp_path)
    with pytest.raises(pw.DataError, match=r"--memory 0\.10 GB does not suffice.*for the program"):
        pw.predict(model, tmp_path / "x.tif", tmp_path / "out", memory="100MB", **EXACT)
    for wrong in ("2 apples", "GB", "-1GB"):
        with pytest.raises(pw.PlanError, match="amount of memory"):
            pw.predict(model, tmp_path / "x.tif", tmp_path / "out", memory=wrong, **EXACT)


class TestPlace:
    @pytest.mark.parametrize("large", [False, True])
    def test_a_geotiff_gives_a_geotiff(self, large, tmp_path, monkeypatch):
        if large:
            monkeypatch.setattr(windows, "LARGE_BYTES", 0)
        path = tmp_path / "aerial.tif"
        tifffile.imwrite(path, RGB, photometric="rgb", extratags=GEO, compression="zlib")
        (mask,) = pw.predict(make_model(tmp_path), path, tmp_path / "out", **EXACT)
        assert mask.suffix == ".tif"
        with tifffile.TiffFile(mask) as one, tifffile.TiffFile(path) as other:
            assert one.geotiff_metadata == other.geotiff_metadata
            assert one.pages.first.shape == RGB.shape[:2]

    def test_the_format_can_be_chosen(self, tmp_path):
        model = make_model(tmp_path)
        Image.fromarray(RGB).save(tmp_path / "a.png")
        tifffile.imwrite(tmp_path / "b.tif", RGB, photometric="rgb", extratags=GEO)
        files = [tmp_path / "a.png", tmp_path / "b.tif"]
        for format, names in (
            ("auto", ["a.png", "b.tif"]), ("png", ["a.png", "b.png"]), ("tif", ["a.tif", "b.tif"])
        ):  # fmt: skip
            written = pw.predict(model, files, tmp_path / format, format=format, **EXACT)
            assert [path.name for path in written] == names
        masks = [read_mask_values(tmp_path / format / name) for format, name in
                 (("auto", "a.png"), ("tif", "a.tif"))]  # fmt: skip
        np.testing.assert_array_equal(*masks)
        with pytest.raises(pw.PlanError, match="'gif' is no format of masks"):
            pw.predict(model, files, tmp_path / "x", format="gif", **EXACT)


class TestZarr:
    """Masks that are folders."""

    def test_level_0_is_the_tiff_mask(self, tmp_path, monkeypatch):
        pytest.importorskip("zarr")
        model = make_model(tmp_path)
        np.save(tmp_path / "x.npy", RGB)
        monkeypatch.setattr(windows, "LARGE_BYTES", 0)
        (tif,) = pw.predict(model, tmp_path / "x.npy", tmp_path / "tif", **EXACT)
        (folder,) = pw.predict(model, tmp_path / "x.npy", tmp_path / "z", format="zarr", **EXACT)
        assert (tif.name, folder.name) == ("x.tif", "x.ome.zarr")
        np.testing.assert_array_equal(read_mask_values(folder), read_mask_values(tif))

    def test_masks_of_classes_that_overlap(self, tmp_path):
        pytest.importorskip("zarr")
        model = make_model(tmp_path, Task.MULTILABEL)
        Image.fromarray(SMALL).save(tmp_path / "x.png")
        (tif,) = pw.predict(model, tmp_path / "x.png", tmp_path / "tif", **EXACT)
        (folder,) = pw.predict(model, tmp_path / "x.png", tmp_path / "z", format="zarr", **EXACT)
        assert (tif.name, read_mask_values(tif).shape) == ("x.tif", (90, 70, 5))
        np.testing.assert_array_equal(read_mask_values(folder), read_mask_values(tif))

    def test_finished_ones_are_kept_and_those_of_others_never_replaced(self, tmp_path):
        zarr = pytest.importorskip("zarr")
        model, folder, out = make_model(tmp_path), write_pictures(tmp_path / "in"), tmp_path / "out"
        options = {**EXACT, "format": "zarr"}
        written = pw.predict(model, folder, out, **options)
        remove_result(written[3])
        result = predict_images(model, folder, out, **options)
        assert (result.num_kept, len(result.written)) == (5, 6)
        assert predict_images(model, folder, out, overwrite=True, **options).num_kept == 0
        (folder / "03.png").write_bytes(b"no picture")
        assert len(predict_images(model, folder, out, **options).failed) == 1
        assert not written[3].exists()
        zarr.open_array(written[3], mode="w", shape=(4, 4), dtype="u1")[:] = 1  # drawn by a person
        with pytest.raises(
            pw.OutputError, match=r"03\.ome\.zarr is there already and is no result"
        ):
            pw.predict(model, folder, out, **options)
        assert (zarr.open_array(written[3], mode="r")[:] == 1).all()

    def test_they_are_no_images_of_the_next_run(self, tmp_path):
        pytest.importorskip("zarr")
        model, folder = make_model(tmp_path), write_pictures(tmp_path / "in")
        pw.predict(model, folder, folder / "out", format="zarr", **EXACT)
        with pytest.warns(pw.PixelwiseWarning, match="left out 6 pictures.*pixelwise wrote it"):
            result = predict_images(model, folder, folder / "out", **EXACT)
        assert len(result.written) == 6

    def test_without_zarr_nothing_is_begun(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "zarr", None)
        model, folder = make_model(tmp_path), write_pictures(tmp_path / "in")
        with pytest.raises(pw.MissingExtraError, match=r"written with zarr.*pixelwise\[volumes\]"):
            pw.predict(model, folder, tmp_path / "out", format="zarr", **EXACT)
        assert not (tmp_path / "out").exists()


def write_pictures(folder, count=6):
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


def test_progress_goes_on_while_a_large_image_is_predicted(tmp_path, in_parts, monkeypatch):
    """A small one, then one of six rows of tiles, whose parts come as they are written."""
    model, seen = make_model(tmp_path), []
    Image.fromarray(RGB[:50]).save(tmp_path / "a.png")
    tifffile.imwrite(
        tmp_path / "b.tif", np.tile(RGB, (4, 1, 1)), photometric="rgb", tile=(128, 128)
    )
    images = [tmp_path / "a.png", tmp_path / "b.tif"]
    options = {"device": "cpu", "precision": "float32"}
    pw.predict(model, images, tmp_path / "out", progress=lambda *pair: seen.append(pair), **options)
    done = [number for number, total in seen if total == 2]
    assert len(done) == len(seen) >= 6
    assert done == sorted(done)
    assert done[-1] == 2
    assert any(1 < number < 2 for number in done)


class TestInterrupted:
    def test_what_is_finished_is_kept(self, tmp_path):
        model, folder, out = make_model(tmp_path), write_pictures(tmp_path / "in"), tmp_path / "out"
        pw.predict(model, folder, out, **EXACT)
        times = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
        (out / "03.png").unlink()
        result = predict_images(model, folder, out, **EXACT)
        assert (result.num_kept, len(result.written)) == (5, 6)
        assert "5 images were done before, and kept (--overwrite" in result.describe()
        changed = {p.name for p in out.glob("*.png") if p.stat().st_mtime_ns != times[p]}
        assert changed == {"03.png"}
        assert predict_images(model, folder, out, overwrite=True, **EXACT).num_kept == 0

    def test_a_changed_image_is_done_again(self, tmp_path):
        model, folder, out = make_model(tmp_path), write_pictures(tmp_path / "in"), tmp_path / "out"
        pw.predict(model, folder, out, **EXACT)
        later = time.time() + 5
        os.utime(folder / "02.png", (later, later))
        assert predict_images(model, folder, out, **EXACT).num_kept == 5

    @pytest.mark.parametrize("change", ["model", "tta", "save", "precision"])
    def test_masks_made_in_another_way_are_made_again(self, change, tmp_path):
        """The masks of another model are never taken for those of this one."""
        folder, out = write_pictures(tmp_path / "in"), tmp_path / "out"
        model = make_model(tmp_path)
        pw.predict(model, folder, out, **EXACT)
        options = dict(EXACT)
        if change == "model":
            model = make_model(tmp_path, scheme="percentiles")
        elif change == "tta":
            options["tta"] = True
        elif change == "save":
            options["save"] = ("mask", "overlay")
        else:
            options["precision"] = "bfloat16"
        assert predict_images(model, folder, out, **options).num_kept == 0
        assert predict_images(model, folder, out, **options).num_kept == 6

    def test_an_interrupted_run_of_another_model_leaves_no_old_masks_as_done(
        self, tmp_path, monkeypatch
    ):
        folder, out = write_pictures(tmp_path / "in"), tmp_path / "out"
        pw.predict(make_model(tmp_path), folder, out, **EXACT)
        model = make_model(tmp_path, scheme="percentiles")

        def stop(self, jobs):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(FilePredictor, "run", stop)  # before the first mask
            predict_images(model, folder, out, **EXACT)
        fresh = tmp_path / "fresh"
        assert predict_images(model, folder, out, **EXACT).num_kept == 0
        for path in pw.predict(model, folder, fresh, **EXACT):
            assert path.read_bytes() == (out / path.name).read_bytes()

    @pytest.mark.slow
    def test_killed_at_random_moments(self, tmp_path):
        """Whatever moment it is killed at: complete files alone, and in the end the same ones."""
        model, folder = make_model(tmp_path), write_pictures(tmp_path / "in", 60)
        tifffile.imwrite(
            folder / "large.tif", np.tile(RGB, (6, 5, 1)), photometric="rgb", tile=(128, 128),
            compression="zlib",
        )  # fmt: skip
        whole, out = tmp_path / "whole", tmp_path / "out"
        options = {"precision": "float32", "device": "cpu"}
        pw.predict(model, folder, whole, progress=False, **options)
        command = [
            sys.executable, "-m", "pixelwise", "predict", str(model), str(folder), "--out",
            str(out), "-q", "--precision", "float32", "--device", "cpu",
        ]  # fmt: skip
        chance = np.random.default_rng(0)
        for _ in range(4):
            process = subprocess.Popen(command)
            deadline = time.monotonic() + 20
            while process.poll() is None and not list(out.glob("*.png")):
                if time.monotonic() > deadline:
                    break
                time.sleep(0.01)
            time.sleep(float(chance.uniform(0, 0.5)))
            process.send_signal(signal.SIGKILL)
            process.wait()
            for path in out.glob("[!.]*"):
                assert path.read_bytes() == (whole / path.name).read_bytes(), path
        subprocess.run(command, check=True)
        names = sorted(path.name for path in whole.glob("[!.]*"))
        assert sorted(path.name for path in out.glob("[!.]*")) == names
        for name in names:
            assert (out / name).read_bytes() == (whole / name).read_bytes()


class TestInputs:
    def test_patterns_and_lists(self, tmp_path, monkeypatch):
        model, folder = make_model(tmp_path), write_pictures(tmp_path / "in")
        written = pw.predict(model, str(folder / "0[1-3].png"), tmp_path / "a", **EXACT)
        assert [path.name for path in written] == ["01.png", "02.png", "03.png"]
        (folder / "list.txt").write_text("# the good ones\n04.png\n\n05.png\n")
        written = pw.predict(model, folder / "list.txt", tmp_path / "b", **EXACT)
        assert [path.name for path in written] == ["04.png", "05.png"]
        with pytest.raises(pw.FileError, match="no file or folder fits the pattern"):
            pw.predict(model, str(folder / "x*.png"), tmp_path / "c", **EXACT)
        (folder / "empty.txt").write_text("\n")
        with pytest.raises(pw.FileError, match="names no images"):
            pw.predict(model, folder / "empty.txt", tmp_path / "c", **EXACT)

    def test_shares_are_all_images_once(self, tmp_path):
        model, folder = make_model(tmp_path), write_pictures(tmp_path / "in", 7)
        found = [
            path.name
            for share in ("1/3", "2/3", "3/3")
            for path in pw.predict(model, folder, tmp_path / "out", shard=share, **EXACT)
        ]
        assert found == ["00.png", "03.png", "06.png", "01.png", "04.png", "02.png", "05.png"]
        assert predict_images(model, folder, tmp_path / "out", **EXACT).num_kept == 7
        for wrong in ("0/3", "4/3", "1", "a/b", "1/0"):
            with pytest.raises(pw.PlanError, match="is no share"):
                pw.predict(model, folder, tmp_path / "out", shard=wrong, **EXACT)

    def test_many_small_images_are_those_one_by_one(self, tmp_path):
        """Those of one size are computed together; which ones, changes nothing."""
        model, folder = make_model(tmp_path), write_pictures(tmp_path / "in", 5)
        Image.fromarray(RGB[:31, :33]).save(folder / "02b.png")
        (folder / "03b.png").write_bytes(b"no picture")
        together = predict_images(model, folder, tmp_path / "out", **EXACT)
        assert [path.name for path in together.failed] == ["03b.png"]
        assert len(together.written) == 6
        for path in sorted(folder.glob("*.png")):
            if path.name != "03b.png":
                (alone,) = pw.predict(model, path, tmp_path / path.stem, **EXACT)
                assert alone.read_bytes() == (tmp_path / "out" / path.name).read_bytes()
