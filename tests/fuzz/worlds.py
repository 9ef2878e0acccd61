"""The two machines of the fuzzer, and how a case is put into one and read back.

Not here: running it (`judge`).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, cast

from fuzz.layout import CODE, END, HOLE, PAGE, TABLES, TOP, Case
from lapis_engine.cpu.registers import (
    CR0_PE,
    CR0_PG,
    CR0_WP,
    CR4_OSFXSR,
    CR4_OSXMMEXCPT,
    CR4_PAE,
    CR4_SMAP,
    CS,
    EFER_LMA,
    EFER_LME,
    EFER_NXE,
    SEG_DB,
    SEG_G,
    SEG_L,
    Segment,
)
from lapis_engine.profiles.catalog import SDM
from lapis_engine.vmm import build, run_state
from lapis_engine.vmm.vm import Run

if TYPE_CHECKING:
    from lapis_engine.vmm.bus import Bus

POOL = random.Random(12990).randbytes(0x2_0000)
"""Where all memory takes its bytes from."""
CODE_FLAGS, DATA_FLAGS = 0x9B00, 0x9300
PRESENT, WRITABLE, USER = 1, 2, 4
FPU, XMM, XMM_STRIDE, FPU_END = 0x258, 0x338, 0x40, 0x738
"""Offsets in a saved context: x87 and MXCSR, and the sixteen XMM behind them."""
X87 = (*range(0x270, 0x2F0, 16), 0x310)
"""Offsets of ten-byte registers, each with six bytes of padding behind it."""
NOTHING = bytes(CODE)
Snapshot = dict[str, Any]


class HalfServed:
    """Half of the hole is a device of the engine; the other page is the user's."""

    def __init__(self, content: bytearray) -> None:
        self.content = content

    def read(self, gpa: int, size: int) -> int | None:
        at = gpa - HOLE
        if not 0 <= at <= PAGE - size:
            return None
        return int.from_bytes(self.content[at : at + size], "little")

    def write(self, gpa: int, size: int, value: int) -> bool:
        at = gpa - HOLE
        if not 0 <= at <= PAGE - size:
            return False
        self.content[at : at + size] = value.to_bytes(size, "little")
        return True

    def port_in(self, _port: int, _size: int) -> None:
        return None

    def port_out(self, _port: int, _size: int, _value: int) -> bool:
        return False


