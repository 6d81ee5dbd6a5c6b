"""The wire format: what is whole is found, what was cut short harms nothing else."""

from __future__ import annotations

import itertools

import pytest

from mplogging._wire.frames import (
    DROPPED,
    EVER,
    HEADER_BYTES,
    HELLO,
    LINE,
    RECORD,
    START,
    Framing,
    Message,
    join_record,
    split_record,
)

FRAMING = Framing(b"\x00lot")
WILD_TIMES = float("nan"), float("inf"), -float("inf"), 1e300
START_TIME, END_TIME = 100.0, 200.0


def line(number: int, size: int = 20, created: float = 150.0) -> Message:
    return Message(LINE, 7, created, b"%d %s\n" % (number, b"x" * size))


def framed(*messages: Message) -> bytes:
    return b"".join(FRAMING.frame(*message) for message in messages)


def payloads(*messages: Message) -> list[bytes]:
    return [message.payload for message in messages]


MESSAGES = [line(0), line(1, 0), Message(HELLO, 7, 0.0, b"name"), line(2, 300), line(3, 1)]
LINES = [message for message in MESSAGES if message.kind == LINE]


def test_lines_and_events_come_apart():
    """The lines in their order, and all else in its own."""
    run = FRAMING.decode(framed(*MESSAGES), *EVER)
    assert run.lines == payloads(*LINES)
    assert run.events == [MESSAGES[2]]
    assert (run.stop, run.torn, run.stray) == (len(framed(*MESSAGES)), 0, None)


@pytest.mark.parametrize("is_final", [False, True])
def test_data_cut_at_every_byte(is_final):
    """What is not there yet is waited for; if nobody writes any more, it is passed over."""
    whole = framed(*MESSAGES)
    ends = [len(framed(*MESSAGES[:count])) for count in range(len(MESSAGES) + 1)]
    for cut in range(len(whole) + 1):
        run = FRAMING.decode(whole[:cut], *EVER, is_final=is_final)
        complete = max(end for end in ends if end <= cut)
        assert run.lines == payloads(*LINES)[: len(run.lines)]
        assert sum(end <= cut for end in ends[1:]) == len(run.lines) + len(run.events)
        assert run.stop == (cut if is_final else complete)
        assert run.torn == (is_final and cut not in ends)


@pytest.mark.parametrize("size", [0, 1, 20, 40, 300])
def test_a_frame_cut_at_every_byte_before_others(size):
    """A writer died in its write: whatever length its frame claims, no other is lost."""
    victim = framed(line(9, size))
    for cut, others in itertools.product(range(len(victim)), (1, 2, 3, 12)):
        rest = [line(number, 3) for number in range(others)]
        data = framed(line(8)) + victim[:cut] + framed(*rest)
        for is_final in (False, True):
            run = FRAMING.decode(data, *EVER, is_final=is_final)
            assert run.lines == payloads(line(8), *rest)
            assert (run.stop, run.torn) == (len(data), int(cut > 0))


def test_a_frame_that_ends_where_another_begins():
    """One that was cut short must not swallow those that happen to fill its length."""
    for lost in range(1, 200):
        neighbour = line(1, 200)
        claimed = line(2, len(framed(neighbour)) + 100)
        data = framed(claimed)[: len(framed(claimed)) - len(framed(neighbour))]
        data += framed(neighbour, line(3))
        assert FRAMING.decode(data, *EVER).lines == payloads(neighbour, line(3))
        assert lost


def test_several_cut_frames_in_a_row():
    """Each is passed over."""
    beginnings = [framed(line(number, 50))[:cut] for number, cut in enumerate((1, 7, 8, 23, 60))]
    data = b"".join(beginnings) + framed(line(5))
    run = FRAMING.decode(data, *EVER)
    assert run.lines == payloads(line(5))
    assert run.stop == len(data) and run.torn >= 1


def test_a_large_frame_being_written_is_waited_for():
    """Unless another begins after it: then its writer is not at it any more."""
    beginning = framed(line(0, 100_000))[:5000]
    assert FRAMING.decode(framed(line(1)) + beginning, *EVER).stop == len(framed(line(1)))
    run = FRAMING.decode(beginning + framed(line(2)), *EVER)
    assert run.lines == payloads(line(2))


@pytest.mark.parametrize("created", [99.999, 200.0, float("nan"), 1e300])
def test_a_line_of_another_period_stops_it(created):
    """All before it is returned, and where it stands."""
    data = framed(line(0), Message(HELLO, 7, 0.0, b"n"), line(1, created=created), line(2))
    run = FRAMING.decode(data, START_TIME, END_TIME)
    assert run.lines == payloads(line(0))
    assert run.stop == len(framed(line(0), Message(HELLO, 7, 0.0, b"n")))
    assert repr(run.stray) == repr(created)


def record(text: bytes, is_stand_in: bool = False, created: float = 150.0) -> Message:
    return Message(RECORD, 7, created, join_record(text, b"pickled", is_stand_in))


def test_the_line_of_a_record_is_one_of_the_lines():
    """And the record follows as an event; one that brings no line is an event only."""
    messages = [line(0), record(b"with\n"), line(1), record(b"")]
    run = FRAMING.decode(framed(*messages), START_TIME, END_TIME)
    assert run.lines == [line(0).payload, b"with\n", line(1).payload]
    assert run.events == [messages[1], messages[3]]
    assert run.stop == len(framed(*messages))
    late = FRAMING.decode(framed(record(b"late\n", created=1.0)), START_TIME, END_TIME)
    assert (late.stray, late.stop) == (1.0, 0)


