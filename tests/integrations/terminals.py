"""A terminal for a program, and what is on its screen in the end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pyte

from integrations.recipes import PATIENCE_SECONDS, environment

COLUMNS, ROWS = 100, 2000  # so many that nothing leaves the screen


def screen_after(command: list[str], directory: Path, **more: str) -> tuple[int, list[str]]:
    """Run the program on a terminal; returns its exit status, and the lines that have text."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, *command], cwd=directory, start_new_session=True,
        env=environment(TERM="xterm", COLUMNS=str(COLUMNS), LINES=str(ROWS), **more),
        stdin=its, stdout=its, stderr=its,
    )  # fmt: skip
    os.close(its)
    written: list[bytes] = []
    reader = threading.Thread(target=_read, args=(ours, written))
    reader.start()
    try:
        status = process.wait(PATIENCE_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join()
        os.close(ours)
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.ByteStream(screen).feed(b"".join(written))
    return status, [line.rstrip() for line in screen.display if line.strip()]


def _read(terminal: int, written: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # nobody has its other end any more
        while data := os.read(terminal, 65536):
            written.append(data)
