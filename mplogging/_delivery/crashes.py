"""What the end of the machine itself can have done to a journal, and how it is read then.

What the kernel had not written back yet is as it was before, zero, or not there at all,
page by page. So the note may be older than the journal, or lost, and its segments may
begin with nothing.
"""

from __future__ import annotations

import contextlib

from .._file.handler import DatedFileHandler
from .._wire.note import Note
from .._wire.place import Place
from .._wire.segments import Segments

# What may stand in a file and can't be decoded.
_KEPT_AS_IT_IS = ("surrogateescape", "surrogatepass")


def mend_note(place: Place) -> bool:
    """Let the note name just the segments that are there; False if nothing can be read of any.

    Without a note that can be read all of them are read from their beginning: what was
    in the log already is there twice then.
    """
    there = place.segments()
    if not there:
        return False
    try:
        note, path = place.load()
    except ValueError:
        note, path = Note(), ""
        note.places = {}
    oldest = min(note.places, default=0)
    note.places = {number: note.places.get(number, 0) for number in there if number >= oldest}
    if not note.places:
        note.places = dict.fromkeys(there, 0)
    note.passed_over = [one for one in note.passed_over if one.segment in note.places]
    if note.intent is not None and note.intent.segment not in note.places:
        note.intent = None
    note.segment = note.next = max(note.places)
    place.save(note, path)
    with contextlib.closing(Segments(place)) as segments, contextlib.suppress(ValueError):
        return bool(segments.framing)
    return False  # there is not a frame in them


def is_junk(line: bytes, file: DatedFileHandler) -> bool:
    """True for what a page brings that was lost, or is another file's.

    A record that has a NUL of its own can't be told from it; nor can a page of text
    that lies within a record larger than a page.
    """
    if not line.endswith(file._line_end):
        return True
    try:
        return "\0" in line.decode(file.encoding)
    except UnicodeError:
        return b"\0" in line or file.errors not in _KEPT_AS_IT_IS
