"""Ctrl-C: once is a wish, twice is an order."""

import signal
import threading

import pytest

from pixelwise.training.interrupt import noticing_interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_a_wish(number):
    with noticing_interrupts() as wish:
        assert not wish.is_asked
        signal.raise_signal(number)
        assert wish.is_asked


def test_the_second_ends_at_once():
    with pytest.raises(KeyboardInterrupt), noticing_interrupts():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_afterwards_signals_mean_what_they_meant():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="lost"), noticing_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before[0]
        raise ValueError("lost")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_is_ignored_from_then_on_stays_ignored():
    before = signal.getsignal(signal.SIGTERM)
    try:
        with noticing_interrupts():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_nothing_is_changed():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with noticing_interrupts() as wish:
            seen.append((wish.is_asked, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
