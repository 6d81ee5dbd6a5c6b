"""A session's directory is its user's alone, entered once, and left through its descriptor."""

from __future__ import annotations

import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from mplogging._errors import SessionClosedError, SessionError, UnsafeSessionError
from mplogging._wire.note import NOTE_BYTES, Head, Intent, Note
from mplogging._wire.place import Place, is_open_here, prefix

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")


@pytest.fixture
def umask():
    """Sets the umask, which is put back."""
    old = os.umask(0o022)
    os.umask(old)
    yield os.umask
    os.umask(old)


@pytest.fixture
def low_limit():
    """Lets few descriptors be open; put back."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda soft: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, limits[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def mode(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def descriptors() -> set[int]:
    return {number for number in range(1200) if is_open(number)}


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


# --- making -----------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o027, 0o277])
def test_nothing_is_open_to_others(umask, tmp_path, mask):
    """Directory and files are the user's alone, under any umask."""
    umask(mask)
    place = Place.make(str(tmp_path))
    place.write_config(b"settings")
    place.write_recovery(b"{}")
    os.close(place.open_segment(1, os.O_WRONLY | os.O_CREAT))
    assert mode(place.path) == 0o700
    modes = {name: mode(os.path.join(place.path, name)) for name in place.names()}
    assert modes == dict.fromkeys(("note", "config", "recovery", "journal-1"), 0o600 & ~mask)
    place.remove()
    place.close()


def test_in_a_directory_that_hands_its_group_down(tmp_path):
    """The bit for that, which a new directory gets too, is taken away."""
    tmp_path.chmod(0o2755)
    place = Place.make(str(tmp_path))
    assert mode(place.path) == 0o700
    place.remove()
    place.close()


def test_its_path(monkeypatch, tmp_path):
    """It is absolute, hidden, and has the user's number in its name."""
    monkeypatch.chdir(tmp_path)
    place = Place.make(".")
    assert Path(place.path).parent == tmp_path
    assert Path(place.path).name.startswith(prefix())
    assert prefix() == f".mplogging-{os.geteuid()}-"
    place.remove()
    place.close()


@pytest.mark.parametrize("left", range(5))
def test_too_many_open_files(tmp_path, low_limit, left):
    """Without descriptors it can't be made; nothing half made stays, and no descriptor."""
    spare = os.open("/", os.O_RDONLY)
    fillers = []
    low_limit(spare + 40)
    try:
        while True:
            try:
                fillers.append(os.dup(spare))
            except OSError:
                break
        for _ in range(left):
            os.close(fillers.pop())
        if left < 2:  # one for the directory, one for the note
            with pytest.raises(OSError, match="Too many open files"):
                Place.make(str(tmp_path))
        else:
            place = Place.make(str(tmp_path))
            place.remove()
            place.close()
        fillers += [os.dup(spare) for _ in range(left)]  # as many are free as before
    finally:
        for descriptor in [*fillers, spare]:
            os.close(descriptor)
    assert not list(tmp_path.iterdir())


# --- opening ----------------------------------------------------------------------------


def test_open(place):
    """Another process of the user finds what is in it."""
    place.write_config(b"first")
    place.write_config(b"settings")
    other = Place.open(place.path)
    assert (other.read_config(), other.read_head()) == (b"settings", place.read_head())
    other.close()
    other.close()


@pytest.mark.parametrize("path", ["gone", "gone/below", "nul\0l"])
def test_gone(tmp_path, path):
    """A place that is not there belongs to a session that is over."""
    with pytest.raises(SessionClosedError, match="is over, or there never was one"):
        Place.open(f"{tmp_path}/{path}")


def test_just_ending(place):
    """A place that is being cleared away is that of a session that is over, and stays empty."""
    before = descriptors()
    place.remove()
    os.mkdir(place.path, 0o700)
    with pytest.raises(SessionClosedError, match="just ending"):
        Place.open(place.path)
    assert os.listdir(place.path) == [] and descriptors() == before
    os.rmdir(place.path)


@pytest.mark.parametrize("permissions", [0o701, 0o710, 0o750, 0o755, 0o777, 0o1700, 0o500])
def test_another_mode(place, permissions):
    """Any mode but 0700 is refused, by its value."""
    before = descriptors()
    os.chmod(place.path, permissions)
    with pytest.raises(UnsafeSessionError, match=f"mode {permissions:04o}, not 0700"):
        Place.open(place.path)
    os.chmod(place.path, 0o700)  # else only root could remove it
    assert descriptors() == before


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


def test_no_descriptor_to_open_it_with(place, low_limit):
    """That is an error of this process, and says nothing of the session."""
    low_limit(3)
    with pytest.raises(SessionError, match="Too many open files") as raised:
        Place.open(place.path)
    assert not isinstance(raised.value, (SessionClosedError, UnsafeSessionError))


