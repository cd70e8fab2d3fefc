"""The model file: what goes in comes out, nothing is run, and what is no model is refused."""

import json
import math
import os
import pickle
import struct

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from pixelwise.errors import ModelFileError, OutputError
from pixelwise.network import IntensityScaling, Model, UNet, UNetConfig, load_model, save_model
from pixelwise.network.model import FORMAT_VERSION, METADATA_KEY, ModelConfig


def config_for(task="binary", **changes):
    num_logits = 1 if task == "binary" else 2
    network = {"in_channels": 2, "out_channels": num_logits, "widths": (4, 8)}
    return ModelConfig(
        network=UNetConfig(**network | changes.pop("network", {})),
        task=task,
        class_names=("background", "cell nucleus"),
        class_colors=("#000000", "#ff8000"),
        **changes,
    )


def model_for(task="binary", *, seed=0, **changes):
    torch.manual_seed(seed)
    config = config_for(task, **changes)
    network = UNet(config.network)
    network.train()
    network(torch.randn(2, 2, 8, 8))  # running statistics other than fresh ones
    return Model(config, network)


def rewrite(path, change):
    """Let `change` alter (tensors, metadata values) of a model file."""
    tensors = load_file(path)
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    values = json.loads(header["__metadata__"][METADATA_KEY])
    change(tensors, values)
    save_file(tensors, path, metadata={METADATA_KEY: json.dumps(values)})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, model_for())
    return path


class TestRoundTrip:
    @pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
    @pytest.mark.parametrize("normalization", ["none", "batch", "instance", "group"])
    def test_weights_and_config_come_back_bit_for_bit(self, tmp_path, task, normalization):
        model = model_for(task, network={"normalization": normalization})
        save_model(tmp_path / "a.safetensors", model)
        loaded = load_model(tmp_path / "a.safetensors")
        assert loaded.config == model.config
        there, back = model.network.state_dict(), loaded.network.state_dict()
        assert list(there) == list(back)
        assert all(torch.equal(there[name], back[name]) for name in there)
        assert all(there[name].dtype == back[name].dtype for name in there)

    def test_predictions_come_back_bit_for_bit(self, tmp_path):
        model, image = model_for(), torch.randn(1, 2, 12, 12)
        save_model(tmp_path / "a.safetensors", model)
        loaded = load_model(tmp_path / "a.safetensors")
        assert torch.equal(model.network.eval()(image), loaded.network(image))

    def test_everything_of_the_config(self, tmp_path):
        model = model_for(
            scaling=IntensityScaling(scheme="statistics", mean=(1 / 3, 2), std=(0.1, 1e-7)),
            threshold=0.37,
            patch_size=(48, 64),
            precision="bfloat16",
            provenance={
                "data": "7 images",
                "seed": 3,
                "budget_seconds": None,
                "nested": {"a": [1]},
            },
            scores={"mean": {"dice": {"mean": 0.9}}},
        )
        save_model(tmp_path / "a.safetensors", model)
        assert load_model(tmp_path / "a.safetensors").config == model.config

    @settings(max_examples=15)
    @given(
        names=st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=2),
        threshold=st.floats(0, 1, exclude_min=True, exclude_max=True),
    )
    def test_any_name_and_threshold(self, tmp_path_factory, names, threshold):
        path = tmp_path_factory.mktemp("model") / "a.safetensors"
        config = config_for().model_copy(
            update={"class_names": tuple(names), "threshold": threshold}
        )
        save_model(path, Model(config, UNet(config.network)))
        assert load_model(path).config == config

    def test_channels_last_weights_are_written_in_the_standard_layout(self, tmp_path):
        model = model_for()
        weights = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
        model.network.to(memory_format=torch.channels_last)
        save_model(tmp_path / "a.safetensors", model)
        back = load_model(tmp_path / "a.safetensors").network.state_dict()
        assert all(torch.equal(back[name], weights[name]) for name in weights)
        assert all(tensor.is_contiguous() for tensor in back.values())

    def test_a_run_folder_stands_for_its_model(self, path):
        assert load_model(path.parent).config == load_model(path).config

    def test_the_loaded_network_is_ready_to_predict_and_to_train(self, path):
        network = load_model(path).network
        assert not network.training
        assert all(not tensor.is_meta for tensor in network.state_dict().values())
        assert all(parameter.requires_grad for parameter in network.parameters())

    def test_the_same_model_gives_the_same_file(self, path, tmp_path):
        save_model(tmp_path / "again.safetensors", model_for())
        assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


