"""Commands that go to where an expression came to hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.scope.scope import Scope
from lapis_sessions.scope.viewpoint import From
from lapis_sessions.text.expressions import ExpressionError
from lapis_sessions.timeline import holding
from lapis_sessions.views import timeline as views

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session
    from lapis_sessions.timeline.timeline import Timeline
    from lapis_sessions.views.timeline import PlaceView

EXPRESSION = Argument("expression", "expression", required=True)


def seek(
    find: Callable[[Timeline, Callable[[], bool]], bool], where: str
) -> Callable[[Session, Bound], PlaceView]:
    """Return what goes to where an expression came to hold."""

    def perform(session: Session, bound: Bound) -> PlaceView:
        text = bound.word("expression")
        past = session.past
        # Whose values are made when they are asked for.
        scope = Scope(From(session, session.selected, past.meanwhile))
        expression = scope.expression(text)
        past.prepare(expression)

        def holds() -> bool:
            try:
                return bool(expression.evaluate(scope))
            except ExpressionError:  # it has no value there, as of unmapped memory
                return False

        if not find(session.timeline, holds):
            raise CommandError(
                f"goto: {text} comes to hold nowhere {where}; nothing was moved"
            )
        return views.place(session)

    return perform


COMMANDS = (
    Command(
        "goto first",
        "go to where EXPRESSION first comes to hold on this branch, to the instruction",
        "time-moving", seek(holding.first, "on this branch"), views.place_text,
        (EXPRESSION,),
    ),
    Command(
        "goto last",
        "go back to where EXPRESSION last came to hold before this point, to the "
        "instruction; of more than 10,000 what holds only between two looks (after "
        "each turn and event) may be passed by",
        "time-moving", seek(holding.last, "before this"), views.place_text,
        (EXPRESSION,),
    ),
)  # fmt: skip
