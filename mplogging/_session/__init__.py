"""In the parent: a session from its beginning to its end.

    session.LogSession ─ what a user holds; its arguments are checked in `settings`
      └ run.Run ─ one run: all that is set up, each step with what undoes it (`undo`)
          ├ lane        one for each file: what follows down to `alone`
          │   ├ journal     its directory, its bell, its channel
          │   ├ sources ─ listener.SessionListener ─ Delivery      the thread that reads
          │   └ alone       straight into the file, while no other process is attached
          ├ invitation  what processes that start find: where it is, and how things are
          │   ├ tree        named loggers as they are, for the other processes
          │   └ fields      of records, that no handler can show
          ├ staying     on the root logger, which the program may set up anew
          ├ rounds      what the listener's thread sees to beside the reading
          │   ├ watching    levels that change, of loggers and handlers
          │   ├ steering    levels that it is told, for all processes
          │   ├ asked       what commands want of it
          │   ├ showing     figures, for who looks on from outside
          │   └ (_watch.deaths)
          ├ companions  what goes with each process, by the session's arguments
          ├ outputs     the file and the further handlers; formats, console, guests
          ├ telling     what the session itself has to say, through the tree of loggers
          ├ signals     SIGTERM and SIGHUP, which end it
          └ stats       what it has done, in numbers

Rules of this wing:
- Whatever is set up is put on the list of what is to be undone before it is set up.
- No exception ends the listener's thread; stopping returns by its deadline.
- What the session itself has to say goes into the journal like everything else.
"""
