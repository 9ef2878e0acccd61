"""One instruction on a page that nobody serves, in a mode of one's choice.

The linear window of `fuzz.layout` holds code, RAM, two pages of a hole and RAM again,
at their guest-physical addresses without paging, and wherever `base` says with it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from fuzz.layout import CODE, DATA, HOLE, WINDOW, Case
from fuzz.worlds import World

from lapis_engine.cpu.registers import GPR_NAMES
from lapis_engine.vmm import emulation, exits, handlers
from lapis_engine.vmm.entry import DiscardInstr, FulfillInout, FulfillMmio

if TYPE_CHECKING:
    from lapis_engine.cpu.delivery import Pending
    from lapis_engine.vmm.exits import Exit

HIGH = 0xFFFF_8000_0001_0000
"""Linear address of the window where it is not where memory is."""
PRESENT = 7
PAGING = {64: "4-level", 32: "none", 16: "real"}


@cache
def world(*, served: bool) -> World:
    return World(hole=True, served=served)


class Rig:
    """A vCPU on its instruction; nothing has run yet."""

    def __init__(
        self,
        code: str,
        bits: int = 64,
        *,
        base: int = CODE,
        cpl: int = 0,
        rflags: int = 2,
        budget: int = 1,
        served: bool = False,
        pages: dict[int, int] | None = None,
        **gpr: int,
    ) -> None:
        self.world = world(served=served)
        self.code = bytes.fromhex(code)
        entries = [page | PRESENT for page in WINDOW] if bits == 64 else []
        for index, entry in (pages or {}).items():
            entries[index] = entry
        values = [gpr.get(name, 0) for name in GPR_NAMES]
        linear = base + 0x100
        self.case = Case(
            code, "", self.code, bits, PAGING[bits], cpl, values, linear & 0xFFFF_FFFF
            if bits != 64 else linear, CODE + 0x100, rflags, [0] * 6, base, entries,
            budget=budget,
        )  # fmt: skip
        if bits == 16:
            self.case.rip, self.case.bases = 0x100, [CODE] * 6
        self.world.load(self.case)
        self.vm, self.vcpu = self.world.vm, self.world.vcpu
        self.regs = self.vcpu.regs
        self.gpr = self.regs.gpr

    def run(self) -> Exit | None:
        """Run until something is asked, the instruction is done, or it faults."""
        for _ in range(100):
            hw = self.vm.core.run(self.regs, 1)
            out = handlers.handle(self.world.run, hw)
            if out is not None or self.fault is not None:
                return out
            if self.regs.rip != self.case.rip:
                return None
        raise AssertionError("no end")

    def answer(self, data: int = 0) -> Exit | None:
        """Answer what is asked, and run on."""
        asked = emulation.pending(self.vcpu, self.vm.profile)
        entry: FulfillMmio | FulfillInout
        if isinstance(asked, exits.Mmio):
            entry = FulfillMmio(asked.gpa, asked.bytes, asked.read, data)
        else:
            assert isinstance(asked, exits.Inout), asked
            entry = FulfillInout(asked.port, asked.bytes, asked.read, data)
        out = emulation.enter(self.world.run, entry, "user")
        if out is None and self.fault is None and self.regs.rip == self.case.rip:
            return self.run()
        return out

    def discard(self) -> None:
        emulation.enter(self.world.run, DiscardInstr(), "user")

    @property
    def fault(self) -> Pending | None:
        """The exception that the guest is owed."""
        return self.vcpu.event

    def memory(self, gpa: int, size: int) -> bytes:
        return self.vm.memory.read(gpa, size)

    def store(self, gpa: int, data: bytes) -> None:
        self.vm.memory.write(gpa, data)

    @property
    def done(self) -> bool:
        """RIP is behind the instruction, and nothing is owed."""
        after = self.case.rip + len(self.code)
        return self.regs.rip == after and self.fault is None


def read(gpa: int, size: int) -> exits.Mmio:
    return exits.Mmio(gpa, size, True, 0)


def write(gpa: int, size: int, data: int) -> exits.Mmio:
    return exits.Mmio(gpa, size, False, data)


def at(gpa: int, base: int) -> int:
    """Linear address of `gpa` in a window at `base`."""
    return gpa - CODE + base


__all__ = ["CODE", "DATA", "HIGH", "HOLE", "Rig", "at", "read", "write"]
