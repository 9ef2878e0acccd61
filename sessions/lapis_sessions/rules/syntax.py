"""How a rule is written: WHERE = HOW.

    WHERE   mmio FIRST[/SIZE] | port FIRST[/SIZE] | msr FIRST[/SIZE] | any
            then, in any order: read | write | vcpu N
            then: if CONDITION
    HOW     EXPRESSION                  always
            A, B, C                     each once, in this order
            once EXPRESSION             one request
            cycle A, B, C               over and over
            file PATH                   the numbers of a file, each once
            device                      as the engine's own device would
            fault NAME [ERROR]          gp, pf, ud ...

Expressions and conditions know the request (`expression`) and the whole machine, as
`print` does. A write has nothing to be answered with, and is let be by all but `fault`
and `device`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lapis_engine.machine.requests import FAULTS
from lapis_sessions import regular
from lapis_sessions.errors import CommandError
from lapis_sessions.regular import FileError
from lapis_sessions.rules import expression
from lapis_sessions.rules.rule import Fault, How, Rule, Where
from lapis_sessions.text import numerals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.scope.scope import Scope
    from lapis_sessions.text.expressions import Expression

_SIGN: Final = re.compile(r"((?<![=<>!])=(?!=))")
"""The sign between WHERE and HOW, which is no comparison."""
SPACES: Final = ("mmio", "port", "msr")
DIRECTIONS: Final = {"read": True, "in": True, "write": False, "out": False}
USUAL: Final = "write WHERE = HOW, as in 'mmio 0xfed00000/0x400 = count*4'"
MOST_BYTES: Final = 1 << 20
"""Of a file of values."""


def parse(text: str, number: int, scope: Scope | None = None) -> Rule:
    """Return the rule that `text` is; raise `CommandError`.

    Its expressions may speak of all that `scope` knows, where there is one.
    """
    where, equals, how = (*_SIGN.split(text, maxsplit=1), "", "")[:3]
    if not equals or not where.strip() or not how.strip():
        raise CommandError(f"rule {text[:60]!r}: {USUAL}")
    where, asked, condition = where.partition(" if ")
    when = _condition(condition, scope) if asked else None
    if not where.strip():
        raise CommandError(f"rule {text[:60]!r}: {USUAL}")
    return Rule(number, text.strip(), _where(where), _how(how.strip(), scope), when)


def _condition(text: str, scope: Scope | None) -> Expression:
    found = expression.parse(text, scope)
    if len(found) > 1:
        raise CommandError(f"rule: {len(found)} conditions behind if, and not one")
    return found[0]


def _where(text: str) -> Where:
    words = iter(text.split())
    space = next(words)
    if space not in {*SPACES, "any"}:
        known = ", ".join((*SPACES, "any"))
        raise CommandError(f"rule: {space[:20]!r} is none of {known}: {USUAL}")
    found = Where(space)
    if space != "any":
        first, size = numerals.span(_next(words, f"rule: {space}"), f"rule: {space}")
        found = found._replace(first=first, size=size)
        if size < 1:
            raise CommandError(f"rule: {space} {first:#x}/{size}: at least 1")
    for word in words:
        if word in DIRECTIONS and found.read is None:
            found = found._replace(read=DIRECTIONS[word])
        elif word == "vcpu" and found.vcpu is None:
            vcpu = numerals.number(_next(words, "rule: vcpu"), "rule: vcpu")
            found = found._replace(vcpu=vcpu)
        else:
            raise CommandError(f"rule: {word[:20]!r} is too much before '=': {USUAL}")
    return found


def _next(words: Iterator[str], what: str) -> str:
    word = next(words, None)
    if word is None:
        raise CommandError(f"{what} needs a number: {USUAL}")
    return word


def _how(text: str, scope: Scope | None) -> How:
    word, _, rest = text.partition(" ")
    rest = rest.strip()
    match word:
        case "device" if not rest:
            return How("device")
        case "fault":
            return How("fault", fault=_fault(rest))
        case "file":
            return How("sequence", _numbers(rest))
        case "once" | "cycle" | "always":
            values = expression.parse(rest, scope)
            if word != "cycle" and len(values) > 1:
                raise CommandError(f"rule: {word} takes one value, not {len(values)}")
            return How(word, values)
        case _:
            values = expression.parse(text, scope)
            return How("sequence" if len(values) > 1 else "always", values)


def _fault(text: str) -> Fault:
    name, _, error = text.partition(" ")
    if name not in FAULTS:
        known = ", ".join(FAULTS)
        raise CommandError(f"rule: there is no fault {name[:20]!r}: {known}")
    if not error:
        return Fault(name)
    return Fault(name, numerals.number(error.strip(), "rule: error code"))


def _numbers(name: str) -> list[int]:
    """Return the numbers of a file, a comma or blank between them, # for comments."""
    try:
        data = regular.read(name, MOST_BYTES, "file")
        lines = data.decode("ascii").splitlines()
    except FileError as error:
        raise CommandError(f"rule: {error}") from None
    except UnicodeDecodeError:
        raise CommandError(f"rule: file {name!r}: not a text of numbers") from None
    bare = [line.partition("#")[0].replace(",", " ") for line in lines]
    words = [word for line in bare for word in line.split()]
    if not words:
        raise CommandError(f"rule: file {name!r} has no numbers")
    return [numerals.number(word, f"rule: file {name!r}:") for word in words]
