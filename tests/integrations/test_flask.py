"""Flask's own server with its reloader."""

from __future__ import annotations

import re
import sys

import pytest

from integrations.recipes import (
    free_port,
    get,
    kill_who_logged,
    laid_out,
    log_has,
    logged,
    numbers,
    served,
    started,
)

pytest.importorskip("flask")


def test_flask(tmp_path):
    """Every line is there once: of the reloader, and of each process that it starts."""
    port = free_port()
    path = laid_out("flask_app.py", tmp_path)
    with started([sys.executable, path.name, str(port)], tmp_path) as reloader:
        served(port, tmp_path)
        for number in range(100):
            assert get(port, f"/before/{number}") == "thank you"
        log_has(tmp_path, "Restarting with")
        path.write_text(path.read_text() + "\n")
        log_has(tmp_path, "Detected change in")
        log_has(tmp_path, "Restarting with", 2)
        served(port, tmp_path)
        for number in range(100):
            assert get(port, f"/after/{number}") == "thank you"
        assert get(port, "/victim/0") == "thank you"
        kill_who_logged(tmp_path, "asked for /victim/0$")  # then the reloader ends as well
        assert reloader.wait(60) != 0
    text = logged(tmp_path)
    for word in ("before", "after"):
        assert numbers(text, rf"shop: asked for /{word}/(\d+)$") == list(range(100))
        assert numbers(text, rf'werkzeug: .*"GET /{word}/(\d+) ') == list(range(100))
    assert len(set(re.findall(r"(\d+)\] \w+:", text))) == 3
