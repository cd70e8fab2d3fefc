"""What a task knows; and more classes than masks can hold are refused at every door alike."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tests.reading import check_dataset, read_dataset

import pixelwise as pw
from pixelwise.data.masks.facts import describe_mask
from pixelwise.data.masks.learn import understand_masks
from pixelwise.data.masks.sources import MaskFile
from pixelwise.data.masks.stored import StoredMask
from pixelwise.errors import ArrayError, MaskError, ModelFileError, PlanError
from pixelwise.metrics import count_pixels
from pixelwise.network import ModelConfig, UNetConfig
from pixelwise.network.losses import cross_entropy_loss, dice_loss, focal_loss
from pixelwise.task import IGNORE_INDEX, MAX_CLASSES, UNKNOWN_INDEX, Task, too_many_classes

MANY = [255, 256, 300, 10**9]
LIMIT = "and 254 are the most that masks of 8 bits hold beside 255"


def test_all_indices_and_the_two_that_are_none_fit_into_8_bits():
    assert {*range(MAX_CLASSES), UNKNOWN_INDEX, IGNORE_INDEX} == set(range(256))


@pytest.mark.parametrize("num_classes", MANY)
@pytest.mark.parametrize("multilabel", [False, True])
def test_networks(num_classes, multilabel):
    with pytest.raises(PlanError) as info:
        pw.unet((32, 32, 1), num_classes, multilabel=multilabel)
    assert str(info.value) == too_many_classes(num_classes)
    with pytest.raises(ValueError, match=LIMIT):
        UNetConfig(in_channels=1, out_channels=num_classes, widths=(4, 8))


def test_the_highest_class_is_found_and_trained():
    model = pw.unet((16, 16, 1), MAX_CLASSES, widths=(4, 8), seed=0)
    with torch.no_grad():
        model.model.single_network.head.bias.zero_()
        model.model.single_network.head.bias[MAX_CLASSES - 1] = 1000.0
    image = np.zeros((16, 16), np.float32)
    assert np.unique(model.segment(image)).tolist() == [MAX_CLASSES - 1]
    masks = np.full((1, 16, 16), MAX_CLASSES - 1)
    model.compile(loss="sparse_categorical_crossentropy")
    history = model.fit(image[None, ..., None], masks, verbose=False)
    assert history.history["loss"] == [pytest.approx(0, abs=1e-6)]  # it is class 253, and counts


def test_arrays(recwarn):
    model = pw.unet((16, 16, 1), MAX_CLASSES, widths=(4, 8), seed=0)
    model.compile(loss="sparse_categorical_crossentropy")
    for value in (254, 256):
        with pytest.raises(ArrayError, match=f"{value}"):
            model.fit(np.zeros((1, 16, 16, 1)), np.full((1, 16, 16), value), verbose=False)


def test_model_files(tmp_path):
    path = tmp_path / "model.safetensors"
    pw.unet((16, 16, 1), 3, widths=(4, 8)).save(path)
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["pixelwise"])
    config["network"]["out_channels"] = 300
    config["class_names"] = [f"class {n}" for n in range(300)]
    config["class_colors"] = ["#000000"] * 300
    save_file(load_file(path), path, metadata={"pixelwise": json.dumps(config)})
    with pytest.raises(ModelFileError, match=LIMIT):
        pw.load(path)


def one_pair(folder):
    for name in ("images", "masks"):
        (folder / name).mkdir()
        Image.fromarray(np.eye(32, dtype=np.uint8)).save(folder / name / "a.png")


@pytest.mark.parametrize("entry", ["name {}", {"name": "name {}", "value": None}])
def test_classes_json(entry, tmp_path):
    one_pair(tmp_path)
    entries = [
        entry.format(n) if isinstance(entry, str) else {"name": f"name {n}", "value": n}
        for n in range(300)
    ]
    (tmp_path / "classes.json").write_text(json.dumps({"classes": entries}))
    with pytest.raises(MaskError, match=LIMIT):
        read_dataset(tmp_path)


def test_class_tables(tmp_path):
    one_pair(tmp_path)
    (tmp_path / "labels.txt").write_text("\n".join(f"name {n}" for n in range(300)))
    found = [finding for finding in check_dataset(tmp_path) if finding.severity == "error"]
    assert [finding.code for finding in found] == ["class-file"]
    assert LIMIT in found[0].message


def test_annotation_files(tmp_path):
    (tmp_path / "images").mkdir()
    Image.fromarray(np.eye(32, dtype=np.uint8)).save(tmp_path / "images/a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 32, "height": 32}],
        "categories": [{"id": n, "name": f"name {n}"} for n in range(300)],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}
        ],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    assert any(LIMIT in finding.message for finding in check_dataset(tmp_path))


def test_nnunet_folders(tmp_path):
    for name in ("imagesTr/a_0000.png", "labelsTr/a.png"):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(np.eye(32, dtype=np.uint8)).save(tmp_path / name)
    labels = {f"name {n}": n for n in range(300)}
    content = {"labels": labels, "channel_names": {"0": "grey"}, "file_ending": ".png"}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    assert any(LIMIT in finding.message for finding in check_dataset(tmp_path))


def test_planes(tmp_path):
    planes = np.zeros((16, 32, 300), bool)
    planes.reshape(-1, 300)[np.arange(300), np.arange(300)] = True
    facts = describe_mask(StoredMask(planes, "layers"), MaskFile(tmp_path / "a.tif"))
    with pytest.raises(MaskError, match=LIMIT):
        understand_masks([facts])


@pytest.mark.parametrize("loss", [cross_entropy_loss, dice_loss, focal_loss])
def test_losses_never_leave_out_a_class(loss):
    logits, target = torch.zeros(1, 300, 4, 4), torch.full((1, 4, 4), 255)
    with pytest.raises(ArrayError, match=LIMIT):
        loss(logits, target)
    assert float(loss(logits, target, ignore_index=-1)) > 0


def test_scores_never_leave_out_a_class():
    target = np.full((4, 4), 255)
    with pytest.raises(ArrayError, match=LIMIT):
        count_pixels(target, target, 300)
    assert count_pixels(target, target, 300, ignore_index=-1)[255].tolist() == [16, 0, 0]


# --- the task ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "first", "expected"),
    [
        (Task.BINARY, "anything", True),
        (Task.MULTICLASS, "Background", True),
        (Task.MULTICLASS, "sky", False),
        (Task.MULTILABEL, "background", False),
    ],
)
def test_which_class_is_background(task, first, expected):
    assert task.has_background((first, "other")) is expected


@pytest.mark.parametrize(
    ("names", "options", "task"),
    [
        (("background", "cell"), {}, Task.BINARY),
        (("", "cell"), {}, Task.BINARY),
        (("sky", "building"), {}, Task.MULTICLASS),
        (("background", "a", "b"), {}, Task.MULTICLASS),
        (("a", "b"), {"overlap": True}, Task.MULTILABEL),
        (("background", "nucleus"), {"are_objects": True}, Task.INSTANCES),
    ],
)
def test_the_task_follows_from_the_classes(names, options, task):
    assert Task.of_classes(names, **options) is task
    assert task.of_pixels.num_classes(task.of_pixels.num_logits(len(names))) == len(names)


def test_check_and_training_agree_on_two_classes_without_background(tmp_path):
    """Sky and Building: `check` said binary, and training made multiclass."""
    for number in range(6):
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
        image = np.random.default_rng(number).integers(0, 255, (32, 32), np.uint8)
        Image.fromarray(image).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray((image > 120).astype(np.uint8)).save(tmp_path / "masks" / f"{number}.png")
    (tmp_path / "classes.json").write_text(json.dumps({"classes": ["Sky", "Building"]}))
    assert read_dataset(tmp_path).task is Task.MULTICLASS


def test_probabilities_to_masks_by_hand():
    probabilities = np.array([[0.2, 0.6], [0.8, 0.4]])  # (K=2, 2)
    assert Task.MULTICLASS.to_mask(probabilities).tolist() == [1, 0]
    assert Task.MULTILABEL.to_mask(probabilities, 0.3).tolist() == [[False, True], [True, True]]
    assert Task.BINARY.to_mask(probabilities[:1]).tolist() == [0, 1]
    assert Task.BINARY.to_mask(probabilities[:1]).dtype == np.uint8


def test_a_model_of_pixels_has_no_objects():
    network = UNetConfig(in_channels=1, out_channels=1, widths=(4, 8))
    with pytest.raises(ValueError, match="no instances task"):
        ModelConfig(
            network=network,
            task=Task.INSTANCES,
            class_names=("background", "a"),
            class_colors=("#000000", "#ffffff"),
        )
