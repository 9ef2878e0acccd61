"""PUSHF, POPF, IRET, CLI and STI: which flags they change, in every mode.

A second model of SDM Vol. 2B "POPF", "PUSHF", "STI", Vol. 2A "IRET", "CLI": the bits
that each may change, by mode, CPL, IOPL and operand size.
"""

from functools import cache
from itertools import product

import pytest
from conformance.rig import CODE, Rig

from lapis_engine.cpu.registers import CS, Registers, Segment
from lapis_engine.events import ExceptionRaised
from lapis_engine.vmm.run import run

TF, IF, IOPL, NT, RF, VM, AC, ID = (
    *(1 << 8, 1 << 9, 3 << 12, 1 << 14, 1 << 16, 1 << 17, 1 << 18, 1 << 21),
)
FREE = 0xCD5
"""CF PF AF ZF SF DF OF: anybody may change them."""
MODES = "real", "v86", "protected", "compat", "long"
ALL = 0xFFFF_FFFF & ~TF
"""Every bit but TF, which would be a trap."""
STACK = 0x8000


def allowed(cpl: int, iopl: int, size: int) -> int:
    """The bits that POPF may change."""
    bits = FREE | NT | AC | ID
    if cpl == 0:
        bits |= IF | IOPL
    elif cpl <= iopl:
        bits |= IF
    return bits if size > 2 else bits & 0xFFFF


@cache
def rig(mode: str) -> Rig:
    found = Rig(wide=mode in {"compat", "long"})
    for table in 0x9_0000, 0x9_1000, 0x9_2000:  # U, for CPL 3
        found.vm.memory.write(table, bytes([found.vm.memory.read(table, 1)[0] | 4]))
    return found


def ready(mode: str, cpl: int, flags: int) -> tuple[Rig, Registers]:
    found = rig(mode)
    vcpu = found.vcpu(0)
    vcpu.event, vcpu.halted, found.vm.suspended = None, False, None
    regs, dpl = vcpu.regs, cpl << 13
    regs.rflags, regs.shadow, regs.gpr[4] = 2, False, STACK
    if mode in {"real", "v86"}:
        regs.cr0 = 0x11 if mode == "v86" else 0x10
        access = 0xF300 if mode == "v86" else 0x9300
        for index in range(6):
            regs.set_segment(index, Segment(0, 0, 0xFFFF, access))
        regs.set_segment(CS, Segment(CODE >> 4, CODE, 0xFFFF, access))
        regs.rip, flags = 0, flags | (VM if mode == "v86" else 0)
    else:
        code = (0xA0_9B00 if mode == "long" else 0xC0_9B00) | dpl
        for index in (0, 2, 3, 4, 5):
            data = Segment(0x18 | cpl, 0, 0xFFFF_FFFF, 0xC0_9300 | dpl)
            regs.set_segment(index, data)
        regs.set_segment(CS, Segment(8 | cpl, 0, 0xFFFF_FFFF, code))
        regs.rip = CODE
    regs.rflags = flags
    return found, regs


def outcome(found: Rig, code: bytes) -> int | None:
    """Do one instruction; return the vector that it raised, or None."""
    found.vm.memory.write(CODE, code.ljust(16, b"\x90"))
    seen = found.machine.log.next_seq
    run(found.vm, found.vcpu(0), budget=1)
    for logged in found.machine.log.since(seen):
        if isinstance(logged.event, ExceptionRaised):
            return logged.event.vector
    return None


def sizes(mode: str) -> dict[int, bytes]:
    """Operand size -> the prefix for it."""
    if mode in {"real", "v86"}:
        return {2: b"", 4: b"\x66"}
    return {2: b"\x66", 8 if mode == "long" else 4: b""}


def levels(mode: str) -> list[tuple[int, int]]:
    cpls = {"real": [0], "v86": [3]}.get(mode, [0, 3])
    return list(product(cpls, (0, 3)))


