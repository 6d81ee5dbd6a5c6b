"""An event is waited for in any number of threads, and set from anywhere."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from mplogging._event import Event


def test_set_before():
    """Nobody waits, then or later."""
    event = Event()
    assert not event.is_set()
    event.set()
    event.set()
    assert event.is_set() and event.wait(60) and event.wait(0)


@pytest.mark.parametrize("timeout", [0, -1, 0.01])
def test_in_vain(timeout):
    """At the timeout it says so, and leaves nothing behind."""
    event = Event()
    assert not event.wait(timeout)
    assert not event._waiting


def test_all_who_wait_go_on():
    """However many; for ever is no error."""
    event = Event()
    timeouts = (60, 1e300, float("inf"))
    threads = [threading.Thread(target=event.wait, args=(timeout,)) for timeout in timeouts]
    for thread in threads:
        thread.start()
    while len(event._waiting) < len(threads):
        time.sleep(0.001)
    event.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert not event._waiting


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs SIGALRM")
def test_set_by_a_signal_handler():
    """Also while it is waited for, or being set, in the thread that the signal meets."""
    for _ in range(50):
        event = Event()
        old = signal.signal(signal.SIGALRM, lambda *_, event=event: event.set())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            assert event.wait(30)
            event.set()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
