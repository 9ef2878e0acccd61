"""Acts: what reaches a machine from outside, as data that can be done again.

A verb of the machine that is marked `act` tells `Machine.on_act` what was asked of it,
and asks `Machine.before_act` first.
A machine that is built alike and gets the same acts has the same history.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Final,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
)

from lapis_engine.errors import EngineError, LapisError
from lapis_engine.machine.act_schemas import ACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lapis_engine.machine.act_schemas import Parameter
    from lapis_engine.machine.log import EventLog

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound="Actor")

VERBS: Final[dict[str, Callable[..., object]]] = {}
"""Every verb that is an act, by name."""
WIDEST: Final = 64
"""Bits of the largest number that an act takes."""


class Actor(Protocol):
    """What has acts: a `Machine`."""

    on_act: Callable[[Act, object], None] | None
    """Told every act when it is done, with what it returned."""
    before_act: Callable[[], None] | None
    """Asked before every act that is told; what it raises refuses the act."""
    log: EventLog


class ActError(EngineError):
    """What is no act of a machine was to be done."""

    title = "Bad act"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done to a machine from outside."""

    verb: str
    """Name of a verb of `Machine`, one of `VERBS`."""
    args: Mapping[str, Any]
    """Its arguments by name, as plain data that JSON can hold."""

    @property
    def text(self) -> str:
        """The act on one line."""
        words = [f"{name}={value!r}" for name, value in self.args.items()]
        return " ".join([self.verb, *words])


def act(method: Callable[Concatenate[M, P], R]) -> Callable[Concatenate[M, P], R]:
    """Mark a verb of `Machine` as an act.

    One that is refused and left no event was never done. A verb that calls another is
    one act.
    """
    parameters = list(inspect.signature(method).parameters.values())[1:]
    usual = {each.name: each.default for each in parameters}
    name = method.__name__

    @functools.wraps(method)
    def performed(machine: M, *args: P.args, **kwargs: P.kwargs) -> R:
        tell = machine.on_act
        if tell is None:
            return method(machine, *args, **kwargs)
        if machine.before_act is not None:
            machine.before_act()
        given = {**usual, **dict(zip(usual, args, strict=False)), **kwargs}
        before, machine.on_act = machine.log.next_seq, None
        result: R | LapisError
        try:
            result = method(machine, *args, **kwargs)
        except LapisError as error:
            if machine.log.next_seq != before:
                tell(Act(name, given), error)
            raise
        finally:
            machine.on_act = tell
        tell(Act(name, given), result)
        return result

    assert name in ACTS, f"act {name} has no schema: its parameters are persisted"
    VERBS[name] = performed
    return cast("Callable[Concatenate[M, P], R]", performed)


def check(act: Act) -> None:
    """Raise `ActError` when a machine has no such verb or argument."""
    if act.verb not in ACTS:
        raise ActError(f"there is no act {act.verb[:40]!r}")
    parameters = ACTS[act.verb]
    for name, value in act.args.items():
        if name not in parameters:
            raise ActError(f"act {act.verb} has no {name[:40]!r}")
        _check_value(act, name, value, parameters[name])
    for name, parameter in parameters.items():
        if parameter.required and name not in act.args:
            raise ActError(f"act {act.verb}: it needs {name}")


def _check_value(act: Act, name: str, value: object, wanted: Parameter) -> None:
    if type(value) not in wanted.kinds:
        raise ActError(
            f"act {act.verb}: {name} is {repr(value)[:40]} and must be {wanted.words}"
        )
    if isinstance(value, int) and abs(value) >> WIDEST:
        raise ActError(
            f"act {act.verb}: {name} is {value} and must be within {WIDEST} bits"
        )


def perform(machine: Actor, again: Act) -> None:
    """Do an act again; what was refused then is refused now.

    Raises `ActError` for a verb or an argument that the machine does not have.
    """
    check(again)
    try:
        VERBS[again.verb](machine, **again.args)
    except LapisError:
        return