def test_a_record_whose_line_its_reader_makes_comes_alone():
    """Where nobody can make it, the stand-in is its line."""
    data = framed(line(0), record(b"stand-in\n", True), line(1))
    run = FRAMING.decode(data, *EVER, makes_lines=True)
    assert (run.lines, run.foreign) == (payloads(line(0)), None)
    run = FRAMING.decode(data[run.stop :], *EVER, makes_lines=True)
    assert (run.lines, run.foreign) == ([], record(b"stand-in\n", True))
    assert data[len(framed(line(0))) + run.stop :] == framed(line(1))
    assert FRAMING.decode(data, *EVER).lines == [line(0).payload, b"stand-in\n", line(1).payload]


def test_what_is_no_frame_of_this_session():
    """Another session's frames, an unknown kind, and noise: all are passed over."""
    other = Framing(b"tol\x00").frame(*line(1))
    unknown = FRAMING.mark + b"\x63" + framed(line(2))[8:]
    noise = bytes(range(256)) * 3
    run = FRAMING.decode(framed(line(0)) + other + unknown + noise + framed(line(3)), *EVER)
    assert run.lines == payloads(line(0), line(3))


def test_a_payload_that_holds_frames_of_another_session():
    """They are its text, since they lack the mark that this session drew by lot."""
    evil = Message(LINE, 7, 150.0, Framing(b"evil").frame(*line(1)) + b"\n")
    assert FRAMING.decode(framed(evil, line(2)), *EVER).lines == [evil.payload, line(2).payload]


def test_a_record_that_is_none_is_left_to_its_taker():
    """It stops nothing."""
    nonsense = b"", b"\xff\xff\xff\x7f", b"\1\0\0\0"
    bad = [Message(RECORD, 7, 150.0, payload) for payload in nonsense]
    run = FRAMING.decode(framed(*bad, line(1)), *EVER)
    assert (run.events, run.lines) == (bad, payloads(line(1)))
    for message in bad:
        with pytest.raises(ValueError):
            split_record(message.payload)


@pytest.mark.parametrize("is_stand_in", [False, True])
@pytest.mark.parametrize("text", [b"", b"line\n", b"x" * 70_000])
def test_records_join_and_split(text, is_stand_in):
    assert split_record(join_record(text, b"rest", is_stand_in)) == (text, is_stand_in, b"rest")


def test_a_segment_shows_its_framing():
    """Its first frame holds the cookie; what begins otherwise is none."""
    first = FRAMING.frame(START, 7, 0.0, b"")
    framing = Framing.of_segment(first)
    assert framing.decode(first + framed(line(0)), *EVER).lines == payloads(line(0))
    for beginning in (b"", first[:6], b"\0" * 24, b"\xf7\xfe\x01" + first[3:]):
        with pytest.raises(ValueError):
            Framing.of_segment(beginning)


def test_how_long_a_frame_says_that_it_is():
    message = Message(DROPPED, 7, 0.0, b"12345")
    assert FRAMING.frame_bytes(framed(message)) == HEADER_BYTES + 5
    assert FRAMING.frame_bytes(framed(message)[:-6]) is None
    assert FRAMING.frame_bytes(bytes(HEADER_BYTES)) is None


def test_where_some_of_the_lines_end():
    """Of a stretch that could be written in part only."""
    messages = [Message(HELLO, 7, 0.0, b"n"), line(0), record(b"with\n"), record(b""), line(1)]
    data = framed(*messages)
    stops = [len(framed(*messages[:count])) for count in (0, 2, 3, 5)]
    for count, stop in enumerate(stops):
        assert FRAMING.stop_of_lines(b"xy" + data, 2, 2 + len(data), count) == 2 + stop


def test_decoding_goes_on_from_any_frame():
    data = framed(line(0), line(1), line(2))
    run = FRAMING.decode(data, *EVER, at=len(framed(line(0))))
    assert (run.lines, run.stop) == (payloads(line(1), line(2)), len(data))


def test_lines_of_no_possible_time_are_lines():
    """Where any time will do, it is no reason to stop."""
    wild = [line(number, created=created) for number, created in enumerate(WILD_TIMES)]
    messages = [line(8), *wild, line(9)]
    data = framed(*messages)
    run = FRAMING.decode(data, *EVER)
    assert (run.lines, run.stop, run.stray) == (payloads(*messages), len(data), None)
    for count in range(len(messages) + 1):
        stop = len(framed(*messages[:count]))
        assert FRAMING.stop_of_lines(data, 0, len(data), count) == stop


@pytest.mark.parametrize("claimed", [0, 30, 60, 100, 500, 5000])
def test_where_some_of_the_lines_end_behind_a_frame_that_was_cut_short(claimed):
    """Whatever length it claims, the lines after it are counted one by one."""
    for cut in range(1, min(len(framed(line(9, claimed))), 120)):
        rest = [line(number, 3 * number) for number in range(5)]
        data = framed(line(9, claimed))[:cut] + framed(*rest)
        for count in range(1, 6):
            stop = cut + len(framed(*rest[:count]))
            assert FRAMING.stop_of_lines(data, 0, len(data), count) == stop


@pytest.mark.parametrize("lost", [1, 2, 3, 5, 6, 7, 8, 24, 30])
def test_reads_that_end_anywhere(lost):
    """Wherever a read ends, what it takes for a line is one; the next goes on from there."""
    messages = [line(0, 40), line(1, 3), line(2, 50)]
    data = framed(messages[0])
    data += framed(line(9, 40))[:-lost] + framed(*messages[1:])
    for end in range(len(data) + 1):
        first = FRAMING.decode(data[:end], *EVER)
        rest = FRAMING.decode(data, *EVER, at=first.stop)
        assert first.lines + rest.lines == payloads(*messages)
        assert rest.stop == len(data)
