"""Two tones are two tones, however some of the masks store them."""

import numpy as np
import pytest
from PIL import Image
from tests.reading import read_dataset

from pixelwise.data import MaskClass, MaskEncoding
from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.facts import describe_mask, unify_forms
from pixelwise.data.masks.foreground_values import part_tones
from pixelwise.data.masks.learn import understand_masks
from pixelwise.data.masks.outliers import foreign_values
from pixelwise.data.masks.sources import MaskFile
from pixelwise.data.masks.stored import to_stored
from pixelwise.doctor.examine import examine_dataset
from pixelwise.errors import MaskError

RED = np.array([255, 0, 0], np.uint8)
BLUE = np.array([0, 0, 200], np.uint8)
WHITE = np.array([255, 255, 255], np.uint8)


def halves(value, dtype=np.uint8):
    """(20, 20): 0 on the left, the value (a number or a colour) on the right."""
    mask = np.zeros((20, 20), dtype)
    mask[:, 10:] = 1
    return mask[..., None] * value if isinstance(value, np.ndarray) else mask * dtype(value)


def facts_of(masks, path, suffix=".png"):
    source = MaskFile(path / f"a{suffix}")
    return unify_forms([describe_mask(to_stored(mask, source.path), source) for mask in masks])


def read_as(facts, reading):
    """Class indices of the values of each mask; all of them are known."""
    assert not any(foreign_values(mask, reading.encoding).size for mask in facts)
    return [reading.encoding.index_of(mask.values).tolist() for mask in facts]


@pytest.mark.parametrize(
    ("usual", "odd", "severity"),
    [
        (1, 255, "note"),
        (255, 1, "note"),
        (255, 65535, "note"),
        (255, 254, "note"),
        (255, 128, "warning"),  # another maximum, or another class
        (1, 128, "warning"),
        (128, 255, "warning"),
        (WHITE, RED, "warning"),
        (RED, 255, "warning"),
        (RED, 1, "warning"),
    ],
)
@pytest.mark.parametrize("count", [5, 40])
def test_a_mask_in_other_tones_is_read_and_said(usual, odd, severity, count, tmp_path):
    other = halves(odd, np.uint16 if isinstance(odd, int) and odd > 255 else np.uint8)
    facts = facts_of([halves(usual)] * count + [other], tmp_path)
    reading = understand_masks(facts)
    assert reading.encoding.task == "binary"
    assert read_as(facts, reading) == [[0, 1]] * (count + 1)
    said = [remark for remark in reading.remarks if remark.code == "mixed-tones"]
    assert [remark.severity for remark in said] == [severity]
    assert [mask is facts[-1] for mask in said[0].masks] == [True]


@pytest.mark.parametrize("tones", [(1, 255), (1, 255, 65535), (255, 254)])
def test_usual_ways_to_write_a_foreground_go_together_in_any_share(tones, tmp_path):
    facts = facts_of([halves(tone, np.uint16) for tone in tones * 3], tmp_path)
    assert read_as(facts, understand_masks(facts)) == [[0, 1]] * len(facts)


@pytest.mark.parametrize(
    ("one", "other"), [(255, 128), (1, 200), (128, 200), (WHITE, RED), (BLUE, RED)]
)
def test_two_foregrounds_of_equal_right_are_refused_and_names_decide(one, other, tmp_path):
    facts = facts_of([halves(one)] * 6 + [halves(other)] * 6, tmp_path)
    with pytest.raises(MaskError, match=r"none holds both: one foreground .* two classes"):
        understand_masks(facts)


def test_two_names_say_that_all_foregrounds_are_one(tmp_path):
    facts = facts_of([halves(255)] * 6 + [halves(128)] * 6, tmp_path)
    reading = understand_masks(facts, ClassDeclaration(classes=["background", "cell"]))
    assert reading.encoding.class_names == ("background", "cell")
    assert read_as(facts, reading) == [[0, 1]] * 12


@pytest.mark.parametrize("values", [(1, 2), (1, 2, 3), (85, 170, 255), (2, 7)])
def test_masks_of_one_class_each_stay_classes(values, tmp_path):
    facts = facts_of([halves(value) for value in values * 4], tmp_path)
    reading = understand_masks(facts)
    assert [entry.value for entry in reading.encoding.classes] == [0, *values]
    assert reading.encoding.tones == ()


@pytest.mark.parametrize(
    ("usual", "odd"), [(1, 2), (2, 1), (255, 7), (7, 255), (200, 128), (RED, BLUE)]
)
def test_what_may_be_a_class_index_is_named(usual, odd, tmp_path):
    facts = facts_of([halves(usual)] * 20 + [halves(odd)], tmp_path)
    encoding = understand_masks(facts).encoding
    assert foreign_values(facts[-1], encoding).tolist() == [0x0000C8 if odd is BLUE else odd]


def test_masks_full_of_foreground_and_empty_ones_go_along(tmp_path):
    full = np.ones((20, 20), np.uint8)
    masks = [*[halves(255)] * 8, full * 255, full * 0, *[halves(1)] * 4, full]
    facts = facts_of(masks, tmp_path)
    expected = [*[[0, 1]] * 8, [1], [0], *[[0, 1]] * 4, [1]]
    assert read_as(facts, understand_masks(facts)) == expected