class TestConfig:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"class_colors": ("#000000",)}, "2 class names but 1 colours"),
            ({"network": {"out_channels": 2}}, "2 logits for a binary task of 2 classes"),
            ({"threshold": 0}, "threshold"),
            ({"threshold": 1}, "threshold"),
            ({"task": "guess"}, "task"),
            (
                {"scaling": {"scheme": "statistics", "mean": [1], "std": [1]}},
                "2 channels but scaling statistics of 1 means and 1 deviations",
            ),
        ],
    )
    def test_what_does_not_fit_together_is_refused(self, changes, message):
        values = config_for().model_dump()
        values["network"] |= changes.pop("network", {})
        with pytest.raises(ValidationError, match=message):
            ModelConfig.model_validate(values | changes)

    def test_multiclass_has_a_logit_a_class(self):
        with pytest.raises(ValidationError, match="1 logits for a multiclass task"):
            config_for("multiclass", network={"out_channels": 1})

    def test_num_classes_counts_background(self):
        assert config_for("binary").num_classes == config_for("multiclass").num_classes == 2

    def test_with_config_keeps_the_network(self):
        model = model_for()
        changed = model.with_config(threshold=0.25)
        assert changed.network is model.network
        assert (changed.config.threshold, model.config.threshold) == (0.25, 0.5)


class TestRefusals:
    def test_nothing_there(self, tmp_path):
        with pytest.raises(ModelFileError, match=r"absent.safetensors does not exist. Give a run"):
            load_model(tmp_path / "absent.safetensors")

    def test_a_folder_without_a_model(self, tmp_path):
        with pytest.raises(ModelFileError, match=r"has no model.safetensors. Give a run folder"):
            load_model(tmp_path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"\0", b"PK\x03\x04 a zip", b"\x89PNG\r\n\x1a\n" * 9, b"\xff" * 64],
        ids=["empty", "one byte", "zip", "png", "ff"],
    )
    def test_not_a_model_file(self, tmp_path, content):
        path = tmp_path / "model.safetensors"
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"is not a model file: .*pixelwise models are"):
            load_model(path)

    def test_a_pickle_is_not_run(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return (os.mkdir, (str(tmp_path / "sprung"),))

        (tmp_path / "a.safetensors").write_bytes(pickle.dumps(Trap()))
        torch.save({"weights": Trap()}, tmp_path / "b.safetensors")
        for name in ("a", "b"):
            with pytest.raises(ModelFileError, match="is not a model file"):
                load_model(tmp_path / f"{name}.safetensors")
        assert not (tmp_path / "sprung").exists()

    @pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99])
    def test_truncated(self, path, share):
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ModelFileError, match="is not a model file"):
            load_model(path)

    def test_safetensors_of_another_program(self, tmp_path):
        path = tmp_path / "other.safetensors"
        for metadata in (None, {"format": "pt"}):
            save_file({"weight": torch.zeros(3)}, path, metadata=metadata)
            with pytest.raises(ModelFileError, match="not a pixelwise model: its metadata has no"):
                load_model(path)

    def test_a_newer_format_asks_for_an_update(self, path):
        def change(tensors, values):
            values |= {"format_version": FORMAT_VERSION + 1, "network": "of a new kind"}

        rewrite(path, change)
        with pytest.raises(
            ModelFileError,
            match=rf"format version {FORMAT_VERSION + 1}; .* up to {FORMAT_VERSION}. Update",
        ):
            load_model(path)

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "3", "null", '"text"', "{}", '{"task": "binary"}']
    )
    def test_metadata_that_describe_no_model(self, path, text):
        save_file(load_file(path), path, metadata={METADATA_KEY: text})
        with pytest.raises(ModelFileError, match=r"cannot be read: .*damaged or was edited"):
            load_model(path)

    def test_a_weight_is_missing(self, path):
        rewrite(path, lambda tensors, values: tensors.pop("head.weight"))
        with pytest.raises(ModelFileError, match="weights that do not fit"):
            load_model(path)

    def test_a_weight_too_many(self, path):
        rewrite(path, lambda tensors, values: tensors.update(more=torch.zeros(1)))
        with pytest.raises(ModelFileError, match="weights that do not fit"):
            load_model(path)

    def test_a_weight_of_another_shape(self, path):
        rewrite(path, lambda tensors, values: values["network"].update(in_channels=3))
        with pytest.raises(ModelFileError, match="weights that do not fit"):
            load_model(path)

    def test_a_weight_of_another_type(self, path):
        def change(tensors, values):
            tensors["head.weight"] = tensors["head.weight"].half()

        rewrite(path, change)
        with pytest.raises(ModelFileError, match="weights that do not fit"):
            load_model(path)


