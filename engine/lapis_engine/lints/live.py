"""The lints at work: events and ticks in, findings out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.errors import EngineError
from lapis_engine.events import Linted, MsrAccessed, Oddity, VectorEnded
from lapis_engine.lints import boot, traffic
from lapis_engine.lints.catalog import LINTS
from lapis_engine.lints.lint import LintFailedError
from lapis_engine.lints.state import Finding, FoundAt, LintState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lapis_engine.events import Logged
    from lapis_engine.lints.lint import Lint, Rule
    from lapis_engine.vmm.vm import Vm

TICK: Final = 1_000_003
"""ns between two looks at what lasts; a prime, so as not to keep step with a guest."""
MOST_PLACES: Final = 1000
"""Findings that are told apart; the ones after them are counted by lint alone."""

MAY_WAIT: Final = (MsrAccessed, Oddity, VectorEnded)
"""Kinds of events that the processor's own answers come to."""


class Lints:
    """The lints of one machine, all switched on."""

    def __init__(self, vm: Vm, lints: Mapping[str, Lint] = LINTS) -> None:
        """Look at `vm` with `lints`, and tell it what is found, as events."""
        self._vm = vm
        self.lints = lints
        """By name, in the order in which they are listed."""
        self._rules: dict[type, list[tuple[Lint, Rule]]] = {}
        for lint in lints.values():
            for kind, rule in lint.rules.items():
                self._rules.setdefault(kind, []).append((lint, rule))
        found = (rule for kind in MAY_WAIT for rule in self._rules.get(kind, ()))
        self.can_wait = all(lint.can_wait for lint, _ in found)
        """Every rule may be told of accesses later (`Lint.can_wait`)."""
        self.state = LintState()
        vm.on_watch = self._look

    def observers(self) -> dict[type, tuple[Callable[[Logged], None], ...]]:
        """Return who is to be told which events."""
        return dict.fromkeys(self._rules, (self.observe,))

    def observe(self, logged: Logged) -> None:
        """Look at one event of a kind that a rule is for (an observer of the history).

        A rule that fails switches its lint off, which is an event and a part of the
        state: a replay comes to the same.
        """
        for lint, rule in self._rules[type(logged.event)]:
            try:
                for finding in self._found(lint, rule, logged):
                    self._report(finding, logged.seq)
            except LintFailedError as failed:
                state = self.state
                state.off = tuple(sorted({*state.off, lint.name}))
                vcpu = getattr(logged.event, "vcpu", -1)
                text = f"it failed ({failed.what}) and is switched off"
                self._vm.note(Linted(vcpu, lint.name, text))
        state = self.state
        if (state.served or state.spin.on) and self._vm.watch_at is None:
            self._watch()

    def _found(self, lint: Lint, rule: Rule, logged: Logged) -> Iterable[Finding]:
        state = self.state
        if lint.shared:
            found = rule(self._vm, state, logged.event)
        elif lint.name in state.off:
            return ()
        else:
            memory = state.memory.pop(lint.name, {})
            try:
                found = rule(self._vm, memory, logged.event)
            finally:
                if memory:
                    state.memory[lint.name] = memory
        if isinstance(found, Finding):
            return (found,)
        return found or ()

    def _look(self) -> None:
        """Look at what lasts, once a tick."""
        vm, state = self._vm, self.state
        if state.spin.on:
            finding = boot.spins(vm, state)
            if finding is not None:
                self._report(finding)
        for finding in traffic.lingering(vm, state):
            self._report(finding)
        vm.watch_at = None
        self._watch()

    def _watch(self) -> None:
        """Ask for the next tick while there is something to look at."""
        state = self.state
        if state.served or state.spin.on:
            self._vm.watch_at = self._vm.now + TICK

    def _report(self, finding: Finding, about: int | None = None) -> None:
        """Note a finding when its place is new; count it always.

        `about` is the event at which it was found; None at a look.
        """
        state = self.state
        if finding.name in state.off:
            return
        key = (finding.name, finding.vcpu, finding.place)
        new = key not in state.found
        if new and len(state.found) >= MOST_PLACES:
            key, new = (finding.name, -1, "elsewhere"), False
        state.found[key] = state.found.get(key, 0) + 1
        if new:
            told = self._told(finding, about)
            state.told[key] = told
            self._vm.note(
                Linted(
                    finding.vcpu, finding.name, finding.text, finding.place,
                    about, told.ran, told.rip, finding.values,
                )
            )  # fmt: skip

    def _told(self, finding: Finding, about: int | None) -> FoundAt:
        vm = self._vm
        ran = None if about is None else vm.entered
        rip = None if ran is None else vm.vcpus[ran].regs.rip
        return FoundAt(about, vm.now, ran, rip, finding.values, finding.text)

    def switch(self, name: str, *, on: bool) -> None:
        """Switch one lint, or `all`; raise `EngineError` when there is no such one."""
        if name not in self.lints and name != "all":
            known = ", ".join(self.lints)
            raise EngineError(f"there is no lint {name!r}: all, {known}")
        state = self.state
        names = set(self.lints) if name == "all" else {name}
        off = set(state.off) - names if on else set(state.off) | names
        state.off = tuple(sorted(off))
        if "bsp-spins" in names:
            state.spin.on, state.spin.count = on, 0
        if "level-no-eoi" in names and not on:
            state.served.clear()
        if self._vm.watch_at is None:
            self._watch()

    def count(self, name: str) -> int:
        """Return how often a lint found something."""
        return sum(times for key, times in self.state.found.items() if key[0] == name)

    def places(self, name: str) -> int:
        """Return at how many places it did."""
        return sum(key[0] == name for key in self.state.found)
