"""Beside the way of a record: what a process suffered, for the log.

    presence   a process that dies is seen to; exits: what ends without an exit handler
      │          traces: where it crashed
      └ deaths   in the session's process: who has died, and how; oom
    recorder   what is too low for the log: kept in a file that outlives the process
                 low: how it is had; keeping: as a line; ring, rings: where; dumps: into the log
    starts     for both: which processes this one starts, and which of them it ends
    exceptions what nobody catches, by the interpreter's hooks
    output     where descriptors 1 and 2 of a worker lead
      └ following  reads that in the session's process, and logs it

Rules of this wing:
- The way does not know of it: a session hands companions out with its `Config`
  (`_worker.companions`), and without them a process pays nothing.
- What fails here is told once, and costs no record.
"""
