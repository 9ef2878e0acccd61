"""Commands that ask why: what keeps a vector, and what keeps a vCPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.why import fault as why_fault
from lapis_engine.why import vcpu as why_vcpu
from lapis_engine.why import vector as why_vector
from lapis_sessions.apic_files import words
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import numerals
from lapis_sessions.views import fault as fault_view
from lapis_sessions.views import why

if TYPE_CHECKING:
    from lapis_engine.why.fault import FaultAnswer
    from lapis_engine.why.vcpu import VcpuAnswer
    from lapis_sessions.session import Session
    from lapis_sessions.views.why import VectorView

VCPU = Argument("vcpu", "vcpu")
ALL = Argument("all", "flag", option=True)


def irq(session: Session, bound: Bound) -> VectorView:
    """Say where a vector is on a vCPU and what keeps it."""
    word = bound.word("vector")
    what = "irq why: vector"
    is_nmi = word.lower() == "nmi"
    vector = why_vector.NMI if is_nmi else numerals.number(word, what)
    if vector > 0xFF:
        raise CommandError(f"{what} {word}: vectors are 8 bits, 0 to 0xff")
    number = bound.number("vcpu", session.selected)
    found = why_vector.irq(session.machine, vector, number)
    return words.told(session, why.vector(found, whole="all" in bound))


def vcpu(session: Session, bound: Bound) -> VcpuAnswer:
    """Say why a vCPU does not run and what would wake it."""
    number = bound.number("vcpu", session.selected)
    whole = "all" in bound
    return why_vcpu.vcpu(session.machine, number, why.placed(session), whole=whole)


def fault(session: Session, bound: Bound) -> FaultAnswer:
    """Say which rule a fault broke, and what came of it."""
    if "event" in bound:
        return why_fault.at_event(session.machine, bound.number("event"))
    number = bound.number("vcpu", session.selected)
    return why_fault.fault(session.machine, number, bound.number("back", 1))


COMMANDS = (
    Command(
        "irq why",
        "say what became of VECTOR (or nmi) on a vCPU, and what keeps it from its "
        "handler",
        "read-only", irq, why.vector_text,
        (Argument("vector", "word", required=True), VCPU, ALL),
        ("why irq", "why vector"),
    ),
    Command(
        "why vcpu",
        "say why a vCPU does not run, or gets nowhere: the cause, and with --all what "
        "was sent to it, what it did, and what would make it run",
        "read-only", vcpu, why.vcpu_text, (VCPU, ALL), ("why",),
    ),
    Command(
        "why fault",
        "say which rule the last fault of a vCPU broke, the one BACK faults ago, or "
        "that of event --event, and the chain to a shutdown",
        "read-only", fault, fault_view.text,
        (
            Argument("back", "count"), Argument("vcpu", "vcpu", option=True),
            Argument("event", "count", option=True),
        ),
    ),
)  # fmt: skip
