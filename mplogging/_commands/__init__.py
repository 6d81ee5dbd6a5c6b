"""The command line: one module a command; `mplogging.__main__` parses the arguments.

    python -m mplogging run …     ─ run      a session around a program as it stands
                                      beside   which stays, whatever the program sets up
    python -m mplogging recover   ─ recover  what killed sessions have left
    python -m mplogging demo      ─ demo     real work in a real pool

Rules of this wing:
- A command uses what any user could use; nothing imports a command.
- What a child process must be able to import stands here and not in `__main__`.
"""
