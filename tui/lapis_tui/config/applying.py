"""What applies, and who says so; and a file to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_tui.bindings import KEYS
from lapis_tui.config import keymaps
from lapis_tui.config.fields import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lapis_tui.config.record import Config, Value

DEFAULT: Final = "default"
OF_THEME: Final = "colours"
"""The table whose keys are told only where they are set."""


@dataclass(frozen=True, slots=True)
class Applied:
    """One setting as it applies."""

    name: str
    value: Value | None
    """None where that shows only later, as with what a guest needs."""
    source: str
    """`default`, FILE:LINE, the variable of the environment, the option."""
    words: str
    """The value, or what it will be, for people."""


def rows(
    config: Config, before: Mapping[str, tuple[Value, str]], kept: Mapping[str, str]
) -> tuple[Applied, ...]:
    """Return everything that applies.

    `before` has what goes before the file, by name: the value and who says so. `kept`
    has what the screen remembers, which applies where the file says nothing.
    """
    return (*_settings(config, before, kept), *_keys(config))


def _settings(
    config: Config, before: Mapping[str, tuple[Value, str]], kept: Mapping[str, str]
) -> Iterator[Applied]:
    there = values(config)
    for setting in SETTINGS:
        name = setting.name
        where = config.where(name)
        if name in before:
            value, source = before[name]
            yield Applied(name, value, source, _words(value))
        elif where is not None:
            yield Applied(name, there[name], where, _words(there[name]))
        elif name in kept:
            yield Applied(name, kept[name], "kept from the last time", kept[name])
        elif not name.startswith(f"{OF_THEME}."):
            yield Applied(name, None, DEFAULT, setting.otherwise)


def values(config: Config) -> dict[str, Value]:
    """Return what a file says, by name; keys apart."""
    found: dict[str, Value | None] = {
        "theme": config.theme,
        "layout": config.layout,
        "ascii": config.ascii,
        "keymap": config.keymap,
        "console.mode": config.console.mode,
        "console.colours": config.console.colours,
        **{f"open.{name}": value for name, value in config.open.items()},
        **{f"{OF_THEME}.{name}": value for name, value in config.colours.items()},
    }
    return {name: value for name, value in found.items() if value is not None}


def _keys(config: Config) -> Iterator[Applied]:
    """Yield the actions whose keys are not those of the default."""
    for key, plain in zip(config.keys, KEYS, strict=True):
        name = f"keys.{key.id}"
        where = config.where(name)
        if where is None and key.keys != plain.keys:
            is_mapped = key.id in keymaps.MAPS[config.keymap]
            where = f"keymap {config.keymap}" if is_mapped else "what other keys left"
        if where is not None:
            yield Applied(name, key.keys, where, key.shown)


def _words(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def text(found: tuple[Applied, ...]) -> str:
    """Put rows into words."""
    width = max(len(row.name) for row in found)
    wide = max(len(row.words) for row in found)
    return "\n".join(
        f"{row.name:<{width}}  {row.words:<{wide}}  {row.source}" for row in found
    )


def template() -> str:
    """Return a file that says nothing, and has everything to be said in comments."""
    out = [
        "# The configuration of Lapis. What has no # before it applies; `lapis config`",
        "# shows what does, and `lapis config check` what cannot.",
    ]
    table = ""
    for setting in SETTINGS:
        head, dot, name = setting.name.partition(".")
        if dot and head != table:
            table = head
            out += ["", f"[{table}]"]
        out += _template(name or head, setting.example, setting.text, setting.otherwise)
    out += [
        "",
        "[keys]",
        "# One key, or several: a name of Textual's, or the character.",
    ]
    for key in KEYS:
        if key.id not in keymaps.KEPT:
            shown = " ".join(key.keys.split(","))
            out += ["", f"# {key.help}", f'#{key.id} = "{shown}"']
    return "\n".join([*out, ""])


def _template(name: str, example: str, what: str, otherwise: str) -> list[str]:
    return ["", f"# {what}; else {otherwise}", f"#{name} = {example}"]
