"""What authors test by finds what is wrong with a device."""
# ruff: noqa: ARG002 - the signatures are those of `Access` and `Timed`

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lapis_engine.devices import debugcon, post_code, uart
from lapis_engine.devices.device import Device, Range, RegisterName, Signals
from lapis_plugins.spec import hookimpl
from lapis_plugins.testing import Touch, check_device, machine

COUNT = iter(range(10**9))
"""State outside of the device."""


@dataclass(slots=True)
class State:
    count: int = 0
    due: int | None = None
    more: Any = None
    kept: list[Any] = field(default_factory=list)


class Access:
    def read(self, state: State, address: int, size: int, now: int) -> int:
        del address, size, now
        state.count = (state.count + 1) & 0xFF
        return state.count

    def write(
        self, state: State, address: int, size: int, value: int, now: int
    ) -> Signals:
        del address, size
        state.count, state.due = value & 0xFF, now
        return ()


class Timer:
    def deadline(self, state: State) -> int | None:
        return state.due

    def advance(self, state: State, now: int) -> Signals:
        del now
        state.due = None
        return ()


def good() -> Device:
    return Device("good", State(), Access(), ports=(Range(0x500, 4),), timer=Timer())


class Outside(Access):
    """Remembers beside its state."""

    def read(self, state: State, address: int, size: int, now: int) -> int:
        return next(COUNT) & 0xFF


class Large(Access):
    def read(self, state: State, address: int, size: int, now: int) -> int:
        return 1 << 8 * size


class Mute(Access):
    def write(self, *_args: Any) -> Any:
        return ["nothing"]


class Fidget(Timer):
    def deadline(self, state: State) -> int | None:
        state.count += 1
        return None


class Late(Timer):
    def advance(self, state: State, now: int) -> Signals:
        return ()


class Vague(Timer):
    def deadline(self, state: State) -> Any:
        return 1.5


def fidgeting(state: State, *_args: int) -> None:
    state.count += 1


def peeked() -> Device:
    def peek(state: State, *_args: int) -> int:
        return (state.count + 1) & 0xFF

    return replace(good(), peek=peek, registers=(RegisterName(0x500, 4, "A", "t"),))


@pytest.mark.parametrize(
    "make", [good, peeked, post_code.device, uart.device, debugcon.device]
)
def test_devices_that_are_right_pass(make: Callable[[], Device]) -> None:
    check_device(make)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state": {}}, "the state of device 'good' is no dataclass"),
        ({"state": State(more={1, 2})}, "good': more holds {1, 2}"),
        ({"state": State(kept=[iter(())])}, "good': kept holds <tuple_iterator"),
        ({"access": object()}, "device 'good' has no read"),
        ({"access": Outside()}, "put back it answers"),
        ({"access": Large()}, "0x100 is too large for Touch"),
        ({"access": Mute()}, "'nothing' is no signal"),
        ({"timer": Fidget()}, "looking at its deadline changes it"),
        ({"timer": Late()}, "which has passed"),
        ({"timer": Vague()}, "1.5 is no deadline"),
        ({"role": "pic"}, "has role pic"),
        ({"peek": lambda *_: 7}, "its peek says 7 where Touch"),
        ({"peek": fidgeting}, "its peek changes it"),
        ({"registers": (RegisterName(0x504, 1, "A", "t"),)}, "'A' at port 0x504"),
        ({"ports": (Range(0x500, 4), Range(0x502, 4))}, "wants port 0x502"),
    ],
)
def test_what_is_wrong_with_a_device_is_told(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(AssertionError) as error:
        check_device(lambda: replace(good(), **changes))
    assert why in str(error.value)


def test_a_state_that_two_devices_share_is_found() -> None:
    shared = State()
    with pytest.raises(AssertionError, match="made anew it answers"):
        check_device(
            lambda: replace(good(), state=shared),
            [Touch(0x500, 1), Touch(0x500, 1), Touch(0x500, 1)],
        )


def test_a_machine_has_what_plugins_put_on_it() -> None:
    session = machine(devices=lambda _config: [good()], guest=b"\xf4")
    assert "good" in [device.name for device in session.machine.vm.devices]
    assert len(session.machine.vcpus) == 2
    assert session.run().reason == "halted"


def test_a_plugin_that_fails_on_it_is_an_assertion() -> None:
    class Bad:
        @hookimpl
        def lapis_lints(self) -> list[str]:
            return ["x"]

    with pytest.raises(AssertionError, match="its lapis_lints failed: TypeError"):
        machine(Bad())
