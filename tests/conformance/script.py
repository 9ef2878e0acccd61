"""The words of a scenario: one line an act or a look, and what must come of it.

    0 store 0x300 0xC4500               vCPU 0 stores to its APIC page; nothing else
    run-state -> 2 0x4000 0x4000        what is seen then
    0 wrmsr 0x830 0 -> #GP              an act with a result of its own

A line is `[vCPU] verb arguments [-> result]`. A result left out is an empty one: no
exit, no fault, no value. Numbers are compared as numbers, the rest as text, where *
stands for anything. `#` at the start of a line is a comment.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from conformance.acts import ACTS
from conformance.looks import LOOKS
from conformance.request_words import REQUEST_ACTS, REQUEST_LOOKS
from lapis_engine.apic import state as apic_state

if TYPE_CHECKING:
    from conformance.rig import Rig
    from lapis_engine.vmm.vcpu import Vcpu

PAGE = 0x1000
EVERY_ACT = ACTS | REQUEST_ACTS
EVERY_LOOK = LOOKS | REQUEST_LOOKS


class Script:
    """Runs the lines of one case on one machine."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.since = 0
        """Number of the first event of the last act."""

    def run(self, text: str) -> None:
        """Run every line; an AssertionError shows the line and what came instead."""
        for line in text.strip().splitlines():
            words = line.split()
            if words and not words[0].startswith("#"):
                self._line(line.strip(), words)

    def _line(self, line: str, words: list[str]) -> None:
        wanted = words[words.index("->") + 1 :] if "->" in words else []
        words = words[: words.index("->")] if "->" in words else words
        number = int(words.pop(0)) if words[0].isdigit() else -1
        verb, arguments = words[0], words[1:]
        if verb in EVERY_ACT:
            self.since = self.rig.machine.log.next_seq
            found = EVERY_ACT[verb](self, number, *arguments)
        else:
            found = EVERY_LOOK[verb](self, number, *arguments)
        assert _agree(wanted, found.split()), f"{line}\ncame to: {found or 'nothing'}"

    def vcpu(self, number: int) -> Vcpu:
        return self.rig.vcpu(number)

    def address(self, number: int, at: str) -> int:
        """Below 0x1000 it is an offset in the vCPU's own APIC page."""
        value = int(at, 0)
        if value >= PAGE:
            return value
        return apic_state.base(self.vcpu(number).apic) + value


def _agree(wanted: list[str], found: list[str]) -> bool:
    if wanted and wanted[-1] == "*":
        wanted, found = wanted[:-1], found[: len(wanted) - 1]
    return len(wanted) == len(found) and all(map(_same, wanted, found))


def _same(wanted: str, found: str) -> bool:
    try:
        return int(wanted, 0) == int(found, 0)
    except ValueError:
        return fnmatchcase(found, wanted)
