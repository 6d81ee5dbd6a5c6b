"""One write a message: what was taken is there whole, in order, and in no other's file."""

from __future__ import annotations

import errno
import os
import resource
import signal
import threading
import time

import pytest

from mplogging._wire import writer as writer_module
from mplogging._wire.bell import Bell
from mplogging._wire.frames import EVER, HELLO, LINE, Message
from mplogging._wire.note import Head, Stretch
from mplogging._wire.place import Place
from mplogging._wire.segments import Segments
from mplogging._wire.writer import Congested, JournalWriter, Over, Unsent

CAPACITY = 64 << 20
LITTLE = 1 << 20


@pytest.fixture
def new_writer(place):
    """Makes writers whose reader is this very process."""
    made = []

    def _new(
        is_read_here: bool = True, foreword=lambda: iter(()), capacity: int = CAPACITY
    ) -> JournalWriter:
        made.append(JournalWriter(place, Bell(""), capacity, foreword, lambda: is_read_here))
        return made[-1]

    yield _new
    for writer in made:
        writer.close()


@pytest.fixture
def writer(new_writer):
    return new_writer()


@pytest.fixture
def limits():
    """Sets a limit of this process's; put back."""
    old = {}

    def _set(kind: int, soft: int) -> None:
        old.setdefault(kind, resource.getrlimit(kind))
        resource.setrlimit(kind, (soft, old[kind][1]))

    yield _set
    for kind, limit in old.items():
        resource.setrlimit(kind, limit)


def messages(place: Place, number: int = 1, is_final: bool = False) -> list[bytes]:
    """The lines that stand in a segment."""
    segments = Segments(place)
    data = segments.read(number, 0, 1 << 24)
    run = segments.framing.decode(data, *EVER, is_final=is_final)
    segments.close()
    return run.lines


def look_again(writer: JournalWriter) -> None:
    """As after some time."""
    writer.look_first()


def begin(place: Place, number: int) -> None:
    """Let all go to another segment."""
    note = place.load()[0]
    segments = Segments(place)
    offset = segments.create(number, segments.framing)
    note.announce_segment()
    note.begin_segment(offset)
    place.save(note)
    segments.close()


def read(place: Place, number: int, offset: int) -> None:
    """Let the reader be there."""
    note = place.load()[0]
    note.places[number] = offset
    place.save(note)


# --- what it finds when it looks --------------------------------------------------------


def test_send_and_append(place, writer):
    """In order, with the sender's pid and the record's time."""
    writer.append(LINE, 1.5, b"first\n")
    writer.send(LINE, 2.5, b"")
    writer.send(HELLO, 3.5, b"name")
    writer.send(LINE, 4.5, b"x" * 300_000)
    segments = Segments(place)
    data = segments.read(1, 0, 1 << 20)
    frames = [(LINE, 1.5, b"first\n"), (LINE, 2.5, b""), (HELLO, 3.5, b"name"),
              (LINE, 4.5, b"x" * 300_000)]  # fmt: skip
    expected = [
        segments.framing.frame(kind, os.getpid(), created, payload)
        for kind, created, payload in frames
    ]
    assert data.endswith(b"".join(expected))
    segments.close()


def test_over(place, writer):
    """It says so at its next look, and sends nothing."""
    writer.send(LINE, 1.0, b"before\n")
    note = place.load()[0]
    note.is_over = True
    place.save(note)
    for _ in range(2):
        look_again(writer)
        with pytest.raises(Over):
            writer.send(LINE, 1.0, b"after\n")
    writer.append(LINE, 1.0, b"whatever\n")
    assert messages(place) == [b"before\n", b"whatever\n"]


def test_the_reader_is_gone(place, new_writer):
    """Its lock can be had: over; and it is there for who takes over."""
    writer = new_writer(is_read_here=False)
    place.release_reader_lock()
    with pytest.raises(Over):
        writer.send(LINE, 1.0, b"1\n")
    assert messages(place) == []
    assert place.try_reader_lock()


@pytest.mark.parametrize("is_refused", [False, True])
def test_too_much_waits(place, new_writer, is_refused):
    """It is not sent, until there is room again; and whether the log is at fault is told."""
    writer = new_writer(capacity=LITTLE)
    writer.send(LINE, 1.0, b"x" * (LITTLE + 1))
    note = place.load()[0]
    note.is_refused = is_refused
    place.save(note)
    for _ in range(2):
        look_again(writer)
        with pytest.raises(Congested) as raised:
            writer.send(LINE, 1.0, b"more\n")
        assert raised.value.is_refused == is_refused
    start = note.places[1]
    note.settle(Stretch(1, start, start + LITTLE + 1))
    place.save(note)
    writer.send(LINE, 1.0, b"more\n")  # it looks without being told to
    assert messages(place)[1:] == [b"more\n"]


