"""Every encoding, in 16, 32 and 64 bits, on RAM and on what is no RAM.

A case is some rows of encodings in one mode. Each runs on the processor with its
operands in RAM, then with them in a hole, where it is decoded and emulated; both may
fault, ask for anything or stop, and must do that in this process.
"""

from __future__ import annotations

from functools import cache
from time import process_time
from typing import TYPE_CHECKING, NamedTuple

from fuzz import layout
from fuzz.worlds import World

from campaign import forked, opcodes
from lapis_engine.vmm import emulation, exits, handlers
from lapis_engine.vmm.entry import FulfillInout, FulfillMmio

if TYPE_CHECKING:
    from campaign.case import Case

MODES = ((16, "real"), (32, "none"), (64, "4-level"))
ROWS = 8
"""Of a case."""
STEPS = 6
SECONDS = 0.5
AT = 0x300
HLT = b"\xf4"
"""Behind which nothing is translated, and that would take most of the time."""


class Trial(NamedTuple):
    """An encoding in a mode."""

    bits: int
    paging: str
    code: bytes

    def __str__(self) -> str:
        return f"{self.bits}-bit {self.code.hex(' ')}"


@cache
def rows() -> list[opcodes.Row]:
    """Every row, in an order that mixes the maps, so that a part is a sample."""
    found = opcodes.rows()
    step = 7919  # a prime that does not divide their number
    return [found[n * step % len(found)] for n in range(len(found))]


@cache
def worlds() -> tuple[World, World]:
    """One with RAM throughout, and one with the hole."""
    return World(hole=False), World(hole=True)


def one(case: Case) -> None:
    """Do some rows in one mode; numbers go round."""
    number, mode = divmod(case.number, len(MODES))
    first = number * ROWS % len(rows())
    batch = rows()[first : first + ROWS]
    trials = [Trial(*MODES[mode], code) for row in batch for code in row.codes()]
    case.done = len(trials)
    case.doing(f"{trials[0]} and {len(trials) - 1} more like it")
    worlds()
    for trial, what in forked.each(trials, attempt, case.folder):
        case.find(kind_of(what), f"{trial}: {what}")


def kind_of(what: str) -> str:
    """Sort what happened."""
    return what if what.startswith("SIG") else what.strip().splitlines()[-1][:80]


def in_registers(code: bytes) -> bool:
    """Tell whether ModRM names no memory, for which there is no need of a hole."""
    modrm = code[-len(opcodes.TAIL) - 1]
    return modrm >= 0xC0 and (b"\x0f" in code or code[0] in {0xC4, 0xC5})


def state(trial: Trial) -> layout.Case:
    """Describe a vCPU whose registers all point to the hole."""
    real = trial.paging == "real"
    base = layout.CODE if real else 0
    offset = layout.HOLE - base
    pages = [] if trial.bits != 64 else [page | 7 for page in layout.WINDOW]
    return layout.Case(
        str(trial), "", trial.code + HLT, trial.bits, trial.paging, 0,
        [offset + 0x100 * n + 0x80 for n in range(16)],
        layout.CODE - base + AT, layout.CODE + AT, 2, [base] * 6,
        pages=pages, answers=[0], xmm=[0x3F80_0000] * 16,
    )  # fmt: skip


def attempt(trial: Trial) -> str | None:
    """Run it in both worlds; return what is wrong."""
    begun = process_time()
    described = state(trial)
    for world in worlds():
        if world.hole and in_registers(trial.code):
            continue
        world.load(described)
        if world.hole:
            enter(world)
        else:
            world.vm.core.run(world.vcpu.regs, 2)
    took = process_time() - begun
    return f"slow: {took:.1f} s" if took > SECONDS else None


def enter(world: World) -> None:
    """Run some instructions as the loop does, and answer what they ask."""
    vcpu, vm = world.vcpu, world.vm
    answer: FulfillMmio | FulfillInout
    for _ in range(STEPS):
        out = handlers.handle(world.run, vm.core.run(vcpu.regs, 1))
        while isinstance(out, (exits.Mmio, exits.Inout)):
            if isinstance(out, exits.Mmio):
                answer = FulfillMmio(out.gpa, out.bytes, out.read, 1)
            else:
                answer = FulfillInout(out.port, out.bytes, out.read, 1)
            out = emulation.enter(world.run, answer, "user")
        if out is not None or vcpu.event is not None:
            return
