"""Acts at random on a machine, and how they are taken down for doing them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.errors import LapisError
from lapis_engine.lints.catalog import LINTS
from lapis_engine.profiles.catalog import PROFILES
from lapis_engine.replay import capture, entries
from lapis_engine.replay.digest import Digester
from rigs import machines

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from lapis_engine.machine.acts import Act
    from lapis_engine.machine.machine import Machine
    from lapis_engine.replay.entries import Entry

GUESTS = ("fabric-nesting", "fabric-nmi", "fabric-ioapic", "fabric-timer", "fabric-tpr")
"""Guests of one vCPU that keep its APIC busy."""
OVERWRITES = bytes.fromhex("2ef6160600 b055 88c3 41 ebf4")
"""not byte [cs:6]; mov al, 55h (that byte); mov bl, al; inc cx; and again."""
IRET = 0x600
"""Where every interrupt of real mode leads; nothing would be code there."""


def machine(seed: Random) -> Callable[[], Machine]:
    """Choose a machine, and return what makes it, always alike."""
    profile = seed.choice(sorted(PROFILES))
    quantum = seed.choice((1, 7, 100, 1000))
    name = seed.choice(("ap-bringup", "ap-bringup", "overwrites", *GUESTS))
    cpus = seed.randint(1, 4)
    code = OVERWRITES
    if name == "ap-bringup":
        code = machines.AP_BRINGUP.read_bytes()
    elif name != "overwrites":
        code = (machines.GUESTS / f"{name}.bin").read_bytes()

    def make() -> Machine:
        made = machines.machine(code, cpus, profile=profile, quantum=quantum)
        made.vm.memory.write(IRET, b"\xcf")
        made.vm.memory.write(0, IRET.to_bytes(4, "little") * 256)
        return made

    return make


class Recorded:
    """What was done to a machine, with the digest after each act."""

    def __init__(self, made: Machine) -> None:
        self.machine = made
        self.entries: list[Entry] = []
        self.digests: list[str] = []
        self._digester = Digester(made)
        self._at = capture.position(made)
        made.on_act = self._done

    def _done(self, act: Act, result: object) -> None:
        here = capture.position(self.machine)
        self.entries.append(entries.entry(act, result, self._at, here))
        self.digests.append(self._digester.digest())
        self._at = here


def act(m: Machine, seed: Random) -> None:
    """Do one thing to a machine; what is refused is refused."""
    number = seed.randrange(len(m.vcpus) + (seed.random() < 0.02))
    try:
        seed.choice(DEEDS)(m, seed, number)
    except LapisError:
        return


def _run(m: Machine, seed: Random, _number: int) -> None:
    m.run(seed.choice((1, 10, 500, 3000)))


def _step(m: Machine, seed: Random, number: int) -> None:
    m.step(number, seed.choice((1, 1, 2, 50)))


def _answer(m: Machine, seed: Random, number: int) -> None:
    waiting = [request.vcpu for request in m.pending()]
    m.answer(seed.choice(waiting or [number]), seed.randrange(300))


def _discard(m: Machine, _seed: Random, number: int) -> None:
    m.discard(number)


def _ipi(m: Machine, seed: Random, number: int) -> None:
    shorthand, mode = seed.randrange(4), seed.choice((0, 0, 1, 2, 4, 5, 6))
    low = shorthand << 18 | 1 << 14 | mode << 8 | seed.randrange(0x10, 0x100)
    m.send_ipi(number, seed.randrange(4) << 56 | low)


def _nmi(m: Machine, _seed: Random, number: int) -> None:
    m.inject_nmi(number)


def _lines(m: Machine, seed: Random, number: int) -> None:
    asserted = seed.random() < 0.5
    match seed.randrange(4):
        case 0:
            m.set_pin(seed.randrange(24), asserted=asserted)
        case 1:
            m.set_line(seed.randrange(16), asserted=asserted)
        case 2:
            m.pulse_lint(seed.randrange(2), number)
        case _:
            m.send_msi(0xFEE0_0000 | number << 12, seed.randrange(0x10, 0x100))


def _kernemu(m: Machine, seed: Random, number: int) -> None:
    register = seed.choice((0x20, 0x80, 0xB0, 0xF0, 0x280, 0x300, 0x380, 0x390))
    if seed.random() < 0.5:
        m.kernemu_read(number, 0xFEE0_0000 + register, 4)
    else:
        m.kernemu_write(number, 0xFEE0_0000 + register, 4, seed.randrange(0x200))


def _write(m: Machine, seed: Random, number: int) -> None:
    regs = m.vcpu(number).regs
    at = seed.choice((regs.linear_rip, regs.cr3 & ~0xFFF, 0x500, 0x1_0000, 0x9000))
    data = seed.choice(("90", "f4", seed.randbytes(8).hex()))
    m.write_memory(number, at, data, physical=seed.random() < 0.3)


def _interfere(m: Machine, seed: Random, number: int) -> None:
    if seed.random() < 0.3:
        m.clear_interference()
        return
    action = seed.choice(("drop", "delay", "duplicate"))
    by = seed.randrange(1, 500) if action == "delay" else 0
    m.interfere(action, None, to=number, nth=seed.randint(1, 3), by=by)


def _lint(m: Machine, seed: Random, _number: int) -> None:
    name = seed.choice(("all", *sorted(LINTS)))
    m.set_lint(name, on=seed.random() < 0.7)


def _schedule(m: Machine, seed: Random, number: int) -> None:
    match seed.randrange(4):
        case 0:
            m.set_quantum(seed.choice((0, 1, 3, 100, 1000)))
        case 1:
            m.set_schedule("only", number)
        case _:
            m.set_schedule(seed.choice(("round-robin", "lockstep")))


def _state(m: Machine, seed: Random, number: int) -> None:
    if seed.random() < 0.5:
        m.set_isrvec(on=seed.random() < 0.5)
    else:
        m.set_run_state(number, seed.choice((0, 1, 2, 3, 4)), seed.randrange(0x100))


def _stops(m: Machine, seed: Random, number: int) -> None:
    """Breakpoints and catches are no acts, and cut runs short."""
    if seed.random() < 0.4:
        m.break_only_at([])
        m.catches.remove()
    elif seed.random() < 0.5:
        m.break_at(m.vcpu(number).regs.linear_rip)
    else:
        event = seed.choice(("ipi", "accept", "deliver", "eoi", "boot", "timer"))
        m.catches.add(event, once=seed.random() < 0.5)


def _traps(m: Machine, seed: Random, number: int) -> None:
    match seed.randrange(5):
        case 0:
            m.trap("mmio", 0xFEE0_0000, seed.choice((4, 0x100, 0x1000)))
        case 1:
            m.trap("port", seed.choice((0x20, 0x40, 0x3F8)), 4)
        case 2:
            m.trap("msr", seed.choice((0x1B, 0x830)))
        case 3:
            m.untrap()
        case _:
            m.touch(number, 0xFEC0_0000, seed.choice((1, 4, 8)), physical=True)


def _settle(m: Machine, seed: Random, number: int) -> None:
    """Settle a request otherwise than with a value."""
    waiting = seed.choice([request.vcpu for request in m.pending()] or [number])
    if seed.random() < 0.8:
        m.answer_by_device(waiting, by="rule 1, device")
    else:
        m.answer_fault(waiting, seed.choice(("ud", "gp", "pf", "zz")))


DEEDS: tuple[Callable[[Machine, Random, int], None], ...] = (
    _run, _run, _run, _run, _step, _step, _answer, _answer, _discard, _ipi, _ipi,
    _nmi, _lines, _kernemu, _write, _interfere, _lint, _schedule, _state, _stops,
    _traps, _traps, _settle, _settle, _settle,
)  # fmt: skip
