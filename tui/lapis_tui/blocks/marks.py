"""A glyph and a role for each kind of event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "ipi": ("→", "symbol"), "accept": ("+", "good"), "refuse": ("x", "bad"),
    "deliver": ("↓", "good"), "eoi": ("<", "dim"), "init": ("I", "warn"),
    "sipi": ("S", "warn"), "boot": ("~", "warn"), "nmi": ("N", "warn"),
    "nmi-deliver": ("n", "warn"), "extint": ("↓", "good"), "timer": ("t", "good"),
    "exit": ("?", "changed"), "answer": ("=", "changed"), "suspend": ("#", "bad"),
    "oddity": ("!", "warn"), "fault": ("#", "bad"), "exception": ("E", "bad"),
    "halt": ("z", "dim"), "wake": ("^", "dim"), "mode": ("%", "symbol"),
    "apic-mode": ("%", "symbol"), "debug": ("D", "warn"), "reset": ("R", "warn"),
}  # fmt: skip
"""What has one glyph has one role: nothing is told apart by colour alone."""
