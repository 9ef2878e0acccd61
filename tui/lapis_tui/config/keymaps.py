"""Key maps: which keys do what, by the stable ids of actions.

A map says only what it has otherwise than the default. What a user writes goes before
the map, and takes a key away from who else has it, unless that one is left with none.
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_sessions.text.near import nearest
from lapis_tui.bindings import KEYS, NAMES, Key, written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GDB: Final[Mapping[str, str]] = {
    "step": "s,i,f11",
    "continue": "c,r,f5",
    "inject": "I",
    "next-vcpu": "n,u",
    "previous-vcpu": "p,D",
    "zoom": "z,ctrl+l",
    "command": "colon,semicolon",
}
"""The keys of gdb's TUI in its single-key mode: i is its stepi, r its run."""
WINDBG: Final[Mapping[str, str]] = {
    "step": "f11,f8,t,s",
    "continue": "f5,c",
    "reverse-step": "T,S",
    "breakpoint": "f9,b",
    "next-vcpu": "n,tilde",
}
"""The keys of WinDbg: F5 goes, F8 and F11 trace, F9 is for breakpoints; t is its t,
T its t-, ~ another thread. Each has a letter too, for terminals that keep F keys."""
VIM: Final[Mapping[str, str]] = {
    "act-back": "u,shift+left",
    "act-on": "ctrl+r,shift+right",
    "event-back": "B,left",
    "event-on": "W,right",
    "beginning": "circumflex_accent,home",
    "end": "dollar_sign,end",
    "next-pane": "tab,ctrl+w,ctrl+pagedown",
    "jump": "apostrophe,grave_accent,ctrl+o",
    "next-vcpu": "n,ctrl+n",
    "quit": "q,Q",
}
"""The keys of vim: u takes an act back and Ctrl-R does it again, W and B go by events,
^ and $ to the ends, Ctrl-W to another pane, ' and ` to a mark."""
MAPS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {"default": {}, "gdb-tui": GDB, "windbg": WINDBG, "vim": VIM}
)
KEPT: Final = {"break": "ctrl+c", "leave": "escape"}
"""Actions whose keys stay: there has to be a way out of everything."""
TEXTUAL: Final = {"ctrl+q": "quit"}
"""Keys that are taken beside those of the table."""
_HELD: Final = ("ctrl", "shift", "alt", "super", "hyper", "meta")
_NAMED: Final = {
    *NAMES, *(f"f{number}" for number in range(1, 25)), "home", "end", "insert",
    "delete", "backspace", "tab", "enter", "space",
}  # fmt: skip
_SPELLED: Final = {char: name for name, char in NAMES.items()}
_GAP: Final = re.compile(r"\s+")


class KeysError(ValueError):
    """What is written for the keys of an action cannot be."""

    def __init__(self, action: str, why: str) -> None:
        """Say `why` not, and of which action."""
        super().__init__(why)
        self.action = action


def read(action: str, value: object) -> str:
    """Return keys as Textual names them; raise `KeysError` for what is none.

    >>> read("step", "s F11"), read("search", ["/", "Ctrl+F"])
    ('s,f11', 'slash,ctrl+f')
    """
    if action in KEPT:
        key = written(KEPT[action])
        raise KeysError(action, f"{key} stays: there has to be a way out of everything")
    if isinstance(value, str):
        words = [each for word in _GAP.split(value) for each in _parted(word)]
    elif isinstance(value, list) and all(isinstance(each, str) for each in value):
        words = value
    else:
        raise KeysError(action, "keys are written as a text: 's f11', or ['s', 'f11']")
    keys = [_named(action, word) for word in words if word]
    if not keys:
        raise KeysError(action, "each action needs a key")
    return ",".join(dict.fromkeys(keys))


def _parted(word: str) -> list[str]:
    return word.split(",") if len(word) > 1 else [word]


def _named(action: str, word: str) -> str:
    """Return the name of one key."""
    *held, last = word.split("+") if len(word) > 1 else [word]
    held = [each.lower() for each in held]
    name = _SPELLED.get(last, last)
    if len(name) > 1 or held:
        name = name.lower()
    is_letter = len(name) == 1 and name.isascii() and name.isalnum()
    if not (is_letter or name in _NAMED) or any(each not in _HELD for each in held):
        near = nearest(name, _NAMED) if len(name) > 1 else None
        hint = f"; did you mean {near}?" if near is not None else ""
        raise KeysError(action, f"there is no key {word[:40]!r}{hint}")
    key = "+".join([*sorted(held), name])
    taken = TEXTUAL.get(key) or {k: a for a, k in KEPT.items()}.get(key)
    if taken is not None:
        raise KeysError(action, f"{written(key)} is always {taken}")
    return key


def mapped(name: str, given: Mapping[str, str]) -> tuple[Key, ...]:
    """Return the table of keys under a map, and under what is `given` by action.

    Raises `KeysError` naming an action of `given` that leaves another without a key.
    """
    owner: dict[str, str] = {}
    for action, keys in given.items():
        for key in keys.split(","):
            if key in owner:
                raise KeysError(action, f"{written(key)} is given to {owner[key]} too")
            owner[key] = action
    return tuple(_under(key, MAPS[name], given, owner) for key in KEYS)


def _under(
    key: Key,
    chosen: Mapping[str, str],
    given: Mapping[str, str],
    owner: Mapping[str, str],
) -> Key:
    if key.id in given:
        return _with(key, given[key.id].split(","))
    before = chosen.get(key.id, key.keys).split(",")
    left = [each for each in before if each not in owner]
    if not left:
        shown = " ".join(written(each) for each in before)
        raise KeysError(
            owner[before[0]], f"{key.id} has no key then: {shown} is its only one"
        )
    return _with(key, left)


def _with(key: Key, keys: Sequence[str]) -> Key:
    found = ",".join(keys)
    if found == key.keys:
        return key
    return replace(key, keys=found, shown=written(found))
