"""What `lapis_machine` is: a session with the verbs that a test of a kernel needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import fields as record_fields
from typing import TYPE_CHECKING, Any, Final, Self, get_args

from lapis.pictures import Event
from lapis.session import Session
from lapis_engine import events
from lapis_engine.machine.stop import Stop
from lapis_engine.replay.entries import HITS
from lapis_sessions.errors import SessionError
from lapis_sessions.scope import scope
from lapis_sessions.scope.lazy import Lazy
from lapis_sessions.scope.scope import Scope
from lapis_sessions.text.visible import printed, visible

if TYPE_CHECKING:
    from collections.abc import Collection

    from lapis.session import Vcpu
    from lapis_sessions.session import Session as LiveSession
    from lapis_sessions.text.expressions import Expression

EVERY: Final = 100
"""Instructions between two looks at a condition."""
STATES: Final = ("never-started", "wait-for-sipi", "running", "halted", "suspended")
KINDS: Final = {each.kind: each for each in get_args(events.Event)}
"""The records of events, by their kind as `events` lists it."""
LAMBDA: Final = "<lambda>"
NONE_YET: Final = Stop("", 0, 0, None, "")
Condition = str | Callable[["KernelMachine"], object]
"""An expression as `lapis explore --until` takes it, or a function of the machine."""


class KernelMachine(Session):
    """A machine under test. What it says of a failure is for people: see `told`."""

    def __init__(self, live: LiveSession, limit: int) -> None:
        """Drive `live`; a run that names no limit is of `limit` instructions."""
        super().__init__(live)
        live.limit = limit
        self._last = NONE_YET
        more = Lazy({"stop": lambda: self._last.reason, "reason": self._reason})
        self._scope = Scope(live, more)

    def _reason(self) -> str:
        return self._last.text

    # Running.

    @property
    def aps(self) -> tuple[Vcpu, ...]:
        """All vCPUs but the first."""
        return self.vcpus[1:]

    def run_until(
        self, condition: Condition, limit: int | None = None, *, every: int = EVERY
    ) -> Stop:
        """Run until a condition holds, and fail the test if it never does.

        Args:
            condition: An expression, or a function that is given this machine.
            limit: Instructions of all vCPUs at most; that of the mark unless said.
            every: Instructions between two looks. What is true for less is missed.

        Raises `AssertionError`, which tells what the machine came to instead, and
        `ExpressionError`.
        """
        __tracebackhide__ = True
        if every < 1:
            raise ValueError(f"every={every} instructions: at least 1")
        holds = self._compiled(condition)
        left = most = self._live.limit if limit is None else limit
        self._last = NONE_YET
        while not holds():
            if left <= 0:
                self._last = Stop("budget", most, 0, None, f"{most:,} instructions")
            if self._last.reason not in {"", *HITS}:
                if holds():  # it may speak of the stop
                    break
                raise AssertionError(self._missed(_text(condition)))
            stop = self.run(min(every, left))
            left -= max(stop.retired, 1)
            self._last = NONE_YET if stop.reason == "budget" else stop
        return self._last

    def wait_for(
        self,
        state: str = "running",
        *vcpus: int,
        limit: int | None = None,
        every: int = EVERY,
    ) -> None:
        """Run until each vCPU, all APs unless said, has come to a state.

        They need not be in it together: one that ran and halted has come to running.
        Fails the test, naming those that never did.
        """
        __tracebackhide__ = True
        if state not in STATES:
            raise ValueError(f"there is no state {state!r}: {', '.join(STATES)}")
        missing = set(vcpus) or {vcpu.id for vcpu in self.aps}
        if not missing:
            raise ValueError("the machine has one vCPU, and so no APs to wait for")
        for number in missing:
            self.machine.vcpu(number)  # or there is none

        def came(_: Self) -> bool:
            for number in list(missing):
                it = self.vcpus[number]
                if it.state == state or (state == "running" and it.retired):
                    missing.remove(number)
            return not missing

        try:
            self.run_until(came, limit, every=every)
        except AssertionError:
            who = ", ".join(f"vCPU {number}" for number in sorted(missing))
            raise AssertionError(self._missed(f"state {state} of {who}")) from None

    def _compiled(self, condition: Condition) -> Callable[[], object]:
        if not isinstance(condition, str):
            return lambda: condition(self)
        expression: Expression = self._scope.expression(condition)
        return lambda: expression.evaluate(self._scope)

    def _missed(self, what: str) -> str:
        stop = self._last
        ends = "; ".join(f"vCPU {vcpu.id} {vcpu.state}" for vcpu in self.vcpus)
        return visible(
            f"{what} never came about: {stop.reason} after "
            f"{self.value('retired'):,} instructions ({stop.text}); {ends}"
        )

    # Looking.

    def value(self, expression: str) -> Any:
        """Return what an expression comes to now; raise `ExpressionError`.

        A text is made fit to be shown, as `text` is.
        """
        found = self._scope.value(expression)
        return printed(found) if isinstance(found, str) else found

    @property
    def text(self) -> str:
        """What the guest printed, one port after the other, fit to be shown.

        A carriage return before a newline is left out, and what a terminal would obey
        is escaped: pytest shows it when an assertion fails. `console` has the bytes.
        """
        return printed(scope.console(self.machine))

    @property
    def next_event(self) -> int:
        """Number of the next event: what `since` is for what happens from now on."""
        return self.machine.log.next_seq

    def happened(
        self, kind: str, vcpu: int | None = None, *, since: int = 0, **fields: object
    ) -> list[Event]:
        """Return the events of a kind, of one vCPU or all, oldest first.

        Args:
            kind: As `events` lists it: ipi, accept, deliver, eoi, init, sipi, timer ...
            vcpu: The one that they are about.
            since: Number of the first event that counts.
            fields: Fields of the records that must be so, as `vector=0x31`.

        Raises `SessionError` when some of those events are kept no more, and
        `ValueError` for what no event has: nothing would ever be found.
        """
        _check(kind, fields)
        log = self.machine.log
        if since < log.first_seq:
            raise SessionError(
                f"events before {log.first_seq} are not kept any more: say since=N, "
                f"where N was the next_event of the machine"
            )
        return [
            Event.of(logged)
            for logged in log.between(since, log.next_seq)
            if logged.event.kind == kind
            and vcpu in {None, logged.event.vcpu}
            and all(getattr(logged.event, n) == v for n, v in fields.items())
        ]

    def delivered(self, vector: int, *, since: int = 0) -> dict[int, int]:
        """Return how often each vCPU took a vector; those that never did are left out.

        Raises as `happened`.
        """
        found = self.happened(events.VectorDelivered.kind, since=since, vector=vector)
        return dict(sorted(Counter(event.vcpu for event in found).items()))

    def why(self, vcpu: int) -> str:
        """Return why a vCPU does not run, or gets nowhere, in one sentence."""
        return str(self.do(f"why vcpu {vcpu}")["text"])

    def irq_why(self, vector: int, vcpu: int) -> str:
        """Return what became of a vector on a vCPU, in one sentence."""
        return str(self.do(f"irq why {vector:#x} {vcpu}")["text"])


def _text(condition: Condition) -> str:
    if isinstance(condition, str):
        return condition
    name: str = getattr(condition, "__name__", LAMBDA)
    return "the condition" if name == LAMBDA else name


def _check(kind: str, fields: Collection[str]) -> None:
    """Raise `ValueError` for a kind, or a field of it, that there is not."""
    if kind not in KINDS:
        raise ValueError(f"there is no event {kind!r}: {', '.join(sorted(KINDS))}")
    known = [each.name for each in record_fields(KINDS[kind])]
    for name in fields:
        if name not in known:
            raise ValueError(f"the event {kind} has no {name!r}: {', '.join(known)}")
