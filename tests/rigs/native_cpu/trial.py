"""Programs on both processors: where they first part, and whether that is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from rigs.native_cpu import host, layout
from rigs.native_cpu.compare import differences, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rigs.native_cpu.engine import Bench
    from rigs.native_cpu.programs import Program

OFFERED: Final = frozenset(
    ("pni", "ssse3", "sse4_1", "sse4_2", "popcnt", "movbe", "aes", "pclmulqdq",
     "lahf_lm")
)  # fmt: skip
"""What the engine has beside x86-64-v1."""


class Difference(NamedTuple):
    """A program that is not the same on both."""

    kind: str | None
    """One of `compare.KNOWN`, or None."""
    text: str


def features() -> frozenset[str]:
    """Return what both have."""
    return OFFERED & host.features()


def compare(
    harness: Path, bench: Bench, programs: Sequence[Program]
) -> Iterator[Difference]:
    """Run all on both; yield what differs."""
    results = host.run(harness, [program.given for program in programs])
    for program, theirs in zip(programs, results, strict=True):
        ours = bench.run(program.given)
        if differences(program.undefined_at(theirs.rip), theirs, ours):
            yield _first(harness, bench, program)


def _first(harness: Path, bench: Bench, program: Program) -> Difference:
    """Find the first instruction after which they differ."""
    cuts = [
        replace(program.given, code=program.given.code[:end]) for end in program.ends
    ]
    for name, cut, theirs in zip(
        program.names, cuts, host.run(harness, cuts), strict=True
    ):
        ours = bench.run(cut)
        found = differences(program.undefined_at(theirs.rip), theirs, ours)
        if found:
            text = f"{name}: {'; '.join(found[:4])}; {_story(program)}"
            return Difference(kind_of(name, found, theirs, ours), text)
    return Difference(None, f"only as a whole; {_story(program)}")


def _story(program: Program) -> str:
    given = program.given
    registers = " ".join(f"{value:x}" for value in given.gpr)
    return (
        f"{', '.join(program.names)}; flags {given.rflags:#x}, registers {registers}, "
        f"XMM {given.xmm.hex()}, memory {given.content} of {len(layout.POOL)}"
    )
