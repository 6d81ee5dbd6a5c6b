"""How messages travel between processes. Knows of no file format and no handler.

    Message ─ writer ── one write a frame ══ segment ══ segments.read ─ frames ─ Run
                                                │
          place: the private directory that segments, note and locks stand in; directory:
          how it is entered, and what is opened in it
          note: how far its reader is; turnover: from one segment to the next
          bell: wakes the reader; drops: what a process had to drop
          presence: who is there, and has died; last_record: when it made that
          output: what a process writes to its descriptors; holes: the room of what is read
          requests: what another process wants of the session, and its answer

Rules of this wing:
- What a message means is not known here: a payload is bytes.
- `frames` and `note` are pure: no file, clock or process.
- A session's directory is entered by `place` alone, which checks whose it is.
- Nobody waits for a process that may be dead: locks are the kernel's.
"""
