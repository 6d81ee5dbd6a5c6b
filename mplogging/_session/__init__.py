"""In the parent: a session from its beginning to its end.

    session.LogSession ─ what a user holds; its arguments are checked in `settings`
      └ run.Run ─ one run: all that is set up, with what undoes it
          ├ sources ─ listener.QueueListener ─ Delivery      the thread that reads
          ├ outputs     the file and the further handlers
          ├ signals     SIGTERM and SIGHUP, which end it
          └ stats       what it has done, in numbers

Rules of this wing:
- Whatever is set up goes onto one stack with what undoes it.
- No exception ends the listener's thread; stopping returns by its deadline.
"""
