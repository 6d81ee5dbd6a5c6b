"""The private directory of a session: its path is the session's address.

    .mplogging-1000-x7k2m9p1/   mode 0700
        note                    how far the journal is read (`note`); its locks tell who lives
        journal-1, -2, …        the segments, to which every process appends
        config                  what a worker needs to know
        recovery                how to write the log when all are dead: JSON
        process-4711-…          that process 4711 lives (`presence`)
        dropped-4711-…          what worker 4711 had to drop (`drops`)
        figures                 what the reader has done, for who looks on (`figures`)
        request-4711, answer-…  what process 4711 wants of the session (`requests`)
        ring-4711-…             what process 4711 has not logged (`_watch.rings`)
        output-4711-…, stdout-… what process 4711 has written to its descriptors (`output`)

It is checked when it is entered, and reached through its descriptor from then on, so
that nobody can put another in its place. Its note is opened once in a process, for the
sake of the locks on it (`locks`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import weakref
from typing import Callable

from .._closing import close
from .._errors import SessionClosedError, SessionError, UnsafeSessionError
from .._forks import see_to_forks
from .descriptors import leads_to, lifted
from .directory import Directory
from .locks import Locks
from .note import HEAD_BYTES, NOTE_BYTES, Head, Note
from .processes import has_open

ENVIRONMENT = "MPLOGGING_SESSION"
_NOTE, _CONFIG, _RECOVERY, _SEGMENT = "note", "config", "recovery", "journal-"
FIGURES = "figures"  # see `figures`


def prefix() -> str:
    """How the names of this user's directories begin."""
    return f".mplogging-{os.geteuid()}-"


