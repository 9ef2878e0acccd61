"""Sessions for tests, with the devices of the built-in plug-ins; signals are heard."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from rigs import session_files

from lapis_engine.cpu import selfcheck
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.play import named
from lapis_sessions.recording.play.named import Named
from lapis_sessions.session import Session
from lapis_tui import built

settings.register_profile("lapis", settings(), deadline=None)
"""How long one example takes says what machine it is, and nothing of what is held."""
settings.load_profile("lapis")
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer another processor for all of it, and which planted faults are chosen."""
    parser.addoption(
        "--core", choices=["blocks", "count"], default="blocks",
        help="count: all of it on the processor that needs nothing compiled",
    )  # fmt: skip
    parser.addoption(
        "--fault-seed", type=int, default=None, metavar="SEED",
        help="choose the variants of tests/faults as the run did that named SEED",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Choose, for what the tests open themselves and for the programs they start."""
    is_counted = config.getoption("--core") == "count"
    selfcheck.count_by_instruction(on=is_counted)
    if is_counted:
        os.environ["LAPIS_CORE"] = "count"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what changes the Python of an engine that is compiled."""
    if built.build() == "python":
        return
    skip = pytest.mark.skip(reason="the engine's Python is compiled")
    for item in items:
        if item.get_closest_marker("patches") is not None:
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def _apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the programs that tests start from what the user has kept and configured."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    os.environ.pop("LAPIS_CONFIG", None)


@pytest.fixture(scope="session", autouse=True)
def _heard() -> None:
    """Let signals be heard, though the suite was started in the background.

    A shell has what it starts there ignore SIGINT, and so would all that we start;
    Lapis leaves ignored what is ignored.
    """
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_IGN:
            is_int = number == signal.SIGINT
            signal.signal(
                number, signal.default_int_handler if is_int else signal.SIG_DFL
            )


@pytest.fixture
def opened() -> Callable[..., Session]:
    def make(guest: str = "ap-bringup", **options: Any) -> Session:
        return open_session(SessionOptions(guest, **options), discover().extensions)

    return make


@pytest.fixture
def done() -> Callable[[Session, str], Any]:
    def perform(session: Session, line: str) -> Any:
        outcome = session.execute(line)
        assert outcome.ok, outcome.error
        assert isinstance(outcome.text, str)
        return outcome.result

    return perform


@pytest.fixture
def refused() -> Callable[[Session, str], str]:
    def perform(session: Session, line: str) -> str:
        outcome = session.execute(line)
        assert not outcome.ok
        assert outcome.to_dict() == {
            "command": line, "ok": False, "error": outcome.error,
        }  # fmt: skip
        assert outcome.error
        assert "\n" not in outcome.error
        return outcome.error

    return perform


@pytest.fixture
def taped(tmp_path: Path) -> Callable[..., Named]:
    def make(
        lines: list[str] = session_files.ANSWERED, name: str = "a.lapis", **o: Any
    ) -> Named:
        return named.find(session_files.recorded(tmp_path / name, lines, **o))

    return make
