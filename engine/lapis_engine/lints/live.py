"""The lints at work: events and ticks in, findings out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.errors import EngineError
from lapis_engine.events import Linted, MsrAccessed, Oddity, VectorEnded
from lapis_engine.lints import boot, traffic
from lapis_engine.lints.catalog import LINTS
from lapis_engine.lints.lint import LintFailedError
from lapis_engine.lints.state import Finding, FoundAt, LintState
from lapis_engine.vmm.written import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lapis_engine.events import Event, Logged
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
        self._rules: dict[type, list[tuple[Lint, Rule, str | None]]] = {}
        """By kind of event; the name of the memory that a rule has for itself."""
        for lint in lints.values():
            name = None if lint.shared else lint.name
            for kind, rule in lint.rules.items():
                self._rules.setdefault(kind, []).append((lint, rule, name))
        found = (rule for kind in MAY_WAIT for rule in self._rules.get(kind, ()))
        self.can_wait = all(lint.can_wait for lint, *_ in found)
        """Every rule may be told of accesses later (`Lint.can_wait`)."""
        self.state = LintState()
        vm.on_watch = self._look
        if Written in self._rules:
            vm.on_written = self._written

    def observers(self) -> dict[type, tuple[Callable[[Logged], None], ...]]:
        """Return who is to be told which events."""
        kinds = (kind for kind in self._rules if kind is not Written)
        return dict.fromkeys(kinds, (self.observe,))

    def observe(self, logged: Logged) -> None:
        """Look at one event of a kind that a rule is for (an observer of the history).

        A rule that fails switches its lint off, which is an event and a part of the
        state: a replay comes to the same.
        """
        self._observe(logged.event, logged.seq)

    def _written(self, item: Written) -> None:
        """Look at a write to what makes interrupts, which leaves no event."""
        self._observe(item, None)

    def _observe(self, event: Event | Written, seq: int | None) -> None:
        vm, state = self._vm, self.state
        for lint, rule, name in self._rules[type(event)]:
            try:
                if name is None:
                    found = rule(vm, state, event)
                elif name in state.off:
                    continue
                else:
                    found = self._remembering(name, rule, event)
            except LintFailedError as failed:
                state.off = tuple(sorted({*state.off, lint.name}))
                vcpu = getattr(event, "vcpu", -1)
                text = f"it failed ({failed.what}) and is switched off"
                vm.note(Linted(vcpu, lint.name, text))
                continue
            if found is None:
                continue
            for finding in (found,) if isinstance(found, Finding) else found:
                self._report(finding, seq, is_look=False)
        if (state.served or state.spin.on) and vm.watch_at is None:
            self._watch()

    def _remembering(
        self, name: str, rule: Rule, event: Event | Written
    ) -> Finding | Iterable[Finding] | None:
        """Call a rule with the memory of its lint, which is kept while there is any.

        A rule that fails leaves it as it was before.
        """
        memories = self.state.memory
        memory = memories.get(name)
        if memory is None:
            memory = {}
            found = rule(self._vm, memory, event)
            if memory:
                memories[name] = memory
            return found
        found = rule(self._vm, memory, event)
        if not memory:
            del memories[name]
        return found

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

    def _report(
        self, finding: Finding, about: int | None = None, *, is_look: bool = True
    ) -> None:
        """Note a finding when its place is new; count it always.

        `about` is the event at which it was found; None at a look and at a write.
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
            told = self._told(finding, about, is_look=is_look)
            state.told[key] = told
            self._vm.note(
                Linted(
                    finding.vcpu, finding.name, finding.text, finding.place,
                    about, told.ran, told.rip, finding.values,
                )
            )  # fmt: skip

    def _told(self, finding: Finding, about: int | None, *, is_look: bool) -> FoundAt:
        vm = self._vm
        ran = None if is_look else vm.entered
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
