"""What was done with files of local APICs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from lapis_sessions.views import apic, why

if TYPE_CHECKING:
    from lapis_sessions.views.apic import ApicView
    from lapis_sessions.views.why import VectorView


@dataclass(frozen=True, slots=True)
class ExportedView:
    """A file that was written."""

    file: str
    bytes: int
    format: str
    version: int
    vcpu: int
    now: int
    """ns of virtual time."""


@dataclass(frozen=True, slots=True)
class ImportedView:
    """An APIC that was read, and what it became."""

    vcpu: int
    file: str
    format: str
    remarks: tuple[str, ...]
    apic: ApicView
    also: tuple[int, ...] | UnsetType = UNSET
    """vCPUs that got an APIC of the same file, where there are several."""
    why: tuple[VectorView, ...] | UnsetType = UNSET
    """For each pending vector why it is where it is, if that was asked."""


def exported_text(view: ExportedView) -> str:
    """Say what was written."""
    return (
        f"the APIC of vCPU {view.vcpu} at {view.now:,} ns is in {view.file}, "
        f"{view.bytes} bytes"
    )


def imported_text(view: ImportedView) -> str:
    """Say what was read, and show what it became, and why."""
    head = f"vCPU {view.vcpu} has the APIC of {view.file} ({view.format})"
    if view.also is not UNSET:
        names = ", ".join(f"vCPU {number}" for number in view.also)
        head += f"; {names} too, each its own"
    remarks = [f"  note: {remark}" for remark in view.remarks]
    out = [head, *remarks, apic.text(view.apic)]
    if view.why is not UNSET:
        answers = [why.vector_text(answer) for answer in view.why]
        out += answers or ["nothing is pending in the IRR"]
    return "\n".join(out)
