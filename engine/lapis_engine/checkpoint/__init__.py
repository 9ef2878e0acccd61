"""Checkpoints: the whole state of a machine, kept, put back, named and hashed.

`parts` says what the state consists of, `pages` keeps memory without copying what did
not change, `capture` takes a checkpoint and puts it back, `digest` names every field
and hashes them. A checkpoint stays in this process; recordings hold digests only.
"""