class World:
    """One machine with one vCPU."""

    def __init__(self, *, hole: bool, served: bool = False) -> None:
        """Build it, with a hole where `layout.HOLE` says, or RAM throughout.

        With `served` the engine has a device in half of the hole.
        """
        self.hole = hole
        self.vm = build.make(1, SDM, (), lambda *_: None)
        memory = self.vm.memory
        if hole:
            memory.add(0, HOLE, "low")
            memory.add(HOLE + 2 * PAGE, TOP - HOLE - 2 * PAGE, "high")
        else:
            memory.add(0, TOP, "RAM")
        for region in memory.regions:
            self.vm.core.map(region)
        memory.on_write = self.vm.core.forget_code
        self.vcpu = self.vm.vcpus[0]
        self.vcpu.run_state = run_state.RUN
        self.run = Run(self.vm, self.vcpu)
        self._fresh = self.vcpu.regs.context.state_bytes()
        self.device = bytearray(2 * PAGE)
        """What is in the hole."""
        self._ahead = 0
        if served:
            self.vm.buses[0] = cast("Bus", HalfServed(self.device))

    def load(self, case: Case) -> None:
        """Bring memory and the vCPU into the state that `case` describes."""
        vcpu, vm = self.vcpu, self.vm
        regs = vcpu.regs
        raw = bytearray(self._fresh)
        for n, value in enumerate(case.xmm):
            at = XMM + n * XMM_STRIDE
            raw[at : at + 16] = value.to_bytes(16, "little")
        regs.context.load_bytes(bytes(raw))
        vcpu.vie.reset()
        vcpu.event = None
        self.run = Run(vm, vcpu, case.budget)
        self._memory(case)
        regs.efer = (EFER_LMA | EFER_LME if case.paging == "4-level" else 0) | (
            EFER_NXE if case.nx else 0
        )
        regs.cr4 = (
            CR4_OSFXSR
            | CR4_OSXMMEXCPT
            | (CR4_PAE if case.paging in {"pae", "4-level"} else 0)
        )
        regs.cr4 |= CR4_SMAP if case.smap else 0
        regs.cr3 = TABLES
        regs.cr0 = _cr0(case)
        self._segments(case)
        for n, value in enumerate(case.gpr):
            regs.gpr[n] = value
        regs.rip, regs.rflags = case.rip, case.rflags

    def _memory(self, case: Case) -> None:
        size = TABLES - CODE
        image = bytearray(POOL[case.content : case.content + size])
        image += bytes(END - TABLES)
        self._ahead = _tables(image, case)
        at = case.code_at - CODE
        image[at : at + len(case.code)] = case.code
        ahead, behind = HOLE - CODE, HOLE + 2 * PAGE - CODE
        if self.hole:
            self.device[:] = image[ahead:behind]
            self.vm.memory.write(CODE, bytes(image[:ahead]))
            self.vm.memory.write(HOLE + 2 * PAGE, bytes(image[behind:]))
        else:
            self.vm.memory.write(CODE, bytes(image))

    def _segments(self, case: Case) -> None:
        regs = self.vcpu.regs
        flat = case.paging != "real"
        extra = case.cpl << 13
        if flat and case.bits != 16:
            extra |= SEG_G | SEG_DB
        limit = 0xFFFF_FFFF if flat else 0xFFFF
        for index, base in enumerate(case.bases):
            if index != CS:
                regs.set_segment(
                    index, Segment(0x10 | case.cpl, base, limit, DATA_FLAGS | extra)
                )
        if case.bits == 64:
            extra = (case.cpl << 13) | SEG_G | SEG_L
        code = Segment(8 | case.cpl, case.bases[CS], limit, CODE_FLAGS | extra)
        regs.set_segment(CS, code)

    def has_gone_astray(self) -> bool:
        """Tell whether the low memory, which is zero, has been written."""
        return self.vm.memory.read(0, CODE) != NOTHING

    def clear_the_rest(self) -> None:
        """Zero the memory that cases do not write anew."""
        self.vm.memory.write(0, bytes(CODE))
        self.vm.memory.write(END, bytes(TOP - END))

    def memory(self) -> bytes:
        """All that is compared, the device's content in its place."""
        if not self.hole:
            return self.vm.memory.read(CODE, TABLES - CODE)
        low = self.vm.memory.read(CODE, HOLE - CODE)
        high = self.vm.memory.read(HOLE + 2 * PAGE, TABLES - HOLE - 2 * PAGE)
        return low + bytes(self.device) + high

    def tables(self) -> bytes:
        """The page tables, without the A bit of the code's second page.

        It may be set by fetching ahead (SDM Vol. 3A "Accessed and Dirty Flags").
        """
        data = bytearray(self.vm.memory.read(TABLES, END - TABLES))
        data[self._ahead] &= ~0x20
        return bytes(data)

    def snapshot(self) -> Snapshot:
        """Everything that must be equal."""
        regs = self.vcpu.regs
        raw = regs.context.state_bytes()
        return {
            "gpr": tuple(regs.gpr),
            "rip": regs.rip,
            "rflags": regs.rflags,
            "segments": tuple(regs.segment(n) for n in range(6)),
            "shadow": regs.shadow,
            "fpu": _registers_of_fpu(raw),
            "memory": self.memory(),
            "low memory": self.vm.memory.read(0, CODE),
            "tables": self.tables(),
        }


def _registers_of_fpu(raw: bytes) -> bytes:
    data = bytearray(raw)
    for at in X87:
        data[at + 10 : at + 16] = bytes(6)
    return bytes(data[FPU:FPU_END])


def _cr0(case: Case) -> int:
    if case.paging == "real":
        return 0x10
    value = CR0_PE | 0x10 | (CR0_WP if case.wp else 0)
    return value if case.paging == "none" else value | CR0_PG


def _tables(image: bytearray, case: Case) -> int:
    """Write page tables that map the window: four pages from `TABLES`.

    Returns where in them the entry of the window's second page is.
    """
    if not case.pages:
        return 0

    def put(table: int, index: int, value: int, size: int) -> None:
        at = TABLES - CODE + table * PAGE + index * size
        image[at : at + size] = value.to_bytes(size, "little")

    def table(n: int) -> int:
        return TABLES + n * PAGE + PRESENT + WRITABLE + USER

    base = case.base
    if case.paging == "32-bit":
        put(0, base >> 22, table(1), 4)
        first, leaf, size = base >> 12 & 0x3FF, 1, 4
    elif case.paging == "pae":
        put(0, base >> 30, TABLES + PAGE + PRESENT, 8)
        put(1, base >> 21 & 0x1FF, table(2), 8)
        first, leaf, size = base >> 12 & 0x1FF, 2, 8
    else:
        put(0, base >> 39 & 0x1FF, table(1), 8)
        put(1, base >> 30 & 0x1FF, table(2), 8)
        put(2, base >> 21 & 0x1FF, table(3), 8)
        first, leaf, size = base >> 12 & 0x1FF, 3, 8
    for n, entry in enumerate(case.pages):
        put(leaf, first + n, entry, size)
    return leaf * PAGE + (first + 1) * size
