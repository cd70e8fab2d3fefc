"""Ranks: shares of batches, and two real processes that compute what one does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from tests.training.conftest import make_source

from pixelwise.errors import PlanError
from pixelwise.network import IntensityScaling
from pixelwise.parallel import available_cores
from pixelwise.planning import Augmentation
from pixelwise.task import Task
from pixelwise.training import Ranks, is_lost_rank, joined_ranks, loss_for
from pixelwise.training.augment import BatchRandom, augment
from pixelwise.training.batches import Batch, Moved
from pixelwise.training.ranks import Decision, Share

BUSY = Augmentation(
    flip_vertical=True, right_angles=True, rotation_degrees=20, scale=1.2, elastic_px=1,
    brightness=0.3, contrast=1.4, gamma=1.5, noise=0.2, blur_px=1, color=0.1, invert=0.5,
)  # fmt: skip


@pytest.mark.slow
def test_two_processes_compute_what_one_does(tmp_path):
    """One start of both for all of it: starting takes most of the time."""
    file = tmp_path / "found.json"
    script = Path(__file__).with_name("sharing.py")
    subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         str(script), str(file)],
        check=True, timeout=300,
    )  # fmt: skip
    found = json.loads(file.read_text())

    assert found["number"] == 2
    assert found["device"].startswith("2 processes train together, each on ")
    assert found["first"] == 0
    assert found["turn"] == [
        True,
        False,
        True,
        False,
        7,
    ]  # Ctrl-C of any rank, the clock of the first
    assert found["gathered"] == ["00", "10", "01", "11", "02"]  # one of each, in turn

    for batch in ("unequal", "empty"):  # 3 images; 1, so that the second rank has none
        for what, (difference, largest) in found[batch].items():
            assert largest > 1e-3, what
            assert difference < 1e-5 * max(1, largest), (batch, what)

    training = found["training"]
    assert training["same_on_all"]  # bit for bit
    assert training["weights"] < 1e-5
    for losses in ("losses", "val_losses"):
        ours, alone = training[losses]
        assert len(ours) == 2
        assert ours == pytest.approx(alone, rel=1e-5)
    for exact in ("names", "counts", "scores"):
        assert training[exact][0] == training[exact][1], exact

    by_the_clock = found["by_the_clock"]
    assert by_the_clock["same_on_all"]
    assert by_the_clock["num_steps"][0] == by_the_clock["num_steps"][1] > 1
    assert by_the_clock["validated"][0] == by_the_clock["validated"][1]
    assert by_the_clock["stopped"] == "the budget was used"

    assert found["lost"]["same_on_all"]
    assert found["lost"]["warnings"][0].startswith("The loss became nan at step 8.")
    assert found["lost"]["has_written"] == [True, False]


class TestShares:
    @pytest.mark.parametrize("total", [1, 2, 7, 8])
    @pytest.mark.parametrize("number", [1, 2, 3, 5])
    def test_every_image_is_one_ranks_and_shares_are_alike(self, number, total):
        shares = [Ranks(rank, number).share(total) for rank in range(number)]
        images = [i for share in shares for i in range(share.start, share.stop)]
        assert images == list(range(total))
        lengths = {share.stop - share.start for share in shares}
        assert max(lengths) - min(lengths) <= 1

    def test_draws_of_shares_are_parts_of_the_whole(self):
        def draw(share):
            draws = BatchRandom(torch.Generator().manual_seed(3), share)
            index, of_chosen = draws.choose(0.5)
            return [
                draws.uniform(2), draws.normal(1, 3), of_chosen.symmetric(),
                (index + share.start), of_chosen.share, draws.one(),
            ]  # fmt: skip

        whole, first, second = (draw(Share(*ends, 7)) for ends in ((0, 7), (0, 3), (3, 7)))
        for i in range(4):
            assert torch.equal(torch.cat([first[i], second[i]]), whole[i])
        assert whole[4].total == len(whole[3])
        assert (first[4].start, first[4].stop, second[4].stop) == (0, len(first[3]), len(whole[3]))
        assert first[5] == second[5] == whole[5]

    @pytest.mark.parametrize("seed", range(4))
    def test_augmented_shares_are_parts_of_the_augmented_batch(self, seed):
        large = torch.randn(5, 2, 24, 24, generator=torch.Generator().manual_seed(1))
        images, is_moved = large[..., 4:20, 4:20], torch.tensor([1, 0, 0, 1, 0]) == 1

        def vary(start, stop):
            here = torch.arange(start, stop)
            crops = large[here[is_moved[here]]]
            moved = Moved(is_moved, crops, (crops[:, 0] > 0).byte())  # of the second part, none
            own = images[start:stop]
            batch = Batch(own, (own[:, 0] > 0).byte(), Share(start, stop, 5), moved)
            return augment(batch, BUSY, torch.Generator().manual_seed(seed))

        whole, parts = vary(0, 5), [vary(0, 1), vary(1, 3), vary(3, 5)]
        assert torch.equal(torch.cat([part.targets for part in parts]), whole.targets)
        together = torch.cat([part.images for part in parts])
        torch.testing.assert_close(together, whole.images, rtol=1e-5, atol=1e-5)

    def source(self, samples, ranks):
        return make_source(
            samples, crop_size=(12, 12), batch_size=5, foreground_share=0.5, ranks=ranks,
            scaling=IntensityScaling(scheme="percentiles"),
        )  # fmt: skip

    def test_crops_of_shares_are_parts_of_the_batch(self, make_squares):
        samples = make_squares(6)
        for step in range(6):
            whole = self.source(samples, Ranks()).batch(step)
            parts = [self.source(samples, Ranks(rank, 3)).batch(step) for rank in range(3)]
            parts = [part for part in parts if (part.targets != 255).any()]
            assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
            assert torch.equal(torch.cat([part.targets for part in parts]), whole.targets)
            assert {part.num_images for part in parts} == {whole.num_images}

    def test_a_rank_without_a_share_gets_an_image_that_is_ignored(self, make_squares):
        source = self.source(make_squares(1, (12, 12)), Ranks(0, 2))  # batches of one image
        batch = source.batch(0)
        assert (batch.share, batch.num_images) == (Share(0, 1, 1), 1)
        assert (batch.targets == 255).all()
        logits = torch.zeros(1, 1, 12, 12, requires_grad=True)
        loss_for("cross_entropy_dice", Task.BINARY)(logits, batch.targets).backward()
        assert logits.grad.abs().max() == 0

    def test_ranks_whose_images_are_not_moved_know_that_others_are(self, make_squares):
        def batch(rank, number):
            return make_source(
                make_squares(5), crop_size=(12, 12), batch_size=5, moved_size=(16, 16),
                moved_share=0.4, scaling=IntensityScaling(), ranks=Ranks(rank, number),
            ).batch(0)  # fmt: skip

        whole, parts = batch(0, 1), [batch(rank, 7) for rank in range(7)]
        assert 0 < len(whole.moved.images) < 5
        assert all(torch.equal(p.moved.is_chosen, whole.moved.is_chosen) for p in parts)
        counts = [len(p.moved.images) for p in parts if (p.targets != 255).any()]
        assert sorted(set(counts)) == [0, 1]
        assert sum(counts) == len(whole.moved.images)
        idle = [p for p in parts if (p.targets == 255).all()]
        assert len(idle) == 2
        assert all((p.moved.targets == 255).all() for p in idle)


class TestAlone:
    def test_nobody_is_asked(self):
        ranks, turn = joined_ranks(), Decision(True, False, True, False, 5)
        assert (ranks, ranks.is_first) == (Ranks(0, 1), True)
        assert ranks.broadcast(lambda: "mine") == "mine"
        assert ranks.decide(turn) is turn
        assert ranks.gather([1, 2]) == [1, 2]
        sums = torch.ones(2), torch.ones(())
        assert ranks.reduce(*sums) == sums
        network, loss = torch.nn.Linear(1, 1), loss_for("dice", Task.BINARY)
        assert ranks.wrap(network, torch.device("cpu")) is network
        assert ranks.over_batch(loss) is loss
        assert ranks.pick_device("cpu") == torch.device("cpu")


class TestDevices:
    @pytest.fixture
    def pick(self, monkeypatch):
        """Pick a device on a machine with as many GPUs, as one of as many ranks."""

        def pick(device, gpus, rank=1, beside=2, threads="1"):
            monkeypatch.setenv("LOCAL_RANK", str(rank))
            monkeypatch.setenv("LOCAL_WORLD_SIZE", str(beside))
            monkeypatch.setenv("OMP_NUM_THREADS", threads)
            monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
            monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
            monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
            monkeypatch.setattr(Ranks, "gather", lambda ranks, own: own * 2)
            return Ranks(rank, beside).pick_device(device)

        before = torch.get_num_threads()
        yield pick
        torch.set_num_threads(before)

    @pytest.mark.parametrize("device", ["auto", "cuda"])
    def test_each_rank_has_a_gpu_of_its_own(self, pick, device):
        assert pick(device, gpus=2, rank=1) == torch.device("cuda", 1)

    def test_more_ranks_than_gpus_are_refused(self, pick):
        with pytest.raises(PlanError, match=r"3 processes .* 2 GPUs.*--nproc-per-node 2"):
            pick("auto", gpus=2, beside=3)
        with pytest.raises(PlanError, match=r"0 GPUs.*--device cpu"):
            pick("cuda", gpus=0)

    @pytest.mark.parametrize("device", ["cuda:0", "mps"])
    def test_one_device_for_all_is_refused(self, pick, device):
        with pytest.raises(PlanError, match="names one device for 2 processes"):
            pick(device, gpus=2)

    def test_cpu_cores_are_shared_unless_the_user_chose(self, pick):
        assert pick("auto", gpus=0) == pick("cpu", gpus=2) == torch.device("cpu")
        assert torch.get_num_threads() == max(1, available_cores() // 2)
        torch.set_num_threads(3)
        pick("cpu", gpus=0, threads="3")
        assert torch.get_num_threads() == 3

    def test_machines_of_two_kinds_are_refused(self, pick, monkeypatch):
        pick("auto", gpus=0)
        monkeypatch.setattr(Ranks, "gather", lambda ranks, own: [*own, "cuda"])
        with pytest.raises(PlanError, match="Some processes have a GPU and some have none"):
            Ranks(0, 2).pick_device("auto")


@pytest.mark.parametrize(
    ("error", "is_lost"),
    [
        (RuntimeError("[third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed"), True),
        (dist.DistBackendError("NCCL error"), True),
        (RuntimeError("shapes do not match"), False),
        (OSError("disk"), False),
    ],
)
def test_which_errors_say_that_a_rank_is_lost(error, is_lost):
    assert is_lost_rank(error) is is_lost
