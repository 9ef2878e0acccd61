"""What accesses take in virtual time, as people write it: `pc`, `port=1000,msr=50`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import ConfigError
from lapis_engine.vmm.costs import FREE, KINDS, MOST, SETS
from lapis_sessions.text import numerals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.vmm.costs import Costs

_NS: Final = re.compile(r"-?[0-9]+(_[0-9]+)*", re.ASCII)
_MOST_TEXT: Final = 200
"""Characters of all of it; each kind once is less."""


def read(text: str) -> Costs:
    """Read a set's name, or KIND=NS by commas, before which a set may stand.

    Raises `ConfigError`.

    >>> read("pc") == read("port=1000,mmio=200,rdtsc=25,cpuid=100,msr=50")
    True
    >>> read("pc,rdtsc=2000").rdtsc, read("none").some()
    (2000, {})
    """
    if len(text) > _MOST_TEXT:
        raise _bad(text)
    name, *rest = text.split(",")
    found, words = (SETS[name], rest) if name in SETS else (FREE, [name, *rest])
    given: dict[str, int] = {}
    for word in words:
        kind, equals, value = word.partition("=")
        if kind not in KINDS or not equals:
            raise _bad(word)
        if kind in given:
            raise ConfigError(f"cost of {kind} is given twice")
        given[kind] = _ns(kind, value)
    costs = replace(found, **given)
    costs.check()
    return costs


def _ns(kind: str, value: str) -> int:
    if len(value) > numerals.MOST_DIGITS or not _NS.fullmatch(value):
        raise ConfigError(
            f"cost of {kind} {numerals.shown(value)} is not a number: 0 to {MOST} ns"
        )
    return int(value)


def _bad(word: str) -> ConfigError:
    return ConfigError(
        f"cost {numerals.shown(word)}: {', '.join(SETS)}, or KIND=NS by commas, of "
        f"{', '.join(KINDS)}"
    )


def written(costs: Mapping[str, int]) -> str:
    """Return what `read` reads them from.

    >>> written({"port": 1000, "msr": 50}), written({})
    ('port=1000,msr=50', 'none')
    """
    return ",".join(f"{kind}={ns}" for kind, ns in costs.items()) or "none"
