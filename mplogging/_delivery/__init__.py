"""What becomes of a message: its line goes to the file, its record to the handlers.

    Batch ─ delivery.Delivery ─┬─ DatedFileHandler.write
                               └─ sidelines.Sideline ─ handler, for each other handler

    direct.DirectWriter: the same from the process that logs, once nobody reads any more

Rules of this wing:
- Nothing in a message stops the delivery: what goes wrong is counted and told once.
- No handler holds up the file, or another handler.
"""
