"""A session's directory is its user's alone, and goes once nobody is attached to it."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import needs_proc

from mplogging import _lock
from mplogging._errors import SessionClosedError, SessionError, UnsafeSessionError
from mplogging._wire.place import Place

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")


@pytest.fixture
def place():
    made = Place.make()
    yield made
    made.remove()
    made.close()


@pytest.fixture
def umask():
    """Sets the umask, which is put back."""
    old = os.umask(0o022)
    os.umask(old)
    yield os.umask
    os.umask(old)


def mode(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def prefix() -> str:
    return f"mplogging-{os.geteuid()}-"


# --- making -----------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o027])
def test_nothing_is_open_to_others(umask, mask):
    """Directory and files are the user's alone, under any umask."""
    umask(mask)
    place = Place.make()
    place.write_config(b"settings")
    os.close(place.open_file("more", os.O_WRONLY | os.O_CREAT))
    assert mode(place.path) == 0o700
    assert {name: mode(os.path.join(place.path, name)) for name in os.listdir(place.path)} == {
        "attached": 0o600, "config": 0o600, "more": 0o600,
    }  # fmt: skip
    place.remove()
    place.close()


def test_its_path_is_absolute(monkeypatch, runtime_directory):
    """It leads there from any working directory."""
    monkeypatch.chdir(runtime_directory)
    monkeypatch.setenv("XDG_RUNTIME_DIR", ".")
    place = Place.make()
    assert Path(place.path).parent == runtime_directory
    place.remove()
    place.close()


def test_where_it_is(place, runtime_directory):
    """It is in the runtime directory, with the user's number in its name."""
    assert Path(place.path).parent == runtime_directory
    assert Path(place.path).name.startswith(prefix())


@pytest.mark.parametrize("value", ["", "/nowhere/at/all", "/dev/null"])
def test_unusable_runtime_directory(monkeypatch, tmp_path, value):
    """The temporary directory stands in for a runtime directory that can't be used."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = Place.make()
    assert Path(place.path).parent == tmp_path
    place.remove()
    place.close()
    assert not list(tmp_path.iterdir())


@needs_root
def test_runtime_directory_of_another_user(monkeypatch, tmp_path, runtime_directory):
    """What `sudo` left in the environment is not used."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    os.chown(runtime_directory, NOBODY, NOBODY)
    place = Place.make()
    assert Path(place.path).parent == tmp_path
    place.remove()
    place.close()


def test_no_temporary_directory(monkeypatch, tmp_path):
    """The error names what can't be used, and the way out."""
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(file))
    with pytest.raises(SessionError, match=f"{file}.*set XDG_RUNTIME_DIR or TMPDIR"):
        Place.make()


def test_no_temporary_directory_at_all(monkeypatch):
    """That there is none is a `SessionError` too."""

    def fail() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "gettempdir", fail)
    with pytest.raises(SessionError, match="no usable temporary directory"):
        Place.make()


