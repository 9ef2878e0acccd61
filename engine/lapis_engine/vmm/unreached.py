"""An INIT or SIPI that names a vCPU and did not reach it, and the sentence about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.frozen import record

if TYPE_CHECKING:
    from lapis_engine.cause import Cause

NAMES: Final = {"init": "INIT", "sipi": "SIPI"}


@record
class Unreached:
    """One IPI that was lost on its way to a vCPU."""

    mode: str
    """init or sipi."""
    sender: int
    """vCPU that sent it."""
    icr: int
    why: Cause
    sent: bool
    """It went out and was lost there; else it was dropped before."""


def text(ipis: tuple[Unreached, ...]) -> str:
    """Return what became of them, oldest first, as one sentence."""
    return "; ".join(map(sentence, ipis))


def sentence(it: Unreached) -> str:
    """Return what became of one of them."""
    end = it.why.text if it.sent else f"was dropped: {it.why.text}"
    return f"the {NAMES[it.mode]} of vCPU {it.sender} (ICR {it.icr:#x}) {end}"
