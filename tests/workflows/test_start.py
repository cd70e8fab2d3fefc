"""Train from an earlier model: its weights, its network, and what starts from new weights."""

import json
import signal

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise as pw
from pixelwise.network import load_model, save_model
from pixelwise.planning import parse_plan
from pixelwise.training import Watcher


class Stopping(Watcher):
    """Presses Ctrl-C after the fourth step."""

    def step(self, step, num_steps, loss, seconds_left):
        if step == 4:
            signal.raise_signal(signal.SIGINT)


def frozen(plan, **changes):
    """A plan that leaves the weights as they are, nearly: one step at hardly any rate."""
    return plan.model_copy(
        update={"num_steps": 1, "validate_every": 1, "learning_rate": 1e-12, **changes}
    )


def weights(path):
    return load_model(path).network.state_dict()


def closeness(one, other):
    """Largest difference of each tensor, normalization statistics left out."""
    first, second = weights(one), weights(other)
    return {
        name: float((first[name] - second[name]).abs().max())
        for name in first
        if first[name].shape == second[name].shape and "running" not in name
    }


@pytest.fixture(scope="module")
def earlier(data, plan, tmp_path_factory):
    return pw.train(data, tmp_path_factory.mktemp("runs") / "earlier", plan=plan).folder


def test_training_starts_from_the_weights_of_the_model(data, plan, earlier, tmp_path):
    run = pw.train(data, tmp_path / "run", plan=frozen(plan), start=earlier)
    found = closeness(run.folder, earlier)
    assert max(found[name] for name in found if "num_batches" not in name) < 1e-6
    fresh = pw.train(data, tmp_path / "fresh", plan=frozen(plan), seed=1)
    assert closeness(fresh.folder, earlier)["bottleneck.conv1.weight"] > 0.1


def test_without_a_plan_the_network_is_that_of_the_model(data, earlier, tmp_path, make_noting):
    watcher = make_noting()
    run = pw.train(data, tmp_path / "run", epochs=1, start=earlier, watcher=watcher)
    assert load_model(run.folder).config.network == load_model(earlier).config.network
    said = f"Training starts from the weights of {earlier}."
    assert said in watcher.notes
    assert watcher.plan.reasons["start"] == said
    assert str(earlier) in (run.folder / "report.html").read_text()


def test_the_model_says_where_it_started(data, plan, earlier, tmp_path):
    run = pw.train(data, tmp_path / "run", plan=plan, start=earlier)
    provenance = load_model(run.folder).config.provenance
    assert provenance["start"] == str(earlier)
    assert provenance["start_fingerprint"] == load_model(earlier).fingerprint
    assert provenance["start_data"].startswith("8 images")
    again = pw.train(data, tmp_path / "run", resume=True, epochs=4)
    assert (
        load_model(again.folder).config.provenance["start_fingerprint"]
        == (provenance["start_fingerprint"])
    )


def test_other_classes_begin_with_another_head(data, plan, earlier, tmp_path, make_noting):
    classes = {"classes": [{"name": "field", "value": 0}, {"name": "square", "value": 255}]}
    copy_of(data, tmp_path / "data")
    (tmp_path / "data" / "classes.json").write_text(json.dumps(classes))
    watcher = make_noting()
    run = pw.train(
        tmp_path / "data", tmp_path / "run", plan=frozen(plan), start=earlier, watcher=watcher
    )
    assert load_model(run.folder).config.task == "multiclass"
    assert closeness(run.folder, earlier)["decoder.0.conv2.weight"] < 1e-6
    assert weights(run.folder)["head.weight"].shape != weights(earlier)["head.weight"].shape
    said = "Its classes are background, foreground, those of the data field, square: the last"
    assert said in "\n".join(watcher.notes)


def copy_of(data, root, to_color=False):
    for path in data.rglob("*.png"):
        target = root / path.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        image = Image.open(path)
        if to_color and path.parent.name == "images":
            tinted = np.array(image)[..., np.newaxis] * np.array([1.0, 0.8, 0.6])
            image = Image.fromarray(tinted.astype(np.uint8))
        image.save(target)
    return root


def test_images_of_other_channels_get_the_mean_of_the_first_weights(
    data, plan, earlier, tmp_path, make_noting
):
    colors = copy_of(data, tmp_path / "data", to_color=True)
    scaling = plan.scaling.model_copy(update={"mean": (60.0,) * 3, "std": (50.0,) * 3})
    watcher = make_noting()
    run = pw.train(
        colors, tmp_path / "run", plan=frozen(plan, scaling=scaling), start=earlier, watcher=watcher
    )
    first = "encoder.0.conv1.weight"
    expected = weights(earlier)[first].expand(-1, 3, -1, -1) / 3
    torch.testing.assert_close(weights(run.folder)[first], expected, rtol=0, atol=1e-6)
    assert "Its images have 1 channels, these 3" in "\n".join(watcher.notes)
    planned = pw.train(colors, tmp_path / "planned", epochs=1, start=earlier)
    assert len(load_model(planned.folder).config.scaling.mean) == 3


