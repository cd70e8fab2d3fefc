"""Ctrl-C for tests that train in their own process."""

import signal


def press_ctrl_c():
    """Do what the first Ctrl-C does while training listens, without a signal.

    Twice in some ten runs of all tests a real one ended the process without a word, and never in
    700 trainings outside of it or in 120 of this alone (docs/log.md). Real ones are sent to
    processes of their own (tests/cli) and to the handler alone (tests/training/test_interrupt.py).
    """
    handler = signal.getsignal(signal.SIGINT)
    assert callable(handler) and handler is not signal.default_int_handler, handler
    handler(signal.SIGINT, None)
