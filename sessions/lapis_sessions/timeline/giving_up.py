"""What a timeline gives up when there is too much: the beginning of a branch, branches.

So much is kept that nobody misses it; what is recorded to a file is not given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.timeline.branches import FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.timeline.branches import Branch, Spot
    from lapis_sessions.timeline.keeper import Keeper

    Names = dict[str, tuple[str, Spot]]

MOST_OF_ALL = 10
"""How many times the entries of a branch there may be on all of them."""


def beginning(branch: Branch, left: int, keeper: Keeper, names: Names) -> None:
    """Let a branch begin at a checkpoint with about the last `left` entries after it.

    `names` are the named points, by which `keeper` is pinned.
    """
    wanted = len(branch.entries) - left
    dones = [kept.spot.done for kept in branch.kept]
    index = next(n for n, done in enumerate(dones) if done >= wanted)
    gone = branch.kept[index].spot
    before = [kept.checkpoint for kept in branch.kept[:index]]
    branch.begin_at(index)
    keeper.forget(before)
    for name, (where, spot) in list(names.items()):
        if where == branch.name and spot < gone:
            del names[name]
        elif where == branch.name:
            names[name] = where, spot.without(gone.done)
    keeper.pinned = {spot for _, spot in names.values()}


def spare_branches(
    branches: dict[str, Branch], present: Branch, names: Names, most: tuple[int, int]
) -> Iterator[Branch]:
    """Yield the oldest branch while there are too many, to be given up.

    That is never the first, nor one that has a name of `names` in it, nor one near the
    `present` one. `most` are the branches, and the entries of one.
    """
    while len(branches) > most[0] or _entries(branches) > most[1] * MOST_OF_ALL:
        named = {name for name, _ in names.values()}
        wanted = {FIRST, present.name, present.parent, *named}
        spare = next((b for b in branches.values() if b.name not in wanted), None)
        if spare is None:
            return
        yield spare


def _entries(branches: dict[str, Branch]) -> int:
    return sum(len(branch.entries) for branch in branches.values())


def inherit(branches: dict[str, Branch], gone: Branch) -> None:
    """Let the forks of a branch that is given up be those of its parent."""
    for branch in branches.values():
        if branch.parent == gone.name:
            branch.parent = gone.parent
            forks = [fork for fork in (branch.fork, gone.fork) if fork is not None]
            branch.fork = min(forks, default=None)
