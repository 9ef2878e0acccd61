"""Stands between the program and the code of one plug-in.

Nothing but `LapisError` comes out of a call, and that only where the caller is one who
tells the user. What a plug-in raises disables it, and is reported once.
"""

from __future__ import annotations

from functools import wraps
from threading import Thread
from typing import TYPE_CHECKING, Any

from lapis_engine.errors import LapisError
from lapis_plugins.plugin import Failure, PluginError, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_plugins.plugin import Plugin, Report

RAISED = (Exception, SystemExit)
"""What is caught: a plug-in that calls `sys.exit` ends nothing."""


class Guard:
    """Calls one plug-in, and disables it."""

    def __init__(self, plugin: Plugin, report: Callable[[Report], None]) -> None:
        """Guard against `plugin`; tell `report` what nobody else would say."""
        self.plugin = plugin
        self._report = report

    @property
    def name(self) -> str:
        """Name of the plug-in."""
        return self.plugin.name

    @property
    def is_active(self) -> bool:
        """Whether the plug-in is in action."""
        return self.plugin.why is None

    def disabled(self) -> PluginError:
        """Return the error for a call into a plug-in that is disabled."""
        text = f"plug-in {self.name!r} is disabled: {self.plugin.why}"
        return PluginError(text, self.name)

    def fail(self, what: str, error: BaseException) -> PluginError:
        """Disable the plug-in; return the error that tells the user."""
        failure = Failure(self.name, what, said(error))
        if self.is_active:
            self.plugin.why = failure.reason
        return PluginError(failure.text, self.name)

    def report(self, what: str, error: BaseException) -> None:
        """Disable the plug-in and report it, unless it is disabled already."""
        if self.is_active:
            failure = Failure(self.name, what, said(error))
            self.plugin.why = failure.reason
            self._report(failure)

    def called(
        self,
        what: str,
        function: Callable[..., Any],
        check: Callable[[Any], Any],
        allowed: tuple[type[Exception], ...] = (),
    ) -> Callable[..., Any]:
        """Return `function` so that it raises `LapisError` only, or what is `allowed`.

        `check` raises for what `function` must not return, and returns the rest.
        """
        passed: tuple[type[Exception], ...] = (LapisError, *allowed)

        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            if not self.is_active:
                raise self.disabled()
            try:
                return check(function(*args, **options))
            except passed:
                raise
            except RAISED as error:
                raise self.fail(what, error) from error

        return call

    def asked(
        self, what: str, function: Callable[[bytes], bool]
    ) -> Callable[[bytes], bool]:
        """Return a question that is answered with no when it cannot be asked."""

        @wraps(function)
        def ask(data: bytes) -> bool:
            if not self.is_active:
                return False
            try:
                return bool(function(data))
            except RAISED as error:
                self.report(what, error)
                return False

        return ask


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """Return what `work` returns, or raise what it raises; wait `seconds` at most.

    Raises `TimeoutError` then. The thread that does the work cannot be stopped, but
    nobody waits for it, nor does the end of the program.
    """
    done: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised by the caller
            failed.append(error)

    thread = Thread(target=run, name="plug-in", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError(f"it took longer than {seconds:g} s")
    return done[0]
