"""Where the configuration is, and the reading of it: whatever it is, it is read."""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING, Any, Literal

import platformdirs

from lapis_sessions import regular
from lapis_sessions.regular import FileError, NoFileError
from lapis_sessions.text.near import nearest
from lapis_tui.bindings import KEYS
from lapis_tui.config import keymaps
from lapis_tui.config.fields import SETTINGS, TABLES
from lapis_tui.config.lines import fault, places
from lapis_tui.config.record import Config, Console, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lapis_tui.bindings import Key
    from lapis_tui.config.record import Mode, Value

VARIABLE = "LAPIS_CONFIG"
FILE = "config.toml"
MOST = 64 * 1024
"""Bytes of such a file."""
Chosen = Literal["default", "environment", "option"]
IDS = tuple(key.id for key in KEYS if key.id not in keymaps.KEPT)


def place(option: str | None = None) -> tuple[str, Chosen]:
    """Return the file, and who says so: an option, the environment, or nobody."""
    if option is not None:
        return option, "option"
    if named := os.environ.get(VARIABLE):
        return named, "environment"
    return str(platformdirs.user_config_path("lapis") / FILE), "default"


def load(option: str | None = None) -> Config:
    """Return what is configured, with what is wrong in it.

    A file that nobody named need not be there. Raises `FileError` for one that `option`
    names and that cannot be read: that is a mistake on the command line.
    """
    file, chosen = place(option)
    try:
        data = regular.read(file, MOST, "configuration")
    except FileError as error:
        if chosen == "option":
            raise
        if chosen == "default" and isinstance(error, NoFileError):
            return Config(file, chosen)
        return Config(file, chosen, problems=(Problem(file, 1, None, error.why),))
    return parsed(data, file, chosen)


def parsed(data: bytes, file: str, chosen: Chosen = "option") -> Config:
    """Return what a file of such bytes configures."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        why = f"byte {data[error.start]:#04x} is not UTF-8"
        return Config(file, chosen, problems=(Problem(file, line, None, why),))
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = Problem(file, *_before(fault(text, error)))
        return Config(file, chosen, problems=(problem,))
    except (ValueError, RecursionError) as error:
        problem = Problem(file, _culprit(text), None, _reason(error))
        return Config(file, chosen, problems=(problem,))
    return _Reading(text, file).config(tables, chosen)


def _before(found: tuple[int, str]) -> tuple[int, None, str]:
    line, why = found
    return line, None, f"{why[:1].lower()}{why[1:]}"


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "this is nested too deeply"
    return "a number has too many digits"


def _culprit(text: str) -> int:
    """Return the line that Python rather than TOML refuses."""
    for number, row in enumerate(text.split("\n"), 1):
        try:
            tomllib.loads(row)
        except tomllib.TOMLDecodeError:
            continue
        except (ValueError, RecursionError):
            return number
    return 1


class _Reading:
    """The reading of one file that is TOML."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._places = places(text)
        self._problems: list[Problem] = []
        self._lines: dict[str, int] = {}

    def config(self, tables: Mapping[str, Any], chosen: Chosen) -> Config:
        """Return what the tables configure."""
        values = {}
        given: dict[str, object] = {}
        known = {tuple(each.name.split(".")): each.read for each in SETTINGS}
        for path, value in self._leaves(tables):
            name = ".".join(path)
            if path[0] == "keys" and len(path) == 2:
                given[path[1]] = value
            elif (
                found := self._checked(path, value, known.get(tuple(path)))
            ) is not None:
                values[name] = found
        chosen_map = str(values.get("keymap", "default"))
        keys = self._keys(chosen_map, given)
        mode: Mode = "vi" if values.get("console.mode") == "vi" else "emacs"
        colours = bool(values.get("console.colours", True))
        return Config(
            self._file,
            chosen,
            theme=_text(values.get("theme")),
            layout=_text(values.get("layout")),
            ascii=bool(values["ascii"]) if "ascii" in values else None,
            keymap=chosen_map,
            keys=keys,
            console=Console(mode, colours),
            colours=_table(values, "colours"),
            open=_table(values, "open"),
            lines=self._lines,
            problems=tuple(sorted(self._problems, key=lambda each: each.line)),
        )

    def _leaves(self, tables: Mapping[str, Any]) -> Iterator[tuple[list[str], object]]:
        for key, value in tables.items():
            if key in TABLES and isinstance(value, dict):
                for name, inner in value.items():
                    yield [key, name], inner
            else:
                yield [key], value

    def _checked(
        self, path: list[str], value: object, read: Callable[[object], Value] | None
    ) -> Value | None:
        if read is None:
            self._wrong(path, _unknown(path))
            return None
        try:
            found = read(value)
        except ValueError as error:
            self._wrong(path, str(error))
            return None
        self._heed(path)
        return found

    def _keys(self, chosen: str, given: Mapping[str, object]) -> tuple[Key, ...]:
        """Return the table of keys; what cannot be is left out, one after the other."""
        read: dict[str, str] = {}
        for action, value in given.items():
            if action not in IDS and action not in keymaps.KEPT:
                self._wrong(["keys", action], _unknown(["keys", action]))
                continue
            try:
                read[action] = keymaps.read(action, value)
            except keymaps.KeysError as error:
                self._wrong(["keys", action], str(error))
        while True:
            try:
                keys = keymaps.mapped(chosen, read)
            except keymaps.KeysError as error:
                self._wrong(["keys", error.action], str(error))
                del read[error.action]
            else:
                break
        for action in read:
            self._heed(["keys", action])
        return keys

    def _line(self, path: list[str]) -> int:
        """Return the line of a key, or of the table that it is in."""
        name = tuple(path)
        return self._places.get(name) or self._places.get(name[:1], 1)

    def _heed(self, path: list[str]) -> None:
        self._lines[".".join(path)] = self._line(path)

    def _wrong(self, path: list[str], why: str) -> None:
        problem = Problem(self._file, self._line(path), ".".join(path), why)
        self._problems.append(problem)


def _unknown(path: list[str]) -> str:
    """Return that there is no such key, with the nearest of its table."""
    *table, key = path
    if table == ["keys"]:
        near, what = nearest(key, IDS), "action"
    elif table:
        own = [f.name for f in SETTINGS if f.name.startswith(f"{table[0]}.")]
        near, what = nearest(key, [name.partition(".")[2] for name in own]), "key"
    else:
        names = [f.name for f in SETTINGS if "." not in f.name]
        near, what = nearest(key, [*names, *TABLES]), "key"
        if key in TABLES:
            return f"this is a table: write [{key}]"
    hint = f"; did you mean {near}?" if near is not None else ""
    return f"there is no such {what}{hint}"


def _text(value: Value | None) -> str | None:
    return value if isinstance(value, str) else None


def _table(values: Mapping[str, Value], name: str) -> dict[str, Value]:
    """Return the keys of a table, without its name."""
    return {
        key.partition(".")[2]: value
        for key, value in values.items()
        if key.startswith(f"{name}.")
    }
