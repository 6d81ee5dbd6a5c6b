"""The dated file: `DatedFileHandler`, and all that stands under it. Knows of no session.

    record
      │ handler      DatedFileHandler: what users hold; its arguments are checked in
      │              `arguments`, and `assembly` makes the rest of them
      ├─ line_handler, lines     the record as bytes, as its logging.Formatter would have it;
      │                          `standard` says whether that one is as in the library
      │ backlog      keeps what the disk refuses, file by file
      │   └─ retrying, leaving     until it is tried again by itself, or the process ends
      │ series       opens the file that the record's own time names
      │   ├─ periods, names, patterns     which period, and what its file is called: pure
      │   └─ retention, link, compression     what a new file brings with it (`ownership`:
      │                                       of which nothing gets into others' files)
      │ appending    whole lines, under the lock, or not at all (`unwritten` says why)
      │   └─ opening, endings      how the file is made, and what it ends with
      ▼
    app.log.2026-11-24

Rules of this wing:
- A record's `created` picks its file; no clock does.
- Nothing is ever renamed, and only names that `names` itself would make are touched.
- Whoever cuts, seals or counts bytes of a file has its lock alone; who appends shares it.
- What the disk refuses waits or is counted, never raised at whoever logs.
"""
