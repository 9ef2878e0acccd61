"""What lay at the page that a SIPI names when it was sent, and when it was taken.

That a trampoline was changed between the two is in no event and no register. What is
kept here is a memory of what was seen and no state of the machine: it goes neither into
a digest nor into a recording, and of a SIPI that was not seen nothing is known.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu.registers import CS
from lapis_engine.events import IpiSent, Logged, RunStateChanged
from lapis_engine.units import PAGE
from lapis_engine.vmm import run_state

if TYPE_CHECKING:
    from lapis_engine.machine.log import Observers
    from lapis_engine.vmm.vm import Vm

KEPT: Final = 1024
"""SIPIs, and starts, that are remembered; those of one trampoline share its page."""


class SipiPage(NamedTuple):
    """The page of a SIPI when it was sent."""

    sent: Logged
    page: bytes


class Started(NamedTuple):
    """A vCPU that a SIPI has started."""

    started: Logged
    """The change of its run-state."""
    start: int
    """Guest-physical address of its first instruction, a multiple of 4096."""
    page: bytes
    """What lay there then."""
    named: SipiPage | None
    """What lay there when the SIPI was sent; None when that was not seen."""


class StartPages:
    """The last SIPIs and starts of one machine."""

    def __init__(self, vm: Vm) -> None:
        """Begin with none."""
        self._vm = vm
        self._named: deque[SipiPage] = deque(maxlen=KEPT)
        self._started: deque[Started] = deque(maxlen=KEPT)

    def observers(self) -> Observers:
        """Return who is to be told which events."""
        return {IpiSent: (self._sent,), RunStateChanged: (self._moved,)}

    def of(self, started: Logged) -> Started | None:
        """Return what was seen at this start, the event of which is in the history."""
        found = (each for each in self._started if each.started is started)
        return next(found, None)

    def _sent(self, logged: Logged) -> None:
        event = logged.event
        if isinstance(event, IpiSent) and event.mode == "sipi":
            page = self._page((event.icr & 0xFF) * PAGE)
            self._named.append(SipiPage(logged, page))

    def _page(self, gpa: int) -> bytes:
        """Return what lies at a page, the object that is remembered if it is alike."""
        page = self._vm.memory.peek(gpa, PAGE)
        last = self._named[-1].page if self._named else b""
        return last if page == last else page

    def _moved(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, RunStateChanged)
        if event.before & run_state.RUN or not event.after & run_state.RUN:
            return
        regs = self._vm.vcpus[event.vcpu].regs
        code = regs.segment(CS)
        if regs.rip or code.base % PAGE or code.selector << 4 != code.base:
            return  # not by SIPI
        page = self._page(code.base)
        named = self._last(code.base // PAGE, event.vcpu, logged.seq)
        self._started.append(Started(logged, code.base, page, named))

    def _last(self, vector: int, number: int, seq: int) -> SipiPage | None:
        """Return the last SIPI with this vector for a vCPU, of those before `seq`."""
        for named in reversed(self._named):
            event = named.sent.event
            assert isinstance(event, IpiSent)
            is_it = event.icr & 0xFF == vector and number in event.targets
            if is_it and named.sent.seq < seq:
                return named
        return None
