"""How messages travel between processes. Knows of no file format and no handler.

    Message ─ frame ─ pipe.PipeWriter ═══ the pipe ═══ pipe.PipeReader ─ frames.Decoder ─ Batch
                                                   │
                                place: the private directory that it stands in
                                drops: what a process had to drop, beside it

Rules of this wing:
- What a message means is not known here: a payload is bytes.
- `frames` is pure: no file, clock or process.
- A session's directory is entered by `place` alone, which checks whose it is.
- Nobody waits for a process that may be dead: locks are the kernel's.
"""
