"""How each processor came up: INIT, SIPI, modes, HLT and its first interrupt.

A `Boot` takes events as they come and keeps those that are about this, as rows with a
cell for each vCPU that they are about. What is told of a processor is SDM Vol. 3A "MP
Initialization Protocol Algorithm", in the words of bhyve's run-states.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from lapis_engine.cause import sentence
from lapis_engine.events import (
    Answered,
    Exited,
    Halted,
    InitReceived,
    Interfered,
    IpiSent,
    Logged,
    ModeChanged,
    NmiDelivered,
    RunStateChanged,
    SipiReceived,
    Suspended,
    VectorDelivered,
    VectorEnded,
    Woken,
)
from lapis_engine.explain.events import RUN_STATE_BITS, run_state_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

KEPT: Final = 2_000
"""Rows; older ones are forgotten."""
START_PAGE: Final = 12
"""Bits that the vector of a SIPI is shifted by to the address of its page."""
BITS: Final = {name: mask for mask, name in RUN_STATE_BITS}
"""Of a run-state (bhyve `VRS_*`)."""

Lane = Literal["waits", "runs", "halted"]
"""What a processor does between two rows."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a row says of one vCPU."""

    mark: str
    """What kind of thing it is: a kind of event, or `ignored`."""
    text: str


@dataclass(slots=True)
class Moment:
    """One moment."""

    seq: int
    """Number of the event, of the first one where several are one row."""
    at: int
    """ns of virtual time."""
    label: str
    cells: dict[int, Cell]
    lanes: tuple[Lane, ...]
    """What each vCPU does from here on."""
    sender: int | None = None
    """Who sent an IPI; -1 is the user."""
    targets: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why what was sent did nothing."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How far a processor has come."""

    init: bool = False
    sipi: int | None = None
    """The vector that it was started with."""
    modes: tuple[str, ...] = ()
    """Those that it has been in, in order."""
    halted: bool = False
    interrupt: int | None = None
    """The first vector that was delivered."""
    last_init: str | None = None
    """What became of the last INIT that was sent to it."""
    last_sipi: str | None = None