class Place(Directory, Locks):
    """A session's directory, opened."""

    def __init__(self, path: str) -> None:
        Directory.__init__(self, path)
        Locks.__init__(self)
        self._identity = (0, 0)  # of the note, which tells whether a descriptor is still ours
        self._log_path = ""  # as saved last
        self._saved = b""  # the head
        _open_places.add(self)
        see_to_forks(self, Place.forget_threads)

    # -- making and entering it -------------------------------------------------------

    @classmethod
    def make(cls, parent: str, keep: Callable[[Place], object] = lambda place: None) -> Place:
        """A new one in this directory, with our lock as its reader.

        Args:
            keep: Gets it before it is there, so that whatever comes, somebody removes it.

        Raises:
            OSError: It can't be made, or has no locks.
        """
        path = os.path.join(os.path.abspath(parent), prefix() + os.urandom(5).hex())
        place = cls(path)
        keep(place)
        try:
            os.mkdir(path, 0o700)
            place._enter()
            os.fchmod(place._descriptor, 0o700)  # else a directory's S_ISGID comes along
            place._check()
            place._open_note(os.O_CREAT | os.O_EXCL)
            if not place.try_reader_lock():
                raise OSError(errno.ENOLCK, "locks do not work here", path)
            # All that the note will ever need, so that it can be kept on a full disk too.
            os.pwrite(place._note, bytes(2 * NOTE_BYTES), 0)
            place.save(Note())
            return place
        except BaseException:
            place.remove()
            place.close()
            raise

    @classmethod
    def open(cls, path: str) -> Place:
        """One that another process made.

        Raises:
            SessionClosedError: It is gone.
            UnsafeSessionError: Somebody else could have written to it.
            SessionError: The system has no descriptor left.
        """
        place = cls(path)
        try:
            place._enter()
        except (FileNotFoundError, ValueError):
            raise SessionClosedError(
                f"the session at {path!r} is over, or there never was one"
            ) from None
        except NotADirectoryError:
            raise UnsafeSessionError(
                f"{path!r} is no directory (a link does not count as one): refused"
            ) from None
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise SessionError(f"{path!r} can't be opened: {error}") from error
            # O_NOFOLLOW and O_DIRECTORY on a link: which error is the system's choice.
            raise UnsafeSessionError(f"{path!r} can't be opened: {error}") from error
        try:
            place._check()
            place._open_note()
        except FileNotFoundError:
            place.close()
            raise SessionClosedError(f"the session at {path!r} is just ending") from None
        except OSError as error:
            place.close()
            raise SessionError(f"{path!r} can't be entered: {error}") from error
        except BaseException:
            place.close()
            raise
        return place

    def _open_note(self, flags: int = 0) -> None:
        # To a number far up before there is a lock: closing the other would drop it.
        self._note = lifted(self.open_file(_NOTE, os.O_RDWR | flags))
        status = os.fstat(self._note)
        self._identity = status.st_dev, status.st_ino

    def is_open_in(self, process: str) -> bool | None:
        """True if this process (see `processes`) is seen to have it open; None: who knows.

        What a lock says is not all: a process loses its locks when it reads through our
        files, to copy them say, and then takes them again.
        """
        return has_open(process, self._identity)

    def is_open(self) -> bool:
        """False if the program has closed our descriptors, as daemons do."""
        return leads_to(self._note, self._identity)

    def reopen(self) -> None:
        """Open it again after that.

        Raises:
            OSError: It can't be opened.
            UnsafeSessionError: Another has been put in its place.
        """
        identity, self._note = self._identity, -1
        self._enter()
        try:
            self._check()
            self._open_note()
            if self._identity != identity:
                raise UnsafeSessionError(
                    f"{self.path!r} is not the directory that it was: refused"
                )
        except BaseException:
            self.close()
            self._identity = identity  # of the one that is wanted, still
            raise

    # -- the files in it ----------------------------------------------------------------

    def open_segment(self, number: int, flags: int) -> int:
        """A descriptor for a segment of the journal, at a number that programs hardly use."""
        return lifted(self.open_file(f"{_SEGMENT}{number}", flags))

    def segments(self) -> list[int]:
        """The numbers of those that are there, in order."""
        numbers = [name[len(_SEGMENT) :] for name in self.names() if name.startswith(_SEGMENT)]
        return sorted(int(number) for number in numbers if number.isdecimal())

    def segment_bytes(self, number: int) -> int:
        """How large that one is."""
        return os.stat(f"{_SEGMENT}{number}", dir_fd=self._descriptor).st_size

    def remove_segment(self, number: int) -> None:
        """All of it is read, and nobody writes to it."""
        self.unlink(f"{_SEGMENT}{number}")

    def write_config(self, data: bytes) -> None:
        """Make, or replace, what attaching workers read."""
        self.replace(_CONFIG, data)

    def read_config(self) -> bytes:
        """What `write_config` wrote."""
        return self.read(_CONFIG)

    def config_identity(self) -> tuple[int, int]:
        """Another one each time that it is replaced.

        Raises:
            OSError: It is gone.
        """
        found = os.stat(_CONFIG, dir_fd=self._descriptor)
        return found.st_ino, found.st_mtime_ns

    def write_recovery(self, data: bytes) -> None:
        """Make, or replace, what recovery reads."""
        self.replace(_RECOVERY, data)

    def read_recovery(self) -> bytes:
        """What `write_recovery` wrote."""
        return self.read(_RECOVERY)

    # -- the note -------------------------------------------------------------------------

    def read_head(self) -> Head:
        """What writers want to know."""
        return Head.load(os.pread(self._note, HEAD_BYTES, 0))

    def load(self) -> tuple[Note, str]:
        """The whole note, and the path of the log file that its intent is about."""
        path = os.pread(self._note, NOTE_BYTES, NOTE_BYTES).partition(b"\0")[0]
        self._log_path = os.fsdecode(path)  # another may have read in the meantime
        return Note.load(os.pread(self._note, NOTE_BYTES, 0)), self._log_path

    def save(self, note: Note, log_path: str = "") -> None:
        """Save it; the path, where there is an intent, comes first."""
        if note.intent is not None and log_path != self._log_path:
            os.pwrite(self._note, os.fsencode(log_path)[: NOTE_BYTES - 1] + b"\0", NOTE_BYTES)
            self._log_path = log_path
        data = note.dump()
        self._saved = data[:HEAD_BYTES]
        os.pwrite(self._note, data, 0)

    def is_as_saved(self) -> bool:
        """False if another process has read the journal on since we saved the note."""
        return self._saved in (b"", os.pread(self._note, HEAD_BYTES, 0))

    # -- its end ----------------------------------------------------------------------------

    def remove(self) -> None:
        """Remove all that is in it, and then the directory, if it still has its name."""
        try:
            names = self.names() if self._descriptor >= 0 else []
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                return  # without its note, nobody could tell any more what the rest is
            names = [_NOTE, _CONFIG, _RECOVERY, FIGURES, f"{_SEGMENT}1"]  # what most have
        with contextlib.suppress(OSError):
            # The note last: who is killed at it, or can't remove something, leaves what
            # can be seen to be over.
            for name in sorted(names, key=lambda name: (name == _NOTE, name != _RECOVERY)):
                with contextlib.suppress(FileNotFoundError):
                    self.unlink(name)
            if self._descriptor < 0 or self.is_there():  # the former: it was not even opened
                os.rmdir(self.path)

    def close(self) -> None:
        """Close the descriptors, if they are still ours, and with them the locks."""
        note, self._note = self._note, -1
        descriptor, self._descriptor = self._descriptor, -1
        if leads_to(note, self._identity):
            close(note)
            close(descriptor)  # if that is ours, so is this
        elif note < 0 <= descriptor:
            close(descriptor)


# A process must not open a note a second time: closing that would drop its locks.
_open_places: weakref.WeakSet[Place] = weakref.WeakSet()


def is_open_here(path: str) -> bool:
    """True if this process has the place of that path open."""
    with contextlib.suppress(OSError):
        status = os.stat(path)
        identity = status.st_dev, status.st_ino
        return any(leads_to(place._descriptor, identity) for place in list(_open_places))
    return False


def opened(path: str) -> Place | None:
    """The place of that path, if this process has it open."""
    for place in list(_open_places):
        if place.path == path and place._descriptor >= 0:
            return place
    return None
