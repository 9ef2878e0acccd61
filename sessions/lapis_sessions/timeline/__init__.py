"""The past of a session, and the way back into it.

`branches` holds what was done and where it forked, `keeper` the checkpoints,
`timeline` records and moves the machine to any point, `searches` finds the point that
a reverse command asks for.
"""
