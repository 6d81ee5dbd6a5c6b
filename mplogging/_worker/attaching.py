"""How a process is attached to a session: its root logger leads there, and back in the end.

A process is attached to one session at most. That includes the session's own
process, whose records take the same way.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
from _thread import allocate_lock
from typing import Any

from .._errors import ConfigError, SessionClosedError, SessionError, is_foreign, tell
from .._limit import tell_all_held
from .._public import public
from .._wire.place import ENVIRONMENT
from .attachment import Attachment, End
from .channels import Channel, JournalChannel, QueueAddress, QueueChannel
from .config import Config
from .going_on import GoingOn
from .handler import SessionHandler
from .packages import multiprocessing_utils

_attached: Attachment | None = None
_following = allocate_lock()  # the next session; never waited for
_retired: list[Attachment] = []
_sees_to_forks: list[Any] = []  # the `util` of each package that has been told


def attached() -> Attachment | None:
    """How this process is attached, None if it is not."""
    return _attached


def set_attached(attachment: Attachment | None) -> None:
    """Say what `attached` returns from now on."""
    global _attached
    _attached = attachment
    root: Any = logging.getLogger()
    if attachment is not None and "addHandler" not in vars(root):
        root.addHandler = _add_handler
    elif attachment is None and vars(root).get("addHandler") is _add_handler:
        del root.addHandler
    if attachment is not None:
        _see_to_forks()


@public
def attach(
    address: str | os.PathLike[str] | QueueAddress | None = None, *, required: bool = True
) -> bool:
    """Let this process log to a session that another process began.

    For a process that was started some other way than by `multiprocessing`, or
    where `autoAttach` is off. A second time, for the same session, does nothing.

    Args:
        address: `session.address`; by default what the environment's
            `MPLOGGING_SESSION` says, which processes inherit from the session's.
        required: False for a program that also runs alone: that there is no session,
            or that it is over, is no error then.

    Returns:
        Whether this process is attached to it.

    Raises:
        ConfigError: The address can't be one.
        SessionClosedError: The session is over, or there is no address.
        UnsafeSessionError: The session directory is not this user's own with mode
            0700: somebody else could have written to it.
        SessionError: A session of this process's own is running, or the system
            has no descriptor left.
    """
    try:
        _attach(address)
    except SessionClosedError:
        if required:
            raise
        return False
    return True


def _attach(address: str | os.PathLike[str] | QueueAddress | None) -> None:
    if address is None:
        address = os.environ.get(ENVIRONMENT)
        if address is None:
            if _attached is not None:
                return
            raise SessionClosedError(
                f"attach() needs an address: {ENVIRONMENT} is not in the environment,"
                " so no session was running when this process was started"
                " (attach(required=False) is for a program that also runs alone)"
            )
    if not isinstance(address, (QueueAddress, str)):
        try:
            address = os.fspath(address)
        except TypeError:
            raise ConfigError(
                f"address must be what session.address was, got {address!r}"
            ) from None
    if _attached is not None and (
        _attached.address == address or address in _attached.addresses
    ):
        return
    if _attached is not None and _attached.session_pid == os.getpid():
        raise SessionError(
            f"attach({address!r}) in the process of a running session: leave that first"
        )
    attachment, before = _opened(address), _attached
    if before is None:
        attachment.install()
        attachment.grow()
    else:
        if before.channel.is_over():
            before.hand_over()
        attachment.succeed(before)
    _go_by(attachment)
    if before is not None:
        _retire(before)
        _leave_retired()
    _see_to_leaving()


def _opened(address: str | QueueAddress) -> Attachment:
    channel: Channel
    config: Config
    if isinstance(address, QueueAddress):
        channel, config = QueueChannel(address.queue), pickle.loads(address.config)
    else:
        channel, config = JournalChannel.open(address)
    ends: list[End] = []
    try:
        handler = SessionHandler(channel, config)
        for place in config.lanes:
            ends.append(_end_at(place))
    except BaseException:
        for other in (channel, *(end.channel for end in ends)):
            other.close()
        raise
    attachment = Attachment(address, channel, config, handler, ends)
    attachment.lead_on(_onward(attachment))
    return attachment


def _go_by(attachment: Attachment) -> None:
    set_attached(attachment)
    if isinstance(attachment.address, str):
        # For the programs that this process starts.
        os.environ[ENVIRONMENT] = attachment.address
    attachment.companions.begin(attachment.config.companions)


def _follow(going_on: GoingOn) -> None:
    """A session is over: go on with the program's next one, if there is one."""
    if not _following.acquire(blocking=False):
        return  # another thread is at it, or an interrupted call of this one's
    try:
        before = going_on.attachment
        address = going_on.next_address() if _attached is before else None
        if address is None or not going_on.hand_over():
            return
        try:
            attachment = _opened(address)
        except Exception as error:
            if is_foreign(error):
                raise
            going_on.pass_over(address)
            if not isinstance(error, SessionClosedError):  # it has not just ended
                tell(f"process {os.getpid()} can't go on in {address!r}: {error}", stacklevel=2)
            return
        attachment.succeed(before)
        _go_by(attachment)
        going_on.successor = attachment
        _retire(before)
    finally:
        _following.release()


