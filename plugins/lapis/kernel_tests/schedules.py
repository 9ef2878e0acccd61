"""What `lapis_schedules` is: what is said of all schedules of a guest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.text.visible import short, visible

if TYPE_CHECKING:
    from lapis.exploring import Exploration
    from lapis.kernel_tests.asked import Asked


class Schedules:
    """The schedules of the mark's guest: as many runs, each of another one."""

    def __init__(self, asked: Asked) -> None:
        """Say what of the schedules that a mark asks for."""
        self._asked = asked
        self.last: Exploration | None = None
        """What was explored last."""

    def __repr__(self) -> str:
        """Say of what, and how many."""
        options = self._asked.options
        guest, bound = visible(str(options.get("guest", ""))), options.get("bound")
        many = self._asked.schedules if bound is None else f"all, bound={bound}"
        return f"<Schedules {guest} schedules={many}>"

    def never(self, condition: str) -> Exploration:
        """Fail the test if any schedule comes to a condition.

        It is looked at after each turn and at the end, where `stop` says what that was:
        halted, exit, suspended, fault or budget. Raises `AssertionError` with what came
        about, and as `lapis.explore`.
        """
        __tracebackhide__ = True
        return self._checked(self.explore(never=condition), "came about")

    def always(self, condition: str) -> Exploration:
        """Fail the test unless every schedule comes to a condition.

        A run ends there; one that ends, or is cut off by `limit`, before it fails.
        Raises as `never`.
        """
        __tracebackhide__ = True
        return self._checked(self.explore(always=condition), "never came about")

    def explore(self, **conditions: str) -> Exploration:
        """Explore, and return what it came to, whatever that is.

        `until`, `never`, `always` or `lint` are as for `lapis.explore`.
        """
        self.last = self._asked.explore(**conditions)
        return self.last

    def _checked(self, done: Exploration, what: str) -> Exploration:
        __tracebackhide__ = True
        if done.found is not None:
            raise AssertionError(self._failure(done, what))
        if not done.complete:
            most = "" if done.coverage is None else f": {done.coverage.cut:,} were cut"
            raise AssertionError(
                f"{done.condition}: not all schedules were run to their end{most}; "
                f"limit= allows more"
            )
        return done

    @staticmethod
    def _failure(done: Exploration, what: str) -> str:
        assert done.found is not None
        it = done.found.came_to
        printed = f", printed {short(it.console)!r}" if it.console else ""
        ends = "; ".join(f"vCPU {n} {state}" for n, state in enumerate(it.states))
        return visible(
            f"{done.condition} {what} in {done.where}: {it.stop}; {ends}{printed}"
        )
