"""One rule: which requests it answers, and how."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_sessions.rules import expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.requests import PendingRequest
    from lapis_sessions.text.expressions import Expression

SPACES: Final = {"mmio": "mmio", "inout": "port", "msr": "msr"}
"""Kind of a request -> the space that rules name."""
LAST: Final = 8
"""Answers that a rule remembers."""


class Where(NamedTuple):
    """Which requests a rule is for: those that lie in a range, or begin at a place."""

    space: str
    """mmio, port, msr or any."""
    first: int = 0
    size: int = 1
    """One is a place, where an access of any size may begin."""
    read: bool | None = None
    """None is both directions."""
    vcpu: int | None = None
    """None is all."""

    def matches(self, request: PendingRequest) -> bool:
        """Tell whether a request is one of them."""
        if self.vcpu not in {None, request.vcpu} or self.read not in {
            None,
            request.read,
        }:
            return False
        if self.space == "any":
            return True
        if SPACES.get(request.kind) != self.space:
            return False
        if self.size == 1:
            return request.address == self.first
        after = request.address + (1 if self.space == "msr" else request.bytes)
        return self.first <= request.address and after <= self.first + self.size


class Fault(NamedTuple):
    """An exception for an answer."""

    name: str
    error: int | None = None


class How(NamedTuple):
    """What a rule does."""

    kind: str
    """always, once, sequence, cycle, device or fault."""
    values: Sequence[Expression | int] = ()
    """Expressions, or the numbers of a file."""
    fault: Fault | None = None


class Answer(NamedTuple):
    """One thing that a rule did."""

    request: str
    given: str


@dataclass(slots=True)
class Rule:
    """A rule, and what has become of it."""

    number: int
    text: str
    """As it was written."""
    where: Where
    how: How
    answered: int = 0
    """Requests."""
    reads: int = 0
    """Those of them that were given a value."""
    disabled: str = ""
    """Why it does nothing any more, or nothing."""
    last: deque[Answer] = field(default_factory=lambda: deque(maxlen=LAST))

    @property
    def state(self) -> str:
        """on, used up, or disabled."""
        if self.disabled:
            return "disabled"
        return "used up" if self._is_used_up else "on"

    @property
    def _is_used_up(self) -> bool:
        if self.how.kind == "once":
            return self.answered > 0
        return self.how.kind == "sequence" and self.reads >= len(self.how.values)

    def applies(self, request: PendingRequest) -> bool:
        """Tell whether it would answer a request."""
        if self.state != "on" or not self.where.matches(request):
            return False
        return request.kind != "inst-emul" or self.how.kind == "fault"

    def settle(self, machine: Machine, request: PendingRequest) -> None:
        """Answer a request of `machine`; raise `LapisError`, with it still pending."""
        by, number = f"rule {self.number}", request.vcpu
        if self.how.fault is not None:
            name, error = self.how.fault
            machine.answer_fault(number, name, error, by=by)
            given = f"#{name.upper()}"
        elif self.how.kind == "device":
            value = machine.answer_by_device(number, by=f"{by}, device")
            given = f"device: {value:#x}"
        else:
            value = self._value(request) if request.read else 0
            machine.answer(number, value, by=by)
            given = f"{value:#x}" if request.read else "taken"
            self.reads += request.read
        self.answered += 1
        self.last.append(Answer(request.text, given))

    def _value(self, request: PendingRequest) -> int:
        """Return what to answer; of several values it is the next one's turn."""
        turn = self.reads % len(self.how.values)
        value = self.how.values[turn]
        if isinstance(value, int):
            return value
        names = dict.fromkeys(("gpa", "port", "msr"), 0)
        space = SPACES[request.kind]
        names["gpa" if space == "mmio" else space] = request.address
        names |= {
            "address": request.address, "size": request.bytes,
            "read": int(request.read), "data": request.data,
            "vcpu": request.vcpu, "count": self.reads,
        }  # fmt: skip
        return expression.evaluate(value, names)
