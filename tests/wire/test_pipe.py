"""The pipe among real processes: whole frames, no lock, and nothing accepted gets lost."""

from __future__ import annotations

import collections
import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import pytest
from conftest import needs_proc

from mplogging._wire import pipe as _pipe
from mplogging._wire.frames import HEADER_BYTES, HELLO, INCOMPLETE, LINE, Decoder, Message
from mplogging._wire.pipe import FRAME_BYTES, PipeReader, PipeWriter
from mplogging._wire.place import Place

LIMIT = FRAME_BYTES - HEADER_BYTES
START, END = 0.0, 1e10


class Pipe:
    """A pipe in a place of its own."""

    def __init__(self) -> None:
        self.place = Place.make()
        self.reader, self.descriptor = _pipe.make(self.place)

    def writer(self) -> PipeWriter:
        return PipeWriter(self.descriptor, nothing)

    def drain(self, decoder: Decoder | None = None) -> list[Message]:
        """All messages that are left, the reader's end closed for good."""
        decoder = decoder or Decoder(FRAME_BYTES)
        events: list[Message] = []
        for data in self.reader.drain(self.place, self.descriptor):
            batch = decoder.decode(data, 0.0, 0.0)
            assert batch.corrupt == 0
            events += batch.events
        batch = decoder.finish()
        assert batch.corrupt == 0
        return events + batch.events

    def close(self) -> None:
        self.reader.close()
        os.close(self.descriptor)
        self.place.remove()
        self.place.close()


@pytest.fixture
def pipe():
    made = Pipe()
    yield made
    made.close()


def nothing():
    return iter(())


def open_writer(address: str) -> PipeWriter:
    place = Place.open(address)
    writer = PipeWriter(_pipe.open_writer(place), nothing)
    writer.place = place  # lives as long
    return writer


def payloads(messages: list[Message]) -> list[bytes]:
    return [message.payload for message in messages]


def send(writer: PipeWriter, payload: bytes) -> bool:
    """Send as a worker does: wait for room; False once nobody reads any more."""
    while True:
        try:
            writer.send(LINE, 1.0, payload)
            return True
        except BlockingIOError:
            writer.wait()
        except BrokenPipeError:
            return False


def fill(writer: PipeWriter) -> int:
    """Send until the pipe is full; returns how many messages it took."""
    count = 0
    try:
        while True:
            writer.send(LINE, 1.0, b"%06d" % count + bytes(LIMIT - 6))
            count += 1
    except BlockingIOError:
        return count


# --- one writer -------------------------------------------------------------------------


def test_round_trip(pipe):
    """Short, longest and longer messages come out as they were sent, and in order."""
    writer = pipe.writer()
    sizes = [0, 1, LIMIT, LIMIT + 1, 3 * LIMIT]
    for size in sizes:
        writer.send(LINE, 1.0, b"x" * size)
    writer.send(HELLO, 2.0, b"name")
    expected = [Message(LINE, os.getpid(), 1.0, b"x" * size) for size in sizes]
    assert pipe.drain() == [*expected, Message(HELLO, os.getpid(), 2.0, b"name")]


def test_permissions(pipe):
    """The pipe is the user's alone."""
    assert os.stat(os.path.join(pipe.place.path, "pipe")).st_mode & 0o777 == 0o600


def test_nobody_reads_yet():
    """Opening to write, where nobody reads, fails rather than waits."""
    place = Place.make()
    with pytest.raises(FileNotFoundError):
        _pipe.open_writer(place)
    os.mkfifo(os.path.join(place.path, "pipe"))
    with pytest.raises(OSError, match="No such device"):
        _pipe.open_writer(place)
    place.remove()
    place.close()


def test_reading_waits_no_longer_than_told(pipe):
    """An empty pipe gives no bytes, and what is there at once."""
    assert pipe.reader.read(0) == b""
    assert pipe.reader.read(0.01) == b""
    pipe.writer().send(LINE, 1.0, b"line")
    assert len(pipe.reader.read(None)) == HEADER_BYTES + 4
    assert _pipe.bytes_left(pipe.descriptor) == 0


@pytest.mark.parametrize("size", [1, LIMIT, LIMIT + 1, 10 * LIMIT])
def test_full(pipe, size):
    """A full pipe refuses a message, of which then nothing was sent."""
    writer = pipe.writer()
    count = fill(writer)
    with pytest.raises(BlockingIOError):
        while True:
            writer.send(LINE, 1.0, b"y" * 8)  # the rest of the last page
            count += 1
    left = _pipe.bytes_left(pipe.descriptor)
    with pytest.raises(BlockingIOError):
        writer.send(LINE, 1.0, b"y" * max(size, 8))
    assert _pipe.bytes_left(pipe.descriptor) == left
    messages = pipe.drain()
    assert len(messages) == count and INCOMPLETE not in {message.kind for message in messages}


