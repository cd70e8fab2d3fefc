"""Several networks as one model: the mean of their probabilities, in one file."""

import pytest
import torch

from pixelwise.errors import ModelFileError
from pixelwise.network import (
    IntensityScaling,
    Model,
    ModelConfig,
    UNet,
    UNetConfig,
    join_models,
    load_model,
    save_model,
)

TASKS = {"binary": 1, "multiclass": 3, "multilabel": 2}
NAMES = {"binary": ("", "a"), "multiclass": ("", "a", "b"), "multilabel": ("a", "b")}


def make(task="binary", seed=0, **changes):
    torch.manual_seed(seed)
    network = UNetConfig(in_channels=1, out_channels=TASKS[task], widths=(3, 6))
    config = ModelConfig(
        network=network, task=task, class_names=NAMES[task],
        class_colors=("#000000",) * len(NAMES[task]),
    )  # fmt: skip
    model = Model(config.model_copy(update=changes), UNet(network).eval())
    torch.nn.init.normal_(model.network.head.weight)  # far from "all classes alike"
    return model


def probabilities(model, image):
    logits = model.network(image)
    return logits.softmax(1) if model.config.task == "multiclass" else logits.sigmoid()


@pytest.mark.parametrize("task", TASKS)
def test_the_probabilities_are_the_mean_of_those_of_the_members(task):
    models = [make(task, seed) for seed in range(3)]
    image = torch.randn(2, 1, 8, 12)
    mean = torch.stack([probabilities(model, image) for model in models]).mean(0)
    joined = join_models(models)
    torch.testing.assert_close(probabilities(joined, image), mean, rtol=1e-5, atol=1e-6)
    assert joined.network.num_parameters == 3 * models[0].network.num_parameters
    assert joined.config.num_members == 3


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_members_that_are_certain_stay_finite(task):
    models = [make(task, seed) for seed in range(2)]
    for model, sign in zip(models, (1, -1), strict=True):
        torch.nn.init.constant_(model.network.head.bias, 0)
        model.network.head.bias.data[0] = sign * 200.0
    result = probabilities(join_models(models), torch.randn(1, 1, 4, 4))[:, 0]
    torch.testing.assert_close(result, torch.full_like(result, 0.5))


def test_one_file_holds_the_members(tmp_path):
    joined = join_models([make("multiclass", seed) for seed in range(2)])
    save_model(tmp_path / "model.safetensors", joined)
    again = load_model(tmp_path)
    assert again.config == joined.config
    image = torch.randn(1, 1, 8, 8)
    assert torch.equal(again.network(image), joined.network(image))
    assert again.network.summary().startswith("2 networks like this one:\nU-Net")


def test_the_threshold_is_the_mean():
    joined = join_models([make(threshold=0.4), make(threshold=0.6)])
    assert joined.config.threshold == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"working_scale": 0.5}, r"Model 2 of 2 has another working scale .*\(0\.5, not 1\.0\)"),
        ({"class_names": ("", "b")}, "another class names"),
        ({"scaling": IntensityScaling(scheme="percentiles")}, "another scaling"),
    ],
)
def test_models_that_cannot_predict_together_are_refused(change, said):
    with pytest.raises(ModelFileError, match=said):
        join_models([make(), make(**change)])


def test_an_ensemble_is_not_one_network():
    joined = join_models([make(), make()])
    with pytest.raises(ModelFileError, match=r"ensemble of 2 networks.*fold1"):
        _ = joined.single_network
    assert make().single_network.config.widths == (3, 6)