def test_it_looks_now_and_then(place, writer, monkeypatch):
    """Not before each write, but after some time, as soon as its time has come."""
    now, heads = [100.0], []
    monkeypatch.setattr(writer_module, "monotonic", lambda: now[0])
    read_head = place.read_head

    def counted() -> Head:
        heads.append(now[0])
        return read_head()

    monkeypatch.setattr(place, "read_head", counted)
    for moment in (100.0, 100.01, 100.049, 100.051, 100.06, 100.2):
        now[0] = moment
        writer.send(LINE, 1.0, b"1\n")
    assert sorted(set(heads)) == [100.0, 100.051, 100.2]


def test_once_another_is_announced_it_looks_each_time(place, writer):
    """So that it goes there with all others."""
    note = place.load()[0]
    segments = Segments(place)
    offset = segments.create(2, segments.framing)
    segments.close()
    note.announce_segment()
    place.save(note)
    writer.send(LINE, 1.0, b"1\n")
    note.begin_segment(offset)
    place.save(note)
    writer.send(LINE, 1.0, b"2\n")
    assert (messages(place), messages(place, 2)) == ([b"1\n"], [b"2\n"])


@pytest.mark.parametrize("is_closed", [False, True])
def test_while_another_is_announced_the_end_is_seen(place, writer, is_closed):
    """At the next message, though somebody has closed the descriptors meanwhile."""
    note = place.load()[0]
    note.announce_segment()
    place.save(note)
    writer.send(LINE, 1.0, b"1\n")
    note.is_over = True
    place.save(note)
    if is_closed:
        os.close(place._note)
        os.close(place._descriptor)
    with pytest.raises(Over):
        writer.send(LINE, 1.0, b"2\n")


def test_it_holds_what_it_writes_to(place, new_writer):
    """And lets the segment go that it has left."""
    (ready, say), (told, tell) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            mine = Place.open(place.path)
            writer = JournalWriter(mine, Bell(""), CAPACITY, lambda: iter(()))
            while os.read(told, 1) != b"e":
                look_again(writer)
                writer.send(LINE, 1.0, b"1\n")
                os.write(say, b"!")
        finally:
            os._exit(0)

    def let_it_send() -> None:
        os.write(tell, b"s")
        os.read(ready, 1)

    let_it_send()
    assert place.is_held() and place.is_segment_held(1)
    begin(place, 2)
    let_it_send()
    assert place.is_segment_held(2) and not place.is_segment_held(1)
    os.write(tell, b"e")
    os.waitpid(child, 0)
    assert not place.is_held() and not place.is_segment_held(2)
    for descriptor in (ready, say, told, tell):
        os.close(descriptor)


# --- the foreword -----------------------------------------------------------------------


def test_foreword(place, new_writer):
    """It comes before the first message, and again when it is asked for."""
    words = iter("ab")
    writer = new_writer(foreword=lambda: iter([Message(LINE, 7, 0.0, next(words).encode())]))
    writer.send(LINE, 1.0, b"1")
    writer.send(LINE, 1.0, b"2")
    writer.speak_first()
    writer.send(LINE, 1.0, b"3")
    assert messages(place) == [b"a", b"1", b"2", b"b", b"3"]


def test_a_foreword_that_fails(place, new_writer):
    """It is said before the next message then."""
    failures = [ValueError("on purpose")]

    def foreword():
        if failures:
            raise failures.pop()
        yield Message(LINE, 7, 0.0, b"foreword")

    writer = new_writer(foreword=foreword)
    with pytest.raises(ValueError):
        writer.send(LINE, 1.0, b"1")
    writer.send(LINE, 1.0, b"2")
    assert messages(place) == [b"foreword", b"2"]


# --- what the system refuses ------------------------------------------------------------


def test_a_short_write(place, writer, limits):
    """What a limit has cut off does not count, and harms no other message."""
    signal_before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    writer.send(LINE, 1.0, b"before\n")
    size = os.fstat(writer.descriptor).st_size
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for cut in (0, 1, 5, 30, 100):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + cut, hard[1]))
        try:
            for send in (writer.send, writer.append):
                with pytest.raises(Unsent) as raised:
                    send(LINE, 1.0, b"x" * 500)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, hard)
        assert raised.value.__cause__ is None or raised.value.__cause__.errno == errno.EFBIG
        writer.send(LINE, 1.0, b"after\n")
        size = os.fstat(writer.descriptor).st_size
    signal.signal(signal.SIGXFSZ, signal_before)
    assert messages(place) == [b"before\n"] + 5 * [b"after\n"]


