"""Losses: hand-made values, agreement with MONAI and torch, ignored pixels, finite gradients."""

import math

import pytest
import torch
import torch.nn.functional as F

from pixelwise.errors import ArrayError
from pixelwise.network.losses import (
    binary_cross_entropy_loss,
    cross_entropy_dice_loss,
    cross_entropy_loss,
    dice_loss,
    focal_loss,
    tversky_loss,
)
from pixelwise.network.targets import check_target

CERTAIN = 50.0  # a logit whose sigmoid is 1 in float32
BINARY = (binary_cross_entropy_loss, dice_loss, tversky_loss, cross_entropy_dice_loss, focal_loss)
MULTICLASS = (cross_entropy_loss, dice_loss, tversky_loss, cross_entropy_dice_loss, focal_loss)
SIZES = [(6, 5), (4, 3, 5)]


def name_of(value):
    return getattr(value, "__name__", None)


def random_pair(num_classes, size, *, seed=0, batch_size=3):
    """Logits and class indices of a batch."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(batch_size, num_classes, *size, generator=generator)
    target = torch.randint(0, max(num_classes, 2), (batch_size, *size), generator=generator)
    return logits, target.to(torch.uint8)


def planes(target, num_classes):
    """(B, *spatial) class indices to (B, K, *spatial) 0 or 1."""
    return F.one_hot(target.long(), num_classes).movedim(-1, 1)


def binary_logits(*rows):
    return torch.tensor(rows).reshape(1, 1, len(rows), -1)


class TestByHand:
    def test_binary_cross_entropy_of_undecided_logits_is_ln_2(self):
        loss = binary_cross_entropy_loss(torch.zeros(2, 1, 3, 3), torch.ones(2, 3, 3))
        assert loss.item() == pytest.approx(math.log(2))

    def test_binary_cross_entropy_of_known_probabilities(self):
        # probabilities 0.8 and 0.25, target 1 and 0: -(ln 0.8 + ln 0.75) / 2
        logits = binary_logits([math.log(4), math.log(1 / 3)])
        loss = binary_cross_entropy_loss(logits, torch.tensor([[[1, 0]]]))
        assert loss.item() == pytest.approx(-(math.log(0.8) + math.log(0.75)) / 2)

    def test_cross_entropy_of_equal_logits_is_ln_k(self):
        loss = cross_entropy_loss(torch.zeros(1, 5, 2, 2), torch.zeros(1, 2, 2, dtype=torch.uint8))
        assert loss.item() == pytest.approx(math.log(5))

    def test_dice_of_two_found_of_three_with_one_false_alarm(self):
        # found 2, false 1, missed 1: dice = (2 * 2 + 1) / (3 + 3 + 1)
        logits = binary_logits([CERTAIN, CERTAIN, CERTAIN, -CERTAIN, -CERTAIN])
        target = torch.tensor([[[1, 1, 0, 1, 0]]])
        assert dice_loss(logits, target).item() == pytest.approx(1 - 5 / 7)
        assert dice_loss(logits, target, smooth=0).item() == pytest.approx(1 - 4 / 6)

    def test_tversky_weighs_false_alarms_and_misses(self):
        # found 1, false 2, missed 1: (1 + 1) / (1 + 0.25 * 2 + 0.75 * 1 + 1)
        logits = binary_logits([CERTAIN, CERTAIN, CERTAIN, -CERTAIN])
        target = torch.tensor([[[1, 0, 0, 1]]])
        loss = tversky_loss(logits, target, alpha=0.25, beta=0.75)
        assert loss.item() == pytest.approx(1 - 2 / 3.25)

    def test_focal_of_an_undecided_pixel(self):
        # (1 - 0.5) ** 2 * ln 2, and a quarter of it with alpha 0.25 on foreground
        logits, target = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1)
        assert focal_loss(logits, target).item() == pytest.approx(0.25 * math.log(2))
        weighted = focal_loss(logits, target, alpha=0.25)
        assert weighted.item() == pytest.approx(0.0625 * math.log(2))

    def test_batch_dice_adds_pixels_before_it_divides(self):
        # image 1: 3 of 3 found; image 2: nothing to find, 1 false alarm
        logits = torch.tensor([[CERTAIN] * 3, [CERTAIN, -CERTAIN, -CERTAIN]]).reshape(2, 1, 1, 3)
        target = torch.tensor([[1, 1, 1], [0, 0, 0]]).reshape(2, 1, 3)
        whole = dice_loss(logits, target, smooth=1)
        each = dice_loss(logits, target, smooth=1, batch=False)
        assert whole.item() == pytest.approx(1 - 7 / 8)
        assert each.item() == pytest.approx((0 + (1 - 1 / 2)) / 2)

    def test_background_can_be_left_out_of_dice(self):
        # class 0: 2 found, 1 false, 0 missed; class 1: 0 found, 1 missed
        logits = CERTAIN * planes(torch.tensor([[[0, 0, 0]]]), 2).float()
        target = torch.tensor([[[0, 0, 1]]])
        assert dice_loss(logits, target).item() == pytest.approx(1 - (5 / 6 + 1 / 2) / 2)
        assert dice_loss(logits, target, background=False).item() == pytest.approx(1 / 2)

    def test_background_has_no_meaning_for_binary_and_multilabel(self):
        for num_classes, multilabel in ((1, False), (3, True)):
            logits, _ = random_pair(num_classes, (4, 4))
            target = (logits > 1).long() if multilabel else (logits[:, 0] > 1).long()
            with_background, without = (
                dice_loss(logits, target, multilabel=multilabel, background=background)
                for background in (True, False)
            )
            assert with_background == without

    def test_nothing_to_find_and_nothing_found_costs_nothing(self):
        logits, target = torch.full((2, 1, 4, 4), -CERTAIN), torch.zeros(2, 4, 4)
        for loss in (dice_loss, tversky_loss):
            assert loss(logits, target).item() == pytest.approx(0, abs=1e-6)

    def test_sum_is_cross_entropy_plus_dice(self):
        logits, target = random_pair(3, (5, 5))
        both = cross_entropy_dice_loss(logits, target, background=False, batch=False)
        dice = dice_loss(logits, target, background=False, batch=False)
        assert both.item() == pytest.approx((cross_entropy_loss(logits, target) + dice).item())
        logits, target = random_pair(1, (5, 5))
        both = cross_entropy_dice_loss(logits, target)
        dice = dice_loss(logits, target)
        assert both.item() == pytest.approx(
            (binary_cross_entropy_loss(logits, target) + dice).item()
        )


@pytest.mark.parametrize("size", SIZES, ids=("2d", "3d"))
class TestAgainstReferences:
    def test_cross_entropies_match_torch(self, size):
        logits, target = random_pair(4, size)
        expected = F.cross_entropy(logits, target.long())
        torch.testing.assert_close(cross_entropy_loss(logits, target), expected)
        logits, target = random_pair(1, size)
        expected = F.binary_cross_entropy_with_logits(logits[:, 0], target.float())
        torch.testing.assert_close(binary_cross_entropy_loss(logits, target), expected)

    @pytest.mark.parametrize("batch", [True, False])
    @pytest.mark.parametrize("background", [True, False])
    def test_dice_and_tversky_match_monai_softmax(self, size, batch, background):
        losses = pytest.importorskip("monai.losses")
        logits, target = random_pair(4, size)
        options = {"batch": batch, "include_background": background, "softmax": True}
        options |= {"smooth_nr": 1.0, "smooth_dr": 1.0}
        one_hot = planes(target, 4)
        ours = dice_loss(logits, target, batch=batch, background=background)
        torch.testing.assert_close(ours, losses.DiceLoss(**options)(logits, one_hot))
        ours = tversky_loss(logits, target, alpha=0.3, beta=0.7, batch=batch, background=background)
        monai = losses.TverskyLoss(**options, alpha=0.3, beta=0.7)(logits, one_hot)
        torch.testing.assert_close(ours, monai)

    @pytest.mark.parametrize("num_classes", [1, 3])
    def test_sigmoid_losses_match_monai(self, size, num_classes):
        losses = pytest.importorskip("monai.losses")
        logits, _ = random_pair(num_classes, size)
        _, target = random_pair(2, size, seed=1)
        target = torch.stack([target.roll(n, 1) for n in range(num_classes)], dim=1)
        multilabel = num_classes > 1
        ours = target if multilabel else target[:, 0]
        options = {"batch": True, "sigmoid": True, "smooth_nr": 1.0, "smooth_dr": 1.0}
        torch.testing.assert_close(
            dice_loss(logits, ours, multilabel=multilabel),
            losses.DiceLoss(**options)(logits, target),
        )
        for alpha in (None, 0.25):
            torch.testing.assert_close(
                focal_loss(logits, ours, gamma=1.5, alpha=alpha, multilabel=multilabel),
                losses.FocalLoss(gamma=1.5, alpha=alpha)(logits, target),
            )

    def test_cross_entropy_dice_matches_monai(self, size):
        losses = pytest.importorskip("monai.losses")
        logits, target = random_pair(3, size)
        monai = losses.DiceCELoss(softmax=True, batch=True, smooth_nr=1.0, smooth_dr=1.0)
        expected = monai(logits, planes(target, 3).float())
        torch.testing.assert_close(cross_entropy_dice_loss(logits, target), expected)

    def test_softmax_focal_matches_monai(self, size):
        losses = pytest.importorskip("monai.losses")
        logits, target = random_pair(3, size)
        for alpha in (None, 0.25):
            monai = losses.FocalLoss(use_softmax=True, gamma=2.0, alpha=alpha)
            # MONAI's mean runs over the classes too, all but one of which are 0
            expected = 3 * monai(logits, planes(target, 3))
            torch.testing.assert_close(focal_loss(logits, target, alpha=alpha), expected)

    def test_focal_without_focus_is_cross_entropy(self, size):
        logits, target = random_pair(3, size)
        expected = cross_entropy_loss(logits, target)
        torch.testing.assert_close(focal_loss(logits, target, gamma=0), expected)


class TestIgnored:
    @pytest.mark.parametrize("loss", BINARY, ids=name_of)
    @pytest.mark.parametrize("ignore_index", [255, 0, 7])
    def test_ignored_pixels_count_for_nothing_binary(self, loss, ignore_index):
        self.check_same_as_cropped(loss, 1, ignore_index)

    @pytest.mark.parametrize("loss", MULTICLASS, ids=name_of)
    @pytest.mark.parametrize("ignore_index", [255, 0, 7])
    def test_ignored_pixels_count_for_nothing_multiclass(self, loss, ignore_index):
        self.check_same_as_cropped(loss, 4, ignore_index)

    def check_same_as_cropped(self, loss, num_classes, ignore_index):
        """Ignoring the right half is the same as not having it; its gradient is 0."""
        logits, target = random_pair(num_classes, (4, 8))
        target[target == ignore_index] = 1
        target[..., 4:] = ignore_index
        logits.requires_grad_()
        value = loss(logits, target, ignore_index=ignore_index)
        torch.testing.assert_close(value, loss(logits[..., :4], target[..., :4]))
        value.backward()
        assert (logits.grad[..., 4:] == 0).all()
        assert (logits.grad[..., :4] != 0).any()

    @pytest.mark.parametrize("loss", BINARY, ids=name_of)
    def test_multilabel_ignores_single_values(self, loss):
        logits, _ = random_pair(3, (4, 4))
        target = (logits > 0.5).to(torch.uint8)
        target[:, 1, :, 2:] = 255
        logits.requires_grad_()
        options = {} if loss is binary_cross_entropy_loss else {"multilabel": True}
        loss(logits, target, **options).backward()
        assert (logits.grad[:, 1, :, 2:] == 0).all()
        assert (logits.grad[:, 0] != 0).all()

    @pytest.mark.parametrize("loss", BINARY, ids=name_of)
    def test_everything_ignored_is_0_with_gradient_0_binary(self, loss):
        self.check_all_ignored(loss, 1)

    @pytest.mark.parametrize("loss", MULTICLASS, ids=name_of)
    def test_everything_ignored_is_0_with_gradient_0_multiclass(self, loss):
        self.check_all_ignored(loss, 3)

    def check_all_ignored(self, loss, num_classes):
        logits, target = random_pair(num_classes, (4, 4))
        logits.requires_grad_()
        value = loss(logits, torch.full_like(target, 255))
        value.backward()
        assert value.item() == 0
        assert (logits.grad == 0).all()


class TestFinite:
    """Gradients are finite whatever arrives, in float32 and under bfloat16 autocast."""

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    @pytest.mark.parametrize("scale", [0.0, 1.0, 1e4, -1e4])
    @pytest.mark.parametrize("fill", [0, 1, None], ids=("empty", "full", "mixed"))
    @pytest.mark.parametrize("num_classes", [1, 3])
    def test_gradients_are_finite(self, num_classes, fill, scale, dtype):
        signs, target = random_pair(num_classes, (4, 4))
        target = target if fill is None else torch.full_like(target, fill)
        for extreme in (signs.sign(), torch.ones_like(signs)):
            for loss in BINARY if num_classes == 1 else MULTICLASS:
                logits = (scale * extreme).to(dtype).requires_grad_()
                with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                    value = loss(logits, target)
                value.backward()
                assert value.dtype == torch.float32, loss.__name__
                assert value.isfinite(), loss.__name__
                assert logits.grad.isfinite().all(), loss.__name__

    @pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
    def test_focal_gradient_is_finite_where_the_pixel_is_certain(self, gamma):
        for num_classes in (1, 2):
            logits = torch.full((1, num_classes, 1, 1), -CERTAIN)
            logits[:, 0] = CERTAIN
            logits.requires_grad_()
            target = torch.full((1, 1, 1), int(num_classes == 1))
            focal_loss(logits, target, gamma=gamma).backward()
            assert logits.grad.isfinite().all()

    def test_autocast_computes_in_float32(self):
        logits, target = random_pair(3, (16, 16))
        for loss in MULTICLASS:
            with torch.autocast("cpu", torch.bfloat16):
                value = loss(logits, target)
            assert value == loss(logits, target), loss.__name__

    def test_bfloat16_logits_lose_nothing_more(self):
        for num_classes, losses in ((1, BINARY), (3, MULTICLASS)):
            logits, target = random_pair(num_classes, (16, 16))
            logits = logits.bfloat16()
            for loss in losses:
                assert loss(logits, target) == loss(logits.float(), target), loss.__name__

    @pytest.mark.parametrize("loss", MULTICLASS, ids=name_of)
    def test_gradient_is_the_derivative(self, loss):
        logits, target = random_pair(3, (2, 2), batch_size=2)
        target[0, 0, 0] = 255
        direction = torch.randn(logits.shape, generator=torch.Generator().manual_seed(2))
        logits.requires_grad_()
        loss(logits, target).backward()
        step = 1e-2 * direction
        with torch.no_grad():
            slope = (loss(logits + step, target) - loss(logits - step, target)) / 2e-2
        torch.testing.assert_close((logits.grad * direction).sum(), slope, rtol=1e-2, atol=1e-4)


class TestRefusals:
    @pytest.mark.parametrize("loss", BINARY, ids=name_of)
    def test_target_of_another_size(self, loss):
        with pytest.raises(ArrayError, match=r"\(2, 1, 4, 4\).*\(2, 1, 4, 5\)"):
            loss(torch.zeros(2, 1, 4, 4), torch.zeros(2, 4, 5))

    @pytest.mark.parametrize("loss", MULTICLASS, ids=name_of)
    def test_one_hot_target_where_indices_are_wanted(self, loss):
        with pytest.raises(ArrayError, match="argmax"):
            loss(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4))

    def test_softmax_over_one_class(self):
        with pytest.raises(ArrayError, match="binary_cross_entropy_loss"):
            cross_entropy_loss(torch.zeros(2, 1, 4, 4), torch.zeros(2, 4, 4))

    def test_index_target_where_planes_are_wanted(self):
        with pytest.raises(ArrayError, match="one plane for each class"):
            dice_loss(torch.zeros(2, 3, 4, 4), torch.zeros(2, 4, 4), multilabel=True)


class TestCheckTarget:
    @pytest.mark.parametrize(("num_classes", "values"), [(1, [0, 1, 255]), (4, [0, 3, 255])])
    def test_known_values_pass(self, num_classes, values):
        check_target(torch.tensor(values), num_classes)

    @pytest.mark.parametrize(
        ("num_classes", "multilabel", "values", "unknown"),
        [(1, False, [0, 2], "2"), (3, False, [0, 3, -1], "-1, 3"), (5, True, [0, 4], "4")],
    )
    def test_other_values_are_named(self, num_classes, multilabel, values, unknown):
        with pytest.raises(ArrayError, match=f"no class: {unknown}"):
            check_target(torch.tensor(values), num_classes, multilabel=multilabel)

    def test_fractions_are_named(self):
        with pytest.raises(ArrayError, match=r"no class: 0\.5"):
            check_target(torch.tensor([0.0, 0.5, 1.0]), 1)

    def test_ignored_value_is_the_one_given(self):
        check_target(torch.tensor([0, 1, 9]), 2, ignore_index=9)
        with pytest.raises(ArrayError, match="255"):
            check_target(torch.tensor([0, 1, 255]), 2, ignore_index=9)


class TestAbsentClasses:
    """Two pixels of three classes; class 2 is nowhere in the target."""

    target = torch.tensor([[[0, 1]]])

    def test_leaving_them_out_is_the_mean_of_the_others(self):
        logits = torch.zeros(1, 3, 1, 2)  # every probability 1/3: overlap 1/3, sums 2/3 and 1
        loss = dice_loss(logits, self.target, absent=False, smooth=0.0)
        assert loss.item() == pytest.approx(1 - (2 / 3) / (2 / 3 + 1))

    def test_they_are_pushed_down_by_the_others_alone(self):
        logits = torch.zeros(1, 3, 1, 2, requires_grad=True)
        with_absent = dice_loss(logits, self.target, smooth=1.0)
        (pushed,) = torch.autograd.grad(with_absent, logits)
        (left,) = torch.autograd.grad(dice_loss(logits, self.target, absent=False), logits)
        assert (pushed[:, 2] > left[:, 2]).all()

    def test_nothing_present_is_no_loss(self):
        logits = torch.randn(1, 3, 1, 2, requires_grad=True)
        ignored = torch.full((1, 1, 2), 255)
        for loss in (dice_loss, cross_entropy_dice_loss):
            value = loss(logits, ignored, absent=False)
            value.backward()
            assert value.item() == 0
            assert logits.grad.isfinite().all()


class TestClassWeights:
    def test_by_hand(self):
        """Losses ln 2 and ln 4 with weights 1 and 3: (ln 2 + 3 ln 4) / 4."""
        logits = torch.log(torch.tensor([[[[0.5, 0.75]], [[0.5, 0.25]]]]))
        target = torch.tensor([[[0, 1]]])
        loss = cross_entropy_loss(logits, target, class_weights=torch.tensor([1.0, 3.0]))
        assert loss.item() == pytest.approx((math.log(2) + 3 * math.log(4)) / 4)

    def test_agrees_with_torch_where_pixels_are_ignored(self):
        logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
        target = torch.arange(32).view(2, 4, 4) % 3
        target[0, 0] = 255
        weights = torch.tensor([0.5, 1.0, 4.0])
        expected = torch.nn.functional.cross_entropy(logits, target, weights, ignore_index=255)
        found = cross_entropy_loss(logits, target, class_weights=weights)
        torch.testing.assert_close(found, expected)

    def test_all_ignored_is_finite(self):
        logits = torch.randn(1, 2, 2, 2, requires_grad=True)
        loss = cross_entropy_loss(
            logits, torch.full((1, 2, 2), 255), class_weights=torch.tensor([1.0, 2.0])
        )
        loss.backward()
        assert loss.item() == 0
        assert logits.grad.isfinite().all()


class TestSharedBatch:
    """A batch of 3 images, of which one process has 1 and another 2."""

    @pytest.mark.parametrize("batch", [True, False])
    @pytest.mark.parametrize("loss", [*BINARY, cross_entropy_loss], ids=name_of)
    def test_value_and_slopes_are_those_of_the_whole(self, loss, batch):
        options = {} if loss in (*BINARY[:1], cross_entropy_loss, focal_loss) else {"batch": batch}
        logits, target = random_pair(3 if loss is cross_entropy_loss else 1, (6, 5))
        target[:, :2] = 255
        logits.requires_grad_()
        whole = loss(logits, target, **options)
        slopes = torch.autograd.grad(whole, logits)[0]
        for here, there in ((slice(0, 1), slice(1, 3)), (slice(1, 3), slice(0, 1))):
            shared = self.shared(loss, logits, target, here, there, options)
            assert shared.item() == pytest.approx(whole.item(), rel=1e-6)
            own = torch.autograd.grad(shared, logits)[0]
            torch.testing.assert_close(own[here], slopes[here])
            assert own[there].abs().max() == 0

    def test_class_weights_are_added_up_too(self):
        logits, target = random_pair(3, (6, 5))
        options = {"class_weights": torch.tensor([0.1, 1, 10])}
        whole = cross_entropy_dice_loss(logits, target, absent=False, **options)
        options |= {"absent": False}
        shared = self.shared(
            cross_entropy_dice_loss, logits, target, slice(0, 1), slice(1, 3), options
        )
        assert shared.item() == pytest.approx(whole.item(), rel=1e-6)

    def shared(self, loss, logits, target, here, there, options):
        """The loss for images `here`; the sums of those `there` come as numbers."""
        theirs = []

        def note(*sums):
            theirs.append([values.detach() for values in sums])
            return sums

        loss(logits[there], target[there], reduce=note, **options)
        told = iter(theirs)

        def add(*sums):
            return tuple(ours + other for ours, other in zip(sums, next(told), strict=True))

        return loss(logits[here], target[here], reduce=add, **options)