def test_soft_edges_are_kept_to_the_tones_of_their_mask(tmp_path):
    soft, other = halves(255), halves(128)
    soft[:, 9], soft[:, 10] = 90, 170
    other[:, 9], other[:, 10] = 50, 80  # 80 is nearer to 128 than to 0
    facts = facts_of([soft] * 9 + [other], tmp_path)
    reading = understand_masks(facts)
    assert reading.encoding.tones == (128,)
    decoded = reading.encoding.decode(to_stored(other, tmp_path), tmp_path)
    np.testing.assert_array_equal(decoded, halves(1))
    np.testing.assert_array_equal(
        reading.encoding.decode(to_stored(soft, tmp_path), tmp_path), halves(1)
    )


def test_among_damaged_masks_a_few_pixels_of_1_forbid_to_read_any_1(tmp_path):
    damaged, faint = halves(255), np.zeros((20, 20), np.uint8)
    damaged[:, 9], damaged[:, 10] = 3, 250
    faint[0, 0] = 1
    facts = facts_of([*[damaged] * 40, faint, halves(1)], tmp_path)
    encoding = understand_masks(facts).encoding
    assert encoding.tones == ()
    assert [foreign_values(mask, encoding).tolist() for mask in facts[-2:]] == [[1], [1]]


def test_two_tones_in_an_index_set_are_indices(tmp_path):
    indices = halves(1)
    indices[:5] = 2
    facts = facts_of([indices] * 9 + [halves(1)], tmp_path)
    assert part_tones(facts)[1] == []
    assert [c.value for c in understand_masks(facts).encoding.classes] == [0, 1, 2]


def test_an_ignored_value_is_no_tone(tmp_path):
    facts = facts_of([halves(1)] * 9 + [halves(255)] * 3, tmp_path)
    encoding = understand_masks(facts, ignore=[255]).encoding
    assert (encoding.ignore, encoding.tones) == ((255,), ())


@pytest.mark.parametrize("foreground", [1, 255])
def test_a_person_may_name_either_foreground(foreground, tmp_path):
    facts = facts_of([halves(1)] * 9 + [halves(255)] * 3, tmp_path)
    reading = understand_masks(facts, foreground=foreground)
    assert read_as(facts, reading) == [[0, 1]] * 12
    inverted = understand_masks(facts, foreground=0)
    assert read_as(facts, inverted) == [[1, 0]] * 12


def test_classes_of_a_training_are_found_in_any_tones(tmp_path):
    known = MaskEncoding(
        classes=(
            MaskClass(index=0, name="ground", value=0, color="#000000"),
            MaskClass(index=1, name="cell", value=1, color="#ff0000"),
        ),
        tones=(77,),
    )
    facts = facts_of([halves(255)] * 3 + [halves(1)] * 3, tmp_path)
    reading = understand_masks(facts, known=known)
    assert reading.encoding.class_names == ("ground", "cell")
    assert read_as(facts, reading) == [[0, 1]] * 6
    assert 77 not in reading.encoding.tones


def test_only_two_classes_have_other_tones():
    classes = [MaskClass(index=i, name=f"c{i}", value=i, color="#000000") for i in range(3)]
    with pytest.raises(ValueError, match="only two classes"):
        MaskEncoding(classes=tuple(classes), tones=(255,))


def palette(path, mask):
    picture = Image.fromarray(mask, mode="P")
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(path)


ODD = {
    "1 bit": lambda p, m: Image.fromarray(m.astype(bool)).save(p),
    "0/1": lambda p, m: Image.fromarray(m).save(p),
    "0/255": lambda p, m: Image.fromarray(m * 255).save(p),
    "0/128": lambda p, m: Image.fromarray(m * 128).save(p),
    "palette": palette,
    "RGB": lambda p, m: Image.fromarray(m[..., None] * WHITE).save(p),
    "RGBA": lambda p, m: Image.fromarray(np.dstack([m * 255] * 3 + [m * 0 + 255])).save(p),
    "red": lambda p, m: Image.fromarray(m[..., None] * RED).save(p),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("usual", ["1 bit", "0/255"])
def test_a_folder_with_one_odd_file_is_read_and_the_file_is_named(
    usual, odd, save_pairs, disc, tmp_path
):
    truth = {f"{n:03}": np.roll(disc, n, 0) for n in range(12)}
    root = save_pairs(list(truth.values()))
    for name, mask in truth.items():
        ODD[odd if name == "007" else usual](root / f"masks/{name}.png", mask)
    examination = examine_dataset(root)
    assert not examination.errors
    said = [finding for finding in examination.findings if finding.code == "mixed-tones"]
    is_same = {usual, odd} <= {"1 bit", "0/1", "palette"} or {usual, odd} <= {
        "0/255",
        "RGB",
        "RGBA",
    }
    assert [[p.name for p in f.files] for f in said] == [] if is_same else [["007.png"]]
    dataset = read_dataset(root)
    for split in ("train", "val", "test"):
        for sample in dataset.samples(split):
            np.testing.assert_array_equal(sample.mask, truth[sample.name])
