"""Guests of random accesses, run by blocks, whole and cut, and by instruction.

What is plain is answered without an exit by blocks, and is an exit by instruction.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

from lapis_engine.boot import flat
from lapis_engine.cpu import selfcheck
from lapis_engine.devices import pit, pmtimer, uart
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.vmm.costs import FREE, Costs
from rigs.machines import BASE, MEMORY, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTRUCTIONS = 5000
DEAR = Costs(1009, 211, 29, 101, 53)
PROTECTED = (
    # cli; lgdt [cs:0x20]; mov eax, 1; mov cr0, eax; jmp dword 8:0x10040
    bytes.fromhex("fa2e0f0116200066b8010000000f22c066ea4000010008 00").ljust(0x20)
    + (0x17).to_bytes(2, "little")
    + (BASE + 0x28).to_bytes(4, "little")
    + bytes(2)
    + bytes.fromhex("0000000000000000 ffff0000009bcf00 ffff00000093cf00")
)
START = bytes.fromhex("66b81000 8ed8 8ec0 8ed0 bc00000800")
"""`mov ax, 16; mov ds, ax; mov es, ax; mov ss, ax; mov esp, 0x80000`."""


def _apic(offset: int, value: int | None = None) -> bytes:
    """`mov eax, [apic]; add ebx, eax`, or `mov dword [apic], value`."""
    where = (0xFEE0_0000 + offset).to_bytes(4, "little")
    if value is None:
        return b"\xa1" + where + b"\x01\xc3"
    return b"\xc7\x05" + where + value.to_bytes(4, "little")


def _msr(number: int, value: int | None = None) -> bytes:
    """`mov ecx, n; rdmsr; add ebx, eax; add ebx, edx`, or WRMSR of 32 bits."""
    code = b"\xb9" + number.to_bytes(4, "little")
    if value is None:
        return code + bytes.fromhex("0f32 01c3 01d3")
    return code + b"\xb8" + value.to_bytes(4, "little") + bytes.fromhex("31d2 0f30")


def _port(code: str, port: int) -> bytes:
    """`mov edx, port`, the access, `add ebx, eax`."""
    return b"\xba" + port.to_bytes(4, "little") + bytes.fromhex(code) + b"\x01\xc3"


IN8, IN16, IN32, OUT8, OUT32 = "ec", "66ed", "ed", "ee", "ef"
ACCESSES = {
    "rdtsc": bytes.fromhex("0f31 01c3"),
    "rdtscp": bytes.fromhex("0f01f9 01c3 01cb"),
    "cpuid 1": bytes.fromhex("b801000000 0fa2 01cb 01d3"),
    "cpuid 0xb": bytes.fromhex("b80b000000 b901000000 0fa2 01c3"),
    "apic id": _apic(0x20),
    "version by ecx": bytes.fromhex("8b0d3000e0fe 01cb"),
    "tpr": _apic(0x80),
    "ppr": _apic(0xA0),
    "irr": _apic(0x220),
    "current count": _apic(0x390),
    "tpr = 0": _apic(0x80, 0),
    "tpr = 0x35": _apic(0x80, 0x35),
    "tpr by ebx": bytes.fromhex("891d8000e0fe"),
    "eoi": _apic(0xB0, 0),
    "arm": _apic(0x380, 5000),
    "self ipi 0x31": _apic(0x300, 0x4_4031),
    "add to tpr": bytes.fromhex("80058000e0fe10"),
    "pm timer": _port(IN32, pmtimer.COUNT),
    "pm timer, 2 bytes": _port(IN16, 0x5000),
    "line status": _port(IN8, 0x3FD),
    "print": _port(OUT8, 0x3F8),
    "tell when it is empty": bytes.fromhex("b002 baf9030000 ee"),
    "do not tell": bytes.fromhex("b000 baf9030000 ee"),
    "send back": bytes.fromhex("b010 bafc030000 ee"),
    "do not": bytes.fromhex("b000 bafc030000 ee"),
    "interrupt of the port": _port(IN8, 0x3FA),
    "0x61": _port(IN8, 0x61),
    "gate": bytes.fromhex("b001 e661"),
    "mode 0": bytes.fromhex("b0b0 e643 b040 e642 b001 e642"),
    "float": _port(IN8, 0x5555),
    "float, by immediate": bytes.fromhex("e4f0 01c3"),
    "drop": _port(OUT32, 0x5555),
    "float in memory": bytes.fromhex("a1000100f0 01c3"),
    "drop in memory": bytes.fromhex("c705000100f078563412"),
    "ins": bytes.fromhex("bf00000600 ba55550000 6c"),
    "apic base": _msr(0x1B),
    "tsc by msr": _msr(0x10),
    "mtrr cap": _msr(0xFE),
    "move the tsc": _msr(0x10, 12345),
    "fs base": _msr(0xC000_0100),
    "fs base = ": _msr(0xC000_0100, 0x70),
    "gs base": _msr(0xC000_0101),
    "gs base = ": _msr(0xC000_0101, 0x60),
    "kernel gs base": _msr(0xC000_0102),
    "kernel gs base = ": _msr(0xC000_0102, 0x50),
    "mov to gs": bytes.fromhex("8ee8"),
    "by fs": bytes.fromhex("64030500000700"),
    "store to memory": bytes.fromhex("891d00000700"),
    "add": bytes.fromhex("81c315cd5b07"),
    "turn": bytes.fromhex("c1c305"),
    "push": bytes.fromhex("53 5b"),
    "flags": bytes.fromhex("9c 58 01c3"),
    "pause": bytes.fromhex("f390"),
    "sti": bytes.fromhex("fb 0f31 01c3 fa"),
    "lock": bytes.fromhex("f0ff0500000700"),
}
"""Accesses, and what stands between: each leaves what it read in EBX."""
X2APIC = bytes.fromhex("b91b000000 0f32 0d000c0000 0f30")
"""`mov ecx, 0x1b; rdmsr; or eax, 0xc00; wrmsr`."""
BY_MSR = {
    "apic id": _msr(0x802),
    "tpr": _msr(0x808),
    "tpr = 0x45": _msr(0x808, 0x45),
    "ppr": _msr(0x80A),
    "eoi": _msr(0x80B, 0),
    "current count": _msr(0x839),
    "arm": _msr(0x838, 7000),
    "irr": _msr(0x821),
}
"""What takes the place of the page in x2APIC mode."""


IDT = 0x9_0000
HANDLER = 0x9_1000
VECTOR = 0x31


def interrupted(costs: Costs, *, x2apic: bool) -> Machine:
    """A machine that sends itself one interrupt after the other, and ends each."""
    code = START + _apic(0xF0, 0x1FF) + (X2APIC if x2apic else b"")
    # lidt [0x80000], which is below the stack and set up from here; sti
    code += bytes.fromhex("0f011d00000800 fb")
    body = _msr(0x83F, VECTOR) if x2apic else _apic(0x300, 0x4_4000 | VECTOR)
    body += b"\x45"  # inc ebp
    code += body + b"\xeb" + (-len(body) - 2).to_bytes(1, "little", signed=True)
    guest = machine(code, costs)
    gate = (HANDLER & 0xFFFF | 8 << 16).to_bytes(4, "little")
    gate += (HANDLER & 0xFFFF_0000 | 0x8E00).to_bytes(4, "little")
    guest.vm.memory.write(IDT + 8 * VECTOR, gate)
    guest.vm.memory.write(0x8_0000, (0x7FF).to_bytes(2, "little"))
    guest.vm.memory.write(0x8_0002, IDT.to_bytes(4, "little"))
    ends = _msr(0x80B, 0) if x2apic else _apic(0xB0, 0)
    # push eax; push ecx; push edx; the EOI; pop edx; pop ecx; pop eax; inc ebx; iret
    handler = bytes.fromhex("505152") + ends + bytes.fromhex("5a595843cf")
    guest.vm.memory.write(HANDLER, handler)
    return guest


def program(random: Random) -> bytes:
    """Loops, each a few accesses that come a few hundred times in a row."""
    is_x2apic = random.random() < 0.3
    page = (0xFEE0).to_bytes(2, "little")
    served = {name: body for name, body in ACCESSES.items() if page not in body}
    choice = {**served, **BY_MSR} if is_x2apic else ACCESSES
    code = START + _apic(0xF0, 0x1FF) + _apic(0x3E0, random.choice([0, 3, 11]))
    code += _apic(0x320, 0x1_0041 | random.choice([0, 1 << 17]))
    code += X2APIC if is_x2apic else b""
    for _ in range(4):
        names = random.choices(list(choice), k=random.randrange(1, 7))
        body = b"".join(choice[name] for name in names)
        times = random.randrange(3, 120).to_bytes(4, "little")
        # mov ebp, times; body; dec ebp; jnz body
        back = (-(len(body) + 7)).to_bytes(4, "little", signed=True)
        code += b"\xbd" + times + body + b"\x4d\x0f\x85" + back
    return code + bytes.fromhex("ebfe")


def machine(code: bytes, costs: Costs = FREE, *, on_reset: str = "stop") -> Machine:
    """A machine that goes to flat protected mode, and runs `code` there."""
    config = MachineConfig(
        memory=MEMORY,
        cpus=1,
        quantum=700,
        float_ports=True,
        float_mmio=True,
        costs=costs,
        on_reset=on_reset,
    )
    devices = [pmtimer.device(), uart.device(), pit.device()]
    guest = flat.load(PROTECTED.ljust(0x40, b"\x90") + code, memory_bytes=MEMORY)
    return Machine(config, guest, devices)


def _cuts(random: Random, total: int) -> Iterator[int]:
    while total > 0:
        cut = min(total, random.choice([1, 7, 100, 1000, 20_000]))
        total -= cut
        yield cut


def history(machine: Machine, cuts: Iterator[int]) -> tuple[object, ...]:
    events: list[object] = []
    for cut in cuts:
        seq = machine.log.next_seq
        stop = machine.run(cut)
        events += machine.log.since(seq)
        if stop.reason != "budget":  # an interrupt finds no IDT, and that is the end
            return stop.text, fingerprint(machine), events
    return fingerprint(machine), events


class Ways(NamedTuple):
    """What a guest came to."""

    whole: tuple[object, ...]
    cut: tuple[object, ...]
    by_instruction: tuple[object, ...]
    answered: int
    """Accesses without an exit, of the first."""


def ways(seed: int) -> Ways:
    """Run one random guest in three ways; the way of counting stays the last one."""
    random = Random(seed)
    code = program(random)
    costs = DEAR if random.random() < 0.4 else FREE
    found: list[tuple[object, ...]] = []
    answered = 0
    for way in ("whole", "cut", "count"):
        selfcheck.count_by_instruction(on=way == "count")
        ran = machine(code, costs)
        cuts = (
            iter([INSTRUCTIONS])
            if way == "whole"
            else _cuts(Random(seed), INSTRUCTIONS)
        )
        found.append(history(ran, cuts))
        answered = answered or ran.vm.core.answers.table.count
        ran.close()
    return Ways(found[0], found[1], found[2], answered)
