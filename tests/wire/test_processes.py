"""A process's own name is the same in all of it, and in no other process."""

from __future__ import annotations

import os
import threading

from mplogging._wire.processes import this_process


def in_a_child() -> str:
    there, back = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(back, this_process().encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    name = os.read(there, 100).decode()
    os.close(there), os.close(back)
    assert name.split()[0] == str(child)
    return name


def test_the_same_in_every_thread():
    names = [this_process()]
    thread = threading.Thread(target=lambda: names.append(this_process()))
    thread.start()
    thread.join()
    assert names[0] == names[1]


def test_another_in_each_process():
    names = [this_process(), in_a_child(), in_a_child()]
    assert len(set(names)) == 3


def test_without_proc(monkeypatch):
    """The number must do."""

    def fail(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", fail)
    assert this_process() == str(os.getpid())
