"""What bhyve keeps of a vCPU beside its registers, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.bits import bit, bits
from lapis_engine.explain.events import run_state_text
from lapis_engine.explain.fields import explained, set_if
from lapis_engine.explain.vectors import VECTOR_NAMES
from lapis_engine.vmm import run_state as runstate

if TYPE_CHECKING:
    from lapis_engine.explain.fields import Explanation

PEND_SIPI: Final = bit(15)
PEND_INIT: Final = bit(14)
RUN: Final = bit(1)
INIT: Final = bit(0)
"""Of a run-state (`VRS_*`)."""
INTINFO_ERROR: Final = bits(63, 32)
INTINFO_VALID: Final = bit(31)
INTINFO_HAS_ERROR: Final = bit(11)
INTINFO_TYPE: Final = bits(10, 8)
INTINFO_VECTOR: Final = bits(7, 0)
"""Of an event in delivery (`VM_INTINFO_*`, `VAI_PEND_INTINFO`)."""
TYPES: Final = {
    0: "hardware interrupt", 2: "NMI", 3: "hardware exception", 4: "software interrupt",
}  # fmt: skip


def run_state(raw: int) -> Explanation:
    """Explain a run-state (`vm_run_state`)."""
    names = run_state_text(raw)
    waits = "can run now" if runstate.can_run(raw) else "cannot run"
    text = f"{names}: {runstate.name(raw)}, {waits}"
    rows = (
        ("PEND_SIPI", PEND_SIPI, set_if(raw & PEND_SIPI, "a SIPI is latched")),
        ("PEND_INIT", PEND_INIT, set_if(raw & PEND_INIT, "INIT is taken next")),
        ("RUN", RUN, set_if(raw & RUN, "started")),
        ("INIT", INIT, set_if(raw & INIT, "has had INIT")),
    )
    return explained("run-state", raw, text, rows)


def intinfo(raw: int) -> Explanation:
    """Explain an event whose delivery an exit interrupted (`exit_intinfo`)."""
    vector, valid = INTINFO_VECTOR.get(raw), bool(raw & INTINFO_VALID)
    kind = TYPES.get(INTINFO_TYPE.get(raw), "reserved type")
    has_error = bool(raw & INTINFO_HAS_ERROR)
    name = VECTOR_NAMES.get(vector, "") if kind == "hardware exception" else ""
    what = f"{kind} vector {vector:#04x}" + (f" ({name})" if name else "")
    error = f", error code {INTINFO_ERROR.get(raw):#x}" if has_error else ""
    text = what + error if valid else f"no event (bit 31 is clear), else {what}{error}"
    rows = (
        ("error code", INTINFO_ERROR, "" if has_error else "of no meaning"),
        ("valid", INTINFO_VALID, "an event" if valid else "no event"),
        ("error code valid", INTINFO_HAS_ERROR, set_if(has_error, "has an error code")),
        ("type", INTINFO_TYPE, kind),
        ("vector", INTINFO_VECTOR, name),
    )
    return explained("intinfo", raw, text, rows)
