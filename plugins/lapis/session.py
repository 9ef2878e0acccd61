"""A session as a program drives it: verbs in, records out.

Everything is for one thread. What the debugger can do and this has no verb for is done
by `Session.do`, with the command line that the debugger would take.
"""

from __future__ import annotations

from os import fspath
from typing import TYPE_CHECKING, Any, Self

from lapis import html
from lapis.pictures import Apic, Event, Registers
from lapis_sessions.errors import CommandError, RecordingError, SessionError
from lapis_sessions.recording.start import start_recording
from lapis_sessions.text.visible import quoted_path, visible
from lapis_sessions.views import apic, registers

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.requests import PendingRequest
    from lapis_engine.machine.stop import Stop
    from lapis_sessions.session import Session as LiveSession


class Vcpu:
    """One vCPU of a session; what it returns is what it is at that moment."""

    def __init__(self, machine: Machine, number: int) -> None:
        """Look at vCPU `number` of `machine`."""
        self._machine = machine
        self.id = number

    @property
    def state(self) -> str:
        """never-started, wait-for-sipi, running, halted or suspended."""
        return self._machine.vcpu_state(self.id)

    @property
    def mode(self) -> str:
        """Mode of the processor: real, protected, compat or long."""
        return self._machine.vcpu(self.id).regs.mode

    @property
    def retired(self) -> int:
        """Instructions since the machine was made."""
        return self._machine.vcpu(self.id).retired

    @property
    def regs(self) -> Registers:
        """Its registers as they are now."""
        return Registers(registers.values(self._machine.vcpu(self.id).regs))

    @property
    def apic(self) -> Apic:
        """Its local APIC as it is now."""
        return Apic.of(apic.of(self._machine, self.id))

    def memory(self, linear: int, size: int) -> bytes:
        """Return `size` bytes as this vCPU sees them, without touching a device.

        Raises `UnmappedError` where its page tables or the machine have nothing.
        """
        return self._machine.read_memory(self.id, linear, size)

    def __repr__(self) -> str:
        """Say what it does and where."""
        return f"<Vcpu {self.id} {self.state} {self.mode} rip={self.regs.rip:#x}>"

    def _repr_html_(self) -> str:
        regs, apic = self.regs._repr_html_(), self.apic._repr_html_()
        return f"<b>vCPU {self.id}</b>: {self.state}, {self.mode}{regs}{apic}"


