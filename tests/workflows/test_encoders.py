"""Training with a ready-made encoder: from its weight file to a model that needs neither."""

from shutil import copyfile

import pytest
import torch
from safetensors.torch import save_file

import pixelwise as pw
from pixelwise.errors import PlanError
from pixelwise.network import load_model
from pixelwise.planning import Encoder, parse_plan
from pixelwise.training import Ranks
from pixelwise.workflows.request import check_ranks, choose_encoder

NAME = "resnet18"
pytestmark = pytest.mark.usefixtures("timm")


@pytest.fixture(scope="module")
def weight_file(timm, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    torch.manual_seed(7)
    save_file(timm.create_model(NAME).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def ready(plan, weight_file):
    """A plan with the encoder, so that no step is measured to make one (see tests/plan)."""
    asked = {"encoder": NAME, "encoder_weights": str(weight_file), "widths": (4, 8, 8)}
    return plan.model_copy(update={**asked, "num_steps": 2, "validate_every": 2})


@pytest.fixture(scope="module")
def trained(data, ready, make_noting, tmp_path_factory):
    """A run, and what it told."""
    watcher = make_noting()
    run = pw.train(data, tmp_path_factory.mktemp("runs") / "run", plan=ready, watcher=watcher)
    return run, watcher


def test_the_plan_says_which_encoder_it_starts_from(trained, weight_file):
    run, watcher = trained
    plan = parse_plan((run.folder / "plan.yaml").read_text())
    assert (plan.encoder, plan.encoder_weights) == (NAME, str(weight_file))
    said = f"The encoder resnet18 starts from the weights in {weight_file}."
    assert said in watcher.notes
    assert watcher.plan.reasons["encoder_weights"] == said


@pytest.mark.slow  # steps of several plans are measured
def test_asked_for_by_its_name_it_is_planned_for(data, weight_file, tmp_path):
    run = pw.train(data, tmp_path / "run", epochs=1, encoder=NAME, encoder_weights=weight_file)
    plan = parse_plan((run.folder / "plan.yaml").read_text())
    assert (plan.optimizer, plan.learning_rate, len(plan.widths)) == ("adamw", 1e-3, 6)


def test_training_starts_from_the_weights_of_the_file(data, ready, timm, tmp_path):
    frozen = ready.model_copy(
        update={"num_steps": 1, "validate_every": 1, "learning_rate": 1e-12, "weight_decay": 0}
    )
    run = pw.train(data, tmp_path / "run", plan=frozen)
    found = load_model(run.folder).network.backbone.state_dict()
    torch.manual_seed(7)
    whole = timm.create_model(NAME).state_dict()
    for name in ("layer1.0.conv1.weight", "layer1.1.conv2.weight"):
        torch.testing.assert_close(found[name], whole[name])


def test_the_model_predicts_without_the_file(data, trained):
    model = pw.load(trained[0].folder)
    image = next(iter(sorted((data / "test" / "images").iterdir())))
    assert model.segment(image).ndim == 2
    assert model.model.config.network.encoder == NAME


def test_a_finished_run_goes_on_without_the_file(data, weight_file, ready, tmp_path):
    moved = tmp_path / "own.safetensors"
    copyfile(weight_file, moved)
    own = ready.model_copy(update={"encoder_weights": str(moved)})
    run = pw.train(data, tmp_path / "run", plan=own)
    moved.unlink()
    again = pw.train(data, tmp_path / "run", epochs=2, resume=True)
    assert again.num_steps == 2 * run.num_steps


def test_a_model_with_an_encoder_is_one_to_start_from(data, ready, trained, tmp_path):
    own = ready.model_copy(update={"encoder_weights": None})  # its weights are the model's
    run = pw.train(data, tmp_path / "run", plan=own, start=trained[0].folder)
    network = load_model(run.folder).config.network
    assert network == load_model(trained[0].folder).config.network


def test_arrays_train_with_one_too(weight_file):
    model = pw.unet(
        (64, 64, 3), widths=(4, 8, 8), encoder=NAME, encoder_weights=weight_file, seed=0
    )
    assert model.model.config.network.encoder == NAME
    with pytest.raises(PlanError, match="is not a file"):
        pw.unet((64, 64, 3), encoder=NAME, encoder_weights=weight_file.with_name("none.pth"))


class TestRefusals:
    def test_weights_without_an_encoder(self, weight_file):
        with pytest.raises(PlanError, match="as weights of an encoder, but no encoder"):
            choose_encoder(None, weight_file, None)
        with pytest.raises(PlanError, match="as weights of an encoder, but no encoder"):
            pw.unet((64, 64, 3), encoder_weights=weight_file)

    def test_a_model_and_an_encoder_to_start_from(self, data, tmp_path):
        with pytest.raises(PlanError, match="Give one of them"):
            pw.train(data, tmp_path / "run", encoder=NAME, start=tmp_path)
        assert not (tmp_path / "run").exists()

    def test_weights_that_are_not_there(self, data, tmp_path):
        with pytest.raises(PlanError, match=r"none\.pth is not a file"):
            pw.train(data, tmp_path / "run", encoder=NAME, encoder_weights=tmp_path / "none.pth")
        assert not (tmp_path / "run").exists()

    def test_another_encoder_than_the_plan_has(self, data, plan, tmp_path):
        with pytest.raises(PlanError, match="resnet18 was asked for, but the plan has none"):
            pw.train(data, tmp_path / "run", plan=plan, encoder=NAME)

    def test_several_processes(self, plan):
        given = plan.model_copy(update={"encoder": NAME, "batch_size": 4})
        check_ranks(Ranks(0, 1), given)
        with pytest.raises(PlanError, match="resnet18 takes statistics of a whole batch"):
            check_ranks(Ranks(0, 2), given)

    def test_none_is_none(self):
        assert choose_encoder(None, None, None) is None
        assert choose_encoder(NAME, None, None) == Encoder(NAME, None)
