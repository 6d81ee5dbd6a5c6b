"""What fails in the tests of this folder: in workers, and as programs of their own.

`python tests/watch/failing.py NAME LOG` runs a program.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import weakref

import mplogging

FORMAT = "> %(levelname)s %(processName)s %(name)s %(filename)s %(message)s"


class Unlucky:
    """Raises as it goes."""

    def __del__(self):
        raise ValueError("in __del__")


class Callback:
    """Of a weak reference."""

    def __call__(self, reference):
        raise ValueError("in a callback")

    def __repr__(self):
        raise OSError("in __repr__")


def raise_error():
    raise ValueError("in run")


@mplogging.worker
def raise_once():
    raise ValueError("in a worker function")


def in_thread():
    thread = threading.Thread(target=raise_error, name="T")
    thread.start()
    thread.join()


def exit_in_thread():
    thread = threading.Thread(target=sys.exit, args=("enough",))
    thread.start()
    thread.join()


def in_del():
    Unlucky()


def in_callback():
    gone = threading.Event()
    reference = weakref.ref(gone, Callback())
    del gone
    assert reference() is None


async def _leave_task():
    asyncio.ensure_future(_raise_later())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()


async def _raise_later():
    raise ValueError("in a task")


def in_task():
    asyncio.run(_leave_task())


def leave():
    sys.exit(3)


def interrupt():
    raise KeyboardInterrupt


def in_forks():
    """In a child, and in the child of a child."""
    for _ in range(2):
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        in_del()
    os._exit(0)


# -- programs ---------------------------------------------------------------------------


def within(log):
    with mplogging.LogSession(log, format=FORMAT):
        raise_error()


def decorated(log):
    mplogging.LogSession(log, format=FORMAT)(raise_error)()


def started(log):
    mplogging.LogSession(log, format=FORMAT).start()
    raise_error()


def twice(log):
    """In a session within another, as `mplogging run` has it, after a thread has failed."""
    with mplogging.LogSession(log, format=FORMAT):
        in_thread()
    started(log)


def attached(log):
    mplogging.attach()
    raise_error()


def interrupted(log):
    with mplogging.LogSession(log, format=FORMAT):
        raise KeyboardInterrupt


def refused(log):
    with mplogging.LogSession(log, format=FORMAT, captureExceptions=False):
        in_thread()
        raise_error()


def _shown(*args):
    sys.stderr.write(f"shown: {args[1]}\n")


if __name__ == "__main__":
    sys.excepthook = _shown
    globals()[sys.argv[1]](sys.argv[2])
