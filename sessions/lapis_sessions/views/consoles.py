"""The machine's consoles: what a guest printed, and what was typed to it."""

from __future__ import annotations

from dataclasses import dataclass

SHOWN = 60
"""Bytes of what was typed that are shown."""


@dataclass(frozen=True, slots=True)
class TypedView:
    """What was typed."""

    port: str
    bytes: int
    begin: str
    """Its first bytes, with escapes as `type` takes them."""


def console_text(printed: str) -> str:
    """Return what the guest printed, which is made visible already."""
    return printed


def typed_text(view: TypedView) -> str:
    """Say what was typed."""
    more = "..." if view.bytes > SHOWN else ""
    return f"typed {view.bytes} bytes on {view.port}: {view.begin}{more}"
