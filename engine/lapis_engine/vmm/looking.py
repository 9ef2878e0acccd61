"""Memory and code as a vCPU sees them: no fault, no A or D bit, no device access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.cpu.disasm import Line, disassemble
from lapis_engine.errors import UnmappedError

if TYPE_CHECKING:
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

PAGE = 0x1000
LONGEST = 15
"""Bytes of an instruction, at most."""


def read(vm: Vm, vcpu: Vcpu, linear: int, size: int) -> bytes:
    """Return `size` bytes through the page tables of `vcpu`; raise `UnmappedError`."""
    out = bytearray()
    while len(out) < size:
        at = linear + len(out)
        gpa = vcpu.linear.peek(at)
        if gpa is None:
            raise UnmappedError(at, size - len(out), "not mapped by its page tables")
        out += vm.memory.read(gpa, min(size - len(out), PAGE - at % PAGE))
    return bytes(out)


def code(vm: Vm, vcpu: Vcpu, linear: int | None, count: int) -> list[Line]:
    """Disassemble up to `count` instructions in the present mode, from RIP if None."""
    regs = vcpu.regs
    start = regs.linear_rip if linear is None else linear
    found = bytearray()
    for at in range(start, start + LONGEST * count):
        gpa = vcpu.linear.peek(at)
        byte = vm.peek(gpa, 1) if gpa is not None else b""
        if not byte:
            break
        found += byte
    return disassemble(bytes(found), start, regs.code_bits, count)
