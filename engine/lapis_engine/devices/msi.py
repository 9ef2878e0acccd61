"""Message signalled interrupts: a write of a device, taken apart into its message.

SDM Vol. 3A "Message Signalled Interrupts". Who is reached is not decided here.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import InterruptMessage

MODES: Final = (
    "fixed", "lowest", "smi", "reserved", "nmi", "init", "reserved", "extint",
)  # fmt: skip
"""Delivery modes of an interrupt message, by their encoding in bits 10:8."""
LEVEL_MODES: Final = frozenset({"fixed", "lowest"})
"""Modes that can be level-triggered; the others are edges whatever they say."""

WINDOW: Final = 0xFEE
"""Address [63:20] of every message."""
DESTINATION: Final = bits(19, 12)
"""Address: APIC id or message destination address."""
HINT: Final = bit(3)
"""Address: redirection hint."""
LOGICAL: Final = bit(2)
"""Address: destination mode."""

VECTOR: Final = bits(7, 0)
"""Data: vector."""
MODE: Final = bits(10, 8)
"""Data: delivery mode."""
ASSERT: Final = bit(14)
"""Data: level; means something only with TRIGGER."""
TRIGGER: Final = bit(15)
"""Data: trigger mode; 1 is level."""


def decode(
    address: int,
    data: int,
    *,
    needs_hint: bool = False,
    redirects: bool = False,
    source: str = "msi",
) -> InterruptMessage | str:
    """Return the message of a write of `data` to `address`, or why there is none.

    With `needs_hint` the destination is logical only when the redirection hint is set
    as well (`profile.msi_needs_hint`). With `redirects` that hint has a fixed interrupt
    to a logical destination go to the lowest priority there
    (`profile.msi_hint_redirects`).
    """
    if address >> 20 != WINDOW:
        return f"{address:#x} is not an address of messages: they are 0xfeexxxxx"
    if data & TRIGGER and not data & ASSERT:
        return f"data {data:#x} is a level de-assert, which no APIC takes"
    mode, hint = MODES[MODE.get(data)], address & HINT
    logical = bool(address & LOGICAL and (hint or not needs_hint))
    if redirects and hint and logical and mode == "fixed":
        mode = "lowest"
    return InterruptMessage(
        source=source,
        destination=DESTINATION.get(address),
        logical=logical,
        mode=mode,
        vector=VECTOR.get(data),
        # Differs from bhyve: it takes every MSI for an edge (`lapic_intr_msi`).
        level=bool(data & TRIGGER) and mode in LEVEL_MODES,
    )