@pytest.mark.parametrize("send", ["send", "append"])
def test_all_descriptors_are_closed(place, writer, tmp_path, send):
    """As daemons do: it opens them again, and not a byte lands in the program's own files."""
    writer.send(LINE, 1.0, b"before\n")
    directory = os.open(tmp_path, os.O_RDONLY)
    mine = [writer.descriptor, place._note, place._descriptor]
    assert min(mine) >= 3
    for number in mine:
        os.close(number)
    with pytest.raises(Unsent):
        writer.append(LINE, 1.0, b"unsent\n")
    theirs = [os.open(f"{tmp_path}/{n}", os.O_RDWR | os.O_CREAT) for n in range(20)]
    for number in mine:  # even if they get the very numbers
        os.dup2(theirs[0], number)
    if send == "append":
        with pytest.raises(Unsent):  # it does not look whether the place is open
            writer.append(LINE, 1.0, b"aside\n")
    writer.send(LINE, 1.0, b"after\n")
    assert [os.fstat(number).st_size for number in theirs] == [0] * 20
    assert messages(place) == [b"before\n", b"after\n"]
    for number in [*theirs, *mine, directory]:
        os.close(number)


def test_the_place_is_gone(place, writer):
    """Removed by somebody: what is open serves on; once it is closed too, it is unsent."""
    writer.send(LINE, 1.0, b"1\n")
    place.remove()
    look_again(writer)
    writer.send(LINE, 1.0, b"2\n")
    os.close(place._note)
    look_again(writer)
    with pytest.raises(Unsent):
        writer.send(LINE, 1.0, b"3\n")


def test_no_descriptor_for_another_segment(place, writer, limits):
    """It stays where it is, as long as it holds that; with one to spare it goes."""
    writer.send(LINE, 1.0, b"1\n")
    number = writer.descriptor
    begin(place, 2)
    limits(resource.RLIMIT_NOFILE, 3)
    look_again(writer)
    writer.send(LINE, 1.0, b"2\n")
    assert writer.segment == 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(7)[1]))
    look_again(writer)
    writer.send(LINE, 1.0, b"3\n")
    assert (writer.segment, writer.descriptor) == (2, number)
    assert (messages(place), messages(place, 2)) == ([b"1\n", b"2\n"], [b"3\n"])


def test_an_old_segment_that_is_kept(place, new_writer):
    """Room is what all segments leave: one that sleeps in an old one, all read, takes none."""
    writer = new_writer(capacity=LITTLE)
    begin(place, 2)
    writer.send(LINE, 1.0, bytes(LITTLE) + b"\n")
    look_again(writer)
    with pytest.raises(Congested):
        writer.send(LINE, 1.0, b"2\n")
    read(place, 2, os.fstat(writer.descriptor).st_size)
    writer.send(LINE, 1.0, b"2\n")
    assert place.read_head().place[0] == 1


def test_the_next_segment_is_gone(place, new_writer):
    """It stays where it is, and waits for room only while what stands there is unread."""
    writer = new_writer(capacity=LITTLE)
    writer.send(LINE, 1.0, bytes(LITTLE) + b"\n")
    begin(place, 2)
    place.remove_segment(2)
    look_again(writer)
    with pytest.raises(Congested):
        writer.send(LINE, 1.0, b"2\n")
    read(place, 1, os.fstat(writer.descriptor).st_size)
    writer.send(LINE, 1.0, b"2\n")
    assert writer.segment == 1 and messages(place)[-1] == b"2\n"


def test_a_fork_with_no_descriptor_left(place, writer):
    """The child writes with what it has from its parent."""
    writer.send(LINE, 1.0, b"parent\n")
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
            forked = JournalWriter(place, Bell(""), CAPACITY, lambda: iter(()))
            forked.succeed(writer)
            forked.send(LINE, 1.0, b"child\n")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert messages(place) == [b"parent\n", b"child\n"]


def test_no_such_segment_to_go_to(place, new_writer):
    """Unsent, with the cause; nothing stays held."""
    writer = new_writer()
    note = place.load()[0]
    note.next = 7
    note.begin_segment(24)
    place.save(note)
    with pytest.raises(Unsent) as raised:
        writer.send(LINE, 1.0, b"1\n")
    assert isinstance(raised.value.__cause__, FileNotFoundError)


# --- signal handlers and threads --------------------------------------------------------


