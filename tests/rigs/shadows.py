"""Machines that were never moved backwards, to hold one against that was.

A shadow is built fresh and led along the entries of a history, forward only; what it
comes to is what the history says. Some are left behind at earlier points, so that after
a move back one of them can be led on, and few have to begin anew.
"""

from __future__ import annotations

import ctypes
from operator import attrgetter
from typing import TYPE_CHECKING

from lapis_engine.replay import capture
from lapis_engine.replay import entries as replay
from lapis_engine.replay.digest import Digester
from lapis_engine.replay.parts import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.machine.machine import Machine
    from lapis_engine.memory.physical import Region
    from lapis_engine.replay.capture import Position
    from lapis_engine.replay.entries import Entry

MANY = 10
"""Shadows at a time."""
NAMES = ("rip", "rflags", "cr0", "cr2", "cr3", "cr4", "efer", "shadow")
ROWS = ("ldtr", "tr", "gdtr", "idtr", "dr")
"""Registers beside the numbered ones; those of `ROWS` have several numbers."""
MEMCMP = ctypes.CDLL(None).memcmp
MEMCMP.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
GETTERS: dict[tuple[str, ...], Callable[[object], object]] = {}
"""What reads the fields of those names all at once."""
EVENTS = 200
"""Last events that are compared."""


class Shadow:
    """One machine, and how far along which entries it was led."""

    def __init__(self, made: Machine) -> None:
        made.on_act = None
        self.machine = made
        self.entries: list[Entry] = []
        self.at = capture.position(made)

    def can_come(self, entries: Sequence[Entry], at: Position) -> bool:
        """Tell whether `at`, in the last of `entries` or at its end, lies ahead."""
        known = len(self.entries)
        if not known:
            return True
        if known > len(entries) or self.entries[:-1] != entries[: known - 1]:
            return False
        mine, theirs = self.entries[-1], entries[known - 1]
        if mine == theirs:
            return known < len(entries) or self.at <= at
        is_begun = mine.act == theirs.act and mine.start == theirs.start and mine.moves
        limit = at if known == len(entries) else theirs.end
        return is_begun and mine.reason == "budget" and self.at <= limit

    def come(self, entries: Sequence[Entry], at: Position) -> None:
        """Go on along `entries`, and in the last one as far as `at`."""
        for number in range(max(len(self.entries) - 1, 0), len(entries)):
            entry = entries[number]
            is_last = number == len(entries) - 1
            if number == len(self.entries) - 1 and self.at == entry.end:
                continue  # it is over, or a run that has just used up its budget
            if is_last and at != entry.end:
                if entry.moves and at != self.at:
                    replay.advance(self.machine, entry, at)
            else:
                replay.perform(self.machine, entry)
            self.at = capture.position(self.machine)
        self.entries = [*entries]
        if entries and self.at != entries[-1].end:
            last = entries[-1]
            self.entries[-1] = replay.Entry(last.act, last.start, self.at, "budget")


class Shadows:
    """Some of them, at different points."""

    def __init__(self, make: Callable[[], Machine]) -> None:
        self._make = make
        self._all: list[Shadow] = []
        self.made = 0
        """How many were built."""

    def at(self, entries: Sequence[Entry], at: Position) -> Shadow:
        """Return one that was led to `at`, in the last of `entries` or at its end."""
        able = [shadow for shadow in self._all if shadow.can_come(entries, at)]
        if able:
            found = max(able, key=lambda shadow: (len(shadow.entries), shadow.at))
        else:
            found = Shadow(self._make())
            self.made += 1
            del self._all[: len(self._all) - MANY + 1]
            self._all.append(found)
        found.come(entries, at)
        return found

    def forget(self, shadow: Shadow) -> None:
        """Give one up, so that the next begins at the beginning."""
        if shadow in self._all:
            self._all.remove(shadow)


def differences(one: Machine, other: Machine) -> str:
    """Say in what two machines differ; nothing when they are alike.

    Where all raw values are equal there is nothing to hash: a digest is made of them.
    """
    ours, theirs = capture.position(one), capture.position(other)
    if ours != theirs:
        return f"position: {ours.text}, and {theirs.text}"
    if one.log.last(EVENTS) != other.log.last(EVENTS):
        return f"events: {one.log.last(9)}, and {other.log.last(9)}"
    if _is_raw_equal(one, other):
        return ""
    mine, its = Digester(one), Digester(other)
    if mine.digest() == its.digest():
        return ""
    fields, others = mine.fields(), its.fields()
    return "; ".join(
        f"{name}: {fields.get(name)}, and {others.get(name)}"
        for name in sorted(fields.keys() | others.keys())
        if fields.get(name) != others.get(name)
    )


def _registers(regs: Registers) -> list[object]:
    context = regs.context
    return [
        list(regs.gpr), [getattr(regs, name) for name in NAMES],
        [list(getattr(regs, name)) for name in ROWS],
        [regs.segment(index) for index in range(6)],
        {number: value.value for number, value in context.msrs.items()},
        context.vector_bytes(),
    ]  # fmt: skip


def _values(holder: object, names: tuple[str, ...]) -> object:
    getter = GETTERS.get(names)
    if getter is None:
        getter = GETTERS[names] = attrgetter(*names)
    return getter(holder)


def _is_raw_equal(one: Machine, other: Machine) -> bool:
    for mine, its in zip(one.vcpus, other.vcpus, strict=True):
        ours, theirs = mine.regs.context, its.regs.context
        if ours.state_bytes() == theirs.state_bytes():
            continue  # all of the processor's, and the registers are a part of it
        if _registers(mine.regs) != _registers(its.regs):
            return False
    for part, twin in zip(parts(one), parts(other), strict=True):
        if _values(part.holder, part.fields) != _values(twin.holder, part.fields):
            return False
    rows = zip(one.vm.memory.regions, other.vm.memory.regions, strict=True)
    return all(_is_same_memory(mine, its) for mine, its in rows)


def _is_same_memory(mine: Region, its: Region) -> bool:
    """Compare without copying; where both have holes in their files both have zeros."""
    spans = {*mine.backing.touched(), *its.backing.touched()}
    one, other = (ctypes.c_char.from_buffer(each.host) for each in (mine, its))
    at, there = ctypes.addressof(one), ctypes.addressof(other)
    return mine.size == its.size and not any(
        MEMCMP(at + first, there + first, end - first) for first, end in spans
    )
