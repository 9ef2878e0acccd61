"""A machine whose vCPUs do one act at a time, as a row of a table says.

Each vCPU has a page of code of its own. An act is assembled there, RIP set to it, and
`vm_run` entered until it has retired: the guest itself makes every access. Interrupts
are off, unless a row turns them on. Not here: what the acts are called (`script`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.boot import tables
from lapis_engine.boot.image import Blob, BootPlan
from lapis_engine.cpu.registers import IF, RAX, RCX, RDX, RSP, Segment
from lapis_engine.devices import ioapic, pic, pit, pmtimer
from lapis_engine.events import ExceptionRaised
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.profiles.catalog import profile_named
from lapis_engine.vmm import exits
from lapis_engine.vmm.entry import DEFAULT
from lapis_engine.vmm.run import run

if TYPE_CHECKING:
    from lapis_engine.events import Event
    from lapis_engine.vmm.vcpu import Vcpu

MEMORY = 16 << 20
IDT, HANDLERS = 0xA000, 0xB000
"""256 gates, and 16 bytes of code for each."""
CODE, STACKS = 0x1_0000, 0x8_0000
"""A page of code for each vCPU, upwards, and a page of stack, downwards."""
HANDLER = b"\xf4\xeb\xfd".ljust(16, b"\x90")
"""hlt; jmp to it."""
NOPS = b"\x90" * 0x40
RUNNING = 2
"""Run-state VRS_RUN."""


def _plan(*, wide: bool) -> BootPlan:
    gates = b""
    for vector in range(256):
        at = HANDLERS + 16 * vector
        selector = tables.CODE_64 if wide else tables.CODE_32
        gates += struct.pack("<HHHH", at & 0xFFFF, selector, 0x8E00, at >> 16)
        gates += bytes(8) if wide else b""
    entry = tables.long_entry(CODE, MEMORY) if wide else tables.protected_entry(CODE)
    handlers = Blob(HANDLERS, HANDLER * 256)
    blobs = tables.gdt(), tables.identity_map(), Blob(IDT, gates), handlers
    return BootPlan("conformance", blobs, entry)


@dataclass(frozen=True, slots=True)
class Done:
    """What an act came to."""

    exit: exits.Exit | None
    """What `vm_run` came back with, unless the act just retired."""
    events: tuple[Event, ...]
    advanced: int
    """Bytes by which RIP moved."""

    @property
    def fault(self) -> int | None:
        """Vector of the exception that the guest got."""
        for event in self.events:
            if isinstance(event, ExceptionRaised) and not event.software:
                return event.vector
        return None


class Rig:
    """A machine with its vCPUs where a row wants them."""

    def __init__(
        self,
        cpus: int = 1,
        profile: str = "sdm",
        *,
        wide: bool = True,
        cpu: str = "lapis",
    ) -> None:
        """Start vCPU 0 in 64-bit mode, or in flat 32-bit mode without `wide`."""
        config = MachineConfig(cpus, MEMORY, profile_named(profile), cpu=cpu)
        devices = [
            pit.device(pulses=config.profile.pic_keeps_edges),
            pic.device(
                modes_checked=config.profile.pic_modes_checked,
                keeps_edges=config.profile.pic_keeps_edges,
            ),
            ioapic.device(config.profile),
            pmtimer.device(),
        ]
        self.machine = Machine(config, _plan(wide=wide), devices)
        self.profile = config.profile
        self.vm = self.machine.vm
        self._prepare(self.vcpu(0))

    def vcpu(self, number: int) -> Vcpu:
        return self.machine.vcpus[number]

    def _prepare(self, vcpu: Vcpu) -> None:
        vcpu.regs.idtr = Segment(0, IDT, 0xFFF, 0)
        vcpu.regs.gpr[RSP] = STACKS - 0x1000 * vcpu.id
        vcpu.mode = vcpu.regs.mode

    def bring_up(self, number: int) -> None:
        """Let an AP run in the mode of vCPU 0, without INIT and SIPI."""
        bsp, vcpu = self.vcpu(0).regs, self.vcpu(number)
        regs = vcpu.regs
        regs.cr3, regs.cr4, regs.efer, regs.cr0 = bsp.cr3, bsp.cr4, bsp.efer, bsp.cr0
        for index in range(6):
            regs.set_segment(index, bsp.segment(index))
        regs.gdtr, vcpu.run_state, vcpu.active = bsp.gdtr, RUNNING, True
        self.vm.debug_cpus &= ~(1 << number)
        self._prepare(vcpu)

    def events(self, since: int) -> tuple[Event, ...]:
        """Everything that has happened since event number `since`."""
        return tuple(each.event for each in self.machine.log.since(since))

    def enter(self, number: int, budget: int) -> exits.Exit | None:
        """VM_RUN with VEC_DEFAULT until `budget` has retired; return another exit."""
        ran = 0
        while True:
            done = run(self.vm, self.vcpu(number), DEFAULT, budget - ran)
            ran += done.ran
            if not isinstance(done.exit, exits.Bogus):
                return done.exit
            if ran >= budget:
                return None

    def execute(self, number: int, code: bytes, count: int) -> Done:
        """Let a vCPU retire `count` instructions of `code`, interrupts off.

        A fault is taken, seen, and forgotten: the next act begins as if without it.
        """
        vcpu, at = self.vcpu(number), CODE + 0x1000 * number
        regs = vcpu.regs
        self.vm.memory.write(at, code + NOPS)
        regs.rip, vcpu.halted, stack = at, False, regs.gpr[RSP]
        since = self.machine.log.next_seq
        out = self.enter(number, count)
        done = Done(out, self.events(since), regs.rip - at)
        if done.fault is not None:
            regs.gpr[RSP], vcpu.halted = stack, False
            return Done(None, done.events, 0)
        return done

    # Instructions, each after those that load its registers.

    def store(self, number: int, address: int, value: int, size: int = 4) -> Done:
        opcode = {1: b"\x88", 2: b"\x66\x89", 4: b"\x89", 8: b"\x48\x89"}[size]
        load = b"\x48\xb8" + struct.pack("<Q", value) if size == 8 else _eax(value)
        return self.execute(number, load + _edx(address) + opcode + b"\x02", 3)

    def load(self, number: int, address: int, size: int = 4) -> tuple[Done, int]:
        opcode = {1: b"\x8a", 2: b"\x66\x8b", 4: b"\x8b", 8: b"\x48\x8b"}[size]
        done = self.execute(number, _edx(address) + opcode + b"\x02", 2)
        return done, self._rax(number, size)

    def wrmsr(self, number: int, msr: int, value: int) -> Done:
        halves = _eax(value & 0xFFFF_FFFF) + _edx(value >> 32)
        return self.execute(number, _ecx(msr) + halves + b"\x0f\x30", 4)

    def rdmsr(self, number: int, msr: int) -> tuple[Done, int]:
        done = self.execute(number, _ecx(msr) + b"\x0f\x32", 2)
        gpr = self.vcpu(number).regs.gpr
        return done, (gpr[RDX] & 0xFFFF_FFFF) << 32 | gpr[RAX] & 0xFFFF_FFFF

    def write_cr8(self, number: int, value: int) -> Done:
        load = b"\x48\xb8" + struct.pack("<Q", value)
        return self.execute(number, load + b"\x44\x0f\x22\xc0", 2)

    def read_cr8(self, number: int) -> tuple[Done, int]:
        done = self.execute(number, b"\x44\x0f\x20\xc0", 1)
        return done, self.vcpu(number).regs.gpr[RAX]

    def port_in(self, number: int, port: int, size: int) -> tuple[Done, int]:
        opcode = {1: b"\xec", 2: b"\x66\xed", 4: b"\xed"}[size]
        done = self.execute(number, _edx(port) + opcode, 2)
        return done, self._rax(number, size)

    def port_out(self, number: int, port: int, size: int, value: int) -> Done:
        opcode = {1: b"\xee", 2: b"\x66\xef", 4: b"\xef"}[size]
        return self.execute(number, _eax(value) + _edx(port) + opcode, 3)

    def cpuid(self, number: int, leaf: int) -> tuple[int, int, int, int]:
        """Return EAX, EBX, ECX and EDX."""
        self.execute(number, _eax(leaf) + _ecx(0) + b"\x0f\xa2", 3)
        gpr = self.vcpu(number).regs.gpr
        return gpr[RAX], gpr[3], gpr[RCX], gpr[RDX]

    def _rax(self, number: int, size: int) -> int:
        return int(self.vcpu(number).regs.gpr[RAX]) & ((1 << (8 * size)) - 1)

    def allow_interrupts(self, number: int, *, on: bool) -> None:
        """Set or clear RFLAGS.IF."""
        regs = self.vcpu(number).regs
        regs.rflags = regs.rflags | IF if on else regs.rflags & ~IF


def _eax(value: int) -> bytes:
    return b"\xb8" + struct.pack("<I", value)


def _ecx(value: int) -> bytes:
    return b"\xb9" + struct.pack("<I", value)


def _edx(value: int) -> bytes:
    return b"\xba" + struct.pack("<I", value)
