"""A recording as waves: a value change dump, as GTKWave and Surfer show it.

Of each vCPU its state, mode, interrupt flag and priorities, the vectors that wait or
are in service, and pulses where INIT, SIPI and NMI arrive; the pins of the IOAPIC and
the lines of the 8259s. The machine is looked at with every event, once more behind the
instruction that it belongs to, which is let stop there, and whenever a vCPU has had its
turn: an interrupt flag or a TPR that changes without an event is told with the next of
these. Nothing is asked of a device.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lapis_engine.apic import priority
from lapis_engine.events import (
    InitReceived,
    NmiReceived,
    Rebooted,
    SipiReceived,
    Suspended,
)
from lapis_sessions.recording.export.waves import NOBODY, Waves
from lapis_sessions.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.replay.capture import Position
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_sessions.recording.export.waves import Wire
    from lapis_sessions.recording.play.named import Named
    from lapis_sessions.recording.play.player import Player

STATES: Final = ("never-started", "wait-for-sipi", "running", "halted", "suspended")
"""Values of the wire `state`."""
MODES: Final = ("real", "protected", "compat", "long")
"""Values of the wire `mode`."""
WAITING, SERVED = 1, 2
"""Bits of a vector's wire."""
LINES: Final = 8
"""Inputs of one 8259."""
PULSES: Final = {InitReceived: "init", SipiReceived: "sipi", NmiReceived: "nmi"}
EVERYBODY: Final = (Suspended, Rebooted)
"""Events after which every vCPU is another."""
TOP: Final = "lapis"


@dataclass(slots=True)
class _Processor:
    """The wires of one vCPU."""

    named: dict[str, Wire]
    vectors: dict[int, Wire] = field(default_factory=dict)
    irr: int = 0
    """As it was told last; so is `isr`."""
    isr: int = 0


class _Probe:
    """Holds the wires to a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.waves = Waves()
        self._processors = [self._processor(vcpu.id) for vcpu in machine.vcpus]
        vm = machine.vm
        pins = () if vm.ioapic is None else vm.ioapic.pins
        lines = 0 if vm.pic is None else 2 * LINES
        self._pins = [
            self.waves.wire((TOP, "ioapic"), f"pin{number}")
            for number, _ in enumerate(pins)
        ]
        self._lines = [
            self.waves.wire((TOP, "pic"), f"irq{irq}") for irq in range(lines)
        ]
        self.all()
        self.waves.begin(machine.now)

    def _processor(self, number: int) -> _Processor:
        scope = (TOP, f"vcpu{number}")
        widths = {
            "state": 3, "mode": 2, "if": 1, "ppr_class": 4, "tpr_class": 4,
            "irr_top": 8, "isr_top": 8,
        }  # fmt: skip
        made = {n: self.waves.wire(scope, n, bits) for n, bits in widths.items()}
        for name in PULSES.values():
            made[name] = self.waves.wire(scope, name, kind="event")
        return _Processor(made)

    def event(self, logged: Logged) -> None:
        """Look at what an event is about."""
        self.waves.move(logged.at)
        event = logged.event
        if isinstance(event, EVERYBODY):
            self.all()
        elif event.vcpu >= 0:
            self._vcpu(self.machine.vcpus[event.vcpu])
        self._inputs()
        self.machine.vm.attention.ask_stop()
        name = PULSES.get(type(event))
        if name is not None:
            self.waves.pulse(self._processors[event.vcpu].named[name])

    def turn(self, vcpu: Vcpu, _retired: int) -> None:
        """Look at a vCPU that has had its turn."""
        self.waves.move(self.machine.now)
        self._vcpu(vcpu)

    def settled(self, _at: Position | None = None) -> None:
        """Look at everything: an instruction with events, or an act, is over."""
        self.waves.move(self.machine.now)
        self.all()

    def all(self) -> None:
        """Look at everything."""
        for vcpu in self.machine.vcpus:
            self._vcpu(vcpu)
        self._inputs()

    def _vcpu(self, vcpu: Vcpu) -> None:
        it, apic, put = self._processors[vcpu.id], vcpu.apic, self.waves.put
        values = {
            "state": STATES.index(self.machine.vcpu_state(vcpu.id)),
            "mode": MODES.index(vcpu.regs.mode),
            "if": int(vcpu.regs.interrupts),
            "ppr_class": apic.ppr >> 4,
            "tpr_class": apic.tpr >> 4,
            "irr_top": _highest(apic.irr),
            "isr_top": _highest(apic.isr),
        }
        for name, value in values.items():
            put(it.named[name], value)
        for vector in priority.vectors(apic.irr ^ it.irr | apic.isr ^ it.isr):
            waits = WAITING * (apic.irr >> vector & 1)
            put(
                self._vector(it, vcpu.id, vector),
                waits | SERVED * (apic.isr >> vector & 1),
            )
        it.irr, it.isr = apic.irr, apic.isr

    def _vector(self, it: _Processor, number: int, vector: int) -> Wire:
        found = it.vectors.get(vector)
        if found is None:
            scope = (TOP, f"vcpu{number}", "vectors")
            found = self.waves.wire(scope, f"v{vector:02x}", 2)
            it.vectors[vector] = found
        return found

    def _inputs(self) -> None:
        vm, put = self.machine.vm, self.waves.put
        if vm.ioapic is not None:
            for wire, pin in zip(self._pins, vm.ioapic.pins, strict=True):
                put(wire, int(pin.count > 0))
        if vm.pic is not None:
            levels = vm.pic.master.lines | vm.pic.slave.lines << LINES
            for irq, wire in enumerate(self._lines):
                put(wire, levels >> irq & 1)


def _highest(bits: int) -> int | None:
    return priority.highest(bits) if bits else NOBODY


def waves(named: Named, player: Player) -> Iterator[bytes]:
    """Yield the dump in pieces, when all is done; raise `DivergedError`."""
    machine = player.machine
    probe = _Probe(machine)
    machine.log.observers.append(probe.event)
    machine.on_turn = probe.turn
    try:
        before = 0
        for done, _ in player.acts(probe.settled):
            if done > before and not player.entries[done - 1].moves:
                probe.settled()
            before = done
    finally:
        machine.log.observers.remove(probe.event)
        machine.on_turn = None
    yield "".join(_head(named)).encode()
    yield from probe.waves.pieces()


def _head(named: Named) -> Iterable[str]:
    """Yield what a reader is to know; a `$` of a name would begin a keyword."""
    head = named.recording.header
    guest = visible(head.image.name).replace("$", r"\x24")
    profile = visible(head.profile).replace("$", r"\x24")
    version = visible(head.lapis).replace("$", r"\x24")
    yield f"$version Lapis {version} $end\n"
    yield "$comment\n"
    yield f"{guest}, {head.cpus} vCPUs, profile {profile}; virtual time\n"
    yield f"state: {_coded(STATES)}\nmode: {_coded(MODES)}\n"
    yield "vectors: 1 waits (IRR), 2 in service (ISR), 3 both\n"
    yield "irr_top, isr_top: the highest vector, z for none\n"
    yield "if and tpr_class: as they were at the last event or end of a turn\n"
    yield "$end\n$timescale 1 ns $end\n"


def _coded(names: Iterable[str]) -> str:
    return ", ".join(f"{number} {name}" for number, name in enumerate(names))
