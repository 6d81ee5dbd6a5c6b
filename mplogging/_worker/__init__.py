"""In the process that logs: from the root logger to the wire.

    attaching    this process belongs to a session: its loggers lead there (`attachment`)
      │            config: what the session wants of it; tree, factory, formatting: what the
      │            parent has; fields: what records do without; steering: levels that the
      │            session was told
      ▼
    record ─ handler.SessionHandler ─ (kind, created, payload) ─ channels ═══ the session

    decorators   what is pickled in the parent attaches the process that loads it
    passport     and what `multiprocessing` itself pickles for each of its children
    companions   what goes with the process besides: the way of a record doesn't know of it;
                 not in interpreters beside others
    reading_process  whether the session's process lives, as far as can be told here
    going_on     where records go once the session is over: to the program's next one, which
                 successors finds

Rules of this wing:
- A log call takes no lock and waits for nobody but a full channel.
- A process is attached to one session at most, and gets its root logger back as it was.
- What cannot attach warns: it never raises into a pool's initializer.
"""
