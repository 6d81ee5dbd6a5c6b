"""The wire format: what went in comes out whole, once and in order, whatever is in between.

The guarantee, as the fuzz below holds it against a generator that knows the truth:

- A good frame comes out, with its neighbours' damage on either side, wherever
  the stream is cut into reads.
- The one exception is a header that is intact except for its length: it can
  swallow what lies between it and its claimed end, when a frame begins right
  there, or when that end is within a header's size of the end of a read.
"""

from __future__ import annotations

import itertools
import random
import struct
import tracemalloc

import pytest

from mplogging._wire.frames import (
    DROPPED,
    HEADER_BYTES,
    HELLO,
    INCOMPLETE,
    LINE,
    MARK,
    PART,
    RECORD,
    Batch,
    Decoder,
    Message,
    frame,
    frames,
    is_record,
    join_record,
    split_record,
)

SIZES = (512, 4096)
START, END = 1000.0, 2000.0
INSIDE, OUTSIDE = 1500.0, 2500.0
MAGIC = b"\xf7\xfe\x01"
PART_BYTES = 13


def lengths(frame_bytes: int) -> list[int]:
    """Payload lengths around each limit."""
    limit = frame_bytes - HEADER_BYTES
    room = limit - PART_BYTES
    return [0, 1, limit - 1, limit, limit + 1, 2 * room, 2 * room + 1, 1 << 16]


def header(kind: int, length: int, pid: int) -> bytes:
    """A header, true or not."""
    return struct.pack("<IHId", int.from_bytes(MAGIC + bytes([kind]), "little"), length, pid, 0.0)


