"""The command that tells how each processor came up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import boot_report, why

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.boot_report import BootView

MOST = 4_000
"""Moments that are told at once."""


def boot(session: Session, bound: Bound) -> BootView:
    """Tell how the processors came up, or one of them."""
    count = bound.number("moments", boot_report.LISTED)
    if count > MOST:
        raise CommandError(f"boot --moments {count}: 0 to {MOST}")
    only = None
    if "vcpu" in bound:
        only = session.machine.vcpu(bound.number("vcpu")).id
    return boot_report.report(session.machine, count, only, why.placed(session))


COMMANDS = (
    Command(
        "boot",
        "say how each processor came up, or VCPU: INIT, SIPI, modes, HLT, the first "
        "interrupt, what was ignored and why, and why one stands",
        "read-only", boot, boot_report.text,
        (
            Argument("vcpu", "vcpu"), Argument("moments", "count", option=True),
        ),
    ),
)  # fmt: skip
