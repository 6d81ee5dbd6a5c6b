"""The programs of `mplogging/docs/recipes`, as a user runs them, and what they have logged."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from conftest import eventually, texts
from processes import sweep

import mplogging

PACKAGE = Path(mplogging.__file__).parent
RECIPES = PACKAGE / "docs" / "recipes"
# Longer than any of them takes on a machine that does much else.
PATIENCE_SECONDS = 60.0


def laid_out(name: str, directory: Path) -> Path:
    """The recipe, copied into the directory."""
    return Path(shutil.copy(RECIPES / name, directory))


def environment(**more: str) -> dict[str, str]:
    """For a program that finds this package, wherever it runs, and says all at once."""
    root = str(PACKAGE.parent)
    return {**os.environ, "PYTHONPATH": root, "PYTHONUNBUFFERED": "1", **more}


def ran(name: str, directory: Path, *arguments: str, **more: str) -> str:
    """Run the recipe to its end, which is a good one; returns what it has printed."""
    path = laid_out(name, directory)
    with started([sys.executable, path.name, *arguments], directory, **more) as process:
        assert process.wait(PATIENCE_SECONDS) == 0, output(directory)
    return output(directory)


@contextlib.contextmanager
def started(
    command: list[str], directory: Path, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs in a process group of its own; in the end, none of it is left."""
    with open(directory / "output", "ab") as file:
        process = subprocess.Popen(
            command, cwd=directory, env=environment(**more), stdin=subprocess.DEVNULL,
            stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def stopped(process: subprocess.Popen[bytes], directory: Path, number: int = 15) -> int:
    """Send it the signal; returns its exit status."""
    process.send_signal(number)
    try:
        return process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        raise AssertionError(output(directory)) from None


def output(directory: Path) -> str:
    """What the programs that ran there have printed."""
    return (directory / "output").read_text("utf-8", "replace")


def logged(directory: Path) -> str:
    """The text of the log, which is one file; nothing is left beside it."""
    ((name, text),) = texts(directory / "logs").items()
    assert re.fullmatch(r"app\.log\.\d{4}-\d\d-\d\d", name)
    assert sweep(directory / "logs") == 0  # nothing that was accepted waits to be recovered
    return text


def numbers(text: str, pattern: str) -> list[int]:
    """In order, those that the pattern's group finds: each is there as often as it was logged."""
    return sorted(map(int, re.findall(pattern, text, re.MULTILINE)))


def log_has(directory: Path, pattern: str, count: int = 1) -> None:
    """Wait until the pattern has come that often."""

    def has_come() -> bool:
        return len(re.findall(pattern, log_text(directory), re.MULTILINE)) >= count

    try:
        eventually(has_come, PATIENCE_SECONDS)
    except AssertionError:
        raise AssertionError(
            f"{pattern!r} in {log_text(directory)}\n{output(directory)}"
        ) from None


def kill_who_logged(directory: Path, message: str, count: int = 1) -> None:
    """SIGKILL to the process of the last such message, a pattern, when it has come that often."""
    log_has(directory, message, count)
    pids = re.findall(rf"\[(\d+)\] \S+: {message}", log_text(directory), re.MULTILINE)
    os.kill(int(pids[-1]), signal.SIGKILL)


def log_text(directory: Path) -> str:
    """What the log, if there is one yet, has by now."""
    logs = directory / "logs"
    return "".join(texts(logs).values()) if logs.is_dir() else ""


def free_port() -> int:
    """A TCP port of this machine that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def get(port: int, path: str) -> str:
    """What the web server answers; an error's text if it does not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            text: str = answer.read().decode()
            return text
    except OSError as error:
        return f"no answer: {error}"


def served(port: int, directory: Path) -> None:
    """Wait until somebody listens there."""

    def listens() -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0

    try:
        eventually(listens, PATIENCE_SECONDS)
    except AssertionError:
        raise AssertionError(output(directory)) from None
