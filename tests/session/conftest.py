"""A worker of every kind, and the tree of loggers as it was."""

from __future__ import annotations

import logging
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import START_METHODS

ATTACHING = """
import importlib, json, sys
import mplogging
mplogging.attach()
module, _, name = sys.argv[1].partition(".")
getattr(importlib.import_module(module), name)(*json.loads(sys.argv[2]))
"""
ROOT = Path(__file__).parent.parent


def run_attached(function, *arguments):
    """As a program that `subprocess` starts, and that attaches itself."""
    import json

    done = subprocess.run(
        [sys.executable, "-c", ATTACHING, f"{function.__module__}.{function.__name__}",
         json.dumps(arguments)],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT.parent)])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(params=[*START_METHODS, "attach"])
def in_worker(request):
    """Runs a function in a process of its own, and waits for its end."""
    if request.param == "attach":
        return run_attached

    def run(function, *arguments):
        context = multiprocessing.get_context(request.param)
        process = context.Process(target=function, args=arguments)
        process.start()
        process.join()
        assert process.exitcode == 0

    return run


@pytest.fixture
def tree():
    """The loggers, put back after the test: levels, handlers, filters, and who is there."""
    manager = logging.root.manager
    known = dict(manager.loggerDict)
    states = {
        logger: dict(vars(logger), handlers=logger.handlers[:], filters=logger.filters[:])
        for logger in [*known.values(), logging.root]
        if isinstance(logger, logging.Logger)
    }
    factory = logging.getLogRecordFactory()
    yield
    for logger in manager.loggerDict.values():
        if isinstance(logger, logging.Logger) and logger not in states:
            for handler in logger.handlers:
                handler.close()
            logger.__init__(logger.name)
            logger.parent = logger.parent or logging.root
    for logger, state in states.items():
        for handler in logger.handlers:
            if handler not in state["handlers"]:
                handler.close()
        vars(logger).update(state)
    for name in manager.loggerDict.keys() - known.keys():
        logger = manager.loggerDict[name]
        if isinstance(logger, logging.Logger):
            logger.parent, logger.manager = logging.root, manager
            manager._fixupParents(logger)
    logging.disable(logging.NOTSET)
    logging.setLogRecordFactory(factory)
    manager._clear_cache()
