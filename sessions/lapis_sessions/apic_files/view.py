"""What was done with files of local APICs, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.views import render_machine, render_why

if TYPE_CHECKING:
    from lapis_sessions.views.machine import Json


def exported(view: Json) -> str:
    """Say what was written."""
    return (
        f"the APIC of vCPU {view['vcpu']} at {view['now']:,} ns is in {view['file']}, "
        f"{view['bytes']} bytes"
    )


def imported(view: Json) -> str:
    """Say what was read, and show what it became."""
    head = f"vCPU {view['vcpu']} has the APIC of {view['file']} ({view['format']})"
    remarks = [f"  note: {remark}" for remark in view["remarks"]]
    return "\n".join([head, *remarks, render_machine.apic(view["apic"])])


def opened(view: Json) -> str:
    """Show an APIC that was opened, and why each pending vector is where it is."""
    out = [imported(view), *(render_why.vector(answer) for answer in view["why"])]
    if not view["why"]:
        out.append("nothing is pending in the IRR")
    return "\n".join(out)
