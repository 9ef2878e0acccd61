"""From views to plain data that JSON can hold: the one place where that is done.

A view is a frozen dataclass that says what the user is shown of something. Its fields,
in their order, are the keys of its JSON and thus a contract; `from_` is `from` there.
Records of the engine that are shown as they are go the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import Field, fields, is_dataclass
from typing import Any, Final

from msgspec import UNSET

Data = dict[str, Any]
"""An object of JSON."""
FLAT: Final = {"flat": True}
"""Metadata of a field whose own fields stand in its place; keys already there win."""
LEFT_OUT: Final = {"left out": True}
"""Metadata of a field that JSON does not have."""


def plain(view: object) -> Any:
    """Return `view` as dictionaries, lists, numbers and strings.

    A field that is `UNSET` is left out; a named tuple is an object as a dataclass is.
    """
    if view is None or isinstance(view, str | int | float):
        return view
    if is_dataclass(view):
        return _fields(view)
    if isinstance(view, Mapping):
        return {name: plain(value) for name, value in view.items()}
    if isinstance(view, tuple) and hasattr(view, "_asdict"):
        return {name: plain(value) for name, value in view._asdict().items()}
    if isinstance(view, Iterable):
        return [plain(each) for each in view]
    raise TypeError(f"{type(view).__name__} is nothing that JSON can hold")


def _fields(view: Any) -> Data:
    found: Data = {}
    for field in fields(view):
        value = getattr(view, field.name)
        if value is not UNSET and not _is(field, LEFT_OUT):
            name = field.name.removesuffix("_")
            own = plain(value) if _is(field, FLAT) else {name: plain(value)}
            for key, each in own.items():
                found.setdefault(key, each)
    return found


def _is(field: Field[Any], mark: Mapping[str, bool]) -> bool:
    return mark.items() <= field.metadata.items()
