"""Acts: what reaches a machine from outside, as data that can be done again.

A verb of the machine that is marked `act` tells `Machine.on_act` what was asked of it.
A machine that is built alike and gets the same acts has the same history.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from lapis_engine.errors import EngineError, LapisError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lapis_engine.machine import Machine

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound="Machine")

VERBS: dict[str, Callable[..., object]] = {}
"""Every verb that is an act, by name."""


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
    signature = inspect.signature(method)
    name = method.__name__

    @functools.wraps(method)
    def performed(machine: M, *args: P.args, **kwargs: P.kwargs) -> R:
        tell = machine.on_act
        if tell is None:
            return method(machine, *args, **kwargs)
        bound = signature.bind(machine, *args, **kwargs)
        bound.apply_defaults()
        given = dict(list(bound.arguments.items())[1:])
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

    VERBS[name] = performed
    return cast("Callable[Concatenate[M, P], R]", performed)


def perform(machine: Machine, again: Act) -> None:
    """Do an act again; what was refused then is refused now.

    Raises `EngineError` for a verb or an argument that the machine does not have.
    """
    verb = VERBS.get(again.verb)
    if verb is None:
        raise EngineError(f"there is no act {again.verb[:40]!r}")
    try:
        inspect.signature(verb).bind(machine, **again.args)
    except TypeError as error:
        raise EngineError(f"act {again.verb}: {error}") from None
    try:
        verb(machine, **again.args)
    except LapisError:
        return
