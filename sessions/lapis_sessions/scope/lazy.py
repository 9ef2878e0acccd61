"""Mappings whose values are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any


class Lazy(Mapping[str, Any]):
    """Values by name, each computed when it is asked for."""

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        """Offer what `makers` make."""
        self._makers = makers

    def __getitem__(self, name: str) -> Any:
        """Return a value."""
        return self._makers[name]()

    def maker(self, name: str) -> Callable[[], Any]:
        """Return what computes a value; raise `KeyError`."""
        return self._makers[name]

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a value, without computing it."""
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self._makers)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._makers)


def maker(mapping: Mapping[str, Any], name: str) -> Callable[[], Any]:
    """Return what makes the value that a mapping has for a name, again and again.

    Raises `KeyError` for one that it does not have.
    """
    if isinstance(mapping, Lazy | Made):
        return mapping.maker(name)
    if name not in mapping:
        raise KeyError(name)
    return partial(mapping.__getitem__, name)


class Made(Mapping[str, Any]):
    """Values by name, each made of the same thing by its maker in a table."""

    def __init__(
        self,
        makers: Mapping[str, Callable[[Any], Any]],
        of: object,
        aliases: Mapping[str, Callable[[Any], Any]] = MappingProxyType({}),
    ) -> None:
        """Offer what `makers` make of `of`; `aliases` are not among the names."""
        self._makers = makers
        self._aliases = aliases
        self._of = of

    def _maker(self, name: str) -> Callable[[Any], Any] | None:
        """Return the maker of a name, which may be in capitals."""
        for each in (name, name.lower()):
            found = self._makers.get(each) or self._aliases.get(each)
            if found is not None:
                return found
        return None

    def maker(self, name: str) -> Callable[[], Any]:
        """Return what makes a value; raise `KeyError`."""
        found = self._maker(name)
        if found is None:
            raise KeyError(name)
        return partial(found, self._of)

    def __getitem__(self, name: str) -> Any:
        """Return a value."""
        return self.maker(name)()

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a value, without computing it."""
        return isinstance(name, str) and self._maker(name) is not None

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self._makers)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._makers)


class ByNumber(Mapping[str, Any]):
    """Values by number, in brackets; names are those of the one that is chosen."""

    def __init__(
        self,
        what: str,
        numbers: Collection[int],
        make: Callable[[int], Any],
        chosen: int | None = None,
    ) -> None:
        """Offer `make` of each of `numbers`; `what` is what one is called."""
        self._what = what
        self._numbers = numbers
        self._make = make
        self._chosen = chosen

    def __getitem__(self, name: str) -> Any:
        """Return one of them, or a part of the one that is chosen."""
        if name.isdecimal():
            number = int(name)
            if number not in self._numbers:
                raise LookupError(f"there is no {self._what} {name}; {self._there()}")
            return self._make(number)
        return self._one()[name]

    def _there(self) -> str:
        numbers = sorted(self._numbers)
        if not numbers:
            return "there are none at all"
        return f"they are {numbers[0]} to {numbers[-1]}"

    def _one(self) -> Mapping[str, Any]:
        if self._chosen is None:
            raise LookupError(f"which {self._what}? {self._there()}")
        found: Mapping[str, Any] = self._make(self._chosen)
        return found

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a part; a number is looked at when it is used."""
        if isinstance(name, str) and name.isdecimal():
            return True
        return self._chosen is not None and name in self._one()

    def __iter__(self) -> Iterator[str]:
        """Return the names of the parts."""
        return iter(self._one() if self._chosen is not None else ())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._numbers)