@pytest.mark.parametrize("size", [1, LIMIT + 1])
def test_nobody_reads_any_more(pipe, size):
    """A message to nobody is refused, and none of it stays in the pipe."""
    writer = pipe.writer()
    writer.send(LINE, 1.0, b"first")
    pipe.reader.close()
    left = _pipe.bytes_left(pipe.descriptor)
    for _ in range(2):
        with pytest.raises(BrokenPipeError):
            writer.send(LINE, 1.0, b"x" * size)
    assert _pipe.bytes_left(pipe.descriptor) == left


def wait_in(writer: PipeWriter, woken: threading.Event) -> threading.Thread:
    def run() -> None:
        writer.wait()
        woken.set()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("is_closed", [False, True])
def test_waiting_for_room(pipe, is_closed):
    """It ends once there is room, and once nobody reads any more; not before."""
    writer, woken = pipe.writer(), threading.Event()
    fill(writer)
    writer.wait(0)
    thread = wait_in(writer, woken)
    assert not woken.is_set()
    if is_closed:
        pipe.reader.close()
    else:
        pipe.reader.read()
    thread.join()
    if is_closed:
        with pytest.raises(BrokenPipeError):
            writer.send(LINE, 1.0, b"more")
    else:
        writer.send(LINE, 1.0, b"more")
        assert pipe.drain()[-1].payload == b"more"


def test_a_long_message_waits_in_its_midst(pipe):
    """Once begun it goes on as there is room, however long it is."""
    payload = os.urandom(3 << 20)
    thread = threading.Thread(target=pipe.writer().send, args=(LINE, 1.0, payload))
    thread.start()
    decoder, lines = Decoder(FRAME_BYTES), []
    while not lines:
        lines = decoder.decode(pipe.reader.read(), START, END).lines
    thread.join()
    assert lines == [payload]


# --- what is said first ----------------------------------------------------------------


def test_foreword(pipe):
    """It comes before the first message, and again when there is something to say."""
    said = iter([b"hello", b"again"])
    writer = PipeWriter(pipe.descriptor, lambda: iter([Message(HELLO, 5, 0.0, next(said))]))
    for number in range(4):
        if number == 2:
            writer.speak_first()
        writer.send(LINE, 1.0, b"%d" % number)
    assert payloads(pipe.drain()) == [b"hello", b"0", b"1", b"again", b"2", b"3"]


def test_foreword_to_a_full_pipe(pipe):
    """It is said once there is room, before the message."""
    count = fill(pipe.writer())
    writer = PipeWriter(pipe.descriptor, lambda: iter([Message(HELLO, 5, 0.0, b"h" * LIMIT)]))
    with pytest.raises(BlockingIOError):
        writer.send(LINE, 1.0, b"line")
    assert len(pipe.reader.read()) > 0
    writer.send(LINE, 1.0, b"line")
    assert payloads(pipe.drain())[-2:] == [b"h" * LIMIT, b"line"]
    assert count > 1


# --- many processes ---------------------------------------------------------------------

WRITERS, COUNT = 8, 150


def write_many(address: str, number: int) -> None:
    """Messages around the limit, each of one letter and with its number in it."""
    writer = open_writer(address)
    for turn in range(COUNT):
        size = (LIMIT, LIMIT - 1, LIMIT + 1, 7)[turn % 4]
        assert send(writer, (b"%d %d " % (number, turn)).ljust(size, b"%c" % (97 + number)))


