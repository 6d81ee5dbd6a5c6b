"""gunicorn: application, workers, arbiter and access log in one dated log."""

from __future__ import annotations

import re
import signal
import sys

import pytest

from integrations.recipes import (
    free_port,
    get,
    laid_out,
    log_has,
    log_text,
    logged,
    numbers,
    served,
    started,
    stopped,
)

pytest.importorskip("gunicorn")
APP = """
import logging, os, time

def app(environ, start_response):
    _, what, number = environ["PATH_INFO"].split("/")
    logging.getLogger("shop").info("%s %s", what, number)
    if what == "die":
        os.kill(os.getpid(), 9)
    if what == "hang":
        time.sleep(60)
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""
WAYS = [[], ["--preload"], ["-k", "gevent"]]


@pytest.mark.parametrize("way", WAYS, ids=["sync", "preload", "gevent"])
@pytest.mark.parametrize("recipe", ["gunicorn_conf.py", "gunicorn_session_conf.py"])
def test_gunicorn(tmp_path, recipe, way):
    """Every line is there once: workers killed and timed out, HUP, TTIN, max_requests."""
    if "gevent" in way:
        pytest.importorskip("gevent")
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "-c", laid_out(recipe, tmp_path).name, *way,
        "--bind", f"127.0.0.1:{port}", "--timeout", "2", "--graceful-timeout", "1",
        "--max-requests", "20", "app:app",
    ]  # fmt: skip
    with started(command, tmp_path) as arbiter:
        served(port, tmp_path)
        log_has(tmp_path, "Booting worker", 4)
        pids = {get(port, f"/before/{number}") for number in range(100)}
        assert all(pid.isdigit() for pid in pids)
        assert get(port, "/die/0").startswith("no answer")
        log_has(tmp_path, r"Worker \(pid:\d+\) was sent SIGKILL")
        if "gevent" not in way:  # whose worker says that it lives while a request hangs
            assert get(port, "/hang/0").startswith("no answer")
            log_has(tmp_path, "WORKER TIMEOUT")
        exits = log_text(tmp_path).count("Worker exiting")
        arbiter.send_signal(signal.SIGHUP)
        log_has(tmp_path, "Worker exiting", exits + 3)  # the fourth may just have timed out
        arbiter.send_signal(signal.SIGTTIN)
        log_has(tmp_path, "Handling signal: ttin")
        for number in range(100):
            assert get(port, f"/after/{number}").isdigit()
        assert stopped(arbiter, tmp_path) == 0
    text = logged(tmp_path)
    for word in ("before", "after"):
        assert numbers(text, rf"shop: {word} (\d+)$") == list(range(100))
        assert numbers(text, rf'"GET /{word}/(\d+) HTTP/1.1" 200') == list(range(100))
    assert text.count("shop: die 0\n") == 1
    assert re.findall(r"gunicorn\.error: (Handling signal: \w+|Starting gunicorn)", text) == [
        "Starting gunicorn", "Handling signal: hup", "Handling signal: ttin",
        "Handling signal: term",
    ]
    booted = re.findall(r"Booting worker with pid: (\d+)", text)
    # At first, for HUP and for TTIN; who comes for one that died may be among those of HUP.
    assert len(booted) == len(set(booted)) and len(booted) >= 4 + 4 + 1
    assert text.count("Autorestarting worker") >= 1
    assert text.count("Shutting down: Master") == 1
