"""Ctrl-C: once is a wish, twice is an order."""

import os
import signal
import threading

import pytest

from pixelwise.train import Watcher
from pixelwise.train.interrupt import noticing_interrupts


class Notes(Watcher):
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


@pytest.fixture
def notes():
    return Notes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_a_wish_and_is_answered(notes, number):
    with noticing_interrupts(notes) as wish:
        assert not wish.is_asked
        os.kill(os.getpid(), number)
        assert wish.is_asked
    assert len(notes.texts) == 1
    assert "keeping the best model; interrupt again to quit" in notes.texts[0]


def test_the_second_ends_at_once(notes):
    with pytest.raises(KeyboardInterrupt), noticing_interrupts(notes):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert len(notes.texts) == 1


def test_afterwards_signals_mean_what_they_meant(notes):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="lost"), noticing_interrupts(notes):
        assert signal.getsignal(signal.SIGINT) is not before[0]
        raise ValueError("lost")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_in_another_thread_nothing_is_changed(notes):
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with noticing_interrupts(notes) as wish:
            seen.append((wish.is_asked, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
