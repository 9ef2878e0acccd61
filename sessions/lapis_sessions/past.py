"""What expressions were worth: `was(X)` and `changed(X)`, and both at a named point.

Without a point it is where the machine stood before it moved last: before the present
line if that has moved it, else before the last line that did. What stands, as
conditions and displays, is looked at when a line begins, and so it costs nothing on the
way. For all else the machine goes there and back, if it is not far; and to a point that
is named, once.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from weakref import WeakSet

from lapis_engine.errors import LapisError
from lapis_sessions.errors import CommandError
from lapis_sessions.scope.scope import Scope
from lapis_sessions.scope.viewpoint import From, Viewpoint
from lapis_sessions.timeline.learning import SHORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lapis_sessions.text.expressions import Expression, Then
    from lapis_sessions.timeline.branches import Spot
    from lapis_sessions.timeline.timeline import Timeline

MOST_LETTERS: Final = 4096
"""Of a text that is kept; and as many items of a list."""
MOST_KEPT: Final = 1000
"""Values at named points that are kept; then they are looked at anew."""


class _Place(NamedTuple):
    """A point of the history."""

    branch: str
    spot: Spot


class _Session(Viewpoint, Protocol):
    """A session, which lies above."""

    timeline: Timeline


class Past:
    """What expressions were worth before the machine moved, in a session."""

    def __init__(self, session: _Session) -> None:
        """Know nothing yet."""
        self._session = session
        self._standing: WeakSet[Expression] = WeakSet()
        """Those that are asked on the way, as long as somebody has them."""
        self._line = self._before = self._here
        """Where the present line began, and where the last one did that moved."""
        self._at_line: dict[tuple[int, str], object] = {}
        self._at_before: Mapping[tuple[int, str], object] = {}
        """What was worth what there, by vCPU and text; an error where it had no
        value."""
        self._at_points: dict[tuple[int, str, _Place], object] = {}
        self._may_go = True
        self.meanwhile = Meanwhile(self)
        """The same for who asks while the machine runs."""

    @property
    def _timeline(self) -> Timeline:
        return self._session.timeline

    @property
    def _here(self) -> _Place:
        return _Place(self._timeline.branch.name, self._timeline.spot)

    @contextmanager
    def staying(self) -> Iterator[None]:
        """Have the machine go nowhere within: what it does not know has no value."""
        before, self._may_go = self._may_go, False
        try:
            yield
        finally:
            self._may_go = before

    def begin(self) -> None:
        """Take note that a line begins."""
        here = self._here
        if here != self._line:
            self._before, self._at_before = self._line, self._at_line
        self._line, self._at_line = here, {}
        for expression in list(self._standing):
            self._look(expression.history)

    def prepare(self, expression: Expression) -> None:
        """Know what `expression` will ask for; raise `CommandError`.

        From now on that is looked at whenever a line begins, as long as the expression
        lives.
        """
        if not expression.history:
            return
        for then in expression.history:
            Scope(self._session).expression(then.text)
            if then.point is not None:
                self._know(then.text, then.point)
        self._standing.add(expression)
        self._look(expression.history)

    def _look(self, history: Iterable[Then]) -> None:
        for then in history:
            if then.point is None:
                self._at_line |= self._worth(then.text)

    def value(self, vcpu: int, text: str, point: str | None) -> Any:
        """Return what an expression was worth for a vCPU; raise `LookupError`."""
        if self._session.machine.vm.entered is not None or not self._may_go:
            return self.known(vcpu, text, point)
        if point is not None:
            return _given(self._at_points[vcpu, text, self._at_point(text, point)])
        has_moved = self._here != self._line
        place = self._line if has_moved else self._before
        known = self._at_line if has_moved else self._at_before
        if (vcpu, text) not in known:
            known = self._there(place, text)
        return _given(known[vcpu, text])

    def known(self, vcpu: int, text: str, point: str | None) -> Any:
        """Return the same without going anywhere; raise `LookupError`."""
        if point is None:
            found = self._at_line.get((vcpu, text))
        else:
            found = self._at_points.get((vcpu, text, self._named(point)))
        if found is None:
            raise LookupError("what it was is not known while the machine runs")
        return _given(found)

    def _know(self, text: str, point: str) -> None:
        try:
            self._at_point(text, point)
        except LookupError as error:
            raise CommandError(f"{text[:40]!r} at a point: {error}") from None

    def _at_point(self, text: str, point: str) -> _Place:
        """Know what an expression was worth at a point; raise `LookupError`."""
        place = self._named(point)
        if (0, text, place) not in self._at_points:
            if len(self._at_points) >= MOST_KEPT:
                self._at_points.clear()
            found = self._there(place, text, is_named=True)
            self._at_points |= {(*key, place): value for key, value in found.items()}
        return place

    def _named(self, point: str) -> _Place:
        timeline = self._timeline
        if point in timeline.names:
            return _Place(*timeline.names[point])
        if point == "start":
            return _Place(timeline.branch.name, timeline.branch.kept[0].spot)
        known = ", ".join(["start", *timeline.names])
        raise LookupError(f"there is no point {point[:40]!r}; there are: {known}")

    def _there(
        self, place: _Place, text: str, *, is_named: bool = False
    ) -> dict[tuple[int, str], object]:
        """Go to a place and back; return what is worth what there, by vCPU."""
        timeline, here = self._timeline, self._here
        if place == here:
            return self._worth(text)
        way = abs(here.spot.at.retired - place.spot.at.retired)
        if way > SHORT and not is_named:
            raise LookupError(
                f"the machine moved by {way:,} instructions, and {SHORT:,} are gone "
                "back: name a point, as in was(X, 'start')"
            )
        stopped = [vcpu.stopped_at for vcpu in timeline.machine.vcpus]
        try:
            timeline.go(place.spot, place.branch)
            return self._worth(text)
        except LapisError as error:
            raise LookupError(str(error)) from None
        finally:
            timeline.go(here.spot, here.branch)
            for vcpu, at in zip(timeline.machine.vcpus, stopped, strict=True):
                vcpu.stopped_at = at

    def _worth(self, text: str) -> dict[tuple[int, str], object]:
        """Return what an expression is worth now, for each vCPU."""
        found: dict[tuple[int, str], object] = {}
        for vcpu in self._session.machine.vcpus:
            scope = Scope(From(self._session, vcpu.id))
            try:
                found[vcpu.id, text] = plain(scope.value(text))
            except (LapisError, LookupError) as error:
                found[vcpu.id, text] = LookupError(f"it had no value then: {error}")
        return found


class Meanwhile:
    """What is known of the past while the machine runs, and nobody can go back."""

    def __init__(self, past: Past) -> None:
        """Ask `past`, but for what is known."""
        self._past = past

    def value(self, vcpu: int, text: str, point: str | None) -> Any:
        """Return what an expression was worth for a vCPU; raise `LookupError`."""
        return self._past.known(vcpu, text, point)


def _given(found: object) -> object:
    """Return what something was worth, or raise why it was worth nothing."""
    if isinstance(found, LookupError):
        raise LookupError(*found.args)  # noqa: TRY004 - it is not about its type
    return found


def plain(value: object) -> object:
    """Return a value that does not change any more; raise `LookupError`.

    >>> plain([True, "a"]), plain(0x10)
    ([True, 'a'], 16)
    """
    match value:
        case bool() | None:
            return value
        case int():
            return int(value)
        case str() if len(value) <= MOST_LETTERS:
            return value
        case list() | tuple() if len(value) <= MOST_LETTERS:
            return [plain(each) for each in value]
        case _:
            raise LookupError("it is no number, text or list that is kept")
