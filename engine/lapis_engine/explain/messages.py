"""What IOAPICs and devices send, in words: redirection entries and MSIs.

Intel 82093AA "I/O Redirection Table Registers"; SDM Vol. 3A "Message Signalled
Interrupts".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.bits import bits
from lapis_engine.devices import msi
from lapis_engine.devices.ioapic import regs
from lapis_engine.explain.fields import explained, legality, set_if

if TYPE_CHECKING:
    from lapis_engine.explain.fields import Explanation

PREFIX: Final = bits(31, 20)
MODE_WORDS: Final = {
    "fixed": "FIXED", "lowest": "LOWEST PRIORITY", "smi": "SMI", "nmi": "NMI",
    "init": "INIT", "extint": "ExtINT", "reserved": "reserved mode",
}  # fmt: skip
VECTORED: Final = frozenset({MODE_WORDS["fixed"], MODE_WORDS["lowest"]})


def _what(raw: int) -> tuple[str, str]:
    """Return the delivery mode of bits 10:8, and it again with the vector."""
    mode = MODE_WORDS[msi.MODES[msi.MODE.get(raw)]]
    vector = f" vector {msi.VECTOR.get(raw):#04x}" if mode in VECTORED else ""
    return mode, mode + vector


def rte(raw: int) -> Explanation:
    """Explain a redirection entry of the IOAPIC, 64 bits."""
    mode, what = _what(raw)
    logical = "logical" if raw & regs.LOGICAL else "physical"
    trigger = "level" if raw & regs.LEVEL else "edge"
    polarity = "active low" if raw & regs.ACTIVE_LOW else "active high"
    masked = "masked" if raw & regs.MASKED else "not masked"
    waits = set_if(raw & regs.REMOTE_IRR, "waits for an EOI")
    kind = "logical destination" if raw & regs.LOGICAL else "APIC id"
    words = [what, trigger, polarity, masked]
    words += [f"{waits} (remote IRR)"] if waits else []
    text = ", ".join([*words, f"to {kind} {regs.DESTINATION.get(raw):#x}"])
    rows = (
        ("destination", regs.DESTINATION, ""),
        ("mask", regs.MASKED, masked),
        ("trigger", regs.LEVEL, trigger),
        ("remote IRR", regs.REMOTE_IRR, waits),
        ("polarity", regs.ACTIVE_LOW, polarity),
        ("delivery status", regs.BUSY, ""),
        ("destination mode", regs.LOGICAL, logical),
        ("delivery mode", regs.MODE, mode),
        ("vector", regs.VECTOR, legality(raw, mode in VECTORED)),
    )
    return explained("rte", raw, text, rows)


def msi_address(raw: int) -> Explanation:
    """Explain the address that a device writes to."""
    logical = bool(raw & msi.LOGICAL)
    hint = bool(raw & msi.HINT)
    kind = "logical destination" if logical else "APIC id"
    text = f"to {kind} {msi.DESTINATION.get(raw):#x}, redirection hint {int(hint)}"
    is_one = raw >> 20 == msi.WINDOW
    if not is_one:
        text = f"no address of messages: they are 0xfeexxxxx; else {text}"
    rows = (
        ("message address", PREFIX, "0xfee" if is_one else "not 0xfee"),
        ("destination", msi.DESTINATION, ""),
        ("redirection hint", msi.HINT, set_if(hint, "set")),
        ("destination mode", msi.LOGICAL, "logical" if logical else "physical"),
    )
    return explained("msi-address", raw, text, rows)


def msi_data(raw: int) -> Explanation:
    """Explain the data that a device writes."""
    mode, what = _what(raw)
    level = bool(raw & msi.TRIGGER)
    asserted = "assert" if raw & msi.ASSERT else "de-assert"
    text = f"{what}, {f'level, {asserted}' if level else 'edge'}"
    rows = (
        ("trigger", msi.TRIGGER, "level" if level else "edge"),
        ("level", msi.ASSERT, asserted if level else "of no meaning for an edge"),
        ("delivery mode", msi.MODE, mode),
        ("vector", msi.VECTOR, legality(raw, mode in VECTORED)),
    )
    return explained("msi-data", raw, text, rows)