def test_the_plan_repeats_the_training_with_its_start(data, plan, earlier, tmp_path):
    run = pw.train(data, tmp_path / "run", plan=plan, start=earlier)
    assert parse_plan((run.folder / "plan.yaml").read_text()).start == str(earlier)
    again = pw.train(data, tmp_path / "again", plan=run.folder / "plan.yaml")
    assert all(value == 0 for value in closeness(again.folder, run.folder).values())


def test_the_same_command_with_resume_goes_on(data, plan, earlier, tmp_path):
    whole = pw.train(data, tmp_path / "whole", plan=plan, start=earlier)
    part = pw.train(data, tmp_path / "part", plan=plan, start=earlier, watcher=Stopping())
    assert part.num_steps == 4
    pw.train(data, part.folder, plan=plan, start=earlier, resume=True)
    assert all(value == 0 for value in closeness(part.folder, whole.folder).values())


def test_a_training_killed_before_its_first_checkpoint_begins_from_the_model(
    data, plan, earlier, tmp_path
):
    (tmp_path / "run").mkdir()
    planned = plan.model_copy(update={"start": str(earlier)})
    (tmp_path / "run" / "plan.yaml").write_text(planned.to_yaml())
    run = pw.train(data, tmp_path / "run", resume=True)
    whole = pw.train(data, tmp_path / "whole", plan=plan, start=earlier)
    assert all(value == 0 for value in closeness(run.folder, whole.folder).values())


def test_a_run_may_be_replaced_by_one_that_starts_from_it(data, plan, tmp_path):
    first = pw.train(data, tmp_path / "run", plan=plan)
    print_of_first = load_model(first.folder).fingerprint
    pw.train(data, tmp_path / "run", plan=plan, start=tmp_path / "run", overwrite=True)
    assert load_model(first.folder).config.provenance["start_fingerprint"] == print_of_first


# --- what cannot be ---------------------------------------------------------------------------


def test_resuming_from_another_model_is_refused(data, plan, earlier, tmp_path):
    pw.train(data, tmp_path / "run", plan=plan)
    with pytest.raises(pw.PlanError, match=r"started from fresh weights, not from .*earlier"):
        pw.train(data, tmp_path / "run", resume=True, start=earlier)


def test_a_plan_of_another_network_is_refused_and_leaves_nothing(data, plan, earlier, tmp_path):
    other = plan.model_copy(update={"widths": (6, 12)})
    with pytest.raises(pw.PlanError, match=r"plan says widths \(6, 12\), but .* has widths \(4, 8"):
        pw.train(data, tmp_path / "run", plan=other, start=earlier)
    assert not (tmp_path / "run").exists()


def test_what_is_no_model_is_refused_and_leaves_nothing(data, plan, tmp_path):
    with pytest.raises(pw.ModelFileError, match="does not exist"):
        pw.train(data, tmp_path / "run", plan=plan, start=tmp_path / "nowhere")
    assert not (tmp_path / "run").exists()


def test_a_model_for_volumes_is_refused(data, plan, tmp_path):
    pw.unet((8, 8, 8, 1), widths=(2, 4)).save(tmp_path / "volumes.safetensors")
    with pytest.raises(pw.ModelFileError, match="model for volumes"):
        pw.train(data, tmp_path / "run", plan=plan, start=tmp_path / "volumes.safetensors")


def test_a_network_that_no_plan_describes_is_refused(data, earlier, tmp_path):
    pw.unet((8, 8, 1), widths=(4, 8), skips=False).save(tmp_path / "odd.safetensors")
    with pytest.raises(pw.PlanError, match="network with skips False"):
        pw.train(data, tmp_path / "run", epochs=1, start=tmp_path / "odd.safetensors")


def test_a_model_of_arrays_can_be_started_from(data, tmp_path):
    model = pw.unet((16, 16, 1), widths=(4, 8), upsampling="transposed")
    model.save(tmp_path / "arrays.safetensors")
    run = pw.train(data, tmp_path / "run", epochs=1, start=tmp_path / "arrays.safetensors")
    config = load_model(run.folder).config
    assert config.network.upsampling == "transposed"
    assert config.scaling.scheme != "none"
    assert config.provenance["start_data"] == "unknown"


def test_the_fingerprint_of_a_model_is_that_of_its_weights(earlier, tmp_path):
    model = load_model(earlier)
    save_model(tmp_path / "copy.safetensors", model.with_config(threshold=0.4))
    assert load_model(tmp_path / "copy.safetensors").fingerprint == model.fingerprint
    with torch.no_grad():
        model.network.head.bias.add_(0.1)
    assert load_model(tmp_path / "copy.safetensors").fingerprint != model.fingerprint
