"""What passes from the listener to whoever takes over, one mechanism at a time."""

from __future__ import annotations

import logging
import os
import threading
import time

import pytest

from mplogging import DatedFileHandler, LogSession
from mplogging._delivery.delivery import Delivery
from mplogging._session.sources import PipeSource
from mplogging._wire import pipe
from mplogging._wire.frames import LINE, Decoder
from mplogging._wire.place import Place
from mplogging._worker.attaching import attached
from mplogging._worker.channels import PipeChannel
from mplogging._worker.handler import QueueHandler


@pytest.fixture
def place():
    place = Place.make()
    yield place
    place.remove()
    place.close()


def test_threads_change_over_once(tmp_path, place):
    """Those that find out at the same time write through one and the same `DirectWriter`."""
    with LogSession(tmp_path / "app.log", format="%(message)s"):
        config = attached().config
    reader, writer = pipe.make(place)
    channel = PipeChannel(place, writer)
    files = []

    class Slowly:
        def __getattr__(self, name):
            return getattr(channel, name)

        def direct(self, file):
            files.append(file)
            time.sleep(0.2)  # long enough for the others to come by
            return channel.direct(file)

    handler = QueueHandler(Slowly(), config)
    reader.close()
    record = logging.makeLogRecord({"msg": "line", "levelno": logging.INFO})
    threads = [threading.Thread(target=handler.handle, args=(record,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handler.end_channel()
    handler.close()
    channel.close()
    files[0].close()
    assert len(files) == 1
    (path,) = tmp_path.glob("app.log.*")
    assert path.read_text() == 4 * "line\n"


@pytest.mark.parametrize("length", [3, 70, 1000, 4000])
def test_the_listener_never_stops_within_a_frame(place, length):
    """However much stands in the pipe: what is left of it begins with a whole frame."""
    reader, writer = pipe.make(place)
    channel = PipeChannel(place, writer)
    sender = channel.sender(lambda: iter(()))
    sent = 0
    try:
        while True:
            sender.send(LINE, 1.0, b"%*d" % (length, sent))
            sent += 1
    except BlockingIOError:
        pass
    delivery = Delivery(None)
    delivery.start, delivery.end = 0, 2
    source = PipeSource(place, reader, writer)
    lines = source.next_batch(delivery, 0).lines
    assert 0 < len(lines) < sent
    source.close()
    decoder = Decoder(pipe.FRAME_BYTES)
    for data in pipe.drain(place, writer):
        batch = decoder.decode(data, 0, 2)
        assert not batch.corrupt
        lines += batch.lines
    channel.close()
    assert list(map(int, lines)) == list(range(sent))


def test_a_drain_waits_until_nobody_has_the_reading_end(place):
    """A child that was just forked has a copy: what is written until it closes it is read."""
    reader, writer = pipe.make(place)
    channel = PipeChannel(place, writer)
    sender = channel.sender(lambda: iter(()))
    copy = os.open(os.path.join(place.path, "pipe"), os.O_RDONLY | os.O_NONBLOCK)

    def write_and_close() -> None:
        time.sleep(0.2)
        sender.send(LINE, 1.0, b"late")
        os.close(copy)

    child = threading.Thread(target=write_and_close)
    child.start()
    data = b"".join(reader.drain(place, writer))
    child.join()
    assert Decoder(pipe.FRAME_BYTES).decode(data, 0, 2).lines == [b"late"]
    with pytest.raises(BrokenPipeError):
        sender.send(LINE, 1.0, b"too late")
    channel.close()


def test_a_reader_that_keeps_its_lock(tmp_path, place, monkeypatch):
    """It was stopped just before its end: a worker waits for it for a while, and goes on."""
    monkeypatch.setattr("mplogging._delivery.direct._LOCK_TIMEOUT", 0.1)
    reader, writer = pipe.make(place)
    reader.close()
    mine = Place(place.path, os.open(place.path, os.O_RDONLY))  # as another process has it
    file = DatedFileHandler(tmp_path / "app.log", delay=True)
    channel = PipeChannel(mine, writer)
    channel.direct(file).send(LINE, time.time(), b"line\n")
    file.close()
    channel.close()
    (path,) = tmp_path.glob("app.log.*")
    assert path.read_text() == "line\n"
