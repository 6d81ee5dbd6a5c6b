"""The command line: one module a command; `mplogging.__main__` calls it.

    python -m mplogging run …     ─ run      a session around a program as it stands
                                      beside   which stays, whatever the program sets up
    python -m mplogging recover   ─ recover  what killed sessions have left
    python -m mplogging demo      ─ demo     real work in a real pool
    python -m mplogging tail …    ─ tail     the end of a log, and what comes to it
    python -m mplogging stats     ─ stats    who logged how much, and when
                                      reading, painting   what these two have in common
    python -m mplogging level …   ─ level    sets a level in all processes of a session
    python -m mplogging dump …    ─ dump     its flight recorders come into its log
                                      asking   a session for these two
    python -m mplogging sessions  ─ sessions which sessions there are, and how they do
    python -m mplogging top         redrawing   the same, again and again
                                      finding, glimpse   all of them, for these four
    `arguments` says what each takes; `mplogging` is the same as `python -m mplogging`

Rules of this wing:
- A command uses what any user could use; nothing imports a command.
- What a child process must be able to import stands here and not in `__main__`.
"""
