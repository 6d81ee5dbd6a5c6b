"""The journal of a session, as its own process keeps it: its directory, its bell, its channel.

If the directory is removed while the session runs (a cleaner, `rm -rf logs`), the
processes that have it open go on with it. The next process to start finds another,
which is made for it, and both are read.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator

from .._delivery.delivery import Delivery
from .._delivery.output import has_output
from .._delivery.recovery import describe, recover
from .._file.handler import DatedFileHandler
from .._watch.dumps import recover_rings
from .._wire.bell import Bell, remove_bell
from .._wire.drops import Dropped, read_drops
from .._wire.place import Place
from .._wire.processes import this_process
from .._wire.requests import Request, requests
from .._wire.where import bell_paths, candidates, leftovers, make_place
from .._worker.channels import JournalChannel
from .._worker.config import Config
from .sources import JournalSource
from .undo import Undo

_CAPACITY_BYTES = 64 << 20  # where there is no file to say it


class SessionJournal:
    """Makes and removes what the journal consists of.

    Args:
        file: The log, None if the session has none.
        journal_dir: Where the user wants the directory.
        undo: Gets what takes it all down again.

    Raises:
        SessionError: There can be no directory for it.
    """

    def __init__(
        self,
        file: DatedFileHandler | None,
        journal_dir: str | None,
        delivery: Delivery,
        undo: Undo,
    ) -> None:
        self._file = file
        beside = None if file is None else file.directory
        self._directories = candidates(beside, journal_dir)
        self._delivery = delivery
        self._places: list[Place] = []
        self._bell = Bell("")
        self.capacity_bytes = _CAPACITY_BYTES if file is None else file.bufferBytes
        self._readers_source: JournalSource | None = None
        undo.push(self._remove)
        self._recover([*self._directories, *candidates(beside, None)])
        place = self._make()
        self._bell = Bell.make(bell_paths(place))
        self.channel = JournalChannel(place, self._bell, self.capacity_bytes, this_process())

    @property
    def bell(self) -> str:
        """Path of the bell, "" if there is none."""
        return self._bell.path

    def source(self) -> JournalSource:
        """What reads it, once the channel has its sender."""
        source = JournalSource(
            self._bell, self._delivery, self.channel.writer, self.channel.read_elsewhere
        )
        source.add(self._places[-1], self.channel.writer)
        self._readers_source = source
        return source

    def is_there(self) -> bool:
        """False if the directory was removed underneath."""
        return self._places[-1].is_there()

    def publish(self, config: Config) -> str:
        """Let processes that start from now on have this; returns the address for them.

        Raises:
            OSError, SessionError: There can be no directory any more.
        """
        place = self._places[-1]
        if not self.is_there():
            place = self._make()
            if self._readers_source is not None:
                self._readers_source.add(place)
        place.write_config(pickle.dumps(config))
        return place.path

    def requests(self) -> Iterator[Request]:
        """What other processes ask for at present."""
        for place in self._places:
            yield from requests(place)

    def places(self) -> list[Place]:
        """Its directory, and before it those that were removed underneath."""
        return self._places[:]

    def drops(self) -> Iterator[tuple[int, Dropped]]:
        """What processes had to drop, by pid."""
        for place in self._places:
            yield from read_drops(place)

    def _make(self) -> Place:
        place = make_place(self._directories, self._places.append)
        place.write_recovery(describe(self._file, bell_paths(place)))
        return place

    def _recover(self, directories: list[str]) -> None:
        """Write what killed sessions have left, with the settings that they had."""
        for path in leftovers(directories):
            done = recover(path, aftercare=recover_rings)
            self._delivery.counts["recovered"] += done.records
            if done.left or "--force" in done.problem:
                self._delivery.warn("a session has left something: %s", done)

    def _is_all_read(self) -> bool:
        return self._readers_source is None or self._readers_source.is_all_read()

    def _remove(self) -> None:
        """What is left is for those who are still attached, or for the next session."""
        if hasattr(self, "channel"):
            self.channel.close()
        while self._places:
            place = self._places[-1]
            for path in bell_paths(place):
                remove_bell(path)  # first: the directory alone tells of it
            is_held = place.is_open() and place.is_held()  # first: then nobody appends any more
            if not is_held and self._is_all_read() and not has_output(place):
                place.remove()
            place.close()
            self._places.pop()
        if self._readers_source is not None:
            self._readers_source.close()
        self._bell.close()
