"""A machine: its vCPUs under a deterministic schedule, its log, and its acts.

`config` and `stop` are records; `machine` has the verbs that sessions use, each an act
that can be done again (`acts`).
"""
