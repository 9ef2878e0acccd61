"""Lints: what is legal, and seldom meant, found while the guest runs.

`catalog` names them, `pages` is what there is to read about each, `state` is what they
remember, `live` feeds them with events; the rules are in a module for each subject.
They look at events and state and change neither; no instruction is slower for them. A
finding is an event `Linted`.

A recording names its lints, and is replayed with those: a lint that is added changes
nothing in older ones, and one whose findings change needs a new name.
"""
