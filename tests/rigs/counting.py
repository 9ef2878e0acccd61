"""A guest that counts in a register and in memory, and goes on for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session

COUNT = bytes.fromhex("40 ff060005 a10005 ebf6")
"""inc ax; inc word [0x500]; mov ax, [0x500]; jmp to it: four instructions."""


def counting(folder: Path) -> Session:
    path = folder / "count.bin"
    path.write_bytes(COUNT)
    return open_session(SessionOptions(str(path), cpus=1), discover().extensions)


def done(session: Session, line: str) -> Any:
    outcome = session.execute(line)
    assert outcome.ok, outcome.error
    return outcome.result
