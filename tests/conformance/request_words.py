"""Words for requests: fulfilments as `vm_run` takes them, registers, memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.words import exit_words
from lapis_engine.cpu.registers import GPR_NAMES
from lapis_engine.errors import EngineError, EntryError
from lapis_engine.vmm import exits
from lapis_engine.vmm.entry import (
    Default,
    DiscardInstr,
    Entry,
    FulfillInout,
    FulfillMmio,
    FulfillMsr,
)
from lapis_engine.vmm.run import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.script import Script

CONSISTENT = "consistent"
"""A last word: with VEC_FLAG_EXIT_CONSISTENT, and a budget to run on."""
FAR = 1000


def _enter(s: Script, n: int, entry: Entry, flag: str) -> str:
    """VM_RUN; after it nothing runs, unless only the flag keeps it from that."""
    try:
        out = run(s.rig.vm, s.vcpu(n), entry, FAR if flag else 0).exit
    except EntryError as error:
        return error.errno
    return "BOGUS" if flag and isinstance(out, exits.Bogus) else exit_words(out)


def fulfill_mmio(
    s: Script, n: int, kind: str, size: str, gpa: str, data: str, flag: str = ""
) -> str:
    """VEC_FULFILL_MMIO: read or write, bytes, gpa, data."""
    where = int(gpa, 0), int(size), kind == "read", int(data, 0)
    return _enter(s, n, FulfillMmio(*where, flag == CONSISTENT), flag)


def fulfill_inout(
    s: Script, n: int, kind: str, size: str, port: str, eax: str, flag: str = ""
) -> str:
    """VEC_FULFILL_INOUT: in or out, bytes, port, eax."""
    where = int(port, 0), int(size), kind == "in", int(eax, 0)
    return _enter(s, n, FulfillInout(*where, flag == CONSISTENT), flag)


def fulfill_msr(s: Script, n: int, kind: str, msr: str, value: str) -> str:
    """The answer to RDMSR or WRMSR: read or write, number, value."""
    return _enter(s, n, FulfillMsr(int(msr, 0), kind == "read", int(value, 0)), "")


def enter_consistent(s: Script, n: int) -> str:
    """VM_RUN with VEC_DEFAULT and VEC_FLAG_EXIT_CONSISTENT."""
    return _enter(s, n, Default(exit_consistent=True), CONSISTENT)


def discard_consistent(s: Script, n: int) -> str:
    """VM_RUN with VEC_DISCARD_INSTR and VEC_FLAG_EXIT_CONSISTENT."""
    return _enter(s, n, DiscardInstr(exit_consistent=True), CONSISTENT)


def answer_fault(s: Script, n: int, name: str, error: str = "") -> str:
    """The user raises a fault in the instruction that waits."""
    try:
        s.rig.machine.answer_fault(n, name, int(error, 0) if error else None)
    except EntryError as refused:
        return refused.errno
    return ""


def trap(s: Script, _n: int, space: str, first: str, size: str = "1") -> str:
    try:
        s.rig.machine.trap(space, int(first, 0), int(size, 0))
    except EngineError:
        return "refused"
    return ""


def untrap(s: Script, _n: int) -> str:
    s.rig.machine.untrap()
    return ""


def set_reg(s: Script, n: int, name: str, value: str) -> str:
    regs = s.vcpu(n).regs
    if name in GPR_NAMES:
        regs.gpr[GPR_NAMES.index(name)] = int(value, 0)
    else:
        assert name == "rflags", name
        regs.rflags = int(value, 0)
    return ""


def poke(s: Script, _n: int, at: str, data: str) -> str:
    s.rig.vm.memory.write(int(at, 0), bytes.fromhex(data))
    return ""


def memory(s: Script, _n: int, at: str, size: str) -> str:
    """Bytes of RAM in hex, after a colon so that they are no number."""
    return ":" + s.rig.vm.memory.read(int(at, 0), int(size)).hex()


REQUEST_ACTS: dict[str, Callable[..., str]] = {
    "fulfill-mmio": fulfill_mmio,
    "fulfill-inout": fulfill_inout,
    "fulfill-msr": fulfill_msr,
    "enter-consistent": enter_consistent,
    "discard-consistent": discard_consistent,
    "answer-fault": answer_fault,
    "trap": trap,
    "untrap": untrap,
    "set-reg": set_reg,
    "poke": poke,
}
REQUEST_LOOKS: dict[str, Callable[..., str]] = {"memory": memory}
