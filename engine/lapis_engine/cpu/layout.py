"""Where QEMU keeps the state of a processor inside a saved context of Unicorn 2.1.4.

A context holds a 40-byte header, then `CPUX86State` from its start to the marker
`end_reset_fields`. `Head` lies at the start of it, `Tail` is counted back from its
end, and `MSRS` are offsets from the start. `context` proves all of it by behaviour
before a guest runs.
"""

from __future__ import annotations

import ctypes as c
from typing import Final

HEADER: Final = 40
"""Bytes of `struct uc_context` before the state; the first 8 hold the state's size."""

STATE_SIZE: Final = 5568
"""Bytes of state that a context of Unicorn 2.1.4 holds."""


class SegmentCache(c.Structure):
    """QEMU `SegmentCache`: a segment register with its hidden part."""

    _fields_ = (
        ("selector", c.c_uint32),
        ("base", c.c_uint64),
        ("limit", c.c_uint32),
        ("flags", c.c_uint32),
    )


class Head(c.Structure):
    """`CPUX86State` from `regs` to `a20_mask`."""

    _fields_ = (
        ("regs", c.c_uint64 * 16),
        ("eip", c.c_uint64),
        ("eflags", c.c_uint64),
        ("cc_dst", c.c_uint64),
        ("cc_src", c.c_uint64),
        ("cc_src2", c.c_uint64),
        ("cc_op", c.c_uint32),
        ("df", c.c_int32),
        ("hflags", c.c_uint32),
        ("hflags2", c.c_uint32),
        ("segs", SegmentCache * 6),
        ("ldt", SegmentCache),
        ("tr", SegmentCache),
        ("gdt", SegmentCache),
        ("idt", SegmentCache),
        ("cr", c.c_uint64 * 9),
        ("a20_mask", c.c_int32),
    )


class Tail(c.Structure):
    """`CPUX86State` from `error_code` to `retaddr`."""

    _fields_ = (
        ("error_code", c.c_int32),
        ("exception_is_int", c.c_int32),
        ("exception_next_eip", c.c_uint64),
        ("dr", c.c_uint64 * 8),
        ("cpu_breakpoint", c.c_uint64 * 4),
        ("old_exception", c.c_int32),
        ("vm_vmcb", c.c_uint64),
        ("tsc_offset", c.c_uint64),
        ("intercept", c.c_uint64),
        ("intercept_cr_read", c.c_uint16),
        ("intercept_cr_write", c.c_uint16),
        ("intercept_dr_read", c.c_uint16),
        ("intercept_dr_write", c.c_uint16),
        ("intercept_exceptions", c.c_uint32),
        ("nested_cr3", c.c_uint64),
        ("nested_pg_mode", c.c_uint32),
        ("v_tpr", c.c_uint8),
        ("retaddr", c.c_uint64),
    )


def segment_base(index: int) -> int:
    """Return where in the state the base of a segment register is."""
    return Head.segs.offset + index * c.sizeof(SegmentCache) + SegmentCache.base.offset


class Block(c.Structure):
    """QEMU `TranslationBlock`, from its start to `cflags`."""

    _fields_ = (
        ("pc", c.c_uint64),
        ("cs_base", c.c_uint64),
        ("flags", c.c_uint32),
        ("size", c.c_uint16),
        ("icount", c.c_uint16),
        ("cflags", c.c_uint32),
    )


def block_slot(linear: int) -> int:
    """Return where in `BLOCKS` a block stands (QEMU `tb_jmp_cache_hash_func`)."""
    mixed = linear ^ linear >> 6
    return mixed >> 6 & 0xFC0 | mixed & 0x3F


class Tree(c.Structure):
    """GLib `GTree`."""

    _fields_ = (
        ("root", c.c_size_t),
        ("compare", c.c_size_t),
        ("free_key", c.c_size_t),
        ("free_value", c.c_size_t),
        ("data", c.c_size_t),
        ("nodes", c.c_uint32),
    )


EFER: Final = 0xC000_0080
TSC_AUX: Final = 0xC000_0103
MSRS: Final = {
    EFER: 0x250,
    0x174: 0x12C0,  # SYSENTER_CS, 32 bits wide in the state
    0x175: 0x12C8,  # SYSENTER_ESP
    0x176: 0x12D0,  # SYSENTER_EIP
    0xC000_0081: 0x12D8,  # STAR
    0xC000_0082: 0x12E8,  # LSTAR
    0xC000_0083: 0x12F0,  # CSTAR
    0xC000_0084: 0x12F8,  # SFMASK
    0xC000_0102: 0x1300,  # KERNEL_GS_BASE
    TSC_AUX: 0x1320,
    0x277: 0x14A0,  # PAT
}
"""MSRs that the processor itself uses: number -> offset of a u64 in the state."""


class Slot(c.Structure):
    """A register of x87: ten bytes, and a padding."""

    _fields_ = (
        ("significand", c.c_uint64),
        ("upper", c.c_uint16),
    )


class X87State(c.Structure):
    """`CPUX86State` from before `fpstt` to `fpdp`."""

    _fields_ = (
        ("before", c.c_uint32),
        ("top", c.c_uint32),
        ("fsw", c.c_uint16),
        ("fcw", c.c_uint16),
        ("empty", c.c_uint8 * 8),
        ("none", c.c_uint32),
        ("slots", Slot * 8),
        ("fop", c.c_uint16),
        ("fcs", c.c_uint16),
        ("fds", c.c_uint16),
        ("fip", c.c_uint64),
        ("fdp", c.c_uint64),
    )


