"""Events by the names of their fields, for conditions of catches."""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, get_args

from lapis_engine.events import Event
from lapis_engine.explain.events import describe
from lapis_engine.machine import catches

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAIN: Final = (int, str, bool, type(None))
NONE: Final[Mapping[str, Any]] = MappingProxyType(
    dict.fromkeys(
        {
            "kind", "said", "vector", "mode",
            *(each.name for kind in get_args(Event) for each in fields(kind)),
        }
    )
)  # fmt: skip
"""All names that any event has, without values: an event lacks most of them."""


def of(event: Event) -> Mapping[str, Any]:
    """Return what is known of an event; `said` is all of it in words."""
    own = {each.name: _plain(getattr(event, each.name)) for each in fields(event)}
    around = {
        "kind": event.kind, "said": describe(event), "vector": catches.vector(event),
    }  # fmt: skip
    return {**NONE, "mode": catches.mode(event), **own, **around}


def _plain(value: object) -> object:
    """Return a value that expressions know: what is more than that is its words."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, PLAIN) else str(value)
