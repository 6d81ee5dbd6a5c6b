"""Reading a log back: `LogReader`, across dates, parts and compressed files, following if asked.

    filename
      │ files        which files the log has, in the order of their periods and parts
      │ positions    how far each has been read, as `cursor` says it; what is gone unread
      │ opening      the bytes of one file, plain or compressed, from an offset on
      │ chunks       stretches of whole entries: forwards, or from the end backwards
      │   └─ shapes      where an entry begins; what goes on from the line before does not
      │ seeking      where to begin: the last so many entries, or those since a time
      ▼ reader       LogReader: what users hold
    Entry            `entry`, whose fields `fields` takes out of its text (`formats`,
                     `times`)

Rules of this wing:
- It writes nothing, locks nothing and knows of no session: to read disturbs nobody.
- A file is known by its plain name, and a place in it counts the bytes of its plain
  form: so it is the same place when the file is compressed meanwhile.
- Only whole lines are read, so that what is being written is read later.
- What can't be parsed is an entry all the same: nothing is left out.
"""