class TestAtomicWriting:
    @pytest.mark.parametrize("place", ["fsync", "replace"])
    def test_an_interrupted_write_leaves_the_old_file_and_no_other(self, path, monkeypatch, place):
        def fail(*args):
            raise OSError(28, "No space left on device")

        before = path.read_bytes()
        target = os if place == "fsync" else type(path)
        with monkeypatch.context() as patch:
            patch.setattr(target, place, fail)
            with pytest.raises(OutputError, match=r"No space left on device\). Free some space"):
                save_model(path, model_for(seed=1))
        assert path.read_bytes() == before
        assert [file.name for file in path.parent.iterdir()] == [path.name]

    def test_a_kill_between_leaves_the_old_file(self, path, monkeypatch):
        def kill(number):
            raise KeyboardInterrupt

        before = path.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", kill)
            with pytest.raises(KeyboardInterrupt):
                save_model(path, model_for(seed=1))
        assert path.read_bytes() == before
        load_model(path)

    def test_a_new_model_takes_the_place_of_the_old(self, path):
        before = path.read_bytes()
        save_model(path, model_for(seed=1))
        assert path.read_bytes() != before
        assert [file.name for file in path.parent.iterdir()] == [path.name]

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(OutputError, match=r"No such file.*Make the folder .*absent first"):
            save_model(tmp_path / "absent" / "a.safetensors", model_for())


# --- claims of a file (`code_model_file`) -----------------------------------------------------

CLAIMS = [
    ({"num_members": 100}, r"tensors for num_members 100"),
    ({"num_members": 2}, r"tensors for num_members 2"),
    ({"num_members": 10**9}, "`num_members`"),
    ({"network": {"widths": [1] * 300}}, "`network.widths`"),
    ({"network": {"widths": [10**9, 10**9]}}, "`network.widths`"),
    ({"network": {"widths": [8192] * 12}}, "tensors for num_members 1"),
    ({"network": {"in_channels": 10**9}}, "`network.in_channels`"),
    ({"network": {"out_channels": -1}}, "`network.out_channels`"),
    ({"network": {"encoder": "x" * 1000}}, "`network.encoder`"),
    ({"scaling": {"scheme": "statistics", "mean": [math.nan], "std": [1.0]}}, "`scaling.mean.0`"),
    ({"scaling": {"scheme": "statistics", "mean": [0.0], "std": [math.inf]}}, "`scaling.std.0`"),
    ({"scaling": {"scheme": "statistics", "mean": [0.0], "std": [-1.0]}}, "`scaling.std.0`"),
    ({"scaling": {"scheme": "percentiles", "low": 90, "high": 10}}, "`scaling.low`"),
    ({"class_colors": ["red;background:url(//evil)", "#ff0000"]}, "`class_colors.0`"),
    ({"class_names": [], "class_colors": []}, "`class_names`"),
    ({"class_names": ["a"], "class_colors": ["#ff0000"]}, "1 class names for a binary task"),
    ({"class_names": ["a" * 2000, "b"]}, "`class_names.0`"),
    ({"patch_size": [-5]}, "`patch_size.0`"),
    ({"patch_size": [10**12, 4]}, "`patch_size.0`"),
    ({"mirror_axes": [7]}, "`mirror_axes.0`"),
    ({"working_scale": 1e-9}, "`working_scale`"),
    ({"threshold": math.nan}, "`threshold`"),
    ({"format_version": -3}, "`format_version`"),
    ({"intensities": {"dtype": "uint8"}}, "`intensities.lowest`"),
]


@pytest.mark.parametrize(("claim", "words"), CLAIMS, ids=lambda value: str(value)[:60])
def test_a_file_that_claims_what_cannot_be_is_refused_by_the_name_of_the_field(
    tmp_path, monkeypatch, claim, words
):
    network = UNetConfig(in_channels=1, out_channels=1, widths=(2, 4), normalization="none")
    config = ModelConfig(
        network=network, task="binary", class_names=("background", "cell"),
        class_colors=("#000000", "#ff0000"),
    )  # fmt: skip
    path = tmp_path / "model.safetensors"
    save_model(path, Model(config, UNet(network)))

    def change(tensors, values):
        values |= claim | {"network": values["network"] | claim.get("network", {})}

    rewrite(path, change)
    built = []
    init = UNet.__init__
    monkeypatch.setattr(UNet, "__init__", lambda self, c: (built.append(c), init(self, c))[1])
    with pytest.raises(ModelFileError, match=words):
        load_model(path)
    assert len(built) <= 1  # the claim of many members is compared before they are built


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' + "9" * 5000 + "}", "NaN", "[1]"])
def test_metadata_that_are_absurd_json(path, text):
    save_file(load_file(path), path, metadata={METADATA_KEY: text})
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_model(path)
