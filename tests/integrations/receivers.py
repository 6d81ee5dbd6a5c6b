"""Whoever gets what a handler sends: a server on this machine, for the time of a test."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import socket
import socketserver
import threading
from collections.abc import Iterator

from conftest import eventually


@contextlib.contextmanager
def web() -> Iterator[tuple[int, list[bytes]]]:
    """Its port, and the bodies that have been posted to it."""
    bodies: list[bytes] = []

    class Web(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_packed = self.headers["Content-Encoding"] == "gzip"
            bodies.append(gzip.decompress(body) if is_packed else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with _serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)) as port:
        yield port, bodies


@contextlib.contextmanager
def datagrams() -> Iterator[tuple[int, list[bytes]]]:
    """Its port, and what has been sent to it."""
    got: list[bytes] = []

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self):
            got.append(self.request[0])

    server = socketserver.UDPServer(("127.0.0.1", 0), Datagram)
    with _serving(server) as port:
        yield port, got
        # Who sends has ended: this comes behind all that.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", port))
        eventually(lambda: got[-1:] == [b""], 20)
        got.pop()


@contextlib.contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
