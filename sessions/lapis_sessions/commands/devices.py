"""Commands that show the devices that interrupt: IOAPIC, 8259s, timers, messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.errors import EngineError
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import ioapic as ioapic_view
from lapis_sessions.views import messages as messages_view
from lapis_sessions.views import pic as pic_view
from lapis_sessions.views import timers as timers_view
from lapis_sessions.views.ioapic import PinDetail

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.ioapic import IoApicView
    from lapis_sessions.views.messages import MessageRow
    from lapis_sessions.views.pic import PicLineView, PicView
    from lapis_sessions.views.timers import TimerRow

ISA_LINES = 16


def ioapic(session: Session, bound: Bound) -> IoApicView | PinDetail:
    """Return the IOAPIC, pin by pin, or one pin of it."""
    view = ioapic_view.of(session.machine)
    if view is None:
        raise EngineError("this machine has no IOAPIC")
    if "pin" not in bound:
        return view
    number = bound.number("pin")
    if number >= len(view.pins):
        raise CommandError(f"ioapic: pin {number}: it has 0 to {len(view.pins) - 1}")
    return ioapic_view.detail(session.machine, view.pins[number])


def ioapic_text(view: IoApicView | PinDetail) -> str:
    """Return what `ioapic` shows, in words."""
    if isinstance(view, PinDetail):
        return ioapic_view.detail_text(view)
    return ioapic_view.text(view)


def pic(session: Session, bound: Bound) -> list[PicView] | PicLineView:
    """Return the two 8259s, or one line of theirs."""
    found = pic_view.of(session.machine)
    if not found:
        raise EngineError("this machine has no 8259")
    if "line" not in bound:
        return list(found)
    number = bound.number("line")
    if number >= ISA_LINES:
        raise CommandError(f"pic: line {number}: ISA lines are 0 to {ISA_LINES - 1}")
    chip, pin = divmod(number, pic_view.LINES)
    return found[chip].lines[pin]


def pic_text(view: list[PicView] | PicLineView) -> str:
    """Return what `pic` shows, in words."""
    return pic_view.text(view) if isinstance(view, list) else pic_view.line_text(view)


def timers(session: Session, _bound: Bound) -> list[TimerRow]:
    """Return every timer of the machine."""
    return list(timers_view.of(session.machine))


def messages(session: Session, _bound: Bound) -> list[MessageRow]:
    """Return the messages that devices are set up to send."""
    return list(messages_view.of(session.machine))


COMMANDS = (
    Command(
        "ioapic",
        "show the IOAPIC, pin by pin, or what PIN is set to, who holds it, whom it "
        "reaches and what stands in its way",
        "read-only", ioapic, ioapic_text, (Argument("pin", "value"),),
        ("info ioapic",),
    ),
    Command(
        "pic", "show the two 8259s, or what stands in the way of ISA line LINE",
        "read-only", pic, pic_text, (Argument("line", "value"),), ("info pic",),
    ),
    Command(
        "timers",
        "show every timer: what it counts, when it is next due, and where that goes",
        "read-only", timers, timers_view.text, (), ("info timers",),
    ),
    Command(
        "msi list",
        "show the messages that devices are set up to send (MSI, MSI-X, HPET), whom "
        "they reach and what stands in their way",
        "read-only", messages, messages_view.text, (), ("info msi",),
    ),
)  # fmt: skip