@dataclass(slots=True)
class Boot:
    """The rows and the steps of all processors, as far as events have told."""

    cpus: int
    rows: list[Moment] = field(default_factory=list)
    steps: list[Steps] = field(default_factory=list)
    next_seq: int = 0
    """Number of the event that is to be taken next."""
    latched: dict[int, int] = field(default_factory=dict)
    """The vector of the last SIPI that a vCPU took notice of."""

    def __post_init__(self) -> None:
        """Begin with the BSP running, and all others waiting."""
        if not self.steps:
            self.steps = [Steps() for _ in range(self.cpus)]
            self.steps[0] = Steps(modes=("real",))

    def copy(self) -> Boot:
        """Return one that goes on from here by itself; its first rows are ours."""
        rows = [replace(row, cells=dict(row.cells)) for row in self.rows[-KEPT:]]
        return Boot(
            self.cpus, rows, list(self.steps), self.next_seq, dict(self.latched)
        )

    def take(self, events: Iterable[Logged]) -> None:
        """Take events, oldest first."""
        for logged in events:
            doing = TAKERS.get(type(logged.event))
            if doing is not None:
                doing(self, logged)
            self.next_seq = logged.seq + 1
        if len(self.rows) > 2 * KEPT:
            del self.rows[:-KEPT]

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """What each processor does now."""
        if self.rows:
            return self.rows[-1].lanes
        others: list[Lane] = ["waits"] * (self.cpus - 1)
        return ("runs", *others)

    # What events say. `logged` is always of the type that `TAKERS` names.

    def _row(
        self, logged: Logged, label: str, cell: Cell, lane: Lane | None = None
    ) -> Moment:
        """Begin a row about one vCPU."""
        number = logged.event.vcpu
        lanes = list(self.lanes)
        if lane is not None and 0 <= number < self.cpus:
            lanes[number] = lane
        row = Moment(logged.seq, logged.at, label, {number: cell}, tuple(lanes))
        self.rows.append(row)
        return row

    def _learn(self, number: int, **what: object) -> None:
        if 0 <= number < self.cpus:
            self.steps[number] = replace(self.steps[number], **what)  # type: ignore[arg-type]

    def _sent(self, at: int, number: int) -> Moment | None:
        """Return the row of the IPI that what happens to a vCPU now comes of."""
        last = self.rows[-1] if self.rows else None
        if last is None or last.at != at or number not in last.targets:
            return None
        return last

    def _ipi(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, IpiSent)
        is_first = any(
            0 <= n < self.cpus and self.steps[n].interrupt is None
            for n in event.targets
        )
        if event.mode not in {"init", "sipi", "nmi"} and not is_first:
            return
        name = event.mode.upper() if event.mode != "fixed" else "fixed"
        vector = f" {event.icr & 0xFF:02x}" if event.mode in {"sipi", "fixed"} else ""
        row = self._row(
            logged, f"ICR {event.icr & 0xFFFFF:x}", Cell("ipi", f"{name}{vector}")
        )
        row.sender, row.targets = event.vcpu, event.targets
        if event.dropped is not None:
            row.reasons = (sentence(event.dropped),)

    def _init(self, logged: Logged) -> None:
        number = logged.event.vcpu
        self._learn(number, last_init="received")
        row = self._sent(logged.at, number)
        if row is not None:
            row.cells[number] = Cell("init", "INIT")
        else:
            self._row(logged, "INIT", Cell("init", "INIT"))

    def _sipi(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, SipiReceived)
        why = sentence(event.latched)
        row = self._sent(logged.at, event.vcpu)
        cell = Cell("ignored", "ignored") if why else Cell("sipi", "latched")
        if row is None:
            row = self._row(logged, f"SIPI {event.vector:02x}", cell)
        row.cells[event.vcpu] = cell
        self._learn(event.vcpu, last_sipi=f"ignored: {why}" if why else "latched")
        if not why:
            self.latched[event.vcpu] = event.vector
        if why:
            row.reasons = (*row.reasons, f"vCPU {event.vcpu}: {why}")

    def _run_state(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, RunStateChanged)
        number = event.vcpu
        row = self._sent(logged.at, number)
        if row is not None and number in row.cells:
            kind = row.cells[number].mark
            words = "PEND_INIT" if kind == "init" else row.cells[number].text
            row.cells[number] = Cell(kind, words)
            return
        gone = event.before & ~event.after
        runs = bool(event.after & BITS["RUN"])
        text = event.why
        if gone & BITS["PEND_SIPI"] and runs:
            vector = self.latched.get(number, 0)
            text = f"start {vector << START_PAGE:#x}"
            self._learn(number, sipi=vector, modes=("real",), last_sipi="taken")
        elif gone & BITS["PEND_INIT"]:
            self._learn(number, **asdict(Steps(init=True, last_init="taken")))
        lane: Lane = "runs" if runs else "waits"
        self._row(logged, run_state_text(event.after), Cell("boot", text), lane)

    def _mode(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, ModeChanged)
        self._learn(event.vcpu, modes=(*self._modes(event.vcpu), event.after))
        if event.after != "compat":  # for an instruction or two, on the way to long
            self._row(logged, "mode", Cell("mode", event.after))

    def _modes(self, number: int) -> tuple[str, ...]:
        return self.steps[number].modes[-8:] if 0 <= number < self.cpus else ()

    def _halted(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, Halted)
        flag = int(event.interrupts)
        was = 0 <= event.vcpu < self.cpus and self.steps[event.vcpu].interrupt
        self._learn(event.vcpu, halted=True)
        if was and event.interrupts:
            self._now(event.vcpu, "halted")
            return  # an idle loop: its first round is told
        self._row(logged, "hlt", Cell("halt", f"IF={flag}"), "halted")

    def _now(self, number: int, lane: Lane) -> None:
        """Note what a vCPU does, in the last row."""
        if self.rows and 0 <= number < self.cpus:
            lanes = list(self.rows[-1].lanes)
            lanes[number] = lane
            self.rows[-1].lanes = tuple(lanes)

    def _woken(self, logged: Logged) -> None:
        self._now(logged.event.vcpu, "runs")

    def _delivered(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, VectorDelivered)
        number = event.vcpu
        if not 0 <= number < self.cpus or self.steps[number].interrupt is not None:
            return
        self._learn(number, interrupt=event.vector)
        text = f"{event.vector:02x} runs"
        self._row(logged, "interrupt", Cell("deliver", text), "runs")

    def _ended(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, VectorEnded)
        number = event.vcpu
        if 0 <= number < self.cpus and self.steps[number].interrupt == event.vector:
            last = [row for row in self.rows[-self.cpus * 4 :] if number in row.cells]
            if last and last[-1].cells[number].mark == "deliver":
                self._row(logged, "EOI", Cell("eoi", "EOI"))

    def _nmi(self, logged: Logged) -> None:
        self._row(logged, "NMI", Cell("nmi", "NMI"), "runs")

    def _exit(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, Exited)
        last = self.rows[-1] if self.rows else None
        cell = Cell("exit", f"{event.code} {event.text}")
        if last is not None and last.label == "exit" and event.vcpu in last.cells:
            last.seq, last.at, last.cells[event.vcpu] = logged.seq, logged.at, cell
            return  # of a row of exits the last one is told
        self._row(logged, "exit", cell)

    def _answered(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, Answered)
        last = self.rows[-1] if self.rows else None
        if last is not None and last.label == "exit" and event.vcpu in last.cells:
            value = "" if event.value is None else f" {event.value:#x}"
            last.cells[event.vcpu] = Cell("answer", f"answered{value}")

    def _suspended(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, Suspended)
        self._row(logged, "suspend", Cell("suspend", event.how), "waits")

    def _interfered(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, Interfered)
        row = self._sent(logged.at, event.vcpu)
        if row is None or event.mode not in {"init", "sipi"}:
            return
        done = {"drop": "dropped", "delay": "delayed"}.get(event.action, event.action)
        row.cells[event.vcpu] = Cell("ignored", done)
        row.reasons = (*row.reasons, f"vCPU {event.vcpu}: {done} by a rule of yours")
        self._learn(event.vcpu, **{f"last_{event.mode}": f"{done} by a rule of yours"})


TAKERS: Final[dict[type, Callable[[Boot, Logged], None]]] = {
    IpiSent: Boot._ipi,  # noqa: SLF001 - a table of the class
    InitReceived: Boot._init,  # noqa: SLF001
    SipiReceived: Boot._sipi,  # noqa: SLF001
    RunStateChanged: Boot._run_state,  # noqa: SLF001
    ModeChanged: Boot._mode,  # noqa: SLF001
    Halted: Boot._halted,  # noqa: SLF001
    Woken: Boot._woken,  # noqa: SLF001
    VectorDelivered: Boot._delivered,  # noqa: SLF001
    VectorEnded: Boot._ended,  # noqa: SLF001
    NmiDelivered: Boot._nmi,  # noqa: SLF001
    Exited: Boot._exit,  # noqa: SLF001
    Answered: Boot._answered,  # noqa: SLF001
    Suspended: Boot._suspended,  # noqa: SLF001
    Interfered: Boot._interfered,  # noqa: SLF001
}
"""Kinds of events that rows are made of."""
