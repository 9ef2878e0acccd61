"""The engine's processor, in 64-bit code of a user, as `native.c` has it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import layout as state
from lapis_engine.cpu.intercepts import (
    Budget,
    Faulted,
    HwExit,
    Marked,
    SoftwareInterrupt,
)
from lapis_engine.cpu.registers import CS, Segment
from lapis_engine.profiles.catalog import SDM
from lapis_engine.vmm import build, intercepted, marked, run_state
from lapis_engine.vmm.vm import Run
from rigs.native_cpu import layout

if TYPE_CHECKING:
    from lapis_engine.memory.physical import Region

TABLES, CODE, DATA, STACK = 0x1000, 0x1_0000, 0x2_0000, 0x3_0000
"""Guest-physical places."""
SIZE = 0x4_0000
MOST = 4000
"""Instructions and iterations of a program."""
HLT = b"\xf4"
LDMXCSR = bytes.fromhex("68801f0000 0fae1424")
"""push 0x1f80; ldmxcsr [rsp]: what MXCSR is after reset."""
STMXCSR = bytes.fromhex("0fae1c24")
STARTS = (0, 0, 0, 0, layout.STACK + layout.PAGE, *(0,) * 11)
BP: Final = 3


class Bench:
    """One vCPU, and pages for one program after the other."""

    def __init__(self) -> None:
        self.vm = build.make(1, SDM, (), lambda *_: None)
        self.memory = self.vm.memory
        self.region: Region = self.memory.add(0, SIZE, "RAM")
        self.vm.core.map(self.region)
        self.memory.on_write = self.vm.core.forget_code
        self.vcpu = self.vm.vcpus[0]
        self.vcpu.run_state = run_state.RUN
        self._map()
        regs = self.vcpu.regs
        regs.efer, regs.cr4, regs.cr3 = 0x501, 0x620, TABLES
        for index in range(6):
            regs.set_segment(index, Segment(0x1B, 0, 0xFFFF_FFFF, 0xCF_F300))
        regs.set_segment(CS, Segment(0x13, 0, 0xFFFF_FFFF, 0xAF_FB00))
        regs.cr0 = 0x8001_0033
        self._fresh = regs.context.state_bytes()
        self.run(layout.Given(LDMXCSR, 0, STARTS, 2, bytes(256)))
        self._fresh = regs.context.state_bytes()

    def _map(self) -> None:
        """Map the pages of a program for the user, and no others."""

        def put(table: int, index: int, value: int) -> None:
            place = TABLES + 0x1000 * table + 8 * index
            self.memory.write(place, (value | 7).to_bytes(8, "little"))

        put(0, 0, TABLES + 0x1000)
        put(1, 0, TABLES + 0x2000)
        for table, linear, gpa, pages in (
            (3, layout.CODE, CODE, 1), (4, layout.DATA, DATA, 2),
            (5, layout.STACK, STACK, 1),
        ):  # fmt: skip
            put(2, linear >> 21, TABLES + 0x1000 * table)
            for page in range(pages):
                put(table, page, gpa + 0x1000 * page)

    def run(self, case: layout.Given) -> layout.Result:
        """Run one program to its first exception."""
        self._load(case)
        fault = self._fault()
        regs = self.vcpu.regs
        raw = regs.context.state_bytes()
        slots = range(state.XMM, state.XMM + 16 * state.XMM_SLOT, state.XMM_SLOT)
        host = self.region.host
        memory = zlib.crc32(host[DATA : DATA + layout.DATA_SIZE])
        return layout.Result(
            tuple(regs.gpr), regs.rip, regs.rflags & (layout.STATUS | layout.DF),
            b"".join(raw[at : at + 16] for at in slots),
            self._mxcsr(),
            fault.vector, fault.error,
            fault.cr2 if fault.vector == layout.PF else 0,
            zlib.crc32(host[STACK : STACK + layout.PAGE], memory),
        )  # fmt: skip

    def _mxcsr(self) -> int:
        """What STMXCSR would store."""
        self.memory.write(CODE, STMXCSR)
        regs = self.vcpu.regs
        regs.rip, regs.rflags, regs.gpr[4] = layout.CODE, 2, layout.STACK + 8
        self.vcpu.event = None
        before = self.region.host[STACK + 8 : STACK + 12]
        marked.carry_out(Run(self.vm, self.vcpu), Marked())
        found = int.from_bytes(self.region.host[STACK + 8 : STACK + 12], "little")
        self.region.host[STACK + 8 : STACK + 12] = before
        return found

    def _load(self, case: layout.Given) -> None:
        regs, host = self.vcpu.regs, self.region.host
        raw = bytearray(self._fresh)
        for n in range(16):
            at = state.XMM + n * state.XMM_SLOT
            raw[at : at + 16] = case.xmm[16 * n : 16 * n + 16]
        regs.context.load_bytes(bytes(raw))
        for n, value in enumerate(case.gpr):
            regs.gpr[n] = value
        regs.rip, regs.rflags = layout.CODE, case.rflags | 0x202
        self.vcpu.event = None
        # No code is ever translated from these pages.
        end = case.content + layout.DATA_SIZE
        host[DATA : DATA + layout.DATA_SIZE] = layout.POOL[case.content : end]
        host[STACK : STACK + layout.PAGE] = layout.POOL[end : end + layout.PAGE]
        self.memory.write(CODE, case.code.ljust(layout.LONGEST + 16, HLT))

    def _fault(self) -> Faulted:
        """Run until something faults; what is marked is the engine's to do."""
        left = MOST
        core = self.vm.core
        while left > 0:
            event: HwExit | None = core.run(self.vcpu.regs, left)
            left -= max(core.retired, 1)
            if isinstance(event, Marked):
                event = marked.carry_out(Run(self.vm, self.vcpu), event)
                if event is None and self.vcpu.event is not None:
                    raised = self.vcpu.event
                    return Faulted(raised.vector, raised.error or 0, raised.cr2)
            if isinstance(event, SoftwareInterrupt) and event.vector == BP:
                return Faulted(BP, 0, 0)
            if isinstance(event, Faulted):
                return self._exact(event)
            assert event is None or isinstance(event, Budget), event
        raise AssertionError("it does not end")

    def _exact(self, fault: Faulted) -> Faulted:
        """Put right what the engine does before it raises a fault."""
        vector, error = fault.vector, fault.error
        return Faulted(
            intercepted.exact_vector(self.vm, self.vcpu, vector, error),
            intercepted.exact_error(self.vm, self.vcpu, vector, error, fault.cr2),
            fault.cr2,
        )