class Session:
    """A machine, its history, and the verbs on both. A context manager."""

    def __init__(self, live: LiveSession) -> None:
        """Drive `live`; `lapis.open` and `lapis.replay` make one."""
        self._live = live
        self._is_open = True
        machine = live.machine
        self.vcpus = tuple(Vcpu(machine, vcpu.id) for vcpu in machine.vcpus)
        """The vCPUs by number."""

    # Running.

    def run(self, n: int | None = None) -> Stop:
        """Run the schedule until something happens, at most `n` instructions.

        `n` counts instructions of all vCPUs, a thousand million when it is not given.
        The `reason` of what is returned is budget, exit, breakpoint, catch, halted,
        suspended or fault. In the past this goes along what was done there, answers
        included, and at the end of it the reason is end-of-branch.
        """
        return self._checked().run(n)

    def step(self, n: int, vcpu: int | None = None) -> Stop:
        """Run one vCPU alone for `n` instructions, everything else frozen.

        It is the selected one unless `vcpu` says which, and that one is then selected.
        Raises `NotRunnableError`, with the reason, when it cannot run. In the past this
        goes along what was done until that vCPU has retired so many.
        """
        live = self._checked()
        if vcpu is not None:
            live.select(vcpu)
        return live.step(n)

    # Requests.

    def pending(self) -> list[PendingRequest]:
        """Return the accesses that wait for an answer, by vCPU."""
        return self._live.machine.pending()

    def answer(
        self, value: int | None = None, vcpu: int | None = None
    ) -> PendingRequest:
        """Give a read its value, or let a write pass; return what was answered.

        Without `vcpu` it is the only request, or that of the selected vCPU. Raises
        `EntryError` or `ConfigError`, with the request still pending.
        """
        return self._checked().answer(value, vcpu)

    def discard(self, vcpu: int | None = None) -> PendingRequest:
        """Forget a request and return it; its instruction runs again."""
        return self._checked().discard(vcpu)

    # Everything else.

    def do(self, line: str) -> Any:
        """Perform a command line of the debugger and return its data.

        The data is what `lapis exec --json` prints as `result`. Raises `CommandError`
        with the sentence that the debugger would show.
        """
        outcome = self._checked().execute(line)
        if not outcome.ok:
            raise CommandError(outcome.error)
        return outcome.result

    def events(self, last: int = 20) -> list[Event]:
        """Return the last events, oldest first."""
        return [Event.of(logged) for logged in self._live.machine.log.last(last)]

    def goto(self, where: int | str) -> None:
        """Go to a point of the history, as the command `goto` does.

        `where` is a count of instructions, `"#59"` for where event 59 had just
        happened, `"start"`, `"end"`, or a name. Raises `CommandError`.
        """
        self.do(f"goto {where}")

    def record(self, file: str | PathLike[str], *, force: bool = False) -> None:
        """Write all that was done so far to a recording, and be done with it.

        `force` replaces a file. Raises `RecordingError` when it cannot be written, and
        while another recording is being made.
        """
        live = self._live
        if live.writer is not None:
            raise RecordingError(f"{quoted_path(live.writer.name)} is being made")
        start_recording(live, fspath(file), force=force)
        live.close()

    @property
    def guest(self) -> str:
        """What runs: the guest or the firmware, as the user called it."""
        return self._live.guest

    @property
    def now(self) -> int:
        """Virtual time in ns."""
        return self._live.machine.now

    @property
    def console(self) -> dict[str, bytes]:
        """What the guest printed, by port."""
        return {k: bytes(v) for k, v in self._live.machine.consoles.items()}

    @property
    def machine(self) -> Machine:
        """The engine's machine: for who wants to look deeper."""
        return self._live.machine

    def notices(self) -> list[str]:
        """Take the sentences that no verb asked for, as that a plug-in was disabled."""
        found, self._live.notices[:] = list(self._live.notices), []
        return found

    def close(self) -> None:
        """Close the recording, if there is one. Twice is as good as once.

        Raises `RecordingError` when the file cannot be finished.
        """
        self._is_open = False
        self._live.close()

    def release(self) -> None:
        """Give the machine's memory back: nobody looks at it any more."""
        self._live.release()

    def _checked(self) -> LiveSession:
        if not self._is_open:
            raise SessionError("the session is closed: what it was can be looked at")
        return self._live

    def __enter__(self) -> Self:
        """Return the session."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Say what runs, and where it is."""
        live = self._live
        place = live.timeline.spot.at
        return (
            f"<Session {visible(live.guest)} "
            f"profile={live.machine.config.profile.name} "
            f"cpus={len(self.vcpus)} at={place.retired}>"
        )

    def _repr_html_(self) -> str:
        rows = [
            (str(v.id), v.state, v.mode, f"{v.regs.rip:#x}", f"{v.apic.ppr:#04x}",
             " ".join(f"{vector:#04x}" for vector in v.apic.irr),
             " ".join(f"{vector:#04x}" for vector in v.apic.isr))
            for v in self.vcpus
        ]  # fmt: skip
        head = ("vCPU", "state", "mode", "rip", "ppr", "irr", "isr")
        waiting = [(f"vCPU {r.vcpu}", r.text) for r in self.pending()]
        asked = html.table("pending", waiting) if waiting else ""
        return html.grid(f"{self._live.guest}, {self.now:,} ns", head, rows) + asked
