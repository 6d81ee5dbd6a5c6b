"""Run it with `pytest pytest_mplog.py`; `pytest_plugins` mostly stands in a conftest.py."""

import logging
import multiprocessing
import os

import mplogging

pytest_plugins = ["mplogging.testing"]


def work(number):
    logging.info("number %d", number)
    if number == 9:
        os.kill(os.getpid(), 9)


def test_workers(mplog):
    with mplog.at_level("INFO"):
        for number in range(10):
            process = multiprocessing.Process(target=work, args=(number,))
            process.start()
            process.join()
    assert mplog.messages == [f"number {number}" for number in range(10)]


def test_a_program(caplog, tmp_path):
    with mplogging.LogSession(tmp_path / "app.log"), multiprocessing.Pool(2) as pool:
        pool.map(work, range(9))
    found = [text for text in caplog.messages if text.startswith("number")]
    assert sorted(found) == [f"number {number}" for number in range(9)]
