"""What a Segmenter does with images in another unit, tensors and PIL images."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise as pw
from pixelwise import ArrayError, PixelwiseWarning

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 255, (3, 16, 16, 3), dtype=np.uint8)
MASKS = (PIXELS[..., :1] > 120).astype(np.uint8)


def fitted(images=PIXELS):
    model = pw.unet((16, 16, 3), widths=(4, 8), seed=0)
    model.compile(precision="float32")
    model.fit(images, MASKS, epochs=2, verbose=False)
    return model


@pytest.fixture(scope="module")
def model():
    """Trained on 8-bit images."""
    return fitted()


def test_floats_from_0_to_1_are_multiplied_by_255_and_that_is_said(model):
    """`reading_float01_image_to_8bit_model`: Dice fell from 0.98 to 0.00 with no word."""
    expected = model.predict(PIXELS)
    with pytest.warns(PixelwiseWarning, match="multiplied by 255") as said:
        found = model.predict(PIXELS / 255)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len(said) == 1
    assert said[0].filename == __file__  # the line of the caller, not one of ours
    with pytest.warns(PixelwiseWarning, match="The image has float64 .* multiplied by 255"):
        np.testing.assert_array_equal(model.segment(PIXELS[0] / 255), model.segment(PIXELS[0]))
    with pytest.warns(PixelwiseWarning, match="multiplied by 255"):
        scores = model.evaluate(PIXELS / 255, MASKS, verbose=False, return_dict=True)
    assert scores["loss"] == pytest.approx(
        model.evaluate(PIXELS, MASKS, verbose=False, return_dict=True)["loss"]
    )


@pytest.mark.parametrize("images", [PIXELS, PIXELS // 100, PIXELS * 0, PIXELS.astype(np.float32)])
def test_nothing_is_said_where_the_unit_is_the_same(model, images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(images)
        model.segment(images[0])


def test_one_dark_image_among_floats_of_8_bits_is_not_taken_for_another_unit(model):
    images = PIXELS.astype(np.float32)
    images[1] /= 256  # below 1 everywhere
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(images)


def test_12_bits_are_refused_with_the_factor(model):
    with pytest.raises(ArrayError, match="multiply it by 255 / 4095"):
        model.segment(PIXELS[0].astype(np.uint16) * 16)


def test_a_bright_image_of_the_same_type_warns_once():
    model = fitted(PIXELS // 8)
    with pytest.warns(PixelwiseWarning, match="far outside of these") as said:
        model.predict(PIXELS // 8 + 150)
    assert len(said) == 1


def test_fitting_floats_and_then_integers_goes_on_in_one_unit():
    """`code_small_api`: the model learnt both, and then refused integers."""
    model = fitted(PIXELS / 255)
    with pytest.warns(PixelwiseWarning, match="multiplied by 1/255"):
        model.fit(PIXELS, MASKS, verbose=False)
    assert model.model.config.scaling.scheme == "none"
    with pytest.warns(PixelwiseWarning, match="multiplied by 1/255"):
        found = model.predict(PIXELS)
    np.testing.assert_allclose(found, model.predict(PIXELS / 255), atol=1e-6)


def test_fitting_integers_and_then_floats_goes_on_in_one_unit(model):
    model = fitted()
    before = model.model.config.scaling
    with pytest.warns(PixelwiseWarning, match="multiplied by 255"):
        model.fit(PIXELS / 255, MASKS, verbose=False)
    assert model.model.config.scaling == before
    assert model.model.config.intensities.dtype == "uint8"


def test_validation_images_in_another_unit_are_brought_to_that_of_training():
    model = pw.unet((16, 16, 3), widths=(4, 8), seed=0)
    model.compile(precision="float32")
    with pytest.warns(PixelwiseWarning, match="multiplied by 255"):
        history = model.fit(
            PIXELS, MASKS, validation_data=(PIXELS / 255, MASKS), verbose=False
        ).history
    assert history["val_loss"][0] == pytest.approx(
        model.evaluate(PIXELS, MASKS, verbose=False, return_dict=True)["loss"], rel=1e-4
    )


def test_the_file_keeps_the_facts_and_files_without_them_take_images_as_they_are(model, tmp_path):
    model.save(tmp_path / "a.safetensors")
    again = pw.load(tmp_path / "a.safetensors")
    assert again.model.config.intensities == model.model.config.intensities
    assert again.model.config.intensities.highs[2] == PIXELS.max()
    again.model = again.model.with_config(intensities=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again.predict(PIXELS / 255)


def test_a_model_that_scales_each_image_by_itself_does_not_ask_for_the_unit(model):
    scaling = model.model.config.scaling.model_copy(update={"scheme": "percentiles"})
    other = fitted()
    other.model = other.model.with_config(scaling=scaling)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = other.predict(PIXELS / 255)
    np.testing.assert_allclose(found, other.predict(PIXELS), atol=1e-4)


# --- tensors and PIL images -------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t,
        lambda t: t.requires_grad_(),
        lambda t: t.bfloat16(),
        lambda t: t.half(),
        lambda t: t.flip(1).flip(1),
        lambda t: t.permute(2, 0, 1).permute(1, 2, 0),
    ],
)
def test_torch_tensors_are_taken(model, change):
    """`reading_torch_tensor_with_grad`: a raw RuntimeError, a raw TypeError."""
    tensor = change(torch.from_numpy(PIXELS[0].astype(np.float32)))
    array = tensor.detach().float().numpy()
    np.testing.assert_array_equal(model.segment(tensor), model.segment(array))
    np.testing.assert_allclose(
        model.predict([tensor, tensor]), model.predict([array, array]), atol=1e-6
    )


@pytest.mark.parametrize(
    "tensor",
    [torch.zeros(16, 16, 3, device="meta"), torch.zeros(16, 16, 3).to_sparse()],
)
def test_tensors_without_numbers_at_hand_are_refused(model, tensor):
    with pytest.raises(ArrayError, match="torch tensor that cannot be read"):
        model.segment(tensor)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "HSV", "YCbCr"])
def test_pil_images_are_taken_for_what_people_see(model, mode):
    """`reading_pil_palette_and_cmyk`: palette indices and ink were taken for colours."""
    smooth = Image.fromarray(PIXELS[0]).resize((4, 4)).resize((16, 16), Image.Resampling.NEAREST)
    picture = smooth.convert(mode, palette=Image.Palette.ADAPTIVE)
    expected = model.segment(np.array(picture.convert("RGB")))
    np.testing.assert_array_equal(model.segment(picture), expected)
    stacked = model.predict([picture, picture])[1] if mode != "RGBA" else None
    if stacked is not None:
        np.testing.assert_array_equal(stacked[..., 0] >= 0.5, expected)


def test_pil_images_train_and_palette_masks_give_their_indices():
    pictures = [Image.fromarray(pixels) for pixels in PIXELS]
    masks = [Image.fromarray(mask[..., 0]) for mask in MASKS]
    for mask in masks:
        mask.putpalette([0, 0, 0, 255, 0, 0])
    assert masks[0].mode == "P"
    model = pw.unet((16, 16, 3), widths=(4, 8), seed=0)
    model.compile(precision="float32")
    model.fit(pictures, masks, epochs=2, verbose=False)
    np.testing.assert_allclose(model.predict(PIXELS), fitted().predict(PIXELS), atol=1e-5)
