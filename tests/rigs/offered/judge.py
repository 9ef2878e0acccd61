"""Whether a model does what its CPUID says, instruction by instruction."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from rigs.offered import features, rules, walk
from rigs.offered.bench import BITS_OF, STATES, Bench

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rigs.offered.bench import Ended
    from rigs.offered.walk import Instruction

UD: Final = rules.UD
VEX16: Final = "VEX in 16-bit protected mode"
KNOWN: Final = {
    VEX16: "the processor underneath takes no VEX there, and BMI is #UD",
}
"""Departures that have a tag in the engine."""


class Found(NamedTuple):
    """An instruction that is not as CPUID says."""

    kind: str
    text: str


@cache
def bench(model: str) -> Bench:
    """Return the machine of a model; it is used for all that is tried."""
    return Bench(model)


def instructions(mode: str) -> tuple[Instruction, ...]:
    """Return all of a mode: `real`, `16`, `32` or `64`."""
    bits = BITS_OF[mode]
    unread = [
        walk.Instruction(bits, bytes.fromhex(code), feature, "", frozenset(), "")
        for feature, codes in features.UNREAD.items()
        for code in codes.split()
    ]
    return (*walk.instructions(bits), *unread)


def judge(model: str, mode: str, some: Iterable[Instruction]) -> Iterator[Found]:
    """Try each in every state; yield those that break what is offered."""
    on = bench(model)
    begun = [on.before(mode, state) for state in STATES]
    for insn in some:
        ends = [on.run(insn.code, mode, state) for state in STATES]
        wrong = _wrong(insn, mode, features.needed(insn) - on.offered, begun, ends)
        if wrong is not None:
            yield Found(wrong, f"{model}, {mode}: {insn}")


def _wrong(
    insn: Instruction,
    mode: str,
    missing: frozenset[str],
    begun: list[Ended],
    ends: list[Ended],
) -> str | None:
    """Say what is wrong with how it ended in each state."""
    vectors = {ended.vector for ended in ends}
    if rules.is_undefined(insn, mode):
        return None if vectors == {UD} else "runs, and is not defined"
    if missing:
        if vectors == {UD} or insn.mnemonic in features.SAME_WITHOUT:
            return None
        return f"runs without {' '.join(sorted(missing))}"
    if UD in vectors:
        is_known = mode == "16" and insn.code[0] in rules.VEX
        return VEX16 if is_known else "#UD, and offered"
    others = vectors - {None} - rules.may_raise(insn)
    if others:
        return f"raises {sorted(map(str, others))}"
    if insn.mnemonic not in rules.NO_TRACE and all(
        rules.leaves_no_trace(insn, *pair) for pair in zip(begun, ends, strict=True)
    ):
        return "does nothing"
    return None