def payload_of(length: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(length) if length else b""


def sent(messages: list[Message], frame_bytes: int) -> list[bytes]:
    """The frames of all messages, each numbered by its place."""
    return [
        part
        for number, message in enumerate(messages)
        for part in frames(message, number, frame_bytes)
    ]


def read(
    stream: bytes,
    frame_bytes: int = 512,
    cuts: tuple[int, ...] | list[int] = (),
    finish: bool = True,
) -> Batch:
    """What a decoder makes of the stream when it is read in these pieces."""
    decoder = Decoder(frame_bytes)
    lines, events, corrupt = [], [], 0
    for start, stop in zip([0, *cuts], [*cuts, len(stream)]):
        batch = decoder.decode(stream[start:stop], START, END)
        assert len(decoder._carry) <= frame_bytes
        lines += batch.lines
        events += batch.events
        corrupt += batch.corrupt
    if finish:
        batch = decoder.finish()
        assert not batch.lines and not decoder._carry and not decoder.waiting_for()
        events += batch.events
        corrupt += batch.corrupt
    return Batch(lines, events, corrupt)


# --- what is whole ----------------------------------------------------------------------


@pytest.mark.parametrize("frame_bytes", SIZES)
@pytest.mark.parametrize("kind", [LINE, RECORD, HELLO, DROPPED, MARK])
def test_round_trip(frame_bytes, kind):
    """Every kind and length comes back as it was, in frames that are no longer than allowed."""
    messages = [
        Message(kind, 4711, OUTSIDE, payload_of(length)) for length in lengths(frame_bytes)
    ]
    parts = sent(messages, frame_bytes)
    assert max(map(len, parts)) == frame_bytes
    assert read(b"".join(parts), frame_bytes) == ([], messages, 0)


@pytest.mark.parametrize("frame_bytes", SIZES)
def test_four_mebibytes(frame_bytes):
    """A message of 4 MiB is like any other."""
    message = Message(LINE, 1, INSIDE, payload_of(4 << 20))
    stream = b"".join(frames(message, 0, frame_bytes))
    cuts = list(range(1 << 18, len(stream), 1 << 18))
    assert read(stream, frame_bytes, cuts) == ([message.payload], [], 0)


@pytest.mark.parametrize("frame_bytes", SIZES)
def test_the_limit_is_the_last_length_in_one_frame(frame_bytes):
    """A payload that just fits is one frame, one byte more makes two."""
    limit = frame_bytes - HEADER_BYTES
    assert len(list(frames(Message(LINE, 1, 0.0, bytes(limit)), 0, frame_bytes))) == 1
    assert len(list(frames(Message(LINE, 1, 0.0, bytes(limit + 1)), 0, frame_bytes))) == 2


def test_every_cut_of_the_stream():
    """Where a read ends makes no difference, not even between two bytes of a header."""
    messages = [
        Message(LINE, 1, INSIDE, b"first"),
        Message(RECORD, 2, INSIDE, join_record(b"line\n", b"pickle")),
        Message(LINE, 1, INSIDE, payload_of(700)),
        Message(HELLO, 3, 0.0, b"Worker-3"),
        Message(LINE, 1, OUTSIDE, b"another day"),
        Message(LINE, 2, INSIDE, b""),
    ]
    stream = b"".join(sent(messages, 512))
    whole = read(stream)
    assert whole.lines == [b"first", b"line\n", messages[2].payload, b""]
    assert whole.events == [
        Message(RECORD, 2, INSIDE, join_record(b"", b"pickle")), messages[3], messages[4],
    ]  # fmt: skip
    for cut in range(len(stream) + 1):
        assert read(stream, cuts=[cut]) == whole
    assert read(stream, cuts=list(range(1, len(stream)))) == whole


def test_lines_and_events():
    """Lines of the period asked for are returned as such; its end belongs to the next."""
    times = [START, INSIDE, END, OUTSIDE, START - 1e-6, float("nan"), float("inf")]
    batch = read(b"".join(frame(LINE, 1, created, b"%r" % created) for created in times))
    assert batch.lines == [b"1000.0", b"1500.0"]
    assert [event.payload for event in batch.events] == [b"%r" % created for created in times[2:]]
    assert batch.corrupt == 0


def test_a_record_gives_its_line_to_the_lines():
    """A record of the period asked for leaves its line there, in order, and travels on without."""
    no_line, not_made = join_record(b"", b"p"), join_record(None, b"p")
    payloads = [join_record(b"2", b"p"), no_line, not_made, b"no record"]
    parts = [frame(LINE, 1, INSIDE, b"1")]
    parts += [frame(RECORD, 1, INSIDE, payload) for payload in payloads]
    parts += [frame(LINE, 1, INSIDE, b"3")]
    batch = read(b"".join(parts))
    assert batch.lines == [b"1", b"2", b"3"]
    assert [e.payload for e in batch.events] == [no_line, no_line, not_made, b"no record"]
    outside = Message(RECORD, 1, OUTSIDE, payloads[0])
    assert read(frame(*outside)) == ([], [outside], 0)


def test_messages_of_many_senders_interleaved():
    """Parts are put together by sender and number, however they come in between each other."""
    generator = random.Random(1)
    messages = [
        [Message(LINE, pid, INSIDE, payload_of(generator.randrange(3000), pid)) for _ in range(5)]
        for pid in range(1, 9)
    ]
    queues = [sent(own, 512) for own in messages]
    # Two threads of one process: same sender, other numbers.
    thread = [Message(LINE, 1, INSIDE, payload_of(2000, 99))]
    queues.append(list(frames(thread[0], 77, 512)))
    stream = bytearray()
    while any(queues):
        stream += generator.choice([queue for queue in queues if queue]).pop(0)
    batch = read(bytes(stream))
    assert batch.corrupt == 0 and batch.events == []
    expected = [message.payload for own in [*messages, thread] for message in own]
    assert sorted(batch.lines) == sorted(expected)


def test_what_a_cut_frame_lacks():
    """Reading just what is said to be missing ends with a whole frame, from any cut."""
    stream = b"".join(sent([Message(LINE, 1, INSIDE, payload_of(n)) for n in (0, 30, 700)], 512))
    for cut in range(1, len(stream) + 1):
        decoder, end = Decoder(512), cut
        decoder.decode(stream[:cut], START, END)
        while missing := decoder.missing_bytes():
            decoder.decode(stream[end : end + missing], START, END)
            end += missing
        assert end <= len(stream) and decoder._carry == b""


# --- what is not whole ------------------------------------------------------------------


def parts_of_three() -> list[bytes]:
    parts = list(frames(Message(LINE, 7, INSIDE, payload_of(1300)), 0, 512))
    assert len(parts) == 3
    return parts


@pytest.mark.parametrize("length", range(1, 7))
def test_parts_missing_doubled_or_reordered(length):
    """A message comes out whole or not at all; each that breaks off says so once."""
    parts = parts_of_three()
    for order in itertools.product(range(3), repeat=length):
        batch = read(b"".join(parts[number] for number in order))
        whole, broken, count = 0, 0, 0  # the plain statement of what should happen
        for number in order:
            if number != count:
                broken += count > 0
                count = 0
            count += number == count
            if count == 3:
                whole, count = whole + 1, 0
        broken += count > 0
        assert batch.lines == [payload_of(1300)] * whole
        assert [event.kind for event in batch.events] == [INCOMPLETE] * broken
        assert all(event.pid == 7 and event.created == INSIDE for event in batch.events)


def test_incomplete_says_how_far_it_came():
    """Its payload is the number of parts that came and of those announced."""
    (event,) = read(b"".join(parts_of_three()[:2])).events
    assert event == Message(INCOMPLETE, 7, INSIDE, b"2 of 3")


def test_another_message_under_the_same_number():
    """A sender's number that comes again with other parts ends the message before it."""
    other = list(frames(Message(HELLO, 7, INSIDE, payload_of(900)), 0, 512))
    batch = read(b"".join([*parts_of_three()[:1], *other]))
    assert [event.kind for event in batch.events] == [INCOMPLETE, HELLO]
    assert batch.events[1].payload == payload_of(900)


def test_giving_up_a_sender():
    """What a dead sender had begun is reported once; the others' messages go on."""
    decoder = Decoder(512)
    mine, others = parts_of_three(), list(frames(Message(LINE, 8, INSIDE, b"x" * 1300), 0, 512))
    decoder.decode(mine[0] + others[0], START, END)
    assert decoder.waiting_for() == {7, 8}
    assert [event.pid for event in decoder.give_up(7)] == [7]
    assert decoder.give_up(7) == []
    assert decoder.decode(mine[1] + mine[2], START, END) == ([], [], 0)
    assert decoder.decode(others[1] + others[2], START, END).lines == [b"x" * 1300]
    assert decoder.finish() == ([], [], 0)


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"short", struct.pack("<BIII", PART, 0, 0, 2), struct.pack("<BIII", 0, 0, 0, 2),
        struct.pack("<BIII", 99, 0, 0, 1), struct.pack("<BIII", INCOMPLETE, 0, 0, 1),
        struct.pack("<BIII", LINE, 0, 1, 1), struct.pack("<BIII", LINE, 0, 5, 2),
    ],
)  # fmt: skip
def test_a_part_of_nothing(payload):
    """A part that no sender makes is ignored, and its neighbours are not."""
    line = frame(LINE, 1, INSIDE, b"line")
    assert read(line + frame(PART, 1, INSIDE, payload) + line) == ([b"line"] * 2, [], 0)


