"""A session's directory stands beside the log, or where else it is safe and has room."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
from pathlib import Path

import pytest

from mplogging._errors import SessionError
from mplogging._wire import where
from mplogging._wire.place import Place, prefix
from mplogging._wire.where import (
    boot_id,
    candidates,
    check_owner,
    is_shared_with_other_machines,
    leftovers,
    make_place,
    runtime_directories,
)

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")


def made_in(directories: list[str]) -> str:
    """Where a place was made; it is gone by then."""
    place = make_place(directories)
    assert sorted(place.names()) == ["journal-1", "note", "recovery"]
    assert place.load()[0].places == {1: os.stat(f"{place.path}/journal-1").st_size}
    place.remove()
    place.close()
    return os.path.dirname(place.path)


# --- where to look ----------------------------------------------------------------------


def test_candidates(runtime_directory, monkeypatch, tmp_path):
    """Beside the log, the runtime directory, the temporary one; or the user's choice alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fallbacks = [str(runtime_directory), str(tmp_path)]
    assert runtime_directories() == fallbacks
    assert candidates("/var/log", None) == ["/var/log", *fallbacks]
    assert candidates(None, None) == fallbacks
    assert candidates("/var/log", "/chosen") == ["/chosen"]


@pytest.mark.parametrize("value", ["", "/nowhere/at/all"])
def test_no_runtime_directory(monkeypatch, tmp_path, value):
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert runtime_directories() == [str(tmp_path)]


@needs_root
def test_runtime_directory_of_another_user(monkeypatch, tmp_path, runtime_directory):
    """What `sudo` left in the environment is not used."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    os.chown(runtime_directory, NOBODY, NOBODY)
    assert runtime_directories() == [str(tmp_path)]


def test_they_are_absolute(monkeypatch, runtime_directory):
    """Workers may start elsewhere."""
    monkeypatch.chdir(runtime_directory)
    monkeypatch.setenv("XDG_RUNTIME_DIR", ".")
    assert runtime_directories()[0] == str(runtime_directory)


# --- what is passed over ----------------------------------------------------------------


def test_the_first_that_is_fit(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    assert made_in([str(first), str(second)]) == str(first)
    assert sorted(tmp_path.rglob("*")) == [first, second]


def test_none_is_fit(tmp_path):
    """The error says of each why, and the way out."""
    (tmp_path / "file").touch()
    with pytest.raises(SessionError) as raised:
        make_place(["/nowhere/at/all", str(tmp_path / "file")])
    message = str(raised.value)
    assert "'/nowhere/at/all': No such file" in message
    assert f"'{tmp_path}/file'" in message and "no directory" in message
    assert "give journalDir= a directory of yours on a local disk" in message


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o2777])
def test_others_may_write_there(tmp_path, mode):
    """They could put another in its place; unless the directory is sticky."""
    open_one, fit = tmp_path / "open", tmp_path / "fit"
    open_one.mkdir(), fit.mkdir()
    open_one.chmod(mode)
    assert made_in([str(open_one), str(fit)]) == str(fit)
    open_one.chmod(mode | 0o1000)
    assert made_in([str(open_one), str(fit)]) == str(open_one)


def test_a_group_may_write_there(tmp_path):
    """As with the umask that several systems begin with."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o775)
    assert made_in([str(shared)]) == str(shared)


