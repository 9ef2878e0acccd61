"""The commands `ipi` and `ipi dry-run`: an IPI from the user's hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import icr_rules
from lapis_engine.apic import state as apic_state
from lapis_engine.why import ipi as why_ipi
from lapis_sessions.commands import ipi_rules
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import numerals
from lapis_sessions.views import events, why

if TYPE_CHECKING:
    from lapis_engine.cause import Cause
    from lapis_sessions.session import Session
    from lapis_sessions.views.events import IpiView
    from lapis_sessions.views.why import DryRunView

VECTORED = ("fixed", "lowest", "sipi")
MODES = ("init", "sipi", "fixed", "lowest", "nmi", "smi", "raw")
SHORTHANDS = ("self", "all", "all-but-self")
SPELLED = ("to", "logical", "level", "deassert")
"""Options that say what `raw` says as a number."""
ARGUMENTS = (
    Argument("mode", "word", required=True, choices=MODES),
    Argument("vector", "value"),
    Argument("to", "word", option=True),
    Argument("from", "vcpu", option=True),
    Argument("logical", "flag", option=True),
    Argument("level", "flag", option=True),
    Argument("deassert", "flag", option=True),
    Argument("raw", "flag", option=True),
)


def send(session: Session, bound: Bound) -> IpiView:
    """Send it; return its fate."""
    sender, raw = _icr(session, bound)
    forbidden = _forbidden(session, bound, sender, raw)
    if forbidden is not None:
        words = " ".join(_words(bound))
        raise CommandError(f"{words}: {forbidden}; --raw sends it all the same")
    return events.ipi(session.machine.send_ipi(sender, raw))


def dry_run(session: Session, bound: Bound) -> DryRunView:
    """Return what would become of it; nothing moves."""
    sender, raw = _icr(session, bound)
    found = why_ipi.dry_run(session.machine, sender, raw)
    return why.dry_run(found, _forbidden(session, bound, sender, raw))


def _icr(session: Session, bound: Bound) -> tuple[int, int]:
    """Return the sender and the ICR; raise `CommandError` or `EngineError`."""
    sender = bound.number("from", session.selected)
    apic = session.machine.vcpu(sender).apic
    if bound.word("mode") == "raw":
        return sender, _raw(bound)
    return sender, _spelled(bound, x2apic=apic_state.mode(apic) == "x2apic")


def _forbidden(session: Session, bound: Bound, sender: int, raw: int) -> Cause | None:
    """Return why it is not sent without --raw, or None."""
    if "raw" in bound or bound.word("mode") == "raw":
        return None
    apics = [vcpu.apic for vcpu in session.machine.vcpus]
    x2apic = apic_state.mode(apics[sender]) == "x2apic"
    ipi = apic_icr.decode(raw, x2apic=x2apic, sender=sender)
    profile = session.machine.vm.profile
    return icr_rules.advice(ipi, profile) or ipi_rules.absent(ipi, apics)


def _words(bound: Bound) -> list[str]:
    """Return the line as far as it says what is sent to whom."""
    words = ["ipi", bound.word("mode")]
    words += [f"{bound.number('vector'):#04x}"] if "vector" in bound else []
    words += ["--to", bound.word("to")]
    flags = [name for name in ("logical", "level", "deassert") if name in bound]
    return [*words, *(f"--{name}" for name in flags)]


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
    return apic_icr.encode(
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
        "all-but-self; mode raw takes the whole ICR, --raw sends what is impossible",
        "mutating", send, events.ipi_text, ARGUMENTS, ("inject",),
    ),
    Command(
        "ipi dry-run",
        "say whom such an IPI would reach, what each would do with it, and why",
        "read-only", dry_run, why.dry_run_text, ARGUMENTS,
    ),
)  # fmt: skip
