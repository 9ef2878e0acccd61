"""One rule: which requests it answers, and how."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_sessions.errors import CommandError
from lapis_sessions.rules import expression
from lapis_sessions.scope.viewpoint import From

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.machine.requests import PendingRequest
    from lapis_sessions.scope.scope import Scope
    from lapis_sessions.scope.viewpoint import Viewpoint
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
    when: Expression | None = None
    """What has to hold beside."""
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

    def applies(self, request: PendingRequest, session: Viewpoint) -> bool:
        """Tell whether it would answer a request, or say why it cannot (`settle`)."""
        if self.state != "on" or not self.where.matches(request):
            return False
        if request.kind == "inst-emul" and self.how.kind != "fault":
            return False
        try:
            return self._holds(request, session)
        except CommandError:
            return True

    def _holds(self, request: PendingRequest, session: Viewpoint) -> bool:
        if self.when is None:
            return True
        return bool(self.when.evaluate(self._names(request, session)))

    def settle(self, session: Viewpoint, request: PendingRequest) -> None:
        """Answer a request of the machine; raise `LapisError`, with it still pending.

        That is also where its condition has no value.
        """
        self._holds(request, session)
        machine, by, number = session.machine, f"rule {self.number}", request.vcpu
        if self.how.fault is not None:
            name, error = self.how.fault
            machine.answer_fault(number, name, error, by=by)
            given = f"#{name.upper()}"
        elif self.how.kind == "device":
            value = machine.answer_by_device(number, by=f"{by}, device")
            given = f"device: {value:#x}"
        else:
            value = self._value(request, session) if request.read else 0
            machine.answer(number, value, by=by)
            given = f"{value:#x}" if request.read else "taken"
            self.reads += request.read
        self.answered += 1
        self.last.append(Answer(request.text, given))

    def _value(self, request: PendingRequest, session: Viewpoint) -> int:
        """Return what to answer; of several values it is the next one's turn."""
        turn = self.reads % len(self.how.values)
        value = self.how.values[turn]
        if isinstance(value, int):
            return value
        return expression.evaluate(value, self._names(request, session))

    def _names(self, request: PendingRequest, session: Viewpoint) -> Scope:
        """Return what the names of its expressions are for a request."""
        names = dict.fromkeys(("gpa", "port", "msr"), 0)
        space = SPACES.get(request.kind)
        if space is not None:
            names["gpa" if space == "mmio" else space] = request.address
        names |= {
            "address": request.address, "size": request.bytes,
            "read": int(request.read), "data": request.data,
            "vcpu": request.vcpu, "count": self.reads,
        }  # fmt: skip
        return expression.scope(From(session, request.vcpu), names)