class FloatStatus(c.Structure):
    """QEMU `float_status`."""

    _fields_ = (
        ("tininess", c.c_int8),
        ("rounding", c.c_int8),
        ("flags", c.c_uint8),
        ("precision", c.c_int8),
        ("flushes_results", c.c_uint8),
        ("flushes_operands", c.c_uint8),
        ("default_nan", c.c_uint8),
        ("snan", c.c_uint8),
    )


class FloatState(c.Structure):
    """`CPUX86State` from `fp_status` to `mxcsr`."""

    _fields_ = (
        ("x87", FloatStatus),
        ("operand", c.c_uint64 * 2),
        ("mmx", FloatStatus),
        ("sse", FloatStatus),
        ("mxcsr", c.c_uint32),
    )


FLOAT_STATE: Final = 0x308
"""Offset in the state of `FloatState`."""
X87_STATE: Final = 0x258
"""Offset in the state of `X87State`; `fsw` is without TOP, and `empty` by register."""
X87: Final = 0x270
"""`fpregs`: eight slots, each with ten bytes of a register and a padding."""
X87_OPERAND: Final = 0x310
"""`ft0`, such a slot: what the last x87 instruction read."""
X87_SLOT: Final = 16
X87_BYTES: Final = 10
XMM: Final = 0x338
"""`xmm_regs`, and `xmm_t0` behind them: slots wide enough for AVX-512."""
XMM_SLOTS: Final = 33
XMM_SLOT: Final = 64
XMM_BYTES: Final = 16
"""There is no AVX: what lies above XMM is no register of the guest."""

XCR0: Final = 0x1328
"""Offset in the state of the u64 of XCR0."""

CPU_POINTER: Final = 0x1B8
"""Offset in `struct uc_struct` of the pointer to `CPUState`."""

FINDS: Final = 0x120
"""Offset in `struct uc_struct` of the pointer to `find_memory_mapping`."""
MODES: Final = 3
"""TLBs of a processor, of a `CPUTLBDescFast` of 16 bytes each: just before what
`DECREMENT_POINTER` leads to."""
ENTRY_BITS: Final = 6

EXITS: Final = 0x798
"""Offset in `struct uc_struct` of the pointer to the tree of addresses to stop at."""

TRANSLATOR: Final = 0x300
OPERATIONS: Final = 0x38
"""Offset in `struct uc_struct` of the pointer to `TCGContext`, and in that of `nb_ops`,
an i32: operations of the block that is being translated."""

CFLAGS_NEXT_TB: Final = 0x18
"""Offset in `CPUState` of a u32, the `Block.cflags` that the next block shall have."""

ANY_BLOCK: Final = 0xFFFF_FFFF
"""What stands there when nothing is asked for."""

INTERRUPT_REQUEST: Final = 0x1C
"""Offset in `CPUState` of the u32 with pending interrupts."""

STATE_POINTER: Final = 0x128
"""Offset in `CPUState` of the pointer to the state in use, `Head` first."""

DECREMENT_POINTER: Final = 0x130
"""Offset in `CPUState` of the pointer to `icount_decr`: a u32 of which the high half
makes translated code leave for the main loop when it is not 0."""

BLOCKS: Final = 0x138
"""Offset in `CPUState` of `tb_jmp_cache`, pointers to the blocks last translated."""

BLOCK_SLOTS: Final = 1 << 12
"""`TB_JMP_CACHE_SIZE`."""

CF_COUNT_MASK: Final = 0x7FFF
"""`Block.cflags`: how many instructions were asked for; 0 for as many as fit."""

CC_OP_EFLAGS: Final = 1
"""`cc_op` when `cc_src` holds the status flags as they are."""

# CPUX86State.hflags (QEMU `HF_*`), the processor's own summary of its mode.
HF_CPL: Final = 0x3
HF_INHIBIT_IRQ: Final = 1 << 3
HF_CS32: Final = 1 << 4
HF_SS32: Final = 1 << 5
HF_ADDSEG: Final = 1 << 6
HF_PE: Final = 1 << 7
HF_TF: Final = 1 << 8
HF_MP_EM_TS: Final = 7 << 9
HF_IOPL: Final = 3 << 12
HF_LMA: Final = 1 << 14
HF_CS64: Final = 1 << 15
HF_VM: Final = 1 << 17
HF_GUEST: Final = 1 << 21
HF_OSFXSR: Final = 1 << 22
HF_SMAP: Final = 1 << 23
HF_ALONE: Final = 1 << 24
HF_LIMITED: Final = 1 << 26
"""Bits that keep translations apart, and that QEMU uses for nothing that is here
(IOBPT_MASK, and MPX_IU_MASK without MPX_EN_MASK): of an instruction that is let through
alone, and of code where a segment is limited. They are set while it runs only."""
HF_DERIVED: Final = (
    HF_CPL | HF_CS32 | HF_SS32 | HF_ADDSEG | HF_PE | HF_TF | HF_MP_EM_TS
    | HF_IOPL | HF_LMA | HF_CS64 | HF_VM | HF_OSFXSR
    | HF_SMAP
)  # fmt: skip
"""What follows from CR0, CR4, EFER, RFLAGS and the segments."""

HF2_GIF: Final = 1
