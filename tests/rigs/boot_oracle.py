"""A second model of INIT, SIPI and NMI among processors, by the manual alone and slow.

SDM Vol. 3A "MP Initialization Protocol Algorithm", "Issuing Interprocessor Interrupts",
"Determining IPI Destination" (xAPIC, flat), Vol. 3A "Nonmaskable Interrupt (NMI)". It
knows what was written to which ICR and who was let run, and nothing of the engine.
"""

from dataclasses import dataclass, field

INIT, SIPI, NMI = 5, 6, 4
"""Delivery modes, bits 10:8."""
NAMES = {INIT: "init", SIPI: "sipi", NMI: "nmi"}
NONE, SELF, ALL, OTHERS = range(4)
"""Shorthands, bits 19:18."""


@dataclass
class Message:
    """One ICR write, and what became of it at one processor."""

    event: int
    vector: int
    fate: str


@dataclass
class Processor:
    """One processor."""

    ldr: int
    runs: bool
    waits: bool = False
    """For SIPI."""
    init: Message | None = None
    """That is pending; so the others."""
    sipi: Message | None = None
    nmi: Message | None = None
    in_nmi: bool = False
    came: dict[str, Message] = field(default_factory=dict)
    missed: dict[str, Message] = field(default_factory=dict)


class Bus:
    """Processors whose ids are their numbers, and whose logical ids are flat."""

    def __init__(self, ldrs: list[int]) -> None:
        self.all = [Processor(ldr, runs=n == 0) for n, ldr in enumerate(ldrs)]

    def write(self, sender: int, icr: int, event: int) -> None:
        """Write an ICR whose write is event number `event`."""
        mode, vector = icr >> 8 & 7, icr & 0xFF
        name = NAMES[mode]
        reached, why = self._reached(sender, icr)
        for number, it in enumerate(self.all):
            message = Message(event, vector, why)
            if number in reached:
                it.came[name] = message
                self._take(it, mode, message)
            elif why != "init-deassert" or "init" not in it.came:
                if why == "" and reached == [sender]:
                    message.fate = "to-sender"
                it.missed[name] = message

    def _reached(self, sender: int, icr: int) -> tuple[list[int], str]:
        """Return whom it reaches, and why it is dropped for all, if it is."""
        mode, shorthand = icr >> 8 & 7, icr >> 18 & 3
        if shorthand in {SELF, ALL}:
            return [], "mode-shorthand"
        if mode == INIT and icr >> 15 & 1 and not icr >> 14 & 1:
            return [], "init-deassert"
        if shorthand == OTHERS:
            return [n for n in range(len(self.all)) if n != sender], ""
        return [n for n, it in enumerate(self.all) if self._named(n, it, icr)], ""

    def _named(self, number: int, it: Processor, icr: int) -> bool:
        to = icr >> 56
        if to == 0xFF:
            return True
        return bool(to & it.ldr) if icr >> 11 & 1 else to == number

    def _take(self, it: Processor, mode: int, message: Message) -> None:
        if mode == INIT:
            message.fate = "merged" if it.init else "pending"
            it.init = it.init or message
            if it.sipi:
                it.sipi.fate = "cleared"
            it.sipi = None
        elif mode == NMI:
            message.fate = "merged" if it.nmi else "pending"
            it.nmi = it.nmi or message
        elif it.runs and not it.init:
            message.fate = "runs"
        elif not it.waits and not it.init:
            message.fate = "no-init"
        elif it.sipi:
            message.fate = "earlier"
        else:
            message.fate, it.sipi = "pending", message

    def enter(self, number: int) -> None:
        """Let a processor get on as far as it can before its next instruction."""
        it = self.all[number]
        if it.init:
            it.init.fate = "restarted" if number == 0 else "taken"
            it.init, it.runs, it.waits = None, number == 0, number != 0
            if it.nmi:
                it.nmi.fate = "cleared"
            it.nmi, it.in_nmi = None, False
            it.ldr = 0  # INIT clears the APIC, its id excepted
        if it.waits and it.sipi:
            it.sipi.fate = "started"
            it.sipi, it.waits, it.runs = None, False, True
        if it.runs and it.nmi and not it.in_nmi:
            it.nmi.fate = "delivered"
            it.nmi, it.in_nmi = None, True