def test_nothing_is_allocated_by_a_length_that_is_claimed():
    """Four billion parts of a message, or a frame of 64 KiB, cost what came of them."""
    claims = [
        frame(PART, pid, INSIDE, struct.pack("<BIII", LINE, 0, 0, 0xFFFFFFFF) + b"x")
        for pid in range(1, 100)
    ]
    claims.append(header(LINE, 65535, 1))
    tracemalloc.start()
    try:
        batch = read(b"".join(claims))
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()
    assert [event.payload for event in batch.events] == [b"1 of 4294967295"] * 99


# --- garbage ----------------------------------------------------------------------------

GARBAGE = {
    "text": b"not a frame at all, but long enough for a header",
    "short": b"!",
    "zeros": bytes(100),
    "magic alone": MAGIC,
    "magics": MAGIC * 30,
    "magic begun": b"\xf7\xfe" * 20 + b"\xf7",
    "unknown kind": frame(LINE, 1, INSIDE, b"").replace(MAGIC + b"\x01", MAGIC + b"\x63"),
    "other version": frame(LINE, 1, INSIDE, b"other").replace(MAGIC, b"\xf7\xfe\x02"),
    "pid 0": header(HELLO, 1, 0) + b"x",
    "pid no process has": frame(HELLO, 0xFFFFFFFF, 0.0, b"nobody"),
    "too long": header(HELLO, 600, 1) + b"x",
    "truncated event": frame(HELLO, 1, 0.0, b"x" * 50)[:40],
    "truncated line": frame(LINE, 1, INSIDE, b"x" * 50)[:40],
    "header alone": frame(LINE, 1, INSIDE, b"x" * 50)[:HEADER_BYTES],
    "claims the most": header(LINE, 65535, 1),
}
NEIGHBOURS = {
    "line": frame(LINE, 9, INSIDE, b"neighbour"),
    "event": frame(HELLO, 9, 0.0, b"neighbour"),
    "part": b"".join(frames(Message(HELLO, 9, 0.0, b"neighbour" * 100), 5, 512)),
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_neighbours_of_garbage(garbage):
    """Whole frames right before and right after garbage come out, and it is counted."""
    for before, after in itertools.product(NEIGHBOURS, repeat=2):
        batch = read(NEIGHBOURS[before] + GARBAGE[garbage] + NEIGHBOURS[after])
        got = [*batch.lines, *(event.payload for event in batch.events)]
        expected = [b"neighbour" * (100 if kind == "part" else 1) for kind in (before, after)]
        assert sorted(got) == sorted(expected)
        assert batch.corrupt >= 1


@pytest.mark.parametrize("garbage", ["text", "zeros", "short", "other version"])
def test_each_stretch_is_counted_once(garbage):
    """As many stretches as there were, in one read."""
    stream = b"".join([NEIGHBOURS["line"], GARBAGE[garbage]] * 5)
    assert read(stream).corrupt == 5


@pytest.mark.parametrize("kind", [LINE, HELLO])
def test_the_end_within_a_frame_that_claimed_more(kind):
    """At the end, frames that waited behind a false length come out."""
    false = frame(kind, 1, INSIDE, b"x" * 400)[:50]
    batch = read(false + NEIGHBOURS["line"] * 3)
    assert [event.payload for event in batch.events] == [b"neighbour"] * 3
    assert batch.corrupt == 1


def test_frames_within_a_payload_stay_there():
    """A payload that holds a frame is no way to smuggle that in."""
    smuggled = frame(RECORD, 666, INSIDE, join_record(None, b"pickle"))
    for kind in (LINE, HELLO):
        whole = frame(kind, 1, INSIDE, b"<" + smuggled + b">")
        for cut in range(len(whole) + 1):
            for rest in (b"", NEIGHBOURS["event"]):
                batch = read(whole + rest, cuts=[cut], finish=False)
                assert RECORD not in [event.kind for event in batch.events]


# --- the fuzz ---------------------------------------------------------------------------

CASES = 110_000
KINDS = (LINE, LINE, LINE, RECORD, HELLO, DROPPED, MARK)


class Fuzz:
    """Makes streams of which it knows what must come out."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.good: list[bytes] = []  # the payloads that must come out, in order by way
        self.stream = bytearray()
        self.false_ends: list[int] = []  # where frames with a false length say they end

    def add_good(self) -> None:
        generator = self.random
        payload = b"good %d" % len(self.good) + b"." * generator.choice((0, 3, 40, 200, 480))
        created = generator.choice((INSIDE, INSIDE, OUTSIDE))
        self.good.append(payload)
        self.stream += frame(generator.choice(KINDS), generator.randrange(1, 99), created, payload)

    def add_bad(self) -> None:
        """A stretch that is no good frame."""
        generator = self.random
        payload = b"~" * generator.randrange(60)
        victim = frame(generator.choice(KINDS), generator.randrange(1, 99), INSIDE, payload)
        getattr(self, generator.choice(self.DAMAGES))(bytearray(victim))

    def noise(self, victim: bytearray) -> None:
        self.stream += self.random.randbytes(self.random.randrange(1, 80))

    def magics(self, victim: bytearray) -> None:
        pieces = (MAGIC, MAGIC[:2], MAGIC[:1], b"\x01", b"\0", b"\xff")
        for _ in range(self.random.randrange(1, 12)):
            self.stream += self.random.choice(pieces)

    def truncated(self, victim: bytearray) -> None:
        self.claim(victim)
        self.stream += victim[: self.random.randrange(1, len(victim))]

    def bits_flipped(self, victim: bytearray) -> None:
        for _ in range(self.random.randrange(1, 4)):
            victim[self.random.randrange(len(victim))] ^= 1 << self.random.randrange(8)
        self.claim(victim)
        self.stream += victim

    def giant(self, victim: bytearray) -> None:
        victim[4:6] = struct.pack("<H", self.random.choice((65535, 40000, 495, 494, 400)))
        self.claim(victim)
        self.stream += victim

    def bad_part(self, victim: bytearray) -> None:
        numbers = [self.random.choice((0, 1, 2, 1 << 31, (1 << 32) - 1)) for _ in range(3)]
        kind = self.random.randrange(256)
        self.stream += frame(PART, 1, INSIDE, struct.pack("<BIII", kind, *numbers) + b"~")

    DAMAGES = ("noise", "magics", "truncated", "bits_flipped", "giant", "bad_part")

    def claim(self, victim: bytearray) -> None:
        length = int.from_bytes(victim[4:6], "little")
        self.false_ends.append(len(self.stream) + HEADER_BYTES + length)


def came_out(batch: Batch) -> tuple[list[bytes], list[bytes]]:
    """Payloads of good frames among the lines and among the events."""
    events = [event.payload for event in batch.events if event.kind not in (INCOMPLETE, PART)]
    return [p for p in batch.lines if p[:5] == b"good "], [p for p in events if p[:5] == b"good "]


def is_subsequence(few: list[bytes], many: list[bytes]) -> bool:
    rest = iter(many)
    return all(one in rest for one in few)


def frame_starts(stream: bytes) -> set[int]:
    starts, at = set(), stream.find(MAGIC)
    while at >= 0:
        starts.add(at)
        at = stream.find(MAGIC, at + 1)
    return starts


@pytest.mark.parametrize("seed", range(10))
def test_fuzz(seed):
    """Of 100,000 damaged streams none raises, and every good frame comes out, in order."""
    generator = random.Random(seed)
    lost = ambiguous = 0
    for case in range(CASES // 10):
        fuzz = Fuzz(seed << 32 | case)
        for _ in range(generator.randrange(1, 7)):
            (fuzz.add_good if generator.random() < 0.6 else fuzz.add_bad)()
        stream = bytes(fuzz.stream)
        count = generator.choice((0, 0, 1, 3))
        cuts = sorted(generator.randrange(len(stream) + 1) for _ in range(count))
        batch = read(stream, cuts=cuts)
        lines, events = came_out(batch)
        # No good frame comes twice, changed, or out of order.
        assert is_subsequence(lines, fuzz.good) and is_subsequence(events, fuzz.good)
        missing = len(fuzz.good) - len(lines) - len(events)
        if missing:
            lost += 1
            ends = [*cuts, len(stream)]
            starts = frame_starts(stream)
            assert any(
                false in starts or any(0 <= end - false < HEADER_BYTES for end in ends)
                for false in fuzz.false_ends
            ), (seed, case, stream, cuts)
        ambiguous += bool(fuzz.false_ends)
    assert lost < ambiguous / 20


@pytest.mark.parametrize("seed", range(4))
def test_fuzz_of_frames_doubled_dropped_and_reordered(seed):
    """Whole frames in whatever order are never taken for damage, nor halves for messages."""
    generator = random.Random(seed)
    for _ in range(300):
        messages = [
            Message(generator.choice((LINE, HELLO)), pid, INSIDE, payload_of(length, pid))
            for pid, length in enumerate(generator.choices(range(1500), k=4), 1)
        ]
        parts = sent(messages, 512)
        for _ in range(generator.randrange(4)):
            way, at = generator.randrange(3), generator.randrange(len(parts))
            if way == 0:
                parts.insert(at, parts[generator.randrange(len(parts))])
            elif way == 1 and len(parts) > 1:
                del parts[at]
            else:
                parts.insert(at, parts.pop(generator.randrange(len(parts))))
        batch = read(b"".join(parts))
        assert batch.corrupt == 0
        whole = {message.payload for message in messages}
        got = [*batch.lines, *(e.payload for e in batch.events if e.kind != INCOMPLETE)]
        assert set(got) <= whole


def test_noise_alone():
    """A mebibyte of noise leaves next to nothing behind, and a frame after it is found."""
    noise = random.Random(5).randbytes(1 << 20) + b"\xf7" * (1 << 16) + MAGIC * (1 << 14)
    batch = read(noise + NEIGHBOURS["line"], cuts=list(range(1 << 14, 1 << 20, 1 << 14)))
    assert batch.lines == [b"neighbour"]
    assert batch.corrupt >= 1


# --- the payload of a record ----------------------------------------------------------


@pytest.mark.parametrize("line", [None, b"", b"a line\n", b"x" * 70_000])
@pytest.mark.parametrize("pickled", [b"", b"pickle"])
def test_join_and_split(line, pickled):
    """A line or none, and the record, come apart as they were joined."""
    payload = join_record(line, pickled)
    assert is_record(payload)
    assert split_record(payload) == (line, pickled)


@pytest.mark.parametrize("payload", [b"", b"123", struct.pack("<I", 1), b"\xfe\xff\xff\xff rest"])
def test_what_is_no_record(payload):
    """A payload that is too short for what it claims is refused."""
    assert not is_record(payload)
    with pytest.raises(ValueError, match=f"in {len(payload)} bytes"):
        split_record(payload)
