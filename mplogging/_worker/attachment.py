"""How a process is attached to a session: its loggers lead there, and back in the end."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Callable, NamedTuple

from .._unmade import set_up
from .._wire.place import Place
from .channels import Channel, QueueAddress
from .companions import Companions
from .config import Config
from .factory import Factory, use_factory
from .fields import RecordFields
from .handler import SessionHandler
from .steering import Steering
from .successors import Onward
from .tree import Branch, Standing, Tree


class End(NamedTuple):
    """This process's end of the way to a further file of the session."""

    channel: Channel
    config: Config
    handler: SessionHandler


class Heir(NamedTuple):
    """What a forked child of this process takes over, ready-made.

    What is made in a child is made once for each, and dear there: it is the first to touch
    what it takes for that, and each page that it touches is copied. Here it is made once.
    """

    config: Config
    handler: SessionHandler
    ends: list[End]
    tree: Tree  # of a program that has nothing on named loggers


class Attachment:
    """This process's place in a session: its loggers, and what was there before.

    Args:
        ends: Of the further files.
    """

    def __init__(
        self,
        address: str | QueueAddress,
        channel: Channel,
        config: Config,
        handler: SessionHandler,
        ends: Sequence[End] = (),
    ) -> None:
        self.address = address
        self.addresses = {address} if isinstance(address, str) else set()
        # In the session's process: makes sure that there is one for the next process.
        self.renew: Callable[[], str | QueueAddress] = lambda: self.address
        self.channel = channel
        self.config = config
        self.handler = handler
        self.ends = list(ends)
        self.tree: Tree | None = None
        self._old_factory: Factory | None = None
        self._fields = RecordFields()
        self.steering = Steering()
        self.companions = Companions()
        self.when_doing: Callable[[str], object] | None = None  # is told what `do` is
        self._doing = ""
        # In the session's process: what a forked child is to have, and what no more.
        self.see_tree: Callable[[], Mapping[str, Branch]] | None = None
        self.served: Callable[[], Sequence[logging.Handler]] = list
        self.places: Callable[[], Sequence[Place]] = list  # of its first file
        self.branches: Mapping[str, Branch] | None = None  # as seen last, before a fork
        self._heir: Heir | None = None
        self.follows_forks = True  # do forked children belong to the session too?
        self.session_pid: int | None = None  # set where the session itself runs
        self.outlets = [outlet for one in self.root_handlers() for outlet in one.outlets()]
        root = logging.getLogger()
        self._old_handlers = root.handlers
        self._old_level = root.level
        self._old_capture = logging._warnings_showwarning is not None  # type: ignore[attr-defined]

    def handlers(self) -> list[SessionHandler]:
        """That of each file, in order."""
        return [self.handler, *(end.handler for end in self.ends)]

    def root_handlers(self) -> list[SessionHandler]:
        """Those that stand on the root logger."""
        handlers = self.handlers()
        return [self.handler, *(handlers[number] for number in self.config.root_lanes)]

    def grow(self, previous: Tree | None = None) -> None:
        """Let the named loggers, levels and records be as in the session's process."""
        self._old_factory = use_factory(self.config.factory)
        self.tree = Tree(self.config.tree or {}, self.handlers(), previous=previous)
        self.tree.set_up_root()
        self.config.levels.apply(self.tree.steps())
        self.steering.follow(self.config.orders)
        self._begin_to_follow()

    def adopt(self, config: Config) -> None:
        """The session has another configuration by now."""
        self.config = config
        self._fields.leave_out(config.left_out)

    def _begin_to_follow(self) -> None:
        self.handler.when_new = self._follow
        if self.handler.news is not None:  # another thread's record has come upon it already
            self._follow(self.handler.news)

    def _follow(self, config: Config) -> None:
        self.adopt(config)
        if self.tree is not None and config.tree:
            self.tree.follow(config.tree)
        self.steering.follow(config.orders)

    def see_to_heir(self, onward: Callable[[Attachment], Onward]) -> None:
        """Before a fork: see that there is what the child takes over, as things are now."""
        if self.see_tree is not None:
            self.branches = self.see_tree()
        if self._heir is None or self._heir.config is not self.config:
            self._heir = self._make_heir(onward(self))

    def _make_heir(self, onward: Onward) -> Heir:
        handler = SessionHandler(self.channel, self.config, self.handler)
        ends = [
            end._replace(handler=SessionHandler(end.channel, end.config, end.handler))
            for end in self.ends
        ]
        handlers = [handler, *(end.handler for end in ends)]
        for one in handlers:
            one.onward = onward
        handler.when_new = self._follow
        return Heir(self.config, handler, ends, Tree({}, handlers, inherited=()))

    def grow_again(self, onward: Callable[[Attachment], Onward]) -> None:
        """In a forked child, whose loggers have its parent's handlers."""
        heir, self._heir = self._heir, None
        if heir is None or heir.config is not self.config:  # another thread was at it
            heir = self._make_heir(onward(self))
        before, ends, old_tree = self.handler, self.ends, self.tree
        self.handler, self.ends, self.tree = heir.handler, heir.ends, heir.tree
        self.handler.succeed(before)
        for end, old in zip(self.ends, ends):
            end.handler.succeed(old.handler)
        self.install()
        if self.branches is None:
            self.branches = self.config.tree or {}
        if self.branches:
            inherited = [*self.served(), before, *(end.handler for end in ends)]
            inherited += [] if old_tree is None else old_tree.handlers()
            self.tree = Tree(self.branches, self.handlers(), inherited=inherited)
            set_up(self.tree.steps(), is_more=True)
        self.served, self.see_tree = list, None

    def install(self) -> None:
        """Let the root logger have no handlers but ours."""
        logging.getLogger().handlers = [*self.root_handlers()]
        self._fields.leave_out(self.config.left_out)
        if self.config.captures_warnings:
            logging.captureWarnings(True)

    # -- the program's next session -------------------------------------------------------

    def lead_on(self, onward: Onward) -> None:
        """Let our handlers know where records go once the session is over."""
        for handler in self.handlers():
            handler.onward = onward

    def standing_on(self, name: str) -> Iterator[Standing]:
        """Our handlers on the logger of that name."""
        if name == logging.root.name:
            yield from self.root_handlers()
        elif self.tree is not None:
            yield from self.tree.standing_on(name)

    def hand_over(self) -> bool:
        """The session is over: see that all that was sent stands in the logs; else False."""
        are_done = [handler.hand_over() for handler in self.handlers()]  # each of them
        return all(are_done)

    def take(self, record: logging.LogRecord, before: Attachment, last: str) -> bool:
        """Take a record that had come to a logger's handlers when these led elsewhere.

        It is on its way up, and comes to the handlers of the loggers above by itself.

        Args:
            before: Where they led.
            last: The name of that logger.

        Returns:
            False if loggers would not have made, or let pass, such a record here.
        """
        found = logging.root.manager.loggerDict.get(record.name)
        logger = found if isinstance(found, logging.Logger) else logging.root
        if not (self._is_made_alike(record, before) and logger.isEnabledFor(record.levelno)):
            return False
        ours: list[logging.Handler] = list(self.handlers())
        ours += [] if self.tree is None else self.tree.handlers()
        above: logging.Logger | None = logger
        while above is not None and _is_at_or_below(above.name, last):
            for handler in above.handlers:
                if any(handler is one for one in ours) and record.levelno >= handler.level:
                    handler.handle(record)
            above = above.parent if above.propagate else None
        return True

    def _is_made_alike(self, record: logging.LogRecord, before: Attachment) -> bool:
        name = "" if record.name == logging.root.name else record.name
        return (
            self.config.factory == before.config.factory
            and self.config.left_out >= before.config.left_out
            and self.tree is not None
            and before.tree is not None
            and self.tree.lets_pass(name) == before.tree.lets_pass(name)
        )

    def succeed(self, other: Attachment) -> None:
        """Take its place, and put back in the end what was there before it.

        A record that another thread logs meanwhile has a way all the time.
        """
        root = logging.getLogger()
        theirs = other.root_handlers()
        added = [one for one in root.handlers if not any(one is their for their in theirs)]
        root.handlers = [*self.root_handlers(), *(added if other.is_in_place else [])]
        self._fields = other._fields
        self._fields.leave_out(self.config.left_out)
        self._old_handlers, self._old_level = other._old_handlers, other._old_level
        self._old_capture = other._old_capture
        if self.config.captures_warnings:
            logging.captureWarnings(True)
        elif other.config.captures_warnings and not self._old_capture:
            logging.captureWarnings(False)
        other.steering.end()
        other.companions.end()
        self.config = self.config._replace(levels=self.config.levels.after(other.config.levels))
        self.grow(other.tree)
        if other._old_factory is not None:
            if self.config.factory is None:
                logging.setLogRecordFactory(other._old_factory)
            self._old_factory = other._old_factory
        if other.tree is not None:
            other.tree.undo()

    def do(self, what: str) -> str:
        """A `@worker` function runs, or none ("") does; returns what did before."""
        before, self._doing = self._doing, what
        if self.when_doing is not None:
            self.when_doing(what)
        return before

    # -- the end --------------------------------------------------------------------------

    @property
    def is_in_place(self) -> bool:
        """False if logging has been set up anew meanwhile."""
        return self.handler in logging.getLogger().handlers

    @property
    def gets_all(self) -> bool:
        """True if records of this process come here; in the session's own, they always do."""
        return self.is_in_place or self.session_pid == os.getpid()

    def has_outlet(self, handler: logging.Handler) -> bool:
        """True if what comes to this handler comes to its file or stream by way of us too."""
        return any(_leads_to_the_same(handler, outlet) for outlet in self.outlets)

    def detach(self) -> None:
        """Put the loggers back as they were."""
        self.companions.end()
        self.steering.end()
        if self.tree is not None:
            self.tree.undo()
        self._fields.put_back()
        if self._old_factory is not None:
            logging.setLogRecordFactory(self._old_factory)
        root = logging.getLogger()
        root.handlers = self._old_handlers
        root.setLevel(self._old_level)
        if self.config.captures_warnings and not self._old_capture:
            logging.captureWarnings(False)

    def close(self) -> None:
        """Give up the channel, after `detach`."""
        self.handler.end_channel()
        self.channel.close()
        for end in self.ends:
            end.handler.end_channel()
            end.channel.close()

    def leave(self) -> None:
        """This process is about to end: what nobody reads any more, it writes."""
        self.companions.end()
        for handler in self.handlers():
            handler.leave()


def _is_at_or_below(name: str, last: str) -> bool:
    return last in (name, logging.root.name) or name.startswith(last + ".")


def _leads_to_the_same(handler: logging.Handler, other: logging.Handler) -> bool:
    if handler is other:
        return True
    if type(handler) is not type(other):
        return False
    file, stream = (getattr(handler, name, None) for name in ("baseFilename", "stream"))
    if file is not None:
        return bool(file == getattr(other, "baseFilename", None))
    return stream is not None and stream is getattr(other, "stream", None)
