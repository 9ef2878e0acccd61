"""State that cannot be put back is told when recording starts, and not by a replay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from lapis_engine.devices import post_code
from lapis_engine.devices.device import Device, Range
from lapis_engine.replay import digest, roundtrip
from lapis_plugins import testing
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session


def opened(*more: Device) -> Session:
    """A session on a machine with these devices on it, too."""
    extensions = discover().extensions

    def devices(config: Any) -> list[Device]:
        return [*extensions.devices(config), *more]

    options = SessionOptions("ap-bringup", cpus=3)
    return open_session(options, replace(extensions, devices=devices))


class Loose:
    """No record."""


@dataclass
class Ringed:
    """A record that holds what is no data."""

    inner: Any = None


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (Loose(), "the state of 'toy' cannot be recorded: its state is of type Loose"),
        (
            Ringed({1, 2}),
            "'toy.inner' cannot be recorded: it holds a set; only numbers",
        ),
        (Ringed([Loose()]), "it holds a Loose"),
        (Ringed(float("nan")), "it holds a float"),
    ],
)
def test_state_that_does_not_round_trip_is_told_when_recording_starts(
    state: Any, sentence: str, tmp_path: Path
) -> None:
    session = opened(Device("toy", state, post_code.device().access))
    outcome = session.execute(f"record start {tmp_path / 'a.lapis'}")
    assert not outcome.ok
    assert sentence in outcome.error
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True)
class Icy:
    """Given once."""

    count: int = 0


def test_a_frozen_state_is_told_and_nothing_is_left_changed(tmp_path: Path) -> None:
    session = opened(Device("toy", Icy(), post_code.device().access))
    before = digest.state_fields(session.machine)
    outcome = session.execute(f"record start {tmp_path / 'a.lapis'}")
    assert "'toy' cannot be recorded: its state is a frozen Icy" in outcome.error
    assert digest.state_fields(session.machine) == before


@dataclass
class Plain:
    """A state like any other."""

    count: int = 0


class Counting:
    """Remembers by itself."""

    def __init__(self, **held: Any) -> None:
        self.__dict__.update(held)

    def read(self, *_: Any) -> int:
        return 0

    def write(self, *_: Any) -> tuple[()]:
        return ()

    def deadline(self, *_: Any) -> None:
        return None

    def advance(self, *_: Any) -> tuple[()]:
        return ()


@dataclass(frozen=True)
class Given(Counting):
    """Frozen: what it has never changes, if that is of the kind."""

    base: Any = 0x500


def closing_over(held: Any, *, moves: bool = False) -> Counting:
    """Functions that have something from around them."""

    def look(*_: Any) -> int | None:
        return None if held else 0

    def count(*_: Any) -> int:
        nonlocal held
        held += 1
        return 0

    verb = count if moves else look
    return Counting(read=verb, deadline=verb)


class Slotted(Counting):
    """Remembers in a slot."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


BESIDE = {
    "number": (
        Counting(count=0),
        "'toy.count' cannot be recorded: its device keeps it",
    ),
    "slot": (Slotted(), "'toy.count' cannot be recorded: its device keeps it beside"),
    "list in a frozen one": (Given([]), "'toy.base' cannot be recorded"),
    "list around it": (closing_over([]), "'toy.held' cannot be recorded: its device"),
    "number it moves": (closing_over(0, moves=True), "'toy.held' cannot be recorded"),
    "nothing": (Counting(), None),
    "frozen": (Given(), None),
    "frozen, nested": (Given((1, (b"x", Given("y")))), None),
    "number around it": (closing_over(5), None),
}


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("where", ["access", "timer"])
def test_what_a_device_remembers_beside_its_state_is_told(
    name: str, where: str, tmp_path: Path
) -> None:
    held, sentence = BESIDE[name]
    toy = Device("toy", Plain(), post_code.device().access)
    setattr(toy, where, held)
    session = opened(toy)
    outcome = session.execute(f"record start {tmp_path / 'a.lapis'}")
    session.close()
    assert outcome.ok == (sentence is None), outcome.error
    assert (sentence or "") in (outcome.error or "")
    assert len(list(tmp_path.iterdir())) == (sentence is None)


@pytest.mark.parametrize(
    ("held", "ok"), [(Counting(count=0), False), (Counting(), True)]
)
def test_so_it_is_of_a_device_that_a_plug_in_offers(
    held: Counting, ok: bool, tmp_path: Path
) -> None:
    """The host guards these: what counts is what is within."""
    toy = Device("toy", Plain(), held, ports=(Range(0x5A0, 1),), timer=held)
    session = testing.machine(devices=lambda _: [toy])
    outcome = session.execute(f"record start {tmp_path / 'a.lapis'}")
    session.close()
    assert outcome.ok == ok, outcome.error
    assert ok or "'toy.count' cannot be recorded" in outcome.error


def test_ours_all_round_trip() -> None:
    session = opened()
    session.execute("run 28000")
    before = digest.state_fields(session.machine)
    assert roundtrip.unfit(session.machine) is None
    assert digest.state_fields(session.machine) == before
