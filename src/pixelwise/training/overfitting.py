"""Over-fitting: found in the history of losses, and said with what to do."""

from collections.abc import Mapping, Sequence

PATIENCE = 3  # validations in a row with a loss above the lowest
MIN_RISE = 1.1  # times the lowest validation loss
ADVICE = (
    "More images, stronger augmentation, a smaller network (fewer or lower widths) or fewer epochs "
    "help."
)


def find_overfitting(history: Sequence[Mapping[str, float]]) -> str | None:
    """Say whether validation loss has risen for several validations while training loss fell.

    Args:
        history: rows with `step`, `train_loss` and `val_loss`, oldest first.

    Returns:
        A sentence for the user, or None.
    """
    rows = [row for row in history if "val_loss" in row and "train_loss" in row]
    if len(rows) <= PATIENCE:
        return None
    best = min(range(len(rows)), key=lambda index: rows[index]["val_loss"])
    since, lowest, newest = len(rows) - 1 - best, rows[best], rows[-1]
    is_rising = since >= PATIENCE and newest["val_loss"] > MIN_RISE * lowest["val_loss"]
    if not (is_rising and newest["train_loss"] < lowest["train_loss"]):
        return None
    return (
        f"Over-fitting: validation loss rose from {lowest['val_loss']:.4f} (step "
        f"{lowest['step']:.0f}) to {newest['val_loss']:.4f} (step {newest['step']:.0f}) while "
        f"training loss fell from {lowest['train_loss']:.4f} to {newest['train_loss']:.4f}. "
        f"{ADVICE}"
    )
