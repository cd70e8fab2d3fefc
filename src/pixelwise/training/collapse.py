"""Collapse: a network that gives one class everywhere, noticed in the patches that it learns from.

Where objects are rare, one class everywhere is soon found and costs little. A head all of whose
weights have fallen below 0 cannot leave it, since the features before it are never negative
(docs/log.md). Such a head starts anew.
"""

from collections import deque

import torch
from torch import Tensor, nn

from pixelwise.network import UNet
from pixelwise.network.unet import initialize_head
from pixelwise.task import IGNORE_INDEX
from pixelwise.training.checkpoint import State
from pixelwise.training.ranks import Ranks

LOOK_EVERY = 5  # steps
FIRST_SHARE = 0.15  # of the steps, before which nothing has been learnt
MIN_LOOKS = 8  # in a row, at patches that hold several classes
MAX_RESTARTS = 2


@torch.no_grad()
def count_answers(logits: Tensor, targets: Tensor) -> Tensor:
    """Whether logits give one class everywhere, and whether the targets hold several: (2,) bool.

    Args:
        logits: (B, K, *spatial).
        targets: (B, *spatial) class index, or (B, K, *spatial) 0 or 1.
    """
    is_index = logits.shape[1] > 1 and targets.ndim < logits.ndim
    found = logits.argmax(1) if is_index else logits > 0
    is_ignored = targets == IGNORE_INDEX
    lowest = targets.min()  # IGNORE_INDEX is above all classes
    highest = targets.masked_fill(is_ignored, 0).max()
    return torch.stack([found.min() == found.max(), lowest < highest])


class CollapseWatch:
    """Looks at what a network gives for patches, until it has given several classes once.

    Args:
        ranks: processes that train together; each sees a share of the patches.
    """

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._looks: deque[Tensor] = deque(maxlen=4 * MIN_LOOKS)
        self._is_over = False
        self.num_restarts = 0

    def wants_look(self, step: int) -> bool:
        """Whether to look at what the network gives in this step."""
        return not self._is_over and step % LOOK_EVERY == 0

    def add(self, look: Tensor) -> None:
        """Take note of what `count_answers` gave."""
        self._looks.append(look)

    def is_noticed(self, progress: float) -> bool:
        """Whether the network has given one class everywhere so far, at a progress in [0, 1].

        Where it has not, or nothing can be done any more, there are no further looks.
        """
        if self._is_over or progress < FIRST_SHARE or len(self._looks) < MIN_LOOKS:
            return False
        looks = torch.stack(list(self._looks)).tolist()
        mine = [is_one for is_one, holds_several in looks if holds_several]
        every = [is_one for theirs in self._ranks.gather([mine]) for is_one in theirs]
        self._is_over = self.num_restarts == MAX_RESTARTS or not all(every)
        return not self._is_over and len(every) >= MIN_LOOKS

    def restart(self, state: State, biases: Tensor, seed: int) -> str:
        """Let the heads of a training start anew; say so.

        Args:
            state: state of the training, changed in place.
            biases: (K,) from which heads start.
            seed: seed of the training.
        """
        network, average = state.network, state.average.network
        assert isinstance(network, UNet) and isinstance(average, UNet)  # `fit` never looks
        self.num_restarts += 1
        self._looks.clear()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + self.num_restarts)
            for head in (network.head, *state.heads.children()):
                assert isinstance(head, nn.Conv2d | nn.Conv3d)
                initialize_head(head, biases)
                for parameter in head.parameters():
                    state.optimizer.state.pop(parameter, None)
        average.head.load_state_dict(network.head.state_dict())
        return (
            f"At step {state.step:,} the network still gave one class everywhere, although the "
            "patches hold several: its last layer starts anew."
        )
