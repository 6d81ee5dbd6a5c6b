"""What a reader that died had written is found, whatever others did to the file since."""

from __future__ import annotations

import gzip
import os

import pytest

from mplogging._file.finding import lines_found

LINES = [b"%d %s\n" % (number, b"x" * (7 * number)) for number in range(6)]
BEFORE = b"an earlier line\n"
FOREIGN = b"another program's\n"


END = len(BEFORE)


def found(path, lines=LINES, end=END):
    status = os.stat(path)
    return lines_found(str(path), (status.st_dev, status.st_ino), end, lines, b"\n")


@pytest.mark.parametrize("after", [b"", FOREIGN, 3 * FOREIGN])
@pytest.mark.parametrize("between", [b"", FOREIGN])
def test_a_batch_cut_at_every_byte(tmp_path, between, after):
    """Its whole lines count; half a line does not, and was cut off before others went on."""
    path, batch = tmp_path / "app.log", b"".join(LINES)
    for cut in range(len(batch) + 1):
        written = batch[:cut]
        if after:
            written = written[: written.rfind(b"\n") + 1]
        path.write_bytes(BEFORE + between + written + after)
        assert found(path) == batch[:cut].count(b"\n")


def test_lines_alike(tmp_path):
    """The longest run counts, and only from the noted end on."""
    path = tmp_path / "app.log"
    path.write_bytes(BEFORE + LINES[0] + FOREIGN + b"".join(LINES[:3]) + FOREIGN + LINES[0])
    assert found(path) == 3
    path.write_bytes(b"".join(LINES))
    assert found(path, end=len(b"".join(LINES))) == 0
    path.write_bytes(BEFORE + b"no " + b"".join(LINES))  # in the midst of a line
    assert found(path) == 0


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1, 5 << 20])
def test_a_long_way_behind(tmp_path, size):
    """Other programs have written for days."""
    path = tmp_path / "app.log"
    foreign = FOREIGN * (size // len(FOREIGN)) + b"x" * (size % len(FOREIGN)) + b"\n"
    path.write_bytes(BEFORE + foreign + b"".join(LINES[:4]) + FOREIGN)
    assert found(path) == 4
    large = [b"y" * size + b"\n", *LINES]
    path.write_bytes(BEFORE + FOREIGN + b"".join(large))
    assert found(path, large) == len(large)


def test_a_file_that_was_cut_since(tmp_path):
    """`copytruncate` and its like: what was written after it stands anywhere."""
    path = tmp_path / "app.log"
    path.write_bytes(b"".join(LINES[:2]))
    assert found(path, end=10_000) == 2


def test_half_a_line_at_the_noted_end(tmp_path):
    """It was cut off since, and the batch begins before that end."""
    path = tmp_path / "app.log"
    path.write_bytes(BEFORE + b"".join(LINES[:2]) + FOREIGN)
    assert found(path, end=len(BEFORE) + 1) == 2


def test_a_file_that_was_compressed(tmp_path):
    path = tmp_path / "app.log"
    path.touch()
    status = os.stat(path)
    path.unlink()
    with gzip.open(f"{path}.gz", "wb") as file:
        file.write(BEFORE + b"".join(LINES[:5]))
    identity = status.st_dev, status.st_ino
    assert lines_found(str(path), identity, len(BEFORE), LINES, b"\n") == 5


def test_a_file_that_is_gone(tmp_path):
    """Or another of its name: nobody knows."""
    path = tmp_path / "app.log"
    path.write_bytes(BEFORE)
    assert lines_found(str(path), (0, 0), len(BEFORE), LINES, b"\n") is None
    path.unlink()
    assert lines_found(str(path), (0, 0), len(BEFORE), LINES, b"\n") is None
