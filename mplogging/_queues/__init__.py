"""Beside the sessions: `logging.handlers`' pair around a queue of the program's own.

    record ─ handler.QueueHandler ─ a queue ─ intake.Intake ─ listener.QueueListener
                                                                ├─ batch.Batch ─ DatedFileHandler
                                                                └─ any other handler

Rules of this wing:
- Whatever works with the standard library's two classes works with these: a subclass that
  overrides one of their methods is called wherever theirs would be, once a record.
- No record and no handler ends the listener's thread.
- A stop returns by its deadline.
"""
