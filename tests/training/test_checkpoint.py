"""The checkpoint: what goes in comes out; what is damaged is refused; writing is atomic."""

import math
import os

import pytest
import torch
from safetensors.torch import save_file

from pixelwise.errors import OutputError, TrainingError
from pixelwise.training import Checkpoint, read_checkpoint, write_checkpoint
from pixelwise.training.checkpoint import FILE_NAME


def checkpoint(step=7, best=True):
    random = torch.Generator().manual_seed(step)
    weights = {
        "a.weight": torch.randn(4, 3, 3, 3, generator=random),
        "a.count": torch.tensor(step),  # int64 scalar, as batch normalization has
    }
    optimizer = {
        0: {"step": torch.tensor(float(step)), "exp_avg": torch.randn(4, 3, generator=random)},
        11: {"step": torch.tensor(1.0)},
    }
    return Checkpoint(
        {"step": step, "elapsed": 1 / 3, "history": [{"step": 5, "val_dice": math.nan}], "é": None},
        weights,
        {name: tensor + 1 for name, tensor in weights.items()},
        optimizer,
        weights if best else {},
    )


def equal(one, other):
    return one.keys() == other.keys() and all(
        torch.equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one
    )


@pytest.fixture
def folder(tmp_path):
    write_checkpoint(tmp_path / "checkpoint", checkpoint())
    return tmp_path / "checkpoint"


class TestRoundTrip:
    @pytest.mark.parametrize("best", [True, False])
    def test_everything_comes_back(self, tmp_path, best):
        there = checkpoint(best=best)
        write_checkpoint(tmp_path, there)
        back = read_checkpoint(tmp_path)
        for group in ("network", "average", "best"):
            assert equal(getattr(there, group), getattr(back, group))
        assert there.optimizer.keys() == back.optimizer.keys()
        assert all(equal(there.optimizer[index], back.optimizer[index]) for index in (0, 11))
        assert math.isnan(back.facts["history"][0].pop("val_dice"))
        there.facts["history"][0].pop("val_dice")
        assert back.facts == there.facts

    @pytest.mark.parametrize("score", [-math.inf, 0.1 + 0.2, 1e-300])
    def test_scores_come_back_exactly(self, tmp_path, score):
        write_checkpoint(tmp_path, Checkpoint({"best_score": score}, {}, {}, {}, {}))
        assert read_checkpoint(tmp_path).facts == {"best_score": score}

    def test_tensors_that_share_memory_or_lie_in_another_layout(self, tmp_path):
        weight = torch.randn(4, 3, 5, 5)
        turned = weight.contiguous(memory_format=torch.channels_last)
        there = Checkpoint(
            {}, {"w": turned, "same": turned}, {"w": weight[:, 1]}, {}, {"w": turned}
        )
        write_checkpoint(tmp_path, there)
        back = read_checkpoint(tmp_path)
        assert torch.equal(back.network["w"], weight)
        assert torch.equal(back.network["same"], weight)
        assert torch.equal(back.average["w"], weight[:, 1])

    def test_the_newest_is_read(self, folder):
        write_checkpoint(folder, checkpoint(step=9))
        assert read_checkpoint(folder).facts["step"] == 9
        assert [path.name for path in folder.iterdir()] == [FILE_NAME]


class TestRefusals:
    def test_none_there(self, tmp_path):
        with pytest.raises(TrainingError, match=r"no checkpoint .*Train without --resume"):
            read_checkpoint(tmp_path)

    @pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
    def test_truncated(self, folder, share):
        content = (folder / FILE_NAME).read_bytes()
        (folder / FILE_NAME).write_bytes(content[: int(len(content) * share)])
        with pytest.raises(TrainingError, match=r"cannot be read: .*Train again with --overwrite"):
            read_checkpoint(folder)

    @pytest.mark.parametrize("metadata", [None, {"other": "{}"}, {"checkpoint": "{"}])
    def test_safetensors_of_something_else(self, folder, metadata):
        save_file({"network/a": torch.zeros(1)}, folder / FILE_NAME, metadata=metadata)
        with pytest.raises(TrainingError, match="cannot be read"):
            read_checkpoint(folder)

    @pytest.mark.parametrize(
        ("names", "facts"),
        [
            (["no group"], "{}"),
            (["optimizer.x/step"], "{}"),
            (["network/a"], "[1]"),
            (["network/a"], "null"),
            (["network/a"], '{"step": -1}'),
            (["network/a"], '{"step": "many"}'),
            (["network/a"], '{"elapsed": NaN}'),
            (["network/a"], "[" * 100_000),
        ],
    )
    def test_edited(self, folder, names, facts):
        tensors = {name: torch.zeros(1) for name in names}
        save_file(tensors, folder / FILE_NAME, metadata={"checkpoint": facts})
        with pytest.raises(TrainingError, match="cannot be read"):
            read_checkpoint(folder)


class TestAtomicWriting:
    @pytest.mark.parametrize("place", ["fsync", "replace"])
    def test_an_interrupted_write_leaves_the_earlier_one(self, folder, monkeypatch, place):
        def fail(*args):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os if place == "fsync" else type(folder), place, fail)
            with pytest.raises(OutputError, match=r"No space left.*was written before is intact"):
                write_checkpoint(folder, checkpoint(step=8))
        assert read_checkpoint(folder).facts["step"] == 7
        assert {path.name for path in folder.iterdir()} <= {FILE_NAME, "state.new"}

    def test_the_earlier_one_stays_until_the_new_one_is_proven(self, folder, monkeypatch):
        """What is read back is not what was written: a disk that lies."""
        read = type(folder).read_bytes
        monkeypatch.setattr(type(folder), "read_bytes", lambda path: read(path)[:-1])
        with pytest.raises(OutputError, match=r"does not hold what was written.*before is intact"):
            write_checkpoint(folder, checkpoint(step=8))
        monkeypatch.undo()
        assert read_checkpoint(folder).facts["step"] == 7

    def test_what_an_interruption_left_is_written_over(self, folder):
        (folder / "state.new").write_bytes(b"half of it")
        write_checkpoint(folder, checkpoint(step=8))
        assert read_checkpoint(folder).facts["step"] == 8
        assert [path.name for path in folder.iterdir()] == [FILE_NAME]

    def test_a_file_in_the_way(self, tmp_path):
        (tmp_path / "checkpoint").write_text("not a folder")
        with pytest.raises(OutputError, match="is a file, where a folder is to be made"):
            write_checkpoint(tmp_path / "checkpoint", checkpoint())
        assert (tmp_path / "checkpoint").read_text() == "not a folder"


def test_a_copy_has_tensors_of_its_own():
    there = checkpoint()
    copy = there.copy()
    there.network["a.weight"].zero_()
    there.optimizer[0]["exp_avg"].zero_()
    assert copy.network["a.weight"].any()
    assert copy.optimizer[0]["exp_avg"].any()
    assert copy.facts == there.facts
