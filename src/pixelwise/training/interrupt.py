"""Ctrl-C once ends training cleanly; twice ends it at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = "it was interrupted"  # why training ended, as a clause
ANSWER = "Ending training and keeping the best model; interrupt again to quit at once."


class Interruption:
    """Whether the user asked training to end."""

    def __init__(self) -> None:
        self.is_asked = False


@contextmanager
def noticing_interrupts() -> Iterator[Interruption]:
    """Turn the first Ctrl-C (or SIGTERM) into a wish; a second one interrupts as usual.

    The handler only remembers it, since printing is not safe there. Outside the main thread signals
    cannot be caught, and nothing is changed.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if interruption.is_asked:
            raise KeyboardInterrupt
        interruption.is_asked = True

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            if signal.getsignal(number) is ask:  # what was said otherwise meanwhile holds
                signal.signal(number, handler)
