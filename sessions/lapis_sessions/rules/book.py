"""The rules of a session, and what they do at a stop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.errors import LapisError
from lapis_engine.machine.stop import Stop
from lapis_engine.vmm import emulation
from lapis_sessions.errors import CommandError, LeavesBranchError
from lapis_sessions.rules import expression, syntax
from lapis_sessions.scope.viewpoint import From

if TYPE_CHECKING:
    from lapis_engine.machine.requests import PendingRequest
    from lapis_sessions.rules.rule import Rule
    from lapis_sessions.scope.viewpoint import Viewpoint


AT_ONCE = 1000
"""Answers before somebody else may have a say: a REP can ask for ever."""


class Rules:
    """Rules by number; the first that applies answers."""

    def __init__(self, session: Viewpoint) -> None:
        """Begin without rules for the machine of `session`."""
        self._session = session
        self.rules: list[Rule] = []
        self._next = 1

    def add(self, text: str) -> Rule:
        """Take in the rule that `text` is; raise `CommandError`."""
        asking = From(self._session, self._session.selected)
        names = expression.scope(asking, dict.fromkeys(expression.NAMES, 0))
        rule = syntax.parse(text, self._next, names)
        self._next += 1
        self.rules.append(rule)
        return rule

    def delete(self, number: int | None) -> None:
        """Take one rule away, or all; raise `CommandError` when it is not there."""
        if number is not None and all(rule.number != number for rule in self.rules):
            known = ", ".join(str(rule.number) for rule in self.rules) or "none"
            raise CommandError(f"there is no rule {number}; there are: {known}")
        self.rules = [
            rule for rule in self.rules if number is not None and rule.number != number
        ]

    # At a stop.

    def carry_on(self, stop: Stop) -> Stop:
        """Return what a stop comes to after the rules: an answered exit is none."""
        if stop.reason != "exit" or not self.rules:
            return stop
        settled = self.settle(stop.vcpu)
        if settled is None:
            return stop
        return replace(settled, retired=stop.retired + settled.retired)

    def settle(self, about: int | None = None) -> Stop | None:
        """Answer what waits; return the stop that it comes to, or None for nothing.

        That is an exit where an instruction goes on to ask what no rule answers, or a
        rule was disabled, or vCPU `about` still waits; else "budget": there is no stop.
        """
        before, vcpus = self._retired(), set() if about is None else {about}
        self._session.machine.watches.forget_touched()
        answered = 0
        while answered < AT_ONCE:
            turn = self._turn()
            if turn is None:
                break
            rule, request = turn
            vcpus.add(request.vcpu)
            said = self._settle(rule, request)
            if said:
                return self._exit(request.vcpu, self._retired() - before, said)
            answered += 1
            stop = self._session.machine.asked(request.vcpu, self._retired() - before)
            if stop is not None:
                return stop
        if not answered:
            return None
        ran = self._retired() - before
        waiting = {r.vcpu for r in self._session.machine.pending()} & vcpus
        if waiting and answered < AT_ONCE:
            return self._exit(min(waiting), ran)
        return Stop("budget", ran, min(vcpus))

    def _turn(self) -> tuple[Rule, PendingRequest] | None:
        """Return the next rule that applies, and the request to which it does."""
        for request in self._session.machine.pending():
            for rule in self.rules:
                if rule.applies(request, self._session):
                    return rule, request
        return None

    def _exit(self, number: int, ran: int, said: str = "") -> Stop:
        """Return the stop of a vCPU that waits."""
        vcpu = self._session.machine.vcpu(number)
        out = emulation.pending(vcpu, self._session.machine.vm.profile)
        assert out is not None, number
        text = f"{out.text}; {said}" if said else out.text
        return Stop("exit", ran, number, out, text)

    def _settle(self, rule: Rule, request: PendingRequest) -> str:
        """Let a rule answer; if it cannot it never will, and says why once."""
        try:
            rule.settle(self._session, request)
        except LeavesBranchError:
            raise  # it is no fault of the rule's
        except LapisError as error:
            rule.disabled = str(error)
            return f"rule {rule.number} is disabled: {error}"
        return ""

    def _retired(self) -> int:
        return sum(vcpu.retired for vcpu in self._session.machine.vcpus)
