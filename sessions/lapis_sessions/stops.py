"""What a session knows of its breakpoints beside where they are: conditions, commands.

They are the user's and of this session: no recording holds them, and the guest never
notices them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_sessions.errors import CommandError
from lapis_sessions.scope import events
from lapis_sessions.scope.scope import Scope
from lapis_sessions.scope.viewpoint import From
from lapis_sessions.text.expressions import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.events import Event
    from lapis_engine.machine.points import Point
    from lapis_engine.machine.watches import Watch
    from lapis_sessions.past import Past
    from lapis_sessions.scope.viewpoint import Viewpoint
    from lapis_sessions.text.expressions import Expression

MOST_COMMANDS: Final = 32
"""Lines that are done at one stop."""
MOST_DISPLAYS: Final = 32
"""Expressions that are shown at one."""


class Display(NamedTuple):
    """An expression that is shown at every stop."""

    expression: str
    form: str | None
    """How a number is written, or None for the usual way."""
    made: Expression
    """It is asked of the past as long as this is here."""


@dataclass(slots=True)
class Stops:
    """Conditions and commands, by the numbers of breakpoints and watchpoints."""

    session: Viewpoint
    past: Past
    tell: Callable[[str], None]
    """Takes a sentence for the user."""
    conditions: dict[int, str] = field(default_factory=dict)
    commands: dict[int, tuple[str, ...]] = field(default_factory=dict)
    displays: dict[int, Display] = field(default_factory=dict)
    """What is shown at every stop, by number from 1."""

    def condition(self, text: str) -> Callable[[int], bool]:
        """Return what asks whether `text` holds for a vCPU; raise `ExpressionError`.

        Where it has no value that is told, and the machine stops.
        """
        session = self.session
        expression = Scope(session).expression(text)
        self.past.prepare(expression)

        def holds(vcpu: int) -> bool:
            scope = Scope(From(session, vcpu, self.past.meanwhile))
            try:
                return bool(expression.evaluate(scope))
            except ExpressionError as error:
                self.tell(f"a condition of a breakpoint: {error}")
                return True

        return holds

    def event_condition(self, text: str) -> Callable[[Event], bool]:
        """Return what asks whether `text` holds for an event; raise `ExpressionError`.

        The event's fields are `event.vector` and so on, None for those that it has not.
        Registers are those of the vCPU that it happened to. Where there is no value
        that is told, and the machine stops.
        """
        session = self.session
        known = {"event": events.NONE}
        expression = Scope(session, known).expression(text, parts=known)
        self.past.prepare(expression)

        def holds(event: Event) -> bool:
            vcpu = event.vcpu if event.vcpu >= 0 else session.selected
            beside = From(session, vcpu, self.past.meanwhile)
            try:
                named = {"event": events.of(event)}
                return bool(expression.evaluate(Scope(beside, named)))
            except ExpressionError as error:
                self.tell(f"a condition of a catch: {error}")
                return True

        return holds

    def note(self, number: int, condition: str | None) -> None:
        """Keep the words of a condition, or that there is none."""
        if condition is None:
            self.conditions.pop(number, None)
        else:
            self.conditions[number] = condition

    def command(self, number: int, lines: tuple[str, ...]) -> None:
        """Have lines done at a stop; none takes them away. Raise `CommandError`."""
        if len(lines) > MOST_COMMANDS:
            raise CommandError(f"{len(lines)} commands: {MOST_COMMANDS} at a stop")
        if lines:
            self.commands[number] = lines
        else:
            self.commands.pop(number, None)

    def display(self, text: str, form: str | None) -> None:
        """Show an expression at every stop from now on; raise `CommandError`."""
        if len(self.displays) >= MOST_DISPLAYS:
            raise CommandError(f"display: {MOST_DISPLAYS} are the most")
        expression = Scope(self.session).expression(text)
        self.past.prepare(expression)
        number = max(self.displays, default=0) + 1
        self.displays[number] = Display(text, form, expression)

    def undisplay(self, number: int | None) -> None:
        """Show one no longer, or none; raise `CommandError`."""
        if number is None:
            self.displays.clear()
        elif self.displays.pop(number, None) is None:
            known = ", ".join(map(str, self.displays)) or "none"
            raise CommandError(f"there is no display {number}; there are: {known}")

    def forget(self, number: int) -> None:
        """Forget what is known of one that is gone."""
        self.conditions.pop(number, None)
        self.commands.pop(number, None)

    def found(self, number: int) -> Point | Watch:
        """Return a breakpoint or watchpoint; raise `CommandError`."""
        machine = self.session.machine
        items: list[Point | Watch] = [*machine.points.items, *machine.watches.items]
        for item in items:
            if item.number == number:
                return item
        known = ", ".join(str(n) for n in sorted(item.number for item in items))
        raise CommandError(
            f"there is no breakpoint or watchpoint {number}; there are: "
            f"{known or 'none'}"
        )
