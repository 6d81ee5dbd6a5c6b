"""Beside the way of a record: what a process suffered, for the log.

Rules of this wing:
- The way does not know of it: a session hands companions out with its `Config`
  (`_worker.companions`), and without them a process pays nothing.
- What fails here is told once, and costs no record.
"""
