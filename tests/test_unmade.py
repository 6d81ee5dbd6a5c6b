"""Loggers that are not made yet: those below them have what they are to have."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAD = """
import logging, logging.config
from mplogging._levels import Levels
def apply(**levels):
    named = {name.replace("_", "."): level for name, level in levels.items()}
    Levels({"": 30, **named}, {}, 0).apply()
def effective(*names):
    print(*[logging.getLogger(name).getEffectiveLevel() for name in names])
def parents(*names):
    print(*[logging.getLogger(name).parent.name for name in names])
"""
# A program, and what it prints.
CASES = {
    "a logger below one that is not made": (
        "apply(app=10); effective('app.jobs', 'app.jobs.deep', 'other', 'app', 'app.jobs')",
        "10 10 30 10 10",
    ),
    "a logger that was there before": (
        "logging.getLogger('app.jobs'); apply(app=10); effective('app.jobs')", "10",
    ),
    "the nearest of several holds": (
        "apply(app=10, app_jobs=40, noisy=40)\n"
        "effective('app.jobs.deep', 'app.other', 'noisy.lib.part')",
        "40 10 40",
    ),
    "a logger made between": (
        "apply(app=10); effective('app.a.b'); logging.getLogger('app.a').setLevel(20)\n"
        "effective('app.a.b', 'app.c'); parents('app.a.b', 'app.a'); effective('app')\n"
        "parents('app.a')",
        "10\n20 10\napp.a app\n10\napp",
    ),
    "a logger made above": (
        "apply(app_a=10); effective('app.a.b'); logging.getLogger('app').addHandler(\n"
        "    logging.NullHandler())\n"
        "print(logging.getLogger('app.a.b').hasHandlers()); effective('app.a.b', 'app')",
        "10\nTrue\n10 30",
    ),
    "none of them is in the register, or left when all are made": (
        "apply(app=10); effective('app.jobs')\n"
        "print([n for n, l in logging.root.manager.loggerDict.items()\n"
        "       if 'app' in n and isinstance(l, logging.Logger)])\n"
        "logging.getLogger('app'); print('getLogger' in vars(logging.root.manager))",
        "10\n['app.jobs']\nFalse",
    ),
    "a class that is set later": (
        "apply(app=10); effective('app.jobs')\n"
        "class Mine(logging.Logger): pass\n"
        "logging.setLoggerClass(Mine); print(type(logging.getLogger('app')).__name__)\n"
        "parents('app.jobs'); print(type(logging.getLogger('app.jobs').parent).__name__)\n"
        "effective('app', 'app.jobs')",
        "10\nMine\napp\nMine\n10 10",
    ),
    "a configuration later does not disable what only we know of": (
        "apply(app=10); effective('app.jobs')\n"
        "logging.config.dictConfig({'version': 1, 'loggers': {'app.jobs': {'level': 'INFO'}}})\n"
        "print(logging.getLogger('app').disabled, logging.getLogger('app').isEnabledFor(10))\n"
        "effective('app.jobs', 'app.other')",
        "10\nFalse True\n20 10",
    ),
    "a configuration of the logger itself holds": (
        "apply(app=10); effective('app.jobs')\n"
        "logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False,\n"
        "                           'loggers': {'app': {'level': 'ERROR'}}})\n"
        "effective('app.jobs', 'app.other')",
        "10\n40 40",
    ),
    "a level that is set on the real one reaches those below": (
        "apply(app=10); effective('app.jobs'); jobs = logging.getLogger('app.jobs')\n"
        "print(jobs.isEnabledFor(10)); logging.getLogger('app').setLevel(40)\n"
        "print(jobs.isEnabledFor(10)); effective('app.jobs')",
        "10\nTrue\nFalse\n40",
    ),
    "the second time holds": (
        "apply(app=10, old=10); effective('app.jobs', 'old.jobs'); apply(app=40)\n"
        "effective('app.jobs', 'old.jobs'); print(logging.getLogger('app.jobs').isEnabledFor(20))",
        "10 10\n40 30\nFalse",
    ),
    "made in several threads": (
        "import threading\n"
        "apply(**{f'app_n{i}': 10 for i in range(50)})\n"
        "names = [f'app.n{i}.leaf{j}' for i in range(50) for j in range(4)]\n"
        "threads = [threading.Thread(target=lambda part: [logging.getLogger(n) for n in part],\n"
        "           args=(names[k::4] + [f'app.n{k}'],)) for k in range(4)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print({logging.getLogger(n).getEffectiveLevel() for n in names})",
        "{10}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_loggers_that_are_not_made_yet(case):
    """Whatever the program makes first, and in whatever order."""
    program, expected = CASES[case]
    done = subprocess.run(
        [sys.executable, "-c", HEAD + program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == expected, done.stderr