@pytest.mark.parametrize("mode", MODES)
def test_popf(mode: str) -> None:
    for (cpl, iopl), (size, prefix) in product(levels(mode), sizes(mode).items()):
        for before, image in (2, ALL), (ALL & 0x24_4FD7 | 2, 0):
            start = before & ~IOPL | iopl << 12
            found, regs = ready(mode, cpl, start)
            mask = (1 << 8 * size) - 1
            found.vm.memory.write(STACK, (image & mask).to_bytes(8, "little"))
            came = outcome(found, prefix + b"\x9d")
            where = mode, cpl, iopl, size, hex(start), hex(image)
            if mode == "v86" and iopl < 3:
                assert came == 13, where
                continue
            assert came is None, where
            free = allowed(cpl, iopl, size)
            vm = VM if mode == "v86" else 0
            wanted = start & ~free | image & free | 2 | vm
            assert hex(regs.rflags) == hex(wanted), where
            assert regs.gpr[4] == STACK + size


@pytest.mark.parametrize("mode", MODES)
def test_pushf(mode: str) -> None:
    for (cpl, iopl), (size, prefix) in product(levels(mode), sizes(mode).items()):
        start = 0x24_4ED7 | iopl << 12
        found, regs = ready(mode, cpl, start)
        found.vm.memory.write(STACK - 8, b"\xee" * 8)
        came = outcome(found, prefix + b"\x9c")
        if mode == "v86" and iopl < 3:
            assert came == 13
            continue
        pushed = int.from_bytes(found.vm.memory.read(STACK - size, size), "little")
        assert came is None
        assert pushed == start & ((1 << 8 * size) - 1), (mode, cpl, size)
        assert regs.gpr[4] == STACK - size


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("code", "on"), [(b"\xfa", False), (b"\xfb", True)])
def test_cli_and_sti(mode: str, code: bytes, on: bool) -> None:
    for cpl, iopl in levels(mode):
        found, regs = ready(mode, cpl, 2 | iopl << 12 | (0 if on else IF))
        came = outcome(found, code)
        if cpl > iopl and mode != "real":
            assert came == 13, (mode, cpl, iopl)
        else:
            assert (came, bool(regs.rflags & IF)) == (None, on)


@pytest.mark.parametrize("mode", ["real", "v86", "protected", "long"])
def test_iret_within_a_level(mode: str) -> None:
    """VIF and VIP, which IRET at CPL 0 would load, are left out here."""
    found = rig(mode)
    code = "ffff0000009baf00" if mode == "long" else "ffff0000009bcf00"
    gdt = bytes(8) + bytes.fromhex(code + "ffff0000009bcf00" + "ffff00000093cf00")
    found.vm.memory.write(0x5000, gdt)
    for (cpl, iopl), (size, prefix) in product(levels(mode), sizes(mode).items()):
        if cpl and mode in {"protected", "long"}:
            continue
        found, regs = ready(mode, cpl, 2 | iopl << 12)
        regs.gdtr = Segment(0, 0x5000, 0x1F, 0)
        unit = size if mode != "long" or size == 2 else 8
        image = 0x24_4ED5 | IOPL | (RF if size > 2 else 0)
        words = [0x40 if mode in {"real", "v86"} else CODE + 0x40, regs.selector(CS)]
        words += [image, STACK + 0x100, 0x18]
        if size == 2 and mode not in {"real", "v86"}:
            continue  # the code is above 64 KiB
        mask = (1 << 8 * unit) - 1
        raw = b"".join((word & mask).to_bytes(unit, "little") for word in words)
        found.vm.memory.write(STACK, raw)
        rex = b"\x48" if mode == "long" else b""
        came = outcome(found, prefix + rex + b"\xcf")
        where = mode, cpl, iopl, size
        if mode == "v86" and iopl < 3:
            assert came == 13, where
            continue
        assert came is None, where
        free = allowed(cpl, iopl, size) | (RF if size > 2 else 0)
        start = 2 | iopl << 12 | (VM if mode == "v86" else 0)
        assert hex(regs.rflags) == hex(start & ~free | image & free | 2), where
