"""What becomes of a message: its line goes to the file, its record to the handlers.

    the journal ─ reading.Reader ─┬─ writing.LineWriter ─ DatedFileHandler
                                  └─ delivery.Delivery ─ sidelines.Sideline ─ other handlers

    direct.DirectWriter: the same from the process that logs, once nobody reads any more
    recovery: the same for a session whose processes are all dead
    deaths: what is said of one that has died
    output: what processes wrote to their descriptors, for these two

Rules of this wing:
- Nothing in a message stops the delivery: what goes wrong is counted and told once.
- No handler holds up the file, or another handler.
- Every line of the journal is written by `writing`, which notes it before and after.
"""
