r"""Text of guests and of files, made fit for a terminal: the one place that does it.

A terminal obeys what it is sent: ESC and C1 begin commands that clear it, rename it or
type into it, bidi and format characters make a line read as what it is not, a newline
forges a line of ours. Such text comes from everywhere: symbols, notes, names of
branches, of devices and of files, what a guest prints, arguments that an error quotes.

What is unfit is what `str.isprintable` denies: control (C0, DEL, C1), format (bidi
controls, zero widths, soft hyphen), surrogates, private use and unassigned characters,
line and paragraph separators, and every blank but the space. Each is shown as Python
writes it: `\x1b`, `\u202e`, `\n`. That is the rule of `repr`, so a sentence that quotes
a name by `{name!r}` says the same, in quotation marks.

Backslashes stay as they are, for text is more often a path than an attack: what is
shown can be told from what is so written only in JSON, which holds the true text.

Why in two places. A newline of ours and one of a guest look alike once they are in one
text, so fields are made visible before they are set into sentences: by `shown`, for
the whole view that a command shows, and by `visible` in sentences that are written
elsewhere. What is made of them passes `printed` on its way out (`lapis_tui.output`
and the lines of panes), which is the net for what was forgotten: newline and tab pass
there, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec


def visible(text: str) -> str:
    r"""Return `text` as one line without what a terminal would obey or hide.

    >>> print(visible("a" + chr(0x1B) + "[2J" + chr(0x202E) + chr(10) + "b"))
    a\x1b[2J\u202e\nb
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


NAME = 80
"""Letters of a name that a sentence shows."""
PATH = 200
"""The same of the name of a file."""


def short(text: str, most: int = NAME) -> str:
    r"""Return a name for a sentence: visible, a long one without its middle.

    >>> print(short("f" + chr(10) + "b"), short("abcdefghij" * 3, 15))
    f\nb abcdef...efghij
    """
    return visible(_cut(text, most))


def quoted(text: str, most: int = NAME) -> str:
    r"""Return a name in quotation marks, as `short` does.

    >>> print(quoted("it" + chr(0x1B) + "[2J"))
    'it\x1b[2J'
    """
    return repr(_cut(text, most))


def quoted_path(path: str) -> str:
    """Return the name of a file in quotation marks, both its ends if it is long."""
    return quoted(path, PATH)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = (most - 3) // 2
    return f"{text[:half]}...{text[-half:]}"


def printed(text: str) -> str:
    r"""Return the same of text in lines: newlines and tabs keep their meaning.

    So does a carriage return before a newline, which is left out.

    >>> print(printed("one" + chr(13) + chr(10) + "two" + chr(13)))
    one
    two\r
    """
    if text.isprintable():
        return text
    rows = text.replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c in "\n\t" else _escape(c) for c in rows)


def _escape(char: str) -> str:
    return repr(char)[1:-1]


def shown(view: Any) -> Any:
    """Return a view with every text in it made visible, the keys of mappings as well.

    A view that is a text by itself is what somebody printed: its lines stay. What needs
    no change is returned as it is. Views are frozen dataclasses, records, tuples, lists
    and mappings (`lapis_sessions.plain`); anything else is left alone.
    """
    return printed(view) if isinstance(view, str) else _shown(view)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, int | float | bytes | None):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return _record(value)
    if isinstance(value, msgspec.Struct):
        return _struct(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, tuple | list):
        return _sequence(value)
    return value


def _record(value: Any) -> Any:
    """Return a copy with the fields that changed, past `frozen` and `__init__`."""
    found = value
    for field in fields(value):
        before = getattr(value, field.name)
        after = _shown(before)
        if after is not before:
            found = copy(value) if found is value else found
            object.__setattr__(found, field.name, after)
    return found


def _struct(value: msgspec.Struct) -> msgspec.Struct:
    before = msgspec.structs.asdict(value)
    after = {name: _shown(each) for name, each in before.items()}
    changed = {name: each for name, each in after.items() if each is not before[name]}
    return msgspec.structs.replace(value, **changed) if changed else value


def _mapping(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    found: dict[Any, Any] = {}
    for key, each in value.items():
        name = _shown(key)
        while name in found and isinstance(name, str):
            name += "'"  # two that look alike are still two
        found[name] = _shown(each)
    same = all(found.get(key, found) is each for key, each in value.items())
    return value if same and len(found) == len(value) else found


def _sequence(value: Any) -> Any:
    found = [_shown(each) for each in value]
    if all(after is before for after, before in zip(found, value, strict=True)):
        return value
    if isinstance(value, tuple) and hasattr(value, "_make"):
        return value._make(found)
    return tuple(found) if isinstance(value, tuple) else found


def json_text(value: Any, **options: Any) -> str:
    """Return JSON in ASCII that a terminal can be shown, and that holds the true text.

    `options` are those of `json.dumps`, which leaves DEL as it is.
    """
    return json.dumps(value, **options).replace("\x7f", "\\u007f")
