"""Values of expressions as they are shown: in hex and decimal, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, UnsetType

from lapis_engine.errors import ConfigError
from lapis_engine.explain import Field, explain
from lapis_sessions.plain import plain
from lapis_sessions.text.decoded import Decoded

if TYPE_CHECKING:
    from lapis_sessions.symbols.book import Places

MOST_ITEMS: Final = 256
"""Of a list that is shown."""
FORMATS: Final = ("hex", "dec", "bin", "oct", "char", "addr")


@dataclass(frozen=True, slots=True)
class ValueView:
    """What an expression came to."""

    expression: str
    type: str
    """number, truth, text, list, parts or nothing."""
    value: Any
    what: str | UnsetType = UNSET
    """Of a number that is a register: which, as `explain` calls it."""
    text: str | UnsetType = UNSET
    """What it means."""
    fields: tuple[Field, ...] | UnsetType = UNSET
    """Its fields, high to low."""
    symbol: str | UnsetType = UNSET
    """Of a number that is near a symbol: the name."""
    shown: str | UnsetType = UNSET
    """The number in the form that was asked for."""


@dataclass(frozen=True, slots=True)
class SetView:
    """A place that was written."""

    target: str
    before: int | None
    """None where it cannot be read."""
    after: int | None


def of(text: str, value: Any, places: Places, form: str | None = None) -> ValueView:
    """Return the view of a value; `form` is one of `FORMATS`."""
    match value:
        case None:
            return ValueView(text, "nothing", None)
        case bool():
            return ValueView(text, "truth", value)
        case int():
            return _number(text, value, places, form)
        case str():
            return ValueView(text, "text", value)
        case Mapping():
            return ValueView(text, "parts", _parts(value))
        case _:
            return ValueView(text, "list", [_item(each) for each in value[:MOST_ITEMS]])


def _number(text: str, value: int, places: Places, form: str | None) -> ValueView:
    number = int(value)
    near = places.near(number) if number > 0 else ""
    shown = formatted(number, form) if form is not None else UNSET
    what = value.what if isinstance(value, Decoded) else ""
    if not what:
        return ValueView(text, "number", number, symbol=near or UNSET, shown=shown)
    try:
        known = explain(what, number)
    except ConfigError:  # of a plug-in's own, or of more than 64 bits
        return ValueView(text, "number", number, what, shown=shown)
    return ValueView(
        text, "number", number, what, known.text, known.fields, shown=shown
    )


def formatted(value: int, form: str) -> str:
    """Return a number in a form, as gdb's /x, /d, /t, /o, /c and /a.

    >>> [formatted(-10, form) for form in ("hex", "dec", "bin", "oct")]
    ['-0xa', '-10', '-0b1010', '-0o12']
    """
    match form:
        case "hex" | "addr":
            return f"{value:#x}"
        case "bin":
            return f"{value:#b}"
        case "oct":
            return f"{value:#o}"
        case "char":
            return repr(chr(value & 0xFF))
        case _:
            return str(value)


def _parts(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts, but those that have no value now."""
    found: dict[str, Any] = {}
    for name in value:
        try:
            found[name] = _item(value[name])
        except LookupError:  # that part has no value now
            continue
    return found


def _item(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _parts(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return plain(value)


def text(view: ValueView) -> str:
    """Return a value, and what it means, in lines."""
    if view.type != "number":
        return _shown(view)
    head = view.shown if view.shown is not UNSET else _both(view.value)
    if view.text is not UNSET:
        head = f"{head}  {view.what}: {view.text}"
    elif view.symbol is not UNSET:
        head = f"{head}  {view.symbol}"
    fields = view.fields if view.fields is not UNSET else ()
    rows = [
        f"  {it.bits:>7}  {it.name:<26} {it.value:#x}  {it.meaning}".rstrip()
        for it in fields
        if it.value or it.meaning
    ]
    return "\n".join([head, *rows])


def set_text(view: SetView) -> str:
    """Say what is there now, and what was."""
    if view.before is None or view.after is None:
        return f"{view.target} is written"
    was = "as before" if view.before == view.after else f"was {view.before:#x}"
    return f"{view.target} = {view.after:#x}, {was}"


def _both(value: int) -> str:
    """Return a number in hex and decimal; of one digit once."""
    return str(value) if -10 < value < 10 else f"{value:#x} ({value:,})"


def _shown(view: ValueView) -> str:
    match view.type:
        case "truth":
            return "true" if view.value else "false"
        case "nothing":
            return "nothing"
        case "text":
            return repr(view.value)
        case "list":
            return _list(view.value)
        case _:
            rows = [f"{name:<12} {_brief(each)}" for name, each in view.value.items()]
            return "\n".join(rows) or "no parts"


def _list(items: list[Any]) -> str:
    return f"[{', '.join(_brief(each) for each in items)}]"


def _brief(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return _both(value)
        case list():
            return _list(value)
        case dict():
            inner = ", ".join(f"{name}: {_brief(each)}" for name, each in value.items())
            return f"{{{inner}}}"
        case None:
            return "nothing"
        case _:
            return repr(value)
