"""Lints: what is legal, and seldom meant, found while the guest runs.

`catalog` names them, `state` is what they remember, `boot` and `traffic` hold the
rules, `live` feeds them with events. They look at events and state and change neither;
no instruction is slower for them. A finding is an event `Linted`.
"""
