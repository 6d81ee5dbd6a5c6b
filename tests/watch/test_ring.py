"""The layout of a ring: every number of slots and entries, and every way to be torn."""

from __future__ import annotations

import pytest

from mplogging._watch.ring import (
    HEAD_BYTES,
    NAME_AT,
    ROOM_BYTES,
    SETTLED_AT,
    SLOT_BYTES,
    TAKEN_AT,
    Entry,
    Head,
    dump_entry,
    dump_name,
    dump_taken,
    entries,
    load_taken,
    offset,
    ring_bytes,
    spans,
)

SLOTS = range(1, 6)


def line(number: int) -> bytes:
    return b"line %d\n" % number


def written(slots: int, numbers) -> bytearray:
    data = bytearray(ring_bytes(slots))
    for number in numbers:
        put(data, slots, dump_entry(number, number / 2, line(number)), number)
    return data


def put(data: bytearray, slots: int, entry: bytes, number: int) -> None:
    at = offset(number, slots)
    data[at : at + len(entry)] = entry


def found(data: bytes, slots: int, taken: int = 0) -> list[Entry]:
    return sorted(entries(bytes(data[HEAD_BYTES:]), HEAD_BYTES, slots, taken))


@pytest.mark.parametrize("slots", SLOTS)
def test_the_last_ones_are_there(slots):
    """As many as there are slots, but for those that were taken; however often it went round."""
    for count in range(4 * slots + 1):
        data = written(slots, range(1, count + 1))
        for taken in range(count + 1):
            expected = range(max(taken, count - slots) + 1, count + 1)
            assert found(data, slots, taken) == [Entry(n, n / 2, line(n)) for n in expected]


@pytest.mark.parametrize("slots", SLOTS)
def test_stretches_hold_what_was_asked_for(slots):
    """Each entry that is there still, once; and no slot twice."""
    for last in range(4 * slots + 1):
        data = written(slots, range(1, last + 1))
        for first in range(1, last + 2):
            stretches = list(spans(first, last, slots))
            got = [
                entry.number
                for start, size in stretches
                for entry in entries(bytes(data[start : start + size]), start, slots)
            ]
            assert got == list(range(max(first, last - slots + 1), last + 1))
            assert sum(size for _, size in stretches) == len(got) * SLOT_BYTES


def test_a_torn_entry_is_seen():
    """Whether the slot had nothing before, or an older entry of whatever length."""
    new = dump_entry(3, 1.5, b"the newer line, and a long one\n")
    for old in (b"", dump_entry(1, 0.5, b"old\n"), dump_entry(1, 0.5, b"x" * 100)):
        for stop in range(1, len(new)):
            data = bytearray(ring_bytes(2))
            put(data, 2, old, 1)
            put(data, 2, new[:stop], 3)
            assert found(data, 2) in ([], [Entry(1, 0.5, old[24:])] if old else [])
            assert Entry(3, 1.5, new[24:]) not in found(data, 2)


def test_a_changed_bit_is_seen():
    """Of the line as of what stands before it."""
    entry = dump_entry(7, 12.25, b"some line\n")
    for bit in range(8 * len(entry)):
        data, changed = bytearray(ring_bytes(3)), bytearray(entry)
        changed[bit // 8] ^= 1 << bit % 8
        put(data, 3, changed, 7)
        assert found(data, 3) == []


def test_an_entry_at_another_place_is_none():
    """What a copy or a file system's fault has put there."""
    data = bytearray(ring_bytes(3))
    put(data, 3, dump_entry(2, 1.0, b"line\n"), 3)
    assert found(data, 3) == []


def test_a_file_that_is_cut_short():
    """It has what it still has whole."""
    data = written(3, range(1, 4))
    for size in range(HEAD_BYTES, len(data)):
        whole = sum(size >= offset(n, 3) + 24 + len(line(n)) for n in range(1, 4))
        assert len(found(data[:size], 3)) == whole


def test_a_line_has_so_much_room():
    """And no more: its slot's end is the next one's beginning."""
    assert len(dump_entry(1, 0.0, b"x" * ROOM_BYTES)) == SLOT_BYTES
    with pytest.raises(ValueError, match="have room"):
        dump_entry(1, 0.0, b"x" * (ROOM_BYTES + 1))


@pytest.mark.parametrize("name", ["", "Worker-1", "ü" * 200, "x" * 500])
def test_the_head(name):
    """What it says, also once its parts are written each for itself."""
    head = Head(200, 4711, name)
    data = bytearray(head.dump())
    assert len(data) == HEAD_BYTES
    kept = name.encode()[:256].decode("utf-8", "replace")
    assert Head.load(data) == head._replace(name=kept)
    data[TAKEN_AT : TAKEN_AT + 8] = dump_taken(1 << 40)
    data[SETTLED_AT : SETTLED_AT + 1] = b"\1"
    data[NAME_AT : NAME_AT + 256] = dump_name("other")
    assert Head.load(data) == Head(200, 4711, "other", 1 << 40, True)
    assert load_taken(bytes(data[TAKEN_AT : TAKEN_AT + 8])) == 1 << 40


@pytest.mark.parametrize("size", range(0, HEAD_BYTES, 37))
def test_what_is_no_head(size):
    """One that is just being made, or another version's."""
    for data in (bytes(size), b"mplring2".ljust(size, b"\0"), Head(1, 2, "x").dump()[:100]):
        with pytest.raises(ValueError, match="no ring"):
            Head.load(data)
