"""Machines that the benchmark runs: real mode, flat protected mode, long mode."""

from __future__ import annotations

from typing import Final

from lapis_engine.boot import firmware, flat
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine

MEMORY: Final = 16 << 20
BASE = 0x1_0000
TO_PROTECTED = bytes.fromhex(
    # cli; lgdt [cs:0x20]; mov eax, 1; mov cr0, eax; jmp dword 8:0x10040
    "fa 2e0f01162000 66b801000000 0f22c0 66ea4000010008 00".replace(" ", "")
).ljust(0x20, b"\x90")
GDT = bytes.fromhex("0000000000000000 ffff0000009bcf00 ffff00000093cf00")
FLAT_DATA = bytes.fromhex("66b81000 8ed8")
"""`mov ax, 16; mov ds, ax`."""
DEVICE_READ = bytes.fromhex("a1000000d0 ebf9")
"""`mov eax, [0xd0000000]; jmp $-5`: an address that nobody serves."""
REP_MOVSB = bytes.fromhex("8ec0 be00000200 bf0000e0fe b900100000 f3a4 ebed")
"""`mov es, ax`, then for ever 4 KiB from 0x20000 to the APIC's page."""


def real_mode(code: bytes) -> Machine:
    """Return a machine that starts `code` in real mode."""
    plan = flat.load(code, memory_bytes=MEMORY)
    return Machine(MachineConfig(cpus=1, memory=MEMORY), plan, [])


def protected_mode(work: bytes) -> Machine:
    """Return a machine whose code goes to flat protected mode and then does `work`."""
    pointer = (0x17).to_bytes(2, "little") + (BASE + 0x28).to_bytes(4, "little")
    code = TO_PROTECTED + pointer.ljust(8, b"\0") + GDT
    return real_mode(code[:0x40].ljust(0x40, b"\x90") + FLAT_DATA + work)


def from_reset(image: bytes) -> Machine:
    """Return a machine that starts a ROM of `rom`, which ends by asking at a port."""
    return Machine(MachineConfig(cpus=1, memory=MEMORY), firmware.load(image), [])


def run(machine: Machine, count: int) -> None:
    """Run `count` instructions, no fewer: or the rate would be of something else."""
    stop = machine.run(count)
    assert stop.reason == "budget", stop
