"""The programs of the documentation run as they stand, and lose nothing when they are killed."""

from __future__ import annotations

import gzip
import http.server
import json
import os
import re
import socketserver
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from conftest import eventually
from past_logs import HOUR, START, handler, record, write

import mplogging

DOCS = Path(mplogging.__file__).parent / "docs"
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", re.MULTILINE)
FORMAT = "%(asctime)s %(levelname)s %(processName)s[%(process)d] %(name)s: %(message)s"
WHO = {"process": 7, "processName": "p"}


def programs(name: str) -> list[str]:
    text = (DOCS / name).read_text("utf-8")
    return [textwrap.dedent(block) for block in BLOCK.findall(text)]


def test_the_reading_example(tmp_path):
    """It shows what it says."""
    (program,) = programs("reading.rst")
    (tmp_path / "example.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert re.fullmatch(r"[\d.]+ MainProcess the disk is nearly full\n", done.stdout)


def _from_syslog(data: bytes) -> list[tuple[str, str]]:
    return [re.search(r"\[id=(\S+)\] (.*?)\0?$", data.decode(), re.DOTALL).groups()]


def _from_otlp(data: bytes) -> list[tuple[str, str]]:
    (logs,) = json.loads(data)["resourceLogs"]
    (event,) = logs["scopeLogs"][0]["logRecords"]
    return [(event["attributes"][0]["value"]["stringValue"], event["body"]["stringValue"])]


def _from_lines(data: bytes) -> list[tuple[str, str]]:
    events = [json.loads(line) for line in data.splitlines() if line.endswith(b"}")]
    return [(event["id"], event["message"]) for event in events]


class Receiver:
    """Gets what is shipped, by whatever way."""

    def __init__(self, kind: int) -> None:
        self.got: list[tuple[str, str]] = []
        got = self.got

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self):
                got.extend(_from_syslog(self.request[0]))

        class Stream(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    got.extend(_from_lines(line.rstrip()))

        class Web(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                got.extend(_from_otlp(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        server, handler = (
            (socketserver.UDPServer, Datagram),
            (http.server.ThreadingHTTPServer, Web),
            (socketserver.ThreadingTCPServer, Stream),
        )[kind]
        self.server = server(("127.0.0.1", 0), handler)
        self.server.daemon_threads = False
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def address(self) -> str:
        return "{}:{}".format(*self.server.server_address)

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.mark.parametrize("kind", range(3), ids=["syslog", "otlp", "lines"])
def test_shipping_with_kills_in_the_midst(tmp_path, kind):
    """Nothing is skipped; what comes again has the same id, and is the one that was under way."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "ship.py").write_text(programs("shipping.rst")[kind])
    made = handler(tmp_path / "logs", FORMAT)
    receiver = Receiver(kind)
    kills = 2
    expected = []
    try:
        for run in range(kills + 1):
            numbers = range(100 * run, 100 * (run + 1))
            expected += [f"number {number}" for number in numbers]
            write(made, *(record(START + run * HOUR, f"number {n}", **WHO) for n in numbers))
            with subprocess.Popen(
                [sys.executable, "ship.py", receiver.address], cwd=tmp_path
            ) as process:
                wanted = expected[-1] if run == kills else f"number {100 * run + 50}"
                eventually(lambda wanted=wanted: wanted in messages_of(receiver), 20)
                process.kill()
            if run == 0:  # it is compressed while nobody ships
                (path,) = (tmp_path / "logs").iterdir()
                with gzip.open(f"{path}.gz", "wb") as file:
                    file.write(path.read_bytes())
                os.unlink(path)
    finally:
        receiver.close()
    assert list(dict(receiver.got).values()) == expected
    assert len(receiver.got) <= len(expected) + kills


def messages_of(receiver: Receiver) -> set[str]:
    return {message for _, message in list(receiver.got)}
