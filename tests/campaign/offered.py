"""What CPUID offers, instruction by instruction: both models, all modes, and the host.

The first cases are rounds of the list on the processor of the host, each from states of
its own; then come 16 and 32 bits beside 64, both models in each mode, and every
encoding in 64-bit code, for #UD alone; what is left are rounds again. Where there is
no such host or no compiler, the rounds try nothing, and the figures say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rigs.native_cpu import host
from rigs.offered import judge, narrow, native, undefined
from rigs.offered.bench import MODES

from campaign.native import bench, harness
from lapis_engine.cpu.model.catalog import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rigs.offered.judge import Found

    from campaign.case import Case

KNOWN = judge.KNOWN | narrow.KNOWN | native.KNOWN | undefined.KNOWN
ROUNDS = 2
"""Before all else, so that a slice has them."""
CHUNK = 4000
"""Encodings of a case."""
MODEL = "lapis"
"""Of the bench that is compared with the host."""


class Part(NamedTuple):
    """What a case does, if it is no round."""

    model: str
    mode: str
    narrow: bool = False


PARTS = (
    *(Part(MODEL, mode, narrow=True) for mode in narrow.MODES),
    *(Part(model, mode) for model in MODELS for mode in MODES),
)


def one(case: Case) -> None:
    """Do a round, a part, or a chunk of the encodings."""
    number = case.number - ROUNDS
    if 0 <= number < len(PARTS):
        _keep(case, _part(case, PARTS[number]))
        return
    reason = host.why_not()
    if reason is not None:
        case.tally(reason)
        return
    offered = judge.bench(MODEL).offered
    first = (number - len(PARTS)) * CHUNK
    chunk = undefined.encodings()[first : first + CHUNK] if first >= 0 else ()
    if chunk:
        case.done = len(chunk)
        case.tally("encodings beside the host", len(chunk))
        case.doing(f"{chunk[0].hex()} and {len(chunk) - 1} more")
        _keep(case, undefined.differing(harness(), bench(), chunk, offered))
        return
    batch = list(native.trials(case.rng, offered))
    case.done = len(batch)
    case.tally("instructions beside the host", len(batch))
    case.doing(f"a round of {len(batch)}")
    _keep(case, native.differing(harness(), bench(), batch))


def _part(case: Case, part: Part) -> Iterable[Found]:
    case.doing(str(part))
    if part.narrow:
        case.done = len(list(narrow.pairs(part.mode)))
        case.tally(f"{part.mode} beside 64", case.done)
        return narrow.differing(part.model, part.mode)
    some = judge.instructions(part.mode)
    case.done = len(some)
    case.tally(f"{part.model} {part.mode}", case.done)
    return judge.judge(part.model, part.mode, some)


def _keep(case: Case, found: Iterable[Found]) -> None:
    for each in found:
        case.find(each.kind, each.text)
