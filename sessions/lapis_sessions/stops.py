"""What a session knows of its breakpoints beside where they are: conditions, commands.

They are the user's and of this session: no recording holds them, and the guest never
notices them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lapis_sessions.errors import CommandError
from lapis_sessions.scope.scope import Scope
from lapis_sessions.text.expressions import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.points import Point
    from lapis_engine.machine.watches import Watch
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.scope.viewpoint import Viewpoint
    from lapis_sessions.symbols.book import Symbols

MOST_COMMANDS: Final = 32
"""Lines that are done at one stop."""


@dataclass(slots=True)
class _Beside:
    """The same machine, seen from another vCPU (a `Viewpoint`)."""

    machine: Machine
    selected: int
    symbols: Symbols
    extensions: Extensions


@dataclass(slots=True)
class Stops:
    """Conditions and commands, by the numbers of breakpoints and watchpoints."""

    session: Viewpoint
    tell: Callable[[str], None]
    """Takes a sentence for the user."""
    conditions: dict[int, str] = field(default_factory=dict)
    commands: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def condition(self, text: str) -> Callable[[int], bool]:
        """Return what asks whether `text` holds for a vCPU; raise `ExpressionError`.

        Where it has no value that is told, and the machine stops.
        """
        session = self.session
        expression = Scope(session).expression(text)

        def holds(vcpu: int) -> bool:
            scope = Scope(
                _Beside(session.machine, vcpu, session.symbols, session.extensions)
            )
            try:
                return bool(expression.evaluate(scope))
            except ExpressionError as error:
                self.tell(f"a condition of a breakpoint: {error}")
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