@needs_root
def test_unwritable_temporary_directory():
    """A user who may not write there gets the error."""
    program = (
        "import os, tempfile\n"
        "from mplogging import _errors\n"
        "from mplogging._wire import place\n"
        "tempfile.tempdir = '/'\n"
        f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "try:\n    place.Place.make()\n"
        "except _errors.SessionError as error:\n    print(error)\n"
    )
    environment = {name: text for name, text in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert f"Permission denied: '/mplogging-{NOBODY}-" in done.stdout, done.stderr


@pytest.mark.parametrize("left", range(4))
def test_too_many_open_files(runtime_directory, left):
    """Without descriptors it can't be made; nothing half made stays, and no descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open("/", os.O_RDONLY)
    fillers = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare + 40, hard))
    try:
        while True:
            try:
                fillers.append(os.dup(spare))
            except OSError:
                break
        for _ in range(left):
            os.close(fillers.pop())
        if left < 2:  # one for the directory, one for the file in it
            with pytest.raises(SessionError, match="Too many open files"):
                Place.make()
            assert mode(str(runtime_directory))  # it can be looked at, without a descriptor
        else:
            place = Place.make()
            place.close()
            place.remove()
        fillers += [os.dup(spare) for _ in range(left)]  # as many are free as before
    finally:
        for descriptor in [*fillers, spare]:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not list(runtime_directory.iterdir())


# --- opening ----------------------------------------------------------------------------


def test_open(place):
    """Another process of the user finds what is in it."""
    place.write_config(b"first")
    place.write_config(b"settings")
    other = Place.open(place.path)
    assert other.read_config() == b"settings"
    other.close()
    other.close()


@pytest.mark.parametrize("path", ["gone", "gone/below", "nul\0l"])
def test_gone(runtime_directory, path):
    """A place that is not there belongs to a session that is over."""
    with pytest.raises(SessionClosedError, match="is over, or there never was one"):
        Place.open(f"{runtime_directory}/{path}")


def test_nobody_reads(place):
    """A place whose reader is gone is that of a session that is over."""
    place.unlock()
    with pytest.raises(SessionClosedError, match="nobody reads it"):
        Place.open(place.path)


def test_just_ending(place):
    """A place that is being cleared away is that of a session that is over, and stays empty."""
    os.unlink(os.path.join(place.path, "attached"))
    with pytest.raises(SessionClosedError, match="just ending"):
        Place.open(place.path)
    assert os.listdir(place.path) == []


@pytest.mark.parametrize("permissions", [0o701, 0o710, 0o750, 0o755, 0o777, 0o1700, 0o500])
def test_another_mode(place, permissions):
    """Any mode but 0700 is refused, by its value."""
    os.chmod(place.path, permissions)
    with pytest.raises(UnsafeSessionError, match=f"mode {permissions:04o}, not 0700"):
        Place.open(place.path)
    os.chmod(place.path, 0o700)  # else only root could remove it


@needs_root
def test_another_owner(place):
    """A directory of another user is refused."""
    os.chown(place.path, NOBODY, -1)
    with pytest.raises(UnsafeSessionError, match=f"belongs to user {NOBODY}, not 0"):
        Place.open(place.path)
    os.chown(place.path, os.geteuid(), -1)


def test_a_link_in_its_place(place, tmp_path):
    """A symbolic link is refused, wherever it leads; so is a file."""
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(place.path)
    file.touch()
    for path in (link, file):
        with pytest.raises(UnsafeSessionError, match=f"{path}.*refused|{path}.*can't be opened"):
            Place.open(str(path))


def test_a_link_within(place, tmp_path):
    """Links in the directory are not followed."""
    (tmp_path / "secret").write_bytes(b"another's")
    os.symlink(tmp_path / "secret", os.path.join(place.path, "config"))
    with pytest.raises(OSError, match="config"):
        place.read_config()


# --- what killed sessions have left -----------------------------------------------------


def make_and_wait(connection) -> None:
    place = Place.make()
    place.write_config(b"settings")
    connection.send(place.path)
    connection.recv()


def attach_and_wait(connection, path: str) -> None:
    place = Place.open(path)
    connection.send(place.path)
    connection.recv()
    place.close()


class Other:
    """A process that runs a function with one end of a pipe, until told to end or killed."""

    def __init__(self, context, function, *args: object) -> None:
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=function, args=(theirs, *args), daemon=True)
        self.process.start()
        theirs.close()
        self.path = self.connection.recv()

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.end()

    def end(self) -> None:
        self.connection.close()  # it meets the end of the pipe, if it is alive
        self.process.join()
        self.process.close()


def sweep() -> None:
    place = Place.make()
    place.remove()
    place.close()


def test_directory_of_a_killed_process(context, runtime_directory):
    """It goes when the next session is made, and not before nobody is attached any more."""
    parent = Other(context, make_and_wait)
    sweep()
    assert os.path.exists(parent.path)
    worker = Other(context, attach_and_wait, parent.path)
    parent.kill()
    sweep()
    assert os.path.exists(parent.path)
    worker.kill()
    sweep()
    assert not list(runtime_directory.iterdir())


def test_a_place_is_not_taken_for_a_leftover(place):
    """The own directory survives another's making, even if its reader has given up the lock."""
    sweep()
    place.unlock()
    sweep()
    assert os.listdir(place.path) == ["attached"]


def test_foreign_names_stay(runtime_directory, tmp_path):
    """Only directories of this user's sessions go, by name, kind, mode and owner."""
    user = os.geteuid()
    kept = [f"{name}-{user}-a" for name in ("other", "mplogging-1", "Mplogging")]
    kept += [f"mplogging-{user + 1}-a", f"mplogging-{user}", f"mplogging-{user}x-a"]
    for name in [*kept, prefix() + "open", prefix() + "stale"]:
        (runtime_directory / name).mkdir(mode=0o700)
        (runtime_directory / name / "attached").touch()
    (runtime_directory / (prefix() + "open")).chmod(0o755)
    (runtime_directory / (prefix() + "file")).touch()
    (tmp_path / "attached").touch()
    tmp_path.chmod(0o700)
    (runtime_directory / (prefix() + "link")).symlink_to(tmp_path)
    kept += [prefix() + name for name in ("open", "file", "link")]
    if user == 0:
        theirs = runtime_directory / (prefix() + "theirs")
        theirs.mkdir(mode=0o700)
        (theirs / "attached").touch()
        os.chown(theirs, NOBODY, -1)
        kept.append(theirs.name)
    sweep()
    assert sorted(path.name for path in runtime_directory.iterdir()) == sorted(kept)
    assert (tmp_path / "attached").exists()
    for path in runtime_directory.iterdir():
        subprocess.run(["rm", "-r", str(path)], check=True)


def test_unfinished_ones(runtime_directory):
    """One that may be just being made stays for a minute."""
    young, old = (runtime_directory / (prefix() + name) for name in ("young", "old"))
    for path in (young, old):
        path.mkdir(mode=0o700)
    os.utime(old, (0, 0))
    sweep()
    assert list(runtime_directory.iterdir()) == [young]
    young.rmdir()


def make_and_remove(directory: str, count: int) -> None:
    os.environ["XDG_RUNTIME_DIR"] = directory
    for _ in range(count):
        place = Place.make()
        other = Place.open(place.path)
        place.write_config(b"settings")
        assert other.read_config() == b"settings"
        other.close()
        place.remove()
        place.close()


def test_many_at_once(context, runtime_directory):
    """Sessions that begin and end side by side do not sweep each other away."""
    args = str(runtime_directory), 40
    makers = [context.Process(target=make_and_remove, args=args) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
        assert maker.exitcode == 0
        maker.close()


# --- in a forked child ------------------------------------------------------------------


def check_in_child(place: Place, connection) -> None:
    connection.send(_lock.try_lock(place.descriptor))
    connection.recv()
    connection.send(_lock.try_lock(place.descriptor))
    place.close()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.parametrize("is_cleared", [False, pytest.param(True, marks=needs_proc)])
def test_forked_child(place, is_cleared):
    """A child neither shares its parent's lock nor keeps it alive, the directory there or not."""
    if is_cleared:
        place.remove()
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=check_in_child, args=(place, theirs))
    child.start()
    assert ours.recv() is False
    os.close(place.descriptor)  # as the kernel does when the parent is killed
    place.descriptor = -1
    ours.send(None)
    assert ours.recv() is True
    child.join()
    child.close()
    ours.close(), theirs.close()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_fork_while_a_place_is_made(monkeypatch):
    """Nor does one that another thread forks meanwhile."""
    children = []

    def lock_and_fork(descriptor, shared=False):
        _lock.lock(descriptor, shared)
        if not children:
            children.append(os.fork())
            if children == [0]:
                signal.pause()

    monkeypatch.setattr("mplogging._wire.place.lock", lock_and_fork)
    place = Place.make()
    place.close()
    descriptor = os.open(place.path, os.O_RDONLY)
    try:
        assert _lock.FileLock(10).acquire(descriptor)  # once the child has begun to run
    finally:
        os.close(descriptor)
        os.kill(children[0], signal.SIGKILL)
        os.waitpid(children[0], 0)
        place.remove()
