"""Workers of other packages' pools that die: each is told once, with what it had kept."""

from __future__ import annotations

import re
import sys

import pytest

from integrations.recipes import PATIENCE_SECONDS, log_text, logged, output, started

PROGRAM = """
import contextlib, faulthandler, importlib, logging, os, sys, time
import mplogging

PATH, FORMAT = "logs/app.log", "%(levelname)s %(process)d %(name)s: %(message)s"
package, *method = sys.argv[1:]

def fly(name):
    logging.debug("%s low", name)
    logging.info("%s high", name)
    time.sleep(0.02)  # for the other workers to have some, too

def crash(name):
    fly(name)
    faulthandler._sigsegv()

def loky(loky):
    # One dies, and loky kills the others; then all that it wants no more.
    executor = loky.ProcessPoolExecutor(3)
    list(executor.map(fly, ["killed"] * 12))
    with contextlib.suppress(loky.process_executor.TerminatedWorkerError):
        executor.submit(crash, "crashed").result()
    executor.shutdown()
    executor = loky.ProcessPoolExecutor(2)
    list(executor.map(fly, ["ended"] * 8))
    executor.shutdown(kill_workers=True)

def billiard(billiard):
    context = billiard.get_context(*method)
    stayed = context.Process(target=stay)
    stayed.start()
    with context.Pool(2, lost_worker_timeout=0.1) as pool:
        pool.map(fly, ["ended"] * 8, chunksize=1)
        pool.apply_async(crash, ("crashed",)).wait(30)
        pool.map(fly, ["ended"] * 8, chunksize=1)
    while not os.path.exists("stays"):
        time.sleep(0.01)
    stayed.terminate()
    stayed.join()

def stay():
    fly("ended")
    open("stays", "w").close()
    time.sleep(60)

if __name__ == "__main__":
    with mplogging.LogSession(PATH, format=FORMAT, flightRecorder=100):
        globals()[package](importlib.import_module(package))
"""


@pytest.mark.parametrize(
    "arguments", [("loky",), ("billiard", "fork"), ("billiard", "spawn")], ids="-".join
)
def test_a_worker_crashes(tmp_path, arguments):
    """Nothing is told of those that the package, or the program, then ends.

    The package is imported within the session.
    """
    pytest.importorskip(arguments[0])
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-W", "ignore", "program.py", *arguments]
    with started(command, tmp_path) as program:
        assert program.wait(PATIENCE_SECONDS) == 0, output(tmp_path) + log_text(tmp_path)
    text = logged(tmp_path)
    (crashed,) = re.findall(r"^INFO (\d+) root: crashed high$", text, re.MULTILINE)
    deaths = re.findall(r" mplogging\.deaths: .+ \(pid (\d+)\) ended by (\w+)", text)
    assert deaths == [(crashed, "SIGSEGV")]
    (ring,) = re.findall(
        r"^WARNING (\d+) mplogging: flight recorder .*: its process died\n"
        r"((?:DEBUG .*\n)+)"
        r"WARNING \1 mplogging: end of the flight recorder of process \1 ",
        text, re.MULTILINE,
    )  # fmt: skip
    kept = re.findall(r"^DEBUG (\d+) root: \[recorded\] (\w+ low)$", ring[1], re.MULTILINE)
    assert {pid for pid, _ in kept} == {ring[0]} == {crashed}
    assert kept[-1] == (crashed, "crashed low")
    assert text.count("[recorded]") == len(kept) == ring[1].count("\n")
    # What stands at the crash's place: the stack that the worker left.
    assert re.search(r"SIGSEGV.*\nFatal Python error: Segmentation fault\n.*\n.* in crash\n", text)
