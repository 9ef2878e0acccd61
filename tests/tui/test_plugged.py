"""Panes of plug-ins on the screen."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from rigs.screens import Driver, drive

from lapis_plugins import kinds
from lapis_plugins.spec import hookimpl
from lapis_plugins.testing import machine
from lapis_sessions.extensions import Pane
from lapis_sessions.session import Session
from lapis_tui.panes.results import ResultsPane


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """What a pane that hangs waits for, until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def session(*panes: Pane) -> Session:
    class Plugged:
        @hookimpl
        def lapis_panes(self) -> list[Pane]:
            return list(panes)

    return without_ours(machine(Plugged()))


def without_ours(session: Session) -> Session:
    """Take the pane away that comes with Lapis: the key would go there first."""
    panes = dict(session.extensions.panes)
    del panes["priority"]
    session.extensions = replace(session.extensions, panes=panes)
    return session


def clock(snapshot: Any, _size: Any) -> list[list[tuple[str, Any]]]:
    return [[("ns", "label"), (str(snapshot.now), "changed")]]


CLOCK = Pane("clock", "the clock", ("what", "value"), clock)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
def test_a_pane_is_gone_to_and_follows_the_machine(size: tuple[int, int]) -> None:
    async def play(driver: Driver) -> None:
        assert "the clock" not in driver.text
        await driver.press("9")
        await driver.until(lambda: "what  value" in driver.text)
        assert "the clock" in driver.text
        await driver.press("s")
        await driver.until(lambda: "ns    1" in driver.text)
        await driver.go("console")
        assert "guest console" in driver.text
        assert "the clock" not in driver.text

    drive(session(CLOCK), play, size)


def test_the_key_goes_from_one_pane_to_the_next_and_zooms() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("9")
        await driver.until(lambda: "the clock" in driver.text)
        await driver.press("9")
        await driver.until(lambda: "hello" in driver.text)
        assert "the clock" not in driver.text
        await driver.press("z")
        assert "─other" in driver.rows[2].replace("━", "─")
        await driver.press("z", "9")
        await driver.until(lambda: "the clock" in driver.text)

    other = Pane("other", "other", (), lambda _snapshot, _size: [[("hello", "")]])
    drive(session(CLOCK, other), play)


def test_without_plugins_the_key_says_so() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("9")
        assert "no plug-in has a pane" in driver.text

    drive(without_ours(machine()), play)


def test_a_pane_that_raises_says_so_once_and_the_program_goes_on() -> None:
    def render(_snapshot: Any, _size: Any) -> Any:
        raise RuntimeError("no luck")

    async def play(driver: Driver) -> None:
        await driver.press("9")
        await driver.until(lambda: "is disabled: its pane 'sad'" in driver.text)
        await driver.press("s", "s")
        await driver.go("results")
        results = [line.plain for line in driver.app.main.query_one(ResultsPane).lines]
        assert sum("is disabled" in row for row in results) == 1
        assert driver.view.now.now == 2

    drive(session(Pane("sad", "sad", (), render)), play)


def test_a_pane_that_hangs_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch, released: threading.Event
) -> None:
    begun, given_up = threading.Event(), threading.Event()

    def within(_seconds: float, work: Any) -> Any:
        threading.Thread(target=work, daemon=True).start()
        begun.wait()
        given_up.wait()
        raise TimeoutError("it took longer than 1 s")

    def render(_snapshot: Any, _size: Any) -> Any:
        begun.set()
        released.wait()
        return []

    monkeypatch.setattr(kinds, "within", within)

    async def play(driver: Driver) -> None:
        await driver.press("9")
        await driver.until(begun.is_set)
        await driver.press("s")
        assert driver.view.now.now == 1
        given_up.set()
        await driver.until(lambda: "it took longer than 1 s" in driver.text)
        await driver.press("s")
        assert driver.view.now.now == 2

    drive(session(Pane("stuck", "stuck", (), render)), play)


def test_what_is_wrong_with_a_plugin_is_told_at_the_beginning() -> None:
    async def play(driver: Driver) -> None:
        await driver.until(lambda: "plug-in 'x' is disabled" in driver.text)

    started = machine()
    started.notices.append("plug-in 'x' is disabled: its load failed")
    drive(started, play)
