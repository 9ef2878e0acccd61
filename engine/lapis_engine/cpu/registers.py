"""A vCPU's registers under the manual's names, over its saved context.

Writes keep the processor's own summary of its mode (`hflags`) in step. Nothing here
checks an architectural rule: that is the business of who loads the register.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu import layout

if TYPE_CHECKING:
    from ctypes import Array, c_uint64

    from lapis_engine.cpu.context import Context
    from lapis_engine.cpu.layout import SegmentCache

RAX: Final = 0
RCX: Final = 1
RDX: Final = 2
RBX: Final = 3
RSP: Final = 4
RBP: Final = 5
RSI: Final = 6
RDI: Final = 7

ES: Final = 0
CS: Final = 1
SS: Final = 2
DS: Final = 3
FS: Final = 4
GS: Final = 5

GPR_NAMES: Final = (
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
)  # fmt: skip
SEGMENT_NAMES: Final = ("es", "cs", "ss", "ds", "fs", "gs")

# RFLAGS (SDM Vol. 1 "EFLAGS Register").
CF: Final = 1 << 0
PF: Final = 1 << 2
AF: Final = 1 << 4
ZF: Final = 1 << 6
SF: Final = 1 << 7
TF: Final = 1 << 8
IF: Final = 1 << 9
DF: Final = 1 << 10
OF: Final = 1 << 11
IOPL: Final = 3 << 12
NT: Final = 1 << 14
RF: Final = 1 << 16
VM: Final = 1 << 17
AC: Final = 1 << 18
VIF: Final = 1 << 19
VIP: Final = 1 << 20
ID: Final = 1 << 21
STATUS_FLAGS: Final = CF | PF | AF | ZF | SF | OF

# Control registers and EFER (SDM Vol. 3A "Control Registers").
CR0_PE: Final = 1 << 0
CR0_EM: Final = 1 << 2
CR0_TS: Final = 1 << 3
CR0_NE: Final = 1 << 5
CR0_WP: Final = 1 << 16
CR0_AM: Final = 1 << 18
CR0_PG: Final = 1 << 31
CR4_PSE: Final = 1 << 4
CR4_PAE: Final = 1 << 5
CR4_OSFXSR: Final = 1 << 9
CR4_OSXMMEXCPT: Final = 1 << 10
CR4_OSXSAVE: Final = 1 << 18
CR4_SMEP: Final = 1 << 20
CR4_SMAP: Final = 1 << 21
EFER_SCE: Final = 1 << 0
EFER_LME: Final = 1 << 8
EFER_LMA: Final = 1 << 10
EFER_NXE: Final = 1 << 11

DR6_BS: Final = 1 << 14
"""Single step (SDM Vol. 3B "Debug Status Register (DR6)")."""

# Segment flags as in the high dword of a descriptor (SDM Vol. 3A "Segment
# Descriptors"): G 23, D/B 22, L 21, P 15, DPL 14:13, S 12, type 11:8.
SEG_G: Final = 1 << 23
SEG_DB: Final = 1 << 22
SEG_L: Final = 1 << 21
SEG_P: Final = 1 << 15
SEG_S: Final = 1 << 12
SEG_CODE: Final = 1 << 11
SEG_CONFORMING: Final = 1 << 10
SEG_WRITABLE: Final = 1 << 9
SEG_ACCESSED: Final = 1 << 8
SEG_EXPAND_DOWN: Final = SEG_CONFORMING
"""The same bit in a data segment."""
SEG_KIND: Final = SEG_P | SEG_S | SEG_CODE | SEG_EXPAND_DOWN | SEG_WRITABLE
SEG_FLAT: Final = SEG_P | SEG_S | SEG_WRITABLE
"""Of a segment with a limit of 4 GiB: it is writable data that does not grow down."""
SEG_FLAGS: Final = 0x00F0_FF00
"""The bits that belong to `flags`; the limit and base bits are masked."""


class Segment(NamedTuple):
    """A segment register with its hidden part; `limit` is in bytes."""

    selector: int
    base: int
    limit: int
    flags: int

    @property
    def dpl(self) -> int:
        """Descriptor privilege level, bits 14:13."""
        return (self.flags >> 13) & 3


class Registers:
    """The architectural registers of one vCPU."""

    __slots__ = ("_head", "_tail", "context", "gpr")

    def __init__(self, context: Context) -> None:
        """Look at `context` by architectural names."""
        self.context = context
        self._head = context.head
        self._tail = context.tail
        self.gpr: Array[c_uint64] = context.head.regs
        """RAX RCX RDX RBX RSP RBP RSI RDI R8..R15, 64 bits each."""

    # Instruction pointer and flags.

    @property
    def rip(self) -> int:
        """Offset of the next instruction in CS."""
        return int(self._head.eip)

    @rip.setter
    def rip(self, value: int) -> None:
        self._head.eip = value

    @property
    def rflags(self) -> int:
        """RFLAGS, all bits."""
        return int(self._head.eflags)

    @rflags.setter
    def rflags(self, value: int) -> None:
        # Between runs `eflags` holds everything: the processor takes its split form
        # from there when it starts (QEMU `x86_cpu_exec_enter`).
        self._head.eflags = value | 2
        self._head.cc_op = layout.CC_OP_EFLAGS
        self._head.cc_src = value & STATUS_FLAGS
        self._head.df = -1 if value & DF else 1
        self.sync()

    @property
    def interrupts(self) -> bool:
        """RFLAGS.IF."""
        return bool(self._head.eflags & IF)

    @property
    def shadow(self) -> bool:
        """STI or MOV SS holds interrupts off for one instruction."""
        return bool(self._head.hflags & layout.HF_INHIBIT_IRQ)

    @shadow.setter
    def shadow(self, value: bool) -> None:
        head = self._head
        if bool(head.hflags & layout.HF_INHIBIT_IRQ) != value:
            head.hflags ^= layout.HF_INHIBIT_IRQ

    # Control registers.

    @property
    def cr0(self) -> int:
        """CR0."""
        return int(self._head.cr[0])

    @cr0.setter
    def cr0(self, value: int) -> None:
        self._head.cr[0] = value
        self.context.flush = True
        self.sync()

    @property
    def cr2(self) -> int:
        """CR2: linear address of the last #PF."""
        return int(self._head.cr[2])

    @cr2.setter
    def cr2(self, value: int) -> None:
        self._head.cr[2] = value

    @property
    def cr3(self) -> int:
        """CR3."""
        return int(self._head.cr[3])

    @cr3.setter
    def cr3(self, value: int) -> None:
        self._head.cr[3] = value
        self.context.flush = True

    @property
    def cr4(self) -> int:
        """CR4."""
        return int(self._head.cr[4])

    @cr4.setter
    def cr4(self, value: int) -> None:
        self._head.cr[4] = value
        self.context.flush = True
        self.sync()

    @property
    def efer(self) -> int:
        """IA32_EFER."""
        return int(self.context.msrs[layout.EFER].value)

    @efer.setter
    def efer(self, value: int) -> None:
        self.context.msrs[layout.EFER].value = value
        self.context.flush = True
        self.sync()

    @property
    def xcr0(self) -> int:
        """XCR0, which XSETBV sets."""
        return int(self.context.xcr0.value)

    @xcr0.setter
    def xcr0(self, value: int) -> None:
        self.context.xcr0.value = value

    @property
    def dr(self) -> Array[c_uint64]:
        """DR0 to DR7."""
        drs: Array[c_uint64] = self._tail.dr
        return drs

    @property
    def is_armed(self) -> bool:
        """Tell whether DR7 enables a breakpoint, globally or locally."""
        return bool(self._tail.dr[7] & 0xFF)

    # Segments and tables.

    def segment(self, index: int) -> Segment:
        """Return segment register `index` (ES CS SS DS FS GS)."""
        return _get(self._head.segs[index])

    def base(self, index: int) -> int:
        """Return the base of segment register `index`, and nothing else of it."""
        return int(self._head.segs[index].base)

    def is_flat(self, index: int) -> bool:
        """Tell whether a segment register is writable data from 0 to 4 GiB - 1."""
        cache = self._head.segs[index]
        return bool(cache.limit == 0xFFFF_FFFF and cache.flags & SEG_KIND == SEG_FLAT)

    def selector(self, index: int) -> int:
        """Return the selector in segment register `index`, and nothing else of it."""
        return int(self._head.segs[index].selector)

    def enter(self, cs: Segment, rip: int, rsp: int, rflags: int) -> None:
        """Load CS:RIP, RSP and RFLAGS together, as a handler is entered."""
        head = self._head
        _put(head.segs[CS], cs)
        head.eip, head.regs[RSP] = rip, rsp
        self.rflags = rflags

    def call(self, cs: Segment, ss: Segment, rip: int, rflags: int) -> None:
        """Load CS:RIP, SS and RFLAGS together, as a system call does."""
        head = self._head
        _put(head.segs[CS], cs)
        _put(head.segs[SS], ss)
        head.eip = rip
        self.rflags = rflags

    def set_segment(self, index: int, value: Segment) -> None:
        """Load segment register `index`, hidden part and all."""
        _put(self._head.segs[index], value)
        self.sync()

    def set_base(self, index: int, base: int) -> None:
        """Set only the base of a segment (FS.base and GS.base are MSRs)."""
        self._head.segs[index].base = base

    @property
    def ldtr(self) -> Segment:
        """LDTR."""
        return _get(self._head.ldt)

    @ldtr.setter
    def ldtr(self, value: Segment) -> None:
        _put(self._head.ldt, value)

    @property
    def tr(self) -> Segment:
        """TR."""
        return _get(self._head.tr)

    @tr.setter
    def tr(self, value: Segment) -> None:
        _put(self._head.tr, value)

    @property
    def tr_base(self) -> int:
        """The base of TR, and nothing else of it."""
        return int(self._head.tr.base)

    @property
    def gdtr(self) -> Segment:
        """GDTR; only base and limit mean something."""
        return _get(self._head.gdt)

    @gdtr.setter
    def gdtr(self, value: Segment) -> None:
        _put(self._head.gdt, value)

    @property
    def idtr(self) -> Segment:
        """IDTR; only base and limit mean something."""
        return _get(self._head.idt)

    @idtr.setter
    def idtr(self, value: Segment) -> None:
        _put(self._head.idt, value)

    # What follows from them.

    @property
    def cpl(self) -> int:
        """Current privilege level."""
        return int(self._head.hflags & layout.HF_CPL)

    @property
    def paging(self) -> bool:
        """CR0.PG."""
        return bool(self._head.cr[0] & CR0_PG)

    @property
    def mode(self) -> str:
        """One of real, protected, compat, long; virtual-8086 counts as protected."""
        hflags = self._head.hflags
        if hflags & layout.HF_LMA:
            return "long" if hflags & layout.HF_CS64 else "compat"
        return "protected" if hflags & layout.HF_PE else "real"

    @property
    def code_bits(self) -> int:
        """Default operand and address size of CS: 16, 32 or 64."""
        hflags = self._head.hflags
        if hflags & layout.HF_CS64:
            return 64
        return 32 if hflags & layout.HF_CS32 else 16

    @property
    def linear_rip(self) -> int:
        """RIP as a linear address."""
        return self.context.linear_rip()

    @property
    def linear_rsp(self) -> int:
        """RSP, or what of it the stack segment takes, as a linear address."""
        head = self._head
        if head.hflags & layout.HF_CS64:
            return int(head.regs[RSP])
        ss = head.segs[SS]
        offset = head.regs[RSP] & (0xFFFF_FFFF if ss.flags & SEG_DB else 0xFFFF)
        return int(ss.base + offset) & 0xFFFF_FFFF

    def sync(self) -> None:
        """Derive `hflags` anew (QEMU `cpu_sync_bndcs_hflags` and kin)."""
        head = self._head
        cs, ss = head.segs[CS].flags, head.segs[SS].flags
        cr0 = head.cr[0]
        bits = (ss >> 13) & layout.HF_CPL
        bits |= (cr0 & CR0_PE) << 7
        bits |= (cr0 << 8) & layout.HF_MP_EM_TS
        bits |= head.eflags & (layout.HF_TF | layout.HF_VM | layout.HF_IOPL)
        if head.cr[4] & CR4_OSFXSR:
            bits |= layout.HF_OSFXSR
        if head.cr[4] & CR4_SMAP:
            bits |= layout.HF_SMAP
        long_mode = self.context.msrs[layout.EFER].value & EFER_LMA
        if long_mode:
            bits |= layout.HF_LMA
        if long_mode and cs & SEG_L:
            bits |= layout.HF_CS32 | layout.HF_SS32 | layout.HF_CS64
        else:
            bits |= layout.HF_CS32 if cs & SEG_DB else 0
            bits |= layout.HF_SS32 if ss & SEG_DB else 0
            if not cs & SEG_DB or not cr0 & CR0_PE or head.eflags & VM or self._bases():
                bits |= layout.HF_ADDSEG
        head.hflags = (head.hflags & ~layout.HF_DERIVED) | bits

    def _bases(self) -> int:
        segs = self._head.segs
        return int(segs[DS].base | segs[ES].base | segs[SS].base)


def _get(cache: SegmentCache) -> Segment:
    # Past the constructor of the named tuple, which takes as long again.
    values = cache.selector, cache.base, cache.limit, cache.flags
    return tuple.__new__(Segment, values)


def _put(cache: SegmentCache, value: Segment) -> None:
    cache.selector, cache.base, cache.limit, cache.flags = value
