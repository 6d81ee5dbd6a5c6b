"""Faults, enumerated: the N-th system call fails, or the process dies there, for every N.

    scenarios ─ trial (forked) ─┬─ calls: counts, and does what was asked at the N-th call
                                └─ account: which records were accepted, and where they are

A scenario runs once to have its calls counted. Then it runs again for each call and
each fault that the call can give; afterwards whatever comes next in life runs (a
session, or the recovery), and the account is made up. Only calls that mplogging's
own code makes count, in one process of the scenario, all its threads taken together.
"""
