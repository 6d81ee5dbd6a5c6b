"""How fast mplogging is, beside everything else that a Python user could pick.

Run from the root of the repository::

    pip install -e .[bench]                          # the peers and matplotlib
    python -m benchmarks                             # everything, about 12 minutes
    python -m benchmarks --quick                     # smoke test: counts, never a time
    python -m benchmarks --only throughput           # one question
    python -m benchmarks --only 'throughput/mplogging' --only 'call/Q*'
    python -m benchmarks --seconds 2 --rounds 9      # on a machine that others use
    python -m benchmarks --refresh                   # all, into README, docs and plots
    python -m benchmarks --load benchmarks/results.json --refresh   # from that run
    python -m benchmarks --json out.json --plot --table
    python -m benchmarks --load out.json --plot      # from an earlier run
    python -m benchmarks --list                      # questions and peers

The questions (each is a part of ``--only question/peer``):

========== ==================================================================
throughput records a second from the go signal until the last line is in the
           file: 1, 2, 4, 8 workers by fork, 4 by spawn and forkserver (these
           for a few peers); also CPU time a record over all processes, and
           the parent's alone
burst      2,000 records of 4 workers at once: how fast the calls return
sustained  throughput over five times as long, all in the file
response   from when a call is due, at 2 × 2,500 a second, until it has returned:
           p50 to p99.99 over all calls, those that were held up by one before
           them included (no coordinated omission); beside it the call itself
cores      throughput on 1, 2, 4, … of the machine's cores
call       what one call costs one worker: mean, p50, p99, p99.9
memory     peak of parent and worker, the worker's growth over 200,000 records
           (one round: it varies little, and takes long)
latency    from the call to the line in the file, at 40 records a second
attach     one worker from start to exit, with one record
import     beyond what ``logging`` and ``multiprocessing`` import themselves
handler    ``DatedFileHandler`` alone, in one process and in four unrelated ones;
           also with ``maxBytes`` and 3,000 parts that are there
console    the session with a console handler at WARNING beside the file
========== ==================================================================

How it is measured. Each run has a process (`runner`) of its own, with a time
limit, so that a peer that hangs is killed and reported as hung. Within a round
the peers run one after the other in shuffled order; what is compared is always
a ratio within one round, since the machine's speed drifts. Every run's file is
checked (exact count, no doubles, no torn lines, order by worker), and a peer
that fails is marked with ``!`` and named with its faults.

How it is cut, each importing from those above it:

``workload``  the records, what a worker does with them, the check of the file
``peers``     the yardstick, the standard library's ways, the floors, mplogging
``rivals``    the peers that come from PyPI
``runner``    one run of one peer, in its own process
``launch``    starts a runner, and kills it if it hangs
``questions`` which runs answer which question
``results``   values by round, their medians and ratios
``report``    text and rst
``plots``     the pictures
``pages``     the tables in the README and the documentation
``goals``     the figures that are aimed at, and those reached

Reading a log back is measured by itself: ``python -m benchmarks.reading``. So is growth,
``python -m benchmarks.growth``: workers, records, sizes, loggers, parts, old files and
sessions, from the least to the most; its figures may go into the same file (``--json``).
"""
