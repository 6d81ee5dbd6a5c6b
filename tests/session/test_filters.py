"""Filters of a session's file, and what subclasses do with its records, hold for all processes."""

from __future__ import annotations

import logging

import pytest
import tree_jobs
from conftest import texts

import mplogging

pytestmark = pytest.mark.usefixtures("tree")


def lines_in(directory):
    (text,) = texts(directory).values()
    return text.splitlines()


def made(kind, directory, form="%(message)s"):
    file = kind(directory / "app.log", delay=True)
    file.setFormatter(logging.Formatter(form))
    return file


def test_a_filter_runs_where_the_record_is_made(tmp_path, in_worker):
    """It finds the context variable of the request there."""
    file = made(mplogging.DatedFileHandler, tmp_path, "%(request)s %(message)s")
    file.addFilter(tree_jobs.with_request)
    with mplogging.LogSession(file):
        in_worker(tree_jobs.say_in_request, "r1", "hello")
        tree_jobs.say_in_request("r2", "in the parent")
        tree_jobs.say_in_request("none", "kept out")
    assert lines_in(tmp_path) == ["r1 hello", "r2 in the parent"]


def test_a_filter_that_keeps_count(tmp_path, context):
    """In the parent it is the very object that the program has."""
    seen = tree_jobs.Counting()
    file = made(mplogging.DatedFileHandler, tmp_path)
    file.addFilter(seen)
    with mplogging.LogSession(file):
        logging.info("one")
        logging.info("two")
    assert seen.count == 2


def test_the_handlers_beside_the_file_get_what_its_filters_keep_out(tmp_path, in_worker):
    """Each handler has filters of its own."""
    file = made(mplogging.DatedFileHandler, tmp_path)
    file.addFilter(tree_jobs.OnlyOf("good"))
    beside = tree_jobs.Texts()
    with mplogging.LogSession(file, handlers=[beside]):
        in_worker(tree_jobs.say_at, ("", logging.INFO, "good"), ("", logging.INFO, "bad"))
    assert lines_in(tmp_path) == ["good"]
    assert beside.texts == ["good", "bad"]


class Redacting(mplogging.DatedFileHandler):
    """`filter` is where it does so."""

    def filter(self, record):
        record.msg = str(record.msg).replace("secret", "***")
        return True


class Handling(mplogging.DatedFileHandler):
    """`handle` is."""

    def handle(self, record):
        record.msg = str(record.msg).replace("secret", "***")
        return super().handle(record)


class Emitting(mplogging.DatedFileHandler):
    """`emit` is."""

    def emit(self, record):
        record.msg = str(record.msg).replace("secret", "***")
        super().emit(record)


@pytest.mark.parametrize("kind", [Redacting, Handling, Emitting])
@pytest.mark.parametrize("place", ["root", "second", "named"])
def test_a_subclass_is_obeyed(tmp_path, context, kind, place):
    """Whatever it overrides, for records of each process, and wherever it stands."""
    directory = tmp_path / "logs"
    file, root = made(kind, directory), logging.getLogger()
    root.setLevel(logging.INFO)
    others = []
    if place != "root":
        others.append(mplogging.DatedFileHandler(tmp_path / "other.log", delay=True))
    (root if place != "named" else logging.getLogger("named")).addHandler(file)
    root.handlers[:] = others + [file] * (place != "named")
    with mplogging.LogSession():
        process = context.Process(
            target=tree_jobs.say_at, args=(("named", logging.INFO, "a secret"),)
        )
        process.start()
        process.join()
        logging.getLogger("named").info("the secret of the parent")
    for handler in [*others, file]:
        root.removeHandler(handler)
        handler.close()
    # A named logger's handler takes the parent's own records at once, as ever.
    assert sorted(lines_in(directory)) == ["a ***", "the *** of the parent"]