# --- the files within -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
@pytest.mark.parametrize("name", ["config", "recovery", "journal-1", "note"])
def test_only_regular_files(place, tmp_path, kind, name):
    """What else somebody has put there is neither followed, nor waited for, nor read."""
    path = os.path.join(place.path, name)
    if os.path.exists(path):
        os.unlink(path)
    if kind == "link":
        (tmp_path / "secret").write_bytes(b"another's")
        os.symlink(tmp_path / "secret", path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.mkdir(path)
    before = descriptors()
    for flags in (os.O_RDONLY, os.O_RDWR):
        with pytest.raises((OSError, UnsafeSessionError)):
            os.close(place.open_file(name, flags))
    if name == "note":
        with pytest.raises(SessionError):
            Place.open(place.path)
    assert descriptors() == before
    if kind == "directory":
        os.rmdir(path)


def test_a_config_that_is_replaced_is_whole(place):
    """Whoever opened the old one reads that, and nothing is left over."""
    place.write_config(b"the first of them")
    old = place.open_file("config", os.O_RDONLY)
    place.write_config(b"second")
    assert os.read(old, 100) == b"the first of them"
    assert place.read_config() == b"second"
    os.close(old)
    assert sorted(place.names()) == ["config", "journal-1", "note", "recovery"]


def test_the_note_and_the_path_on_it(place):
    """Whoever comes after finds both; the path is kept while an intent is about it."""
    note = Note(1, 24)
    note.intend(Intent(1, 24, 90, 1, 2, 3, 4))
    place.save(note, "/log/à\udcff")
    other = Place.open(place.path)
    assert (vars(other.load()[0]), other.load()[1]) == (vars(note), "/log/à\udcff")
    assert other.read_head() == Head.load(note.dump())
    place.save(note, "/" + "x" * NOTE_BYTES)
    assert other.load()[1] == ("/" + "x" * NOTE_BYTES)[: NOTE_BYTES - 1]
    other.close()


def test_the_path_of_another_reader(place):
    """It is replaced by one's own, though that was the last that oneself has saved."""
    other = Place.open(place.path)
    note = Note(1, 24)
    note.intend(Intent(1, 24, 90, 1, 2, 3, 4))
    for reader, path in ((place, "first"), (other, "second"), (place, "first")):
        reader.load()
        reader.save(note, path)
        assert other.load()[1] == place.load()[1] == path
    other.close()


# --- descriptors that somebody closes ---------------------------------------------------




def test_reopen(place):
    """After a daemon has closed all descriptors it is found again, if it is the same."""
    place.write_config(b"settings")
    place.close()  # as the kernel sees it
    assert not place.is_open()
    place.reopen()
    assert place.is_open() and place.read_config() == b"settings"


def test_a_number_that_is_another_files_by_now(place, tmp_path):
    """It is not taken for ours, and not closed."""
    with open(tmp_path / "theirs", "wb") as theirs:
        before = descriptors()
        note, directory = place._note, place._descriptor
        for number in (note, directory):
            os.dup2(theirs.fileno(), number)
        assert not place.is_open() and not is_open_here(place.path)
        place.close()
        assert descriptors() == before
        os.close(note), os.close(directory)
    place.reopen()


def test_reopen_finds_another(place, tmp_path):
    """One that somebody has put in its place is refused."""
    other = Place.make(str(tmp_path))
    os.rename(place.path, place.path + "-moved")
    os.rename(other.path, place.path)
    place.close()
    before = descriptors()
    for _ in range(2):
        with pytest.raises(UnsafeSessionError, match="not the directory that it was"):
            place.reopen()
        assert not place.is_open() and descriptors() == before
    os.rename(place.path, other.path)
    other.remove()
    other.close()
    os.rename(place.path + "-moved", place.path)
    place.reopen()


def test_is_open_here(place, tmp_path):
    """By what the path leads to, and for as long as it is open."""
    assert is_open_here(place.path) and is_open_here(place.path + "/../" + Path(place.path).name)
    assert not is_open_here(str(tmp_path)) and not is_open_here(place.path + "x")
    other = Place.make(str(tmp_path))
    assert is_open_here(other.path)
    other.close()
    assert not is_open_here(other.path) and is_open_here(place.path)
    other.reopen()
    other.remove()
    other.close()


def test_each_config_is_another_one(place):
    """However soon it is replaced."""
    identities = []
    for number in range(100):
        place.write_config(b"%d" % number)
        identities.append(place.config_identity())
    assert len(set(identities)) == 100


# --- its end ----------------------------------------------------------------------------


def test_remove(place):
    """All goes, whatever it is called; a second time does no harm."""
    os.close(place.open_file("of-a-later-version", os.O_WRONLY | os.O_CREAT))
    place.remove()
    assert not os.path.exists(place.path)
    place.remove()


@pytest.mark.parametrize("kind", ["directory", "link", "gone"])
def test_what_has_its_name_by_now_stays(place, tmp_path, kind):
    """Only what the descriptor leads to is removed."""
    moved, kept = tmp_path / "moved", tmp_path / "kept"
    os.rename(place.path, moved)
    kept.mkdir()
    if kind == "directory":
        os.mkdir(place.path)
    elif kind == "link":
        os.symlink(kept, place.path)
    place.remove()
    assert os.listdir(moved) == []  # what was ours
    assert kept.exists() and os.path.lexists(place.path) == (kind != "gone")
    moved.rmdir()
    if kind == "directory":
        os.rmdir(place.path)
    elif kind == "link":
        os.unlink(place.path)


def test_two_that_list_it_at_once(place):
    """Each sees all: a fork of ours too, which has the same descriptor."""
    for number in range(200):
        os.close(place.open_file(f"file-{number}", os.O_WRONLY | os.O_CREAT))
    expected = sorted(place.names())
    child = os.fork()
    if child == 0:
        while True:
            place.names()
    try:
        for _ in range(300):
            assert sorted(place.names()) == expected
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
