"""The private directory of a session: its path is the session's address.

    mplogging-1000-x7k2m9p1/     mode 0700, LOCK_EX by whoever reads the pipe
        attached                 empty; LOCK_SH by every process that is attached
        config                   what a worker needs to know
        pipe                     the FIFO
        dropped-4711-…           what worker 4711 had to drop (`drops`)

Both locks are the kernel's, so they tell the truth whatever way a process died.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
import weakref

from .._errors import SessionClosedError, SessionError, UnsafeSessionError
from .._lock import lock, try_lock, unlock

ENVIRONMENT = "MPLOGGING_SESSION"
_ATTACHED = "attached"
_CONFIG = "config"
# A directory without a configuration may be just being made.
_UNFINISHED_SECONDS = 60.0
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)

# Held while a descriptor is opened or closed that no forked child may keep: it must
# not be forked between the system call and the note of it. Reentrant, because a
# signal handler may fork.
no_fork = threading.RLock()


def _prefix() -> str:
    return f"mplogging-{os.geteuid()}-"


def _parent_directory() -> str:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    try:
        # Not another user's, which `sudo` may have left in the environment.
        if runtime and os.stat(runtime).st_uid == os.geteuid():
            if os.access(runtime, os.W_OK | os.X_OK):
                return os.path.abspath(runtime)  # workers may start elsewhere
    except OSError:
        pass
    import tempfile  # a quarter of our import time, for sessions only

    return tempfile.gettempdir()


class Place:
    """A session's directory, opened: what is in it is reached through its descriptor."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self._attached = -1
        _places.add(self)

    @classmethod
    def make(cls) -> Place:
        """A new one, locked for its reader. Removes what killed sessions have left.

        Raises:
            SessionError: The directory can't be made.
        """
        import tempfile  # as above

        place = cls("", -1)
        try:
            parent = _parent_directory()
            _sweep(parent)
            place.path = tempfile.mkdtemp(prefix=_prefix(), dir=parent)
            with no_fork:
                place.descriptor = os.open(place.path, _DIRECTORY)
            os.fchmod(place.descriptor, 0o700)
            lock(place.descriptor)
            os.close(place.open_file(_ATTACHED, os.O_WRONLY | os.O_CREAT))
            place.hold()
            return place
        except OSError as error:
            place.close()
            if place.path:
                place.remove()
            raise SessionError(
                f"no session directory can be made ({error}):"
                " set XDG_RUNTIME_DIR or TMPDIR to a directory of yours"
            ) from error

    @classmethod
    def open(cls, path: str) -> Place:
        """One that another process made.

        Raises:
            SessionClosedError: It is gone, or nobody reads its pipe any more.
            UnsafeSessionError: Somebody else could have written to it.
        """
        place = cls(path, -1)
        try:
            with no_fork:
                place.descriptor = descriptor = os.open(path, _DIRECTORY)
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
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid():
                raise UnsafeSessionError(
                    f"{path!r} belongs to user {status.st_uid}, not {os.geteuid()}: refused"
                )
            if stat.S_IMODE(status.st_mode) != 0o700:
                raise UnsafeSessionError(
                    f"{path!r} has mode {stat.S_IMODE(status.st_mode):04o}, not 0700: refused"
                )
            if try_lock(descriptor, shared=True):
                raise SessionClosedError(f"the session at {path!r} is over: nobody reads it")
            try:
                place.hold()
            except FileNotFoundError:
                raise SessionClosedError(f"the session at {path!r} is just ending") from None
        except BaseException:
            place.close()
            raise
        return place

    def hold(self) -> None:
        """As long as this process lives, or `close` has not been called, it is no leftover."""
        self._attached = self.open_file(_ATTACHED, os.O_RDWR)
        lock(self._attached, shared=True)

    def write_config(self, data: bytes) -> None:
        """Make, or replace, what attaching workers read."""
        temporary = f"{_CONFIG}.new"
        descriptor = self.open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.rename(temporary, _CONFIG, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def read_config(self) -> bytes:
        """What `write_config` wrote."""
        with os.fdopen(self.open_file(_CONFIG, os.O_RDONLY), "rb") as file:
            return file.read()

    def open_file(self, name: str, flags: int) -> int:
        """A descriptor for a file within."""
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        return os.open(name, flags, 0o600, dir_fd=self.descriptor)

    def after_fork(self) -> None:
        """In a child: a descriptor of its own, since a lock goes with the open file.

        The child must neither hold the parent's lock, nor share one with it.
        """
        if self.descriptor < 0:
            return
        inherited = self.descriptor
        try:
            self.descriptor = os.open(self.path, _DIRECTORY)
        except OSError:
            # Cleared away; on Linux the inherited descriptor still leads there.
            try:
                self.descriptor = os.open(f"/proc/self/fd/{inherited}", os.O_RDONLY)
            except OSError:
                self.descriptor = -1
        os.close(inherited)

    def unlock(self) -> None:
        """Let the next one read the pipe."""
        unlock(self.descriptor)

    def remove(self) -> None:
        """Remove the directory and all that is in it, as far as it is there."""
        _remove(self.path)

    def close(self) -> None:
        """Close the descriptors, and with the last copy of each its lock."""
        with no_fork:
            for name in ("descriptor", "_attached"):
                descriptor = getattr(self, name)
                setattr(self, name, -1)
                if descriptor >= 0:
                    os.close(descriptor)


_places: weakref.WeakSet[Place] = weakref.WeakSet()


def _after_fork() -> None:
    try:
        for place in list(_places):
            place.after_fork()
    finally:
        no_fork.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=no_fork.acquire, after_in_parent=no_fork.release, after_in_child=_after_fork
    )


def _remove(path: str) -> None:
    try:
        os.rmdir(path)  # if it is empty, that needs no descriptor: all may be in use
    except OSError:
        with contextlib.suppress(OSError):
            for name in os.listdir(path):
                os.unlink(os.path.join(path, name))
            os.rmdir(path)


def _sweep(parent: str) -> None:
    """Remove the directories of this user's sessions that were killed."""
    try:
        names = [name for name in os.listdir(parent) if name.startswith(_prefix())]
    except OSError:
        return
    for name in names:
        with no_fork, contextlib.suppress(OSError):
            _sweep_one(os.path.join(parent, name))


def _sweep_one(path: str) -> None:
    descriptor = os.open(path, _DIRECTORY)
    try:
        status = os.fstat(descriptor)
        is_ours = status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o700
        if is_ours and try_lock(descriptor) and _is_left(descriptor, status):
            _remove(path)
    finally:
        os.close(descriptor)


def _is_left(descriptor: int, status: os.stat_result) -> bool:
    """True if no process is attached to this place any more."""
    try:
        attached = os.open(_ATTACHED, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=descriptor)
    except FileNotFoundError:
        return time.time() - status.st_mtime > _UNFINISHED_SECONDS
    try:
        return try_lock(attached)
    finally:
        os.close(attached)
