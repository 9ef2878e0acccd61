"""The one thread that owns the session: commands in by queue, messages out.

A run is done in slices (`lapis_sessions.slices`), between which the thread looks for a
break and shows how far the guest has come. How a run is sliced changes nothing in what
the guest does (`lapis_engine.machine.machine`).
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING

from lapis_engine.errors import LapisError
from lapis_engine.machine.log import KEPT
from lapis_engine.vmm.outside import MOST_AT_ONCE
from lapis_sessions.session import ENDLESS, sentence
from lapis_sessions.slices import FIRST_SLICE, fitting
from lapis_sessions.views import snapshot
from lapis_sessions.views.wanted import Wanted
from lapis_tui import failure
from lapis_tui.messages import Busy, Done, Failed, Noticed, Seen
from lapis_tui.panes.terminal import PORT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.message import Message

    from lapis_engine.events import Logged
    from lapis_sessions.session import Outcome, Session
    from lapis_sessions.timeline.timeline import Timeline
    from lapis_sessions.timeline.way import Way

GOODBYE_SECONDS = 5.0
"""How long to wait for a slice to end when the program does."""
POINTS = frozenset({"break", "delete"})
"""Commands that bring the breakpoints."""
PANE_EVENTS = 200
"""Events in a picture, when plug-ins have panes; ours keep their own."""
SHORT_SECONDS = 0.25
"""What is over sooner is not shown on its way, and keys typed ahead wait for it."""
SWITCH_SECONDS = 0.0003
"""How long this thread may keep the interpreter when the screen's asks for it. Python's
own is 5 ms, and a key goes through a dozen turns of the screen's loop."""
FRAME_SECONDS = 0.066
"""Time between two pictures of a running guest."""

LAST_LINES = 20
"""Commands that are remembered, for the report of a failure."""


@dataclass(frozen=True, slots=True)
class Order:
    """One command for the session."""

    line: str
    vcpu: int
    """The vCPU that it is about, unless the line says otherwise."""
    quiet: bool = False
    """It came from a key."""
    may_leave: bool = False
    """The user was asked whether it may leave the branch."""
    is_sheet: bool = False
    """What it brings is to be read at leisure."""
    then: str | None = None
    """What is to be done after it, unless it fails."""
    is_peek: bool = False
    """A box over the panes asks for what it shows, and nothing is done."""


LOOK = (0, Order("", 0))
"""In the place of an order: something was typed, or something else is looked at."""


