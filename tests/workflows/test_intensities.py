"""Files in another unit than that of training: predicted and scored as if they were in it."""

import re
import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

import pixelwise as pw
from pixelwise.cli import app
from pixelwise.data import Sample
from pixelwise.errors import DataError, PixelwiseWarning, PlanError
from pixelwise.inference import IntensityCheck
from pixelwise.network import join_facts, look_at_intensities
from pixelwise.planning import parse_plan
from pixelwise.workflows.intensities import CheckedSamples, intensities_of

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 255, (4, 16, 16), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of grey 8-bit images."""
    segmenter = pw.unet((16, 16, 1), widths=(4, 8), seed=0)
    segmenter.fit(PIXELS[..., None], PIXELS > 120, epochs=4, verbose=0)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    segmenter.save(path)
    return path


def write(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in images.items():
        if name.endswith(".png"):
            Image.fromarray(pixels).save(folder / name)
        else:
            tifffile.imwrite(folder / name, pixels)
    return folder


def masks(folder):
    return {path.stem: np.array(Image.open(path)) for path in folder.glob("*.png")}


def test_a_folder_is_decided_file_by_file_and_said_once(model, tmp_path):
    expected = write(tmp_path / "as they were", {f"{i}.png": PIXELS[i] for i in range(4)})
    other = write(
        tmp_path / "other",
        {
            "0.png": PIXELS[0],
            "1.tif": (PIXELS[1] / 255).astype(np.float32),
            "2.tif": PIXELS[2].astype(np.uint16) * 257,
            "3.tif": (PIXELS[3] / 255).astype(np.float32),
        },
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pw.predict(model, expected, tmp_path / "a")
    with pytest.warns(PixelwiseWarning) as said:
        pw.predict(model, other, tmp_path / "b")
    texts = [str(warning.message) for warning in said]
    assert len(texts) == 2
    assert re.search(
        r"^2 images, the first .*1\.tif, have float32 .* multiplied by 255\.", texts[0]
    )
    assert re.search(r"2\.tif has uint16 .* multiplied by 1/257\.", texts[1])
    found = masks(tmp_path / "b")
    for name, mask in masks(tmp_path / "a").items():
        np.testing.assert_array_equal(found[name], mask)


def test_what_is_refused_is_named_and_the_others_are_predicted(model, tmp_path):
    images = {"a.png": PIXELS[0], "b.tif": PIXELS[1].astype(np.uint16) * 16}
    folder = write(tmp_path / "images", images)
    with pytest.raises(DataError, match=r"1 of 2 images .*b\.tif has uint16.*255 / 4095"):
        pw.predict(model, folder, tmp_path / "masks")
    assert set(masks(tmp_path / "masks")) == {"a"}


def test_the_command_says_it_in_a_line(model, tmp_path):
    folder = write(tmp_path / "images", {"a.tif": (PIXELS[0] / 255).astype(np.float32)})
    line = ["predict", str(model), str(folder), "--out", str(tmp_path / "masks"), "-q"]
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # as outside of tests
        done = CliRunner().invoke(app, line)
    assert done.exit_code == 0
    lines = [line for line in done.output.splitlines() if line.startswith("warning:")]
    assert len(lines) == 1
    assert "multiplied by 255" in lines[0]


def test_scores_are_those_of_the_images_in_the_unit_of_training(model, tmp_path):
    drawn = {f"{i}.png": (PIXELS[i] > 120).astype(np.uint8) * 255 for i in range(4)}
    for name, change in {"a": lambda p: p, "b": lambda p: (p / 255).astype(np.float32)}.items():
        write(tmp_path / name / "images", {f"{i}.tif": change(PIXELS[i]) for i in range(4)})
        write(tmp_path / name / "masks", drawn)
    expected = pw.evaluate(model, tmp_path / "a", split="all")
    with pytest.warns(PixelwiseWarning, match="4 images, the first .* multiplied by 255"):
        found = pw.evaluate(model, tmp_path / "b", split="all", out=tmp_path / "scores")
    assert found.mean_dice == expected.mean_dice > 0.5
    assert (tmp_path / "scores" / "report.html").is_file()


def samples(pixels):
    return [Sample(f"array {i}", image[np.newaxis], None, None) for i, image in enumerate(pixels)]


def test_samples_are_checked_when_they_are_asked_for(model):
    check = IntensityCheck(pw.load(model).model.config)
    checked = CheckedSamples(samples((PIXELS / 255).astype(np.float32)), check)
    assert len(checked) == 4
    assert not check.notes()
    np.testing.assert_allclose(checked[-1].image[0], PIXELS[3], atol=1e-4)
    assert [sample.name for sample in checked[1:3]] == ["array 1", "array 2"]
    assert check.notes()[0].startswith("3 images")


# --- plans ------------------------------------------------------------------------------------


def plan_of(scheme, facts):
    fingerprint = {
        "num_train": 4, "num_val": 0, "in_channels": 1, "num_classes": 2,
        "median_size": [16, 16], "min_size": [16, 16], "max_size": [16, 16], "mean_pixels": 256,
        "class_shares": [0.5, 0.5], "intensity_mean": [120], "intensity_std": [70],
        "image_contrast_ratio": 1, "vertical_order": 0, "horizontal_order": 0,
    }  # fmt: skip
    text = f"""
fingerprint: {fingerprint | {"intensities": facts and facts.model_dump(mode="json")}}
decisions:
  scaling: {{scheme: {scheme}, mean: [120], std: [70]}}
  patch_size: [16, 16]
  batch_size: 2
  widths: [4, 8]
  normalization: instance
  loss: dice
  learning_rate: 0.01
  num_steps: 4
  validate_every: 2
"""
    return parse_plan(text.replace("None", "null"))


EIGHT_BITS = look_at_intensities(PIXELS[:, np.newaxis])


def test_a_plan_for_8_bits_is_refused_for_floats_from_0_to_1():
    floats = samples((PIXELS / 255).astype(np.float32))
    with pytest.raises(PlanError, match=r"uint8 values.*float32 values.*Plan again"):
        intensities_of(floats, plan_of("statistics", EIGHT_BITS), is_given=True)
    for plan in (plan_of("percentiles", EIGHT_BITS), plan_of("statistics", None)):
        assert intensities_of(floats, plan, is_given=True).dtype == "float32"


def test_the_facts_are_those_that_planning_saw():
    facts = join_facts([EIGHT_BITS, EIGHT_BITS])
    assert intensities_of([], plan_of("statistics", facts), is_given=False) == facts
    assert (
        intensities_of(samples(PIXELS), plan_of("statistics", facts), is_given=True) == EIGHT_BITS
    )


def test_a_model_file_whose_encoding_was_edited_is_refused_by_the_name_of_the_field(tmp_path):
    write(tmp_path / "a" / "images", {"0.tif": PIXELS[0]})
    write(tmp_path / "a" / "masks", {"0.png": (PIXELS[0] > 120).astype(np.uint8) * 255})
    segmenter = pw.unet((16, 16, 1), widths=(2, 4), seed=0)
    segmenter.model = segmenter.model.with_config(provenance={"encoding": {"classes": []}})
    segmenter.save(tmp_path / "model.safetensors")
    with pytest.raises(pw.ModelFileError, match=r"`provenance\.encoding\.classes`"):
        pw.evaluate(tmp_path / "model.safetensors", tmp_path / "a", split="all")
