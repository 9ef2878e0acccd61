"""`lapis exec`: commands without a terminal, results on standard output.

What is meant for people goes to standard error when the output is JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.text.visible import visible
from lapis_tui import output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_sessions.session import Outcome, Session
    from lapis_tui.ending import Ending

OK, FAILED, USAGE, BROKEN_OFF, CLOSED = 0, 1, 2, 130, 141
"""Exit statuses of `lapis`."""
UNDECIDED = 3
"""Another, of a search that was cut short: what must not come about did not so far."""


class Teller:
    """Tells at once, and waits until an end is asked for (`lapis_sessions.front`)."""

    def __init__(self, ending: Ending) -> None:
        """Wait until `ending` is asked for."""
        self._ending = ending

    def tell(self, sentence: str) -> None:
        """Say it on standard error."""
        output.tell(sentence)

    def waits(self) -> bool:
        """Tell whether to wait on."""
        return not self._ending.asked


def perform(
    session: Session, lines: Iterable[str], ending: Ending, *, as_json: bool
) -> int:
    """Do `lines` in turn, whatever becomes of each; return the exit status.

    They end early when `ending` is asked for.
    """
    status = OK
    session.front = Teller(ending)
    _notices(session)
    for line in lines:
        if ending.asked:
            break
        output.say(f"> {visible(line)}", err=True)
        outcome = session.execute(line, pace=ending.pace, watch=ending.watch)
        _print(outcome, as_json=as_json)
        _notices(session)
        status = status if outcome.ok else FAILED
    return ending.status if ending.asked else status


def _notices(session: Session) -> None:
    while session.notices:
        output.tell(session.notices.pop(0))


def _print(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        output.data(outcome.to_dict())
        first = outcome.text.partition("\n")[0]
        output.say(f"  {first}" if outcome.ok else f"  error: {first}", err=True)
    elif outcome.ok:
        output.say(outcome.text)
    else:
        output.say(f"error: {outcome.error}", err=True)
