"""Copies of state that is plain: numbers, text, bytes, and what holds these.

`copy.deepcopy` does not know the records that are compiled, and takes longer.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


def clone(value: Any) -> Any:
    """Return a copy that shares nothing that could change."""
    kind: Any = type(value)
    if kind in _ATOMS:
        return value
    if kind is tuple:
        return tuple(copied(value))
    if kind is list:
        return copied(value)
    if kind is dict:
        return {key: clone(item) for key, item in value.items()}
    if kind is bytearray:
        return bytearray(value)
    if _is_record(kind):
        copy, names = kind.__new__(kind), names_of(value)
        items = copied([getattr(value, name) for name in names])
        for name, item in zip(names, items, strict=True):
            setattr(copy, name, item)
        return copy
    return value


def copied(values: Iterable[Any]) -> list[Any]:
    """Return a `clone` of each; most are numbers, which are their own."""
    return [each if type(each) in _ATOMS else clone(each) for each in values]


def _is_record(kind: type[Any]) -> bool:
    """Tell whether this is a class of records whose fields may change."""
    found = _RECORDS.get(kind)
    if found is None:
        found = _RECORDS[kind] = is_dataclass(kind) and not is_frozen(kind)
    return found


_RECORDS: Final[dict[type[Any], bool]] = {}


def is_frozen(kind: Any) -> bool:
    """Tell whether the fields of a class of records are given once."""
    parameters = getattr(kind, "__dataclass_params__", None)
    return parameters is not None and bool(parameters.frozen)


_ATOMS: Final = frozenset({int, str, bytes, bool, type(None)})


def names_of(holder: Any) -> tuple[str, ...]:
    """Return the names of the fields of a record, in order."""
    kind = type(holder)
    found = _NAMES.get(kind)
    if found is None:
        found = _NAMES[kind] = tuple(field.name for field in fields(kind))
    return found


_NAMES: Final[dict[type[Any], tuple[str, ...]]] = {}
"""What is asked for again and again; classes do not change."""