def _onward(attachment: Attachment) -> GoingOn:
    return GoingOn(attachment, _follow)


def _retire(attachment: Attachment) -> None:
    """Leave it for good later: another thread may be about to send through it."""
    _leave_retired()
    _retired.append(attachment)


def _leave_retired() -> None:
    while _retired:
        attachment = _retired.pop()
        attachment.leave()
        attachment.close()


def _end_at(address: str) -> End:
    channel, config = JournalChannel.open(address)
    try:
        return End(channel, config, SessionHandler(channel, config))
    except BaseException:
        channel.close()
        raise


def present_address(address: str | QueueAddress) -> str | QueueAddress:
    """The address for a process that is about to be started; another, if that is gone."""
    if _attached is not None and _attached.session_pid == os.getpid():
        if isinstance(address, QueueAddress) or address in _attached.addresses:
            return _attached.renew()
    return address


def stay_attached() -> None:
    """If the root logger has been set up anew, put the handler beside what it has now."""
    if _attached is not None and not _attached.is_in_place:
        root = logging.getLogger()
        for handler in root.handlers[:]:
            if _attached.has_outlet(handler):
                root.removeHandler(handler)
        for handler in _attached.root_handlers():
            root.addHandler(handler)


def _add_handler(handler: logging.Handler) -> None:
    """`addHandler` of the root logger, while this process is attached.

    Set-up code that adds a handler "unless one of its class is there" finds none, though
    the session writes to its file: all lines would come twice.
    """
    root = logging.getLogger()
    if _attached is None or not _attached.has_outlet(handler) or not _attached.gets_all:
        type(root).addHandler(root, handler)
    elif not any(handler is outlet for outlet in _attached.outlets):
        handler.close()


def _before_fork() -> None:
    """A forked child is to have the named loggers' handlers as they are by now."""
    if _attached is not None and _attached.follows_forks:
        with contextlib.suppress(Exception):
            _attached.see_to_heir(_onward)


def _after_fork() -> None:
    """A forked child has its parent's root logger: it gets one of its own."""
    global _following
    _following = allocate_lock()  # a thread may have had it that is not here
    attachment = _attached
    if attachment is None:
        return
    if attachment.follows_forks:
        attachment.grow_again(_onward)
        attachment.companions.go_on(attachment.config.companions)
        _see_to_forks()
        _see_to_leaving()
    else:
        attachment.companions.disown()
        attachment.detach()
        attachment.close()
        set_attached(None)


def _see_to_forks() -> None:
    # A child that `multiprocessing` forks forgets what had been registered until then.
    for util in multiprocessing_utils():
        if util not in _sees_to_forks:
            _sees_to_forks.append(util)
            util.register_after_fork(_leave, _see_to_leaving)


_leaving: list[Any] = []


def _see_to_leaving(_: object = None) -> None:
    # Children of `multiprocessing` don't run `atexit`; this serves every process.
    while _leaving:
        _leaving.pop().cancel()  # one is enough, however often this process is attached
    for util in multiprocessing_utils():
        _leaving.append(util.Finalize(None, _leave, exitpriority=-1000))


def _leave() -> None:
    _leave_retired()
    if _attached is None:
        return
    if not _attached.is_in_place:
        warn_of_set_up(stacklevel=2)
    tell_all_held()
    _attached.leave()


def warn_of_set_up(stacklevel: int) -> None:
    """Warn that this process's root logger has lost its way into the session."""
    tell(
        "logging was set up anew while the session ran: what this process"
        f" ({os.getpid()}) logged from then on is not in the session's log. Set it up"
        " before the session, or give the session handlers=[...]",
        stacklevel + 1,
    )


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