@pytest.fixture
def handle():
    """Handles SIGUSR1; put back."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGUSR1, before)


def raise_timeout(*_: object) -> None:
    raise TimeoutError("of the program's own")


@pytest.mark.parametrize("where", ["write", "read_head", "hold", "hold_segment"])
def test_a_signal_handler_that_raises(place, writer, monkeypatch, handle, where):
    """Its error is no system's: it passes, and the next message is sent."""
    handle(raise_timeout)
    owner = writer_module if where == "write" else place
    function = getattr(owner, where)

    def interrupted(*args):
        done = function(*args)
        monkeypatch.undo()
        os.kill(os.getpid(), signal.SIGUSR1)
        return done

    monkeypatch.setattr(owner, where, interrupted)
    with pytest.raises(TimeoutError, match="of the program's own"):
        writer.send(LINE, 1.0, b"1\n")
    writer.send(LINE, 1.0, b"2\n")
    assert messages(place) == ([b"1\n"] if where == "write" else []) + [b"2\n"]


@pytest.mark.parametrize("where", ["write", "read_head", "hold", "hold_segment", "open_segment"])
def test_signal_handlers_within_signal_handlers(place, writer, monkeypatch, handle, where):
    """Three deep, wherever they come: all messages are there, once, and nothing hangs."""
    depth = []

    def nested(*_: object) -> None:
        if len(depth) < 3:
            depth.append(1)
            look_again(writer)
            writer.send(LINE, 1.0, b"nested %d\n" % len(depth))

    handle(nested)
    owner = writer_module if where == "write" else place
    function = getattr(owner, where)

    def interrupted(*args):
        os.kill(os.getpid(), signal.SIGUSR1)
        return function(*args)

    monkeypatch.setattr(owner, where, interrupted)
    writer.send(LINE, 1.0, b"outer\n")
    monkeypatch.undo()
    assert sorted(messages(place)) == [b"nested 1\n", b"nested 2\n", b"nested 3\n", b"outer\n"]


def test_a_signal_handler_goes_further_meanwhile(place, writer, monkeypatch, handle):
    """What it interrupts does not go back to an older segment."""
    writer.send(LINE, 1.0, b"1\n")
    begin(place, 2)
    open_segment = place.open_segment

    def opened(number: int, flags: int) -> int:
        descriptor = open_segment(number, flags)
        if number == 2:
            monkeypatch.undo()
            begin(place, 3)
            look_again(writer)
            writer.send(LINE, 1.0, b"in 3\n")
        return descriptor

    monkeypatch.setattr(place, "open_segment", opened)
    look_again(writer)
    writer.send(LINE, 1.0, b"then\n")
    assert (messages(place, 2), messages(place, 3)) == ([], [b"in 3\n", b"then\n"])


def test_threads(place, writer):
    """Each one's messages stand in its order, over many segments; no descriptor is lost."""
    count, threads = 1500, 6
    writer.send(LINE, 1.0, b"first\n")
    number = writer.descriptor

    def log(thread: int) -> None:
        for turn in range(count):
            if turn % 5 == 0:
                look_again(writer)
            writer.send(LINE, 1.0, b"%d %d\n" % (thread, turn))

    before = sum(is_open(number) for number in range(1100))
    started = [threading.Thread(target=log, args=(thread,)) for thread in range(threads)]
    for thread in started:
        thread.start()
    last = 1
    while any(thread.is_alive() for thread in started) and last < 90:
        begin(place, last + 1)
        last += 1
        time.sleep(0)
    for thread in started:
        thread.join()
    found = [line for number in range(1, last + 1) for line in messages(place, number)]
    assert sorted(found) == sorted(
        [b"first\n", *[b"%d %d\n" % (t, n) for t in range(threads) for n in range(count)]]
    )
    assert sum(is_open(number) for number in range(1100)) == before
    assert writer.descriptor == number


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_wait(writer, monkeypatch):
    """Ever longer, up to a bound, and no longer than asked for; from the start once it went."""
    pauses = []
    monkeypatch.setattr(writer_module, "sleep", pauses.append)
    for _ in range(8):
        writer.wait()
    assert pauses == [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05]
    writer.wait(0.003)
    assert pauses[-1] == 0.003
    writer.send(LINE, 1.0, b"1\n")
    writer.wait()
    assert pauses[-1] == 0.001


def test_close(place, writer, tmp_path):
    """It closes what is its own, and no other's file that has its number by now."""
    writer.send(LINE, 1.0, b"1\n")
    with open(tmp_path / "theirs", "wb") as theirs:
        number = writer.descriptor
        os.dup2(theirs.fileno(), number)
        writer.close()
        writer.close()
        os.write(number, b"theirs still")
        os.close(number)
