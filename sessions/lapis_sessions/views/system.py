"""Descriptor tables, TSS, mappings, MTRRs and MSRs, in words.

They are records of the engine, which is why their fields are a contract here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.views import page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.why.mappings import MappedAnswer
    from lapis_engine.why.msrs import MsrRow
    from lapis_engine.why.mtrr import MtrrAnswer
    from lapis_engine.why.tables import TableAnswer
    from lapis_engine.why.tss import TssAnswer


def table_text(view: TableAnswer) -> str:
    """Return a line for each entry."""
    is_gates = view.table in {"IDT", "IVT"}
    digits = 2 if is_gates else 4
    rows = [f"  {row.number:#0{2 + digits}x}  {row.text}" for row in view.entries]
    return "\n".join([view.text, *rows])


def tss_text(view: TssAnswer) -> str:
    """Return a line for each field, and the ports that are allowed."""
    rows = [
        f"  {row.name:<12}  {'-' if row.value is None else f'{row.value:#x}'}"
        for row in view.fields
    ]
    if view.ports:
        ports = ", ".join(
            f"{a:#x}" if a == b else f"{a:#x}-{b:#x}" for a, b in view.ports
        )
        rows.append(f"  {'ports':<12}  {ports}")
    return "\n".join([view.text, *rows])


def mappings_text(view: MappedAnswer) -> str:
    """Return a line for each run: linear addresses, where they go, and rights."""
    return "\n".join(
        [
            *(
                f"{run.first:016x}-{run.last:016x} -> {run.physical:010x}  "
                f"{page.rights(run.rights)}"
                for run in view.runs
            ),
            view.text,
        ]
    )


def mtrr_text(view: MtrrAnswer) -> str:
    """Return a line for each range."""
    rows = [
        f"  {row.name:<10}  {row.first:010x}-{row.last:010x}  {row.type}"
        f"{'' if row.active else ', off'}"
        for row in view.ranges
    ]
    return "\n".join([view.text, *rows])


def msrs_text(rows: Sequence[MsrRow]) -> str:
    """Return a line for each MSR."""
    return "\n".join(f"{row.number:>8x}  {row.value:016x}  {row.name}" for row in rows)
