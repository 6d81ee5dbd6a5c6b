"""uvicorn and hypercorn with workers of theirs."""

from __future__ import annotations

import re
import signal
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
    started,
    stopped,
)

RECIPES = {"uvicorn": "uvicorn_server.py", "hypercorn": "hypercorn_server.py"}
READY = {"uvicorn": "Application startup complete", "hypercorn": "Running on"}


@pytest.mark.parametrize("package", RECIPES)
def test_workers(tmp_path, package):
    """Every line is there once; all workers are started anew, and one is killed."""
    pytest.importorskip(package)
    port = free_port()
    name = laid_out(RECIPES[package], tmp_path).name
    with started([sys.executable, name, str(port)], tmp_path) as server:
        log_has(tmp_path, READY[package], 4)
        for number in range(100):
            assert get(port, f"/before/{number}") == "thank you"
        server.send_signal(signal.SIGHUP)
        log_has(tmp_path, READY[package], 8)
        if package == "uvicorn":  # the last of those that are replaced may serve for a while yet
            log_has(tmp_path, "Finished server process", 4)
        for number in range(100):
            assert get(port, f"/after/{number}") == "thank you"
        assert get(port, "/victim/0") == "thank you"
        kill_who_logged(tmp_path, "asked for /victim/0$")
        if package == "uvicorn":
            log_has(tmp_path, READY[package], 9)
            assert get(port, "/victim/1") == "thank you"
            stopped(server, tmp_path)
        else:  # it ends with a worker that dies
            server.wait(60)
    text = logged(tmp_path)
    for word in ("before", "after"):
        assert numbers(text, rf"shop: asked for /{word}/(\d+)$") == list(range(100))
        assert numbers(text, rf"{package}.access: .*GET /{word}/(\d+) ") == list(range(100))
    assert len(set(re.findall(r"(\d+)\] shop:", text))) > 1
    assert len(re.findall("mplogging.deaths: .*", text)) == 1  # none of those that were replaced
