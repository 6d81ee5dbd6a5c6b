"""`SysLogHandler`: the warnings of all processes come by one socket; it takes no package."""

from __future__ import annotations

import re

import pytest

from integrations.libraries import METHODS, UNCAUGHT, check_broken, found, run
from integrations.receivers import datagrams

RECIPE = "syslog_warnings.py"
WARNING = r"no price for (\d+)$"


def run_with_syslog(tmp_path, method, dies_after=""):
    with datagrams() as (port, got):
        lines = run(RECIPE, tmp_path, method, dies_after, SYSLOG=f"127.0.0.1:{port}")
    messages = [data.decode().rstrip("\0") for data in got]
    warnings = [one for one in messages if re.fullmatch(r"<12>shop\[\d+\]: " + WARNING, one)]
    told = "".join(one for one in messages if one not in warnings)  # by the session
    assert (UNCAUGHT in told and "BrokenProcessPool" in told) if dies_after else told == ""
    return lines, found(warnings, WARNING)


@pytest.mark.parametrize("method", METHODS)
def test_syslog(tmp_path, method):
    """Each warning once, and each line in the file."""
    lines, warned = run_with_syslog(tmp_path, method)
    assert warned == found(lines, WARNING) == list(range(0, 1000, 10))
    assert found(lines, r"order (\d+)$") == list(range(1000))


def test_a_worker_is_killed(tmp_path):
    """Its last warning has come, and stands in the file."""
    lines, warned = run_with_syslog(tmp_path, METHODS[0], "no price for 500")
    check_broken(warned, 500)
    assert found(lines, WARNING) == warned
