"""Guests of a few bytes that ask: 32-bit code on flat segments, from its first byte on.

ds, es, ss  base 0, 4 GiB      esp  0x90000
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lapis_plugins.host import discover
from lapis_sessions.guests import Image
from lapis_sessions.opening import build
from lapis_sessions.origin import Origin, SessionOptions

if TYPE_CHECKING:
    from lapis_sessions.session import Session

HEAD = (
    "fa"  # cli
    "2e660f01164000"  # lgdt cs:[0x40]
    "0f20c0 0c01 0f22c0"  # mov eax, cr0; or al, 1; mov cr0, eax
    "66ea50000100 0800"  # jmp 8:0x10050
)
GDT = (
    "0000000000000000"
    "ffff0000009bcf00"  # code
    "ffff00000093cf00"  # data
)
TABLE = "1700 28000100"  # at 0x10028
FLAT = (
    "66b81000 8ed8 8ec0 8ed0"  # mov ax, 16; mov ds, es, ss
    "bc00000900"  # mov esp, 0x90000
)
CODE = 0x1_0050 + 15
"""Where the code of a test is."""


def image(code: str) -> bytes:
    """Return the guest that does `code`, in hex, and then halts."""
    head = bytes.fromhex(HEAD).ljust(0x28, b"\x90") + bytes.fromhex(GDT)
    head = head.ljust(0x40, b"\0") + bytes.fromhex(TABLE)
    return head.ljust(0x50, b"\0") + bytes.fromhex(FLAT + code) + b"\xf4"


def asking(
    code: str,
    *lines: str,
    machine: str = "bare",
    cpus: int = 1,
    profile: str = "sdm",
    **options: Any,
) -> Session:
    """Return a session whose guest has run until it asks, after `lines`."""
    chosen = SessionOptions(
        cpus=cpus, memory="16M", machine=machine, profile=profile, **options
    )
    origin = Origin(chosen, Image("asks.bin", image(code), is_flat=True))
    session = build(origin, discover().extensions)
    for line in (*lines, "run 1000"):
        outcome = session.execute(line)
        assert outcome.ok, outcome.text
    return session
