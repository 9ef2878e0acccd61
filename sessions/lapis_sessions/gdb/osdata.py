"""`info os`: vCPUs and pending requests as tables.

Source: GDB manual "Operating System Information".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from lapis_sessions.gdb import threads
from lapis_sessions.gdb.refusal import PacketError
from lapis_sessions.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lapis_sessions.session import Session

    Row = Mapping[str, str]

TYPES: Final = {
    "vcpus": "every vCPU, its run-state, and why it stands",
    "requests": "accesses of the guest that wait for an answer",
}


def _types(_session: Session) -> list[Row]:
    return [
        {"Type": name, "Description": text, "Title": name}
        for name, text in TYPES.items()
    ]


def _vcpus(session: Session) -> list[Row]:
    machine = session.machine
    rows: list[Row] = []
    for vcpu in machine.vcpus:
        why = machine.why_not_runnable(vcpu.id)
        rows.append({
            "vCPU": str(vcpu.id), "thread": str(vcpu.id + 1),
            "state": threads.name(session, vcpu.id), "mode": vcpu.regs.mode,
            "pc": f"{vcpu.regs.linear_rip:#x}", "retired": str(vcpu.retired),
            "reason": why.text if why is not None else threads.ready(session, vcpu.id),
        })  # fmt: skip
    return rows


def _requests(session: Session) -> list[Row]:
    return [
        {
            "vCPU": str(each.vcpu), "thread": str(each.vcpu + 1),
            "access": "read" if each.read else "write", "bytes": str(each.bytes),
            "request": each.text,
        }
        for each in session.machine.pending()
    ]  # fmt: skip


TABLES: Final[Mapping[str, Callable[[Session], list[Row]]]] = {
    "": _types, "types": _types, "vcpus": _vcpus, "requests": _requests,
}  # fmt: skip


def document(session: Session, annex: str) -> bytes:
    """Return a table; raise `PacketError` when there is none of that name."""
    if annex not in TABLES:
        raise PacketError(0, f"there is no table {annex[:40]!r}: {', '.join(TYPES)}")
    rows = TABLES[annex](session)
    body = "\n".join(map(_item, rows))
    return f'<osdata type="{annex or "types"}">\n{body}\n</osdata>\n'.encode()


def _item(row: Row) -> str:
    columns: Sequence[str] = [
        f'<column name="{name}">{escape(visible(text))}</column>'
        for name, text in row.items()
    ]
    return f"<item>{''.join(columns)}</item>"