class Worker:
    """Owns the session on a thread of its own."""

    def __init__(self, session: Session, post: Callable[[Message], object]) -> None:
        """Serve `session`; tell what happens by `post`, which any thread may call."""
        self._session, self._post = session, post
        session.front = self
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        """Commands that were begun last, oldest first."""
        self._orders: SimpleQueue[tuple[int, Order] | None] = SimpleQueue()
        self._typed: SimpleQueue[bytes] = SimpleQueue()
        self._issued = self._broken = 0
        """Numbers of the last order, and of the last one that a break is meant for."""
        self._current = 0
        self._drawn = Flag()
        self._drawn.set()
        self._events_from = 0
        self._history: tuple[object, ...] = ()
        """What the last picture's past and future were those of."""
        self._slice = FIRST_SLICE
        self._is_begun = False
        """Whether the present run has had a slice, from which one can tell."""
        self._since = self._shown = 0.0
        self._began = self._told = 0.0
        """When the present order was begun, and last told how it gets on."""
        self._frame = FRAME_SECONDS
        self.wanted = Wanted()
        """What the screen shows; the number of events is this thread's own affair."""
        self._switch = sys.getswitchinterval()
        self._thread = Thread(target=self._serve, name="session", daemon=True)

    # Called by the screen.

    def start(self) -> None:
        """Begin, with a first picture."""
        self._switch = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        self._thread.start()

    def order(self, order: Order) -> None:
        """Ask for a command; they are done in turn."""
        self._issued += 1
        self._orders.put((self._issued, order))

    def type(self, data: bytes) -> None:
        """Type on COM1, between two slices of a run or at once."""
        self._typed.put(data)
        self._orders.put(LOOK)

    def look(self, wanted: Wanted) -> None:
        """Ask for pictures with another part of the machine in them."""
        self.wanted = wanted
        self._orders.put(LOOK)

    def interrupt(self) -> None:
        """Break into what is done; what was asked for behind it is not done at all."""
        self._broken = self._issued

    def drawn(self) -> None:
        """Acknowledge a picture, so that the next one may come."""
        self._drawn.set()

    @property
    def alive(self) -> bool:
        """Whether the thread is there."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop the guest and the thread."""
        self.interrupt()
        self._orders.put(None)
        if self._thread.is_alive():
            self._thread.join(GOODBYE_SECONDS)
        sys.setswitchinterval(self._switch)

    # On the thread.

    def _serve(self) -> None:
        self._session.limit = ENDLESS
        try:
            self._show(running=False)
            self._notice()
            self._learn()
            while (item := self._orders.get()) is not None:
                self._type()
                if item is LOOK:
                    self._show_last()
                    continue
                self._current, order = item
                self._perform(order, is_late=self._current <= self._broken)
                self._show_last()
        except Exception as error:  # noqa: BLE001 - the outermost loop of the thread
            self._post(Failed(failure.of(error, self._lines, self._session)))

    def _learn(self) -> None:
        """Know what is ahead in a short recording, unless something is asked for."""
        session = self._session
        if session.read_only and not session.timeline.at_end:
            session.execute("events learn", watch=lambda _way: self._orders.empty())
            self._show_last()

    def _show_last(self) -> None:
        """Show what has become of the last order that there is."""
        if self._orders.empty():
            self._show(running=False)

    def _type(self) -> None:
        """Type what waits. In the past, where a run goes along, it waits on."""
        data = b""
        while not self._typed.empty():
            data += self._typed.get()
        session = self._session
        session.timeline.may_leave = False
        try:
            for at in range(0, len(data), MOST_AT_ONCE):
                piece = data[at : at + MOST_AT_ONCE]
                session.machine.receive(PORT, piece.decode("latin-1"))
        except LapisError as error:
            self._post(Noticed(f"not typed: {sentence(error)}"))
        finally:
            session.timeline.may_leave = True

    def _perform(self, order: Order, *, is_late: bool) -> None:
        """Do an order; one that is late was broken off before it began."""
        if is_late:
            text = f"broken off before it began: {order.line}"
            self._post(Done(order.line, text, ok=False, quiet=order.quiet))
            return
        self._lines.append(order.line)
        self._is_begun = False
        self._began = self._since = monotonic()
        self._shown = self._told = self._since - FRAME_SECONDS + SHORT_SECONDS
        outcome = self._session.execute(
            order.line, order.vcpu, self._pace, self._watch, may_leave=order.may_leave
        )
        text = brief(outcome) if order.quiet else outcome.text
        why = outcome.leaves
        leaves = None if why is None else (why.branch, why.new)
        self._post(
            Done(
                order.line, text, ok=outcome.ok, quiet=order.quiet, leaves=leaves,
                is_sheet=order.is_sheet, then=order.then, is_wrong=outcome.is_wrong,
                is_peek=order.is_peek, result=outcome.result if order.is_peek else None,
            )
        )  # fmt: skip
        self._notice()

    def tell(self, sentence: str) -> None:
        """Say what a command that is at work has to say (`lapis_sessions.front`)."""
        self._post(Noticed(sentence))

    def waits(self) -> bool:
        """Tell whether a command is to wait on for who is outside; show the machine."""
        if self._session.timeline.at_end:
            self._type()
        if monotonic() - self._shown >= self._frame and self._drawn.is_set():
            self._show(running=True)
        return self._current > self._broken

    def _watch(self, way: Way) -> bool:
        """Show how a way to another point gets on (`lapis_sessions.session.Watch`)."""
        now = monotonic()
        if now - self._told >= FRAME_SECONDS:
            self._told = now
            self._post(Busy(way.at, way.percent, self._left(way, now)))
        return self._current > self._broken

    def _left(self, way: Way, now: float) -> float | None:
        """Return the seconds that a way will take yet, if it goes on as it did."""
        return (now - self._began) * way.left / way.done if way.done else None

    def _notice(self) -> None:
        while self._session.notices:
            self._post(Noticed(self._session.notices.pop(0)))

    def _pace(self, left: int) -> int:
        """Say how much to run before asking again (`lapis_sessions.session.Pace`)."""
        if self._current <= self._broken:
            return 0
        if self._session.timeline.at_end:
            self._type()
        now = monotonic()
        if self._is_begun:
            self._slice = fitting(self._slice, now - self._since)
        self._is_begun = True
        if now - self._shown >= self._frame and self._drawn.is_set():
            self._show(running=True)
            now = monotonic()
        self._since = now
        return min(self._slice, left)

    def _show(self, *, running: bool) -> None:
        """Send a picture, and the events since the one before.

        Pictures of a running guest take a fifth of the time at most.
        """
        self._drawn.clear()
        start = monotonic()
        log, timeline = self._session.machine.log, self._session.timeline
        anew, ahead = self._known(timeline)
        news = tuple(log.last(KEPT) if anew else log.since(self._events_from))
        self._events_from = log.next_seq
        events = PANE_EVENTS if self._session.extensions.panes else 0
        number = None if running else self.wanted.why  # it walks through all events
        wanted = replace(self.wanted, events=events, why=number)
        picture = snapshot.take(self._session, wanted)
        self._post(Seen(picture, news, running=running, anew=anew, ahead=ahead))
        self._shown = monotonic()
        self._frame = max(FRAME_SECONDS, 5 * (self._shown - start))

    def _known(self, timeline: Timeline) -> tuple[bool, Sequence[Logged] | None]:
        """Tell whether the machine went elsewhere, and then what is known to come."""
        here = timeline.travels, timeline.branch.name, timeline.at_end
        if here == self._history:
            return False, None
        anew = here[:1] != self._history[:1]
        self._history = here
        return anew, timeline.ahead()


def brief(outcome: Outcome) -> str:
    """Return what a key brought in one row: only what is not on the screen anyway."""
    stop = outcome.result
    if isinstance(stop, list) and outcome.command.split()[0] in POINTS:
        return f"breakpoints: {outcome.text.replace(chr(10), ', ')}"
    if not isinstance(stop, dict) or "stop" not in stop:
        return outcome.text
    retired = f"{stop['retired']:,} retired"
    if stop["stop"] == "budget":
        return f"{stop['text']}; {retired}" if stop["retired"] > 1 else ""
    return f"{stop['stop']} on vCPU {stop['vcpu']}: {stop['text']}; {retired}"
