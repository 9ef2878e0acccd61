"""The command `ipi`: an interprocessor interrupt from the user's hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import ipi as icr
from lapis_engine.apic import state as apic_state
from lapis_sessions import numerals, render, views
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views import Json

VECTORED = ("fixed", "lowest", "sipi")
MODES = ("init", "sipi", "fixed", "lowest", "nmi", "smi", "raw")
SHORTHANDS = ("self", "all", "all-but-self")
SPELLED = ("to", "logical", "level", "deassert")
"""Options that say what `raw` says as a number."""


def send(session: Session, bound: Bound) -> Json:
    """Send it; return its fate."""
    sender = bound.number("from", session.selected)
    apic = session.machine.vcpu(sender).apic
    if bound.word("mode") == "raw":
        raw = _raw(bound)
    else:
        raw = _spelled(bound, x2apic=apic_state.mode(apic) == "x2apic")
    return views.ipi(session.machine.send_ipi(sender, raw))


def _raw(bound: Bound) -> int:
    if "vector" not in bound:
        raise CommandError("ipi raw needs the ICR: ipi raw 0xC4500")
    spelled = [name for name in SPELLED if name in bound]
    if spelled:
        raise CommandError(f"ipi raw takes no --{spelled[0]}: the ICR says it")
    return bound.number("vector")


def _spelled(bound: Bound, *, x2apic: bool) -> int:
    mode = bound.word("mode")
    if (mode in VECTORED) != ("vector" in bound):
        need = "needs a vector" if mode in VECTORED else "takes no vector"
        raise CommandError(f"ipi {mode} {need}")
    to = bound.word("to")
    if not to:
        raise CommandError(
            f"ipi {mode} needs --to: an APIC id, {', '.join(SHORTHANDS)}"
        )
    is_shorthand = to in SHORTHANDS
    return icr.encode(
        mode,
        vector=bound.number("vector"),
        destination=0 if is_shorthand else numerals.number(to, "ipi: --to"),
        shorthand=to if is_shorthand else "none",
        logical="logical" in bound,
        level="level" in bound,
        assert_="deassert" not in bound,
        x2apic=x2apic,
    )


COMMANDS = (
    Command(
        "ipi",
        "send an IPI as if vCPU FROM wrote its ICR; TO is an APIC id, self, all or "
        "all-but-self; raw takes the whole ICR",
        "mutating", send, render.ipi,
        (
            Argument("mode", "word", required=True, choices=MODES),
            Argument("vector", "value"),
            Argument("to", "word", option=True),
            Argument("from", "vcpu", option=True),
            Argument("logical", "flag", option=True),
            Argument("level", "flag", option=True),
            Argument("deassert", "flag", option=True),
        ),
        ("inject",),
    ),
)  # fmt: skip