@needs_root
def test_another_users_directory(tmp_path):
    """Fit only if it is sticky."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    with pytest.raises(PermissionError, match="another user's"):
        check_owner(str(theirs))
    theirs.chmod(0o1777)
    check_owner(str(theirs))


@needs_root
def test_roots_directory(tmp_path):
    """Fit for others, if they may write there; the reason names it if not."""
    tmp_path.chmod(0o755)
    there, back = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chdir("/")
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            try:
                make_place(["/"])
            except SessionError as error:
                os.write(back, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert "'/': Permission denied" in os.read(there, 1000).decode()
    os.close(there), os.close(back)


def test_a_directory_that_hands_its_group_down(tmp_path):
    """Is as fit as any."""
    tmp_path.chmod(0o2755)
    assert made_in([str(tmp_path)]) == str(tmp_path)


def test_a_file_system_without_modes(tmp_path, monkeypatch):
    """As FAT: nobody can tell whose what stands there is."""
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    mkdir = os.mkdir
    strange, fit = tmp_path / "strange", tmp_path / "fit"
    strange.mkdir(), fit.mkdir()

    def mkdir_there(path, mode=0o777, **more):
        mkdir(path, mode, **more)
        if Path(path).parent == strange:
            os.chmod(path, 0o755)

    monkeypatch.setattr(os, "mkdir", mkdir_there)
    assert made_in([str(strange), str(fit)]) == str(fit)
    assert not list(strange.iterdir())


@pytest.mark.parametrize("room", [0, 100, 4096, 8192, 8192 + 4000])
def test_a_full_disk(tmp_path, room):
    """Where a trial does not fit is passed over, and nothing stays there."""
    there, back = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (min(room, 4000), 1 << 40))
            try:
                make_place([str(tmp_path)])
            except SessionError as error:
                os.write(back, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert "File too large" in os.read(there, 1000).decode()
    os.close(there), os.close(back)
    assert not list(tmp_path.iterdir())


@needs_root
def test_a_full_file_system(tmp_path):
    """Where one can be mounted."""
    full, fit = tmp_path / "full", tmp_path / "fit"
    full.mkdir(), fit.mkdir()
    if os.system(f"mount -t tmpfs -o size=12k tmpfs {full} 2>/dev/null"):
        pytest.skip("may not mount")
    try:
        full.chmod(0o755)
        (full / "filler").write_bytes(bytes(4096))
        assert made_in([str(full), str(fit)]) == str(fit)
        assert [path.name for path in full.iterdir()] == ["filler"]
    finally:
        os.system(f"umount {full}")


def test_no_locks_there(tmp_path, monkeypatch):
    """Where another can be its reader, or locks fail, is no place."""
    monkeypatch.setattr(Place, "try_reader_lock", lambda self: False)
    with pytest.raises(SessionError, match="locks do not work here|No locks available"):
        make_place([str(tmp_path)])
    assert not list(tmp_path.iterdir())


# --- what is left there -----------------------------------------------------------------


def test_leftovers(tmp_path):
    """This user's directories, each once, in order; no links, no files, no others'."""
    user = os.geteuid()
    wanted = [str(tmp_path / (prefix() + name)) for name in ("a", "b")]
    for path in wanted:
        os.mkdir(path)
    for name in (f".mplogging-{user + 1}-a", f"mplogging-{user}-a", f".mplogging-{user}"):
        (tmp_path / name).mkdir()
    (tmp_path / (prefix() + "file")).touch()
    (tmp_path / (prefix() + "link")).symlink_to(wanted[0])
    assert list(leftovers([str(tmp_path), "/nowhere/at/all", str(tmp_path)])) == wanted
    for path in tmp_path.iterdir():
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


# --- the machine ------------------------------------------------------------------------

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
99 27 {device} / /a\\040-\\040b rw,relatime shared:1 master:2 - {kind} server:/export rw
98 27 7:7 / /other rw - ext4 /dev/x rw
"""


@pytest.mark.parametrize(
    "kind, is_shared",
    [(kind, True) for kind in ("nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "fuse.sshfs",
                               "fuse", "ceph", "lustre", "afs", "glusterfs")]
    + [(kind, False) for kind in ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs")],
)  # fmt: skip
def test_file_systems_of_several_machines(tmp_path, monkeypatch, kind, is_shared):
    """As the table of mounts names their kind."""
    device = os.stat(tmp_path).st_dev
    table = tmp_path / "mountinfo"
    table.write_text(
        MOUNTS.format(device=f"{os.major(device)}:{os.minor(device)}", kind=kind)
    )
    monkeypatch.setattr(where, "open", lambda *_, **more: Path.open(table, **more), raising=False)
    assert is_shared_with_other_machines(str(tmp_path)) == is_shared


@pytest.mark.parametrize("table", ["", "nonsense\n", "1 2 3:4\n", "- \n"])
def test_a_table_that_tells_nothing(tmp_path, monkeypatch, table):
    """Is no reason to mistrust."""
    (tmp_path / "mountinfo").write_text(table)
    monkeypatch.setattr(
        where, "open", lambda *_, **more: Path.open(tmp_path / "mountinfo", **more), raising=False
    )
    assert not is_shared_with_other_machines(str(tmp_path))
    assert not is_shared_with_other_machines("/nowhere/at/all")


def test_boot_id(monkeypatch):
    """The same as long as the machine runs; none where there is no such thing."""
    assert boot_id() == boot_id()

    def fail(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(where, "open", fail, raising=False)
    assert boot_id() == ""


def test_where_its_bell_may_hang(runtime_directory, monkeypatch, tmp_path):
    """In the directories for what lives no longer than a session, under its own name."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = make_place([str(tmp_path)])
    name = Path(place.path).name[1:] + ".bell"
    assert where.bell_paths(place) == [f"{runtime_directory}/{name}", f"{tmp_path}/{name}"]
    place.remove()
    place.close()
