"""What a machine tells of what is done to it, and what is refused as an act."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from rigs import machines

from lapis_engine.errors import EngineError, LapisError
from lapis_engine.machine import acts
from lapis_engine.machine.acts import VERBS, Act
from lapis_engine.machine.machine import Machine

LOOKING = {
    "pending", "pending_on", "vcpu", "vcpu_state", "why_not_runnable",
    "read_physical", "read_memory", "disassemble", "break_at", "break_only_at",
    "unbreak", "now", "vcpus", "consoles", "close", "registers", "read_msr",
    "breakpoints", "coming_back_at", "asked", "watched", "check_apic",
}  # fmt: skip
"""Names of `Machine` that change nothing in what the guest does."""


def test_every_public_verb_of_a_machine_is_an_act_or_only_looks() -> None:
    kinds = (kind for kind in Machine.__mro__ if kind is not object)
    public = {name for kind in kinds for name in vars(kind) if name[0] != "_"}
    assert public == set(VERBS) | LOOKING
    assert not set(VERBS) & LOOKING


def test_an_act_is_told_once_with_every_argument_by_name() -> None:
    m = machines.ap_bringup(2)
    told: list[tuple[Act, object]] = []
    m.on_act = lambda act, result: told.append((act, result))
    stop = m.run(10)
    m.set_pin(3, asserted=True)
    m.interfere("drop", "fixed", to=1)
    assert told[0] == (Act("run", {"limit": 10}), stop)
    assert told[1] == (Act("set_pin", {"pin": 3, "asserted": True}), None)
    assert told[2][0].args == {
        "action": "drop", "mode": "fixed", "to": 1, "sender": None, "vector": None,
        "nth": 1, "by": 0,
    }  # fmt: skip
    assert len(told) == 3
    assert told[1][0].text == "set_pin pin=3 asserted=True"


def test_what_is_refused_without_an_event_was_never_done() -> None:
    m = machines.ap_bringup(2)
    told: list[Act] = []
    m.on_act = lambda act, _result: told.append(act)
    for refused in (
        lambda: m.step(1),
        lambda: m.answer(0, 1),
        lambda: m.set_quantum(0),
        lambda: m.send_ipi(9, 0xC4500),
    ):
        with pytest.raises(LapisError):
            refused()
    assert told == []


def test_acts_are_told_again_after_one_that_raised() -> None:
    m = machines.ap_bringup(2)
    told: list[Act] = []
    m.on_act = lambda act, _result: told.append(act)
    with pytest.raises(LapisError):
        m.step(1)
    m.run(1)
    assert [act.verb for act in told] == ["run"]


@pytest.mark.parametrize(
    ("verb", "args", "sentence"),
    [
        ("fly", {}, "there is no act 'fly'"),
        ("run", {}, "act run: it needs limit"),
        ("run", {"limit": 1, "speed": 2}, "act run has no 'speed'"),
        ("run", {"limit": "1"}, "act run: limit is '1' and must be int"),
        ("run", {"limit": True}, "act run: limit is True and must be int"),
        ("run", {"limit": 1.5}, "act run: limit is 1.5 and must be int"),
        ("set_pin", {"pin": 1, "asserted": 1}, ("act set_pin: asserted is 1 and "
         "must be bool")),
        ("set_lint", {"name": None, "on": True}, ("act set_lint: name is None and "
         "must be str")),
        ("pulse_lint", {"lint": 0, "number": "x"}, ("act pulse_lint: number is 'x' and "
         "must be int or None")),
        ("run", {"limit": 1 << 64}, ("act run: limit is 18446744073709551616 and must "
         "be within 64 bits")),
        ("run", {"self": 1, "limit": 1}, "act run has no 'self'"),
    ],
)  # fmt: skip
def test_an_act_that_cannot_be_is_refused_in_a_sentence(
    verb: str, args: dict[str, Any], sentence: str
) -> None:
    m = machines.ap_bringup(1)
    before = machines.fingerprint(m)
    with pytest.raises(EngineError) as caught:
        acts.perform(m, Act(verb, args))
    assert str(caught.value) == sentence
    assert machines.fingerprint(m) == before


def test_every_act_takes_plain_data_only() -> None:
    for name, verb in VERBS.items():
        parameters = list(inspect.signature(verb).parameters.values())[1:]
        for parameter in parameters:
            assert parameter.annotation in {
                "int", "bool", "str", "int | None", "str | None", "Mapping[str, Any]",
            }, (name, parameter)  # fmt: skip