def test_writes_are_atomic(pipe, context):
    """Messages of eight writers at the frame's limit come out whole, in each one's order."""
    writers = [
        context.Process(target=write_many, args=(pipe.place.path, number))
        for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    decoder, lines = Decoder(FRAME_BYTES), []
    while len(lines) < WRITERS * COUNT and any(writer.is_alive() for writer in writers):
        batch = decoder.decode(pipe.reader.read(1.0), START, END)
        assert batch.corrupt == 0 and batch.events == []
        lines += batch.lines
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    lines += payloads(pipe.drain(decoder))
    turns = collections.defaultdict(list)
    for line in lines:
        number, turn, fill_bytes = line.split(b" ", 2)
        assert set(fill_bytes) <= {97 + int(number)}
        assert len(line) == (LIMIT, LIMIT - 1, LIMIT + 1, 7)[int(turn) % 4]
        turns[int(number)].append(int(turn))
    assert turns == {number: list(range(COUNT)) for number in range(WRITERS)}


def write_until_refused(reader: PipeReader, address: str, number: int, connection) -> None:
    """Write at full speed, then tell how many messages were accepted."""
    reader.close()  # a forked child has it too, and it would keep the pipe open
    writer, accepted = open_writer(address), 0
    connection.send("begun")
    while send(writer, b"%d %d" % (number, accepted)):
        accepted += 1
    connection.send(accepted)


@pytest.mark.parametrize("turn", range(30))
def test_draining_while_others_write(pipe, turn):
    """Each accepted message comes out once, in order, whenever the reader's end is closed."""
    fork = multiprocessing.get_context("fork")
    pipes = [fork.Pipe() for _ in range(3)]
    writers = [
        fork.Process(
            target=write_until_refused, args=(pipe.reader, pipe.place.path, number, theirs)
        )
        for number, (_, theirs) in enumerate(pipes)
    ]
    for writer in writers:
        writer.start()
    for ours, _ in pipes:
        assert ours.recv() == "begun"
    decoder = Decoder(FRAME_BYTES)
    got: list[bytes] = []
    for _ in range(turn):
        got += decoder.decode(pipe.reader.read(), START, END).lines
    got += payloads(pipe.drain(decoder))
    accepted = [ours.recv() for ours, _ in pipes]
    for writer in writers:
        writer.join()
    for ends in pipes:
        for end in ends:
            end.close()
    counts = collections.defaultdict(list)
    for line in got:
        number, count = line.split()
        counts[int(number)].append(int(count))
    assert counts == {n: list(range(count)) for n, count in enumerate(accepted) if count}
    assert sum(accepted) > 0


def test_the_reader_is_killed(pipe):
    """What stands in the pipe after its reader's death is drained by a writer."""
    program = (
        "import os, signal, sys\n"
        "from mplogging._wire import pipe as _pipe, place as _place\n"
        "place = _place.Place.make()\n"
        "reader, descriptor = _pipe.make(place)\n"
        "print(place.path, flush=True)\n"
        "sys.stdin.readline()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        writer = open_writer(process.stdout.readline().strip())
        count = fill(writer)
        process.stdin.write("\n")
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(BrokenPipeError):
        writer.send(LINE, 1.0, b"to nobody")
    decoder = Decoder(FRAME_BYTES)
    lines: list[bytes] = []
    for data in _pipe.drain(writer.place, writer.descriptor):
        lines += decoder.decode(data, START, END).lines
    assert [int(line[:6]) for line in lines] == list(range(count))
    os.close(writer.descriptor)
    writer.place.remove()
    writer.place.close()


@needs_proc
@pytest.mark.parametrize("is_open", [True, False])
def test_directory_cleared_away(pipe, is_open):
    """Whoever has the pipe open reads all that is in it, with no directory any more."""
    writer = pipe.writer()
    writer.send(LINE, 1.0, b"before")
    pipe.place.remove()
    writer.send(LINE, 1.0, b"after")
    if is_open:
        drained = pipe.reader.drain(pipe.place, pipe.descriptor)
    else:
        pipe.reader.close()
        drained = _pipe.drain(pipe.place, pipe.descriptor)
    messages = Decoder(FRAME_BYTES).decode(b"".join(drained), 0.0, 0.0).events
    assert payloads(messages) == [b"before", b"after"]


# --- SIGPIPE ----------------------------------------------------------------------------

SIGPIPE_PROGRAM = """
import signal, sys, threading
from mplogging._wire import pipe as _pipe, place as _place
signal.signal(signal.SIGPIPE, getattr(signal, sys.argv[1]))
place = _place.Place.make()
reader, descriptor = _pipe.make(place)
writer = _pipe.PipeWriter(descriptor, lambda: iter(()))
writer.send(1, 1.0, b"heard")
reader.close()

def send():
    for size in (1, 1, 5000):
        try:
            writer.send(1, 1.0, b"x" * size)
        except BrokenPipeError:
            print("refused", flush=True)

send()
thread = threading.Thread(target=send)
thread.start()
thread.join()
print(signal.getsignal(signal.SIGPIPE).name, signal.sigpending() or None,
      signal.pthread_sigmask(signal.SIG_BLOCK, ()) or None)
place.remove()
"""


@pytest.mark.parametrize("disposition", ["SIG_DFL", "SIG_IGN"])
def test_sigpipe(disposition):
    """The default SIGPIPE does not end the writer; what the program chose stays."""
    done = subprocess.run(
        [sys.executable, "-c", SIGPIPE_PROGRAM, disposition], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "refused\n" * 6 + f"{disposition} None None\n"
