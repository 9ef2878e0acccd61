"""A configuration: what is written there is heeded, or told with its line."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.binding import Binding
from textual.keys import _character_to_key

from lapis_tui.bindings import KEYS, NAMES
from lapis_tui.config import keymaps
from lapis_tui.config.lines import places
from lapis_tui.config.reading import load, parsed
from lapis_tui.config.record import Config
from lapis_tui.panes.ours import PANES

if TYPE_CHECKING:
    from pathlib import Path

    from textual.widget import Widget

WHOLE = """\
theme = "light"  # not "theme"
layout = 'timeline'
ascii = true
keymap = "vim"

[keys]
step = "s F12"
"search" = ["/", "Ctrl+f"]

[console]
mode = "vi"
colours = false

[open]
cpus = 4
memory = "128M"
machine = "bare"
profile = "illumos"

[colours]
warning = "#E8B86D"
"""


def read(text: str | bytes) -> Config:
    data = text.encode() if isinstance(text, str) else text
    return parsed(data, "a.toml")


def told(text: str | bytes) -> list[str]:
    return [str(problem) for problem in read(text).problems]


def keys_of(config: Config) -> dict[str, str]:
    return {key.id: key.keys for key in config.keys}


def test_everything_that_is_written_is_heeded_and_its_line_is_known() -> None:
    found = read(WHOLE)
    assert found.problems == ()
    assert found.notice is None
    assert (found.theme, found.layout, found.ascii) == ("light", "timeline", True)
    assert (found.keymap, found.console.mode, found.console.colours) == (
        "vim", "vi", False,
    )  # fmt: skip
    assert found.open == {
        "cpus": 4, "memory": "128M", "machine": "bare", "profile": "illumos",
    }  # fmt: skip
    assert found.colours == {"warning": "#e8b86d"}
    keys = keys_of(found)
    assert keys["step"] == "s,f12"
    assert keys["search"] == "slash,ctrl+f"
    assert keys["act-on"] == "ctrl+r,shift+right"
    assert next(k for k in found.keys if k.id == "step").shown == "s F12"
    assert found.lines == {
        "theme": 1, "layout": 2, "ascii": 3, "keymap": 4, "keys.step": 7,
        "keys.search": 8, "console.mode": 11, "console.colours": 12, "open.cpus": 15,
        "open.memory": 16, "open.machine": 17, "open.profile": 18,
        "colours.warning": 21,
    }  # fmt: skip
    assert found.where("open.cpus") == "a.toml:15"
    assert found.where("colours.error") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('theme = "drak"', ("1: theme: 'drak' is none of dark, light, high-contrast, "
         "terminal; did you mean dark?")),
        ("\ntheme = 3", "2: theme: 3 is none of dark, light, high-contrast, terminal"),
        ('#\n\ntheem = "dark"', "3: theem: there is no such key; did you mean theme?"),
        ('[open]\n\ncpu = 2', "3: open.cpu: there is no such key; did you mean cpus?"),
        ("[open]\ncpus = 0", "2: open.cpus: 0 is not a number from 1 to 255"),
        ("[open]\ncpus = true", "2: open.cpus: true is not a number from 1 to 255"),
        ('open.memory = "much"', ("1: open.memory: memory 'much' is not a size: write "
         "64M, 65536K or 1G")),
        ("open = { memory = 64 }", ("1: open.memory: 64 is not a size in quotes: write "
         '"64M"')),
        ('[open]\nprofile = ""', "2: open.profile: '' is not a name in quotes"),
        ("ascii = 1", "1: ascii: 1 is neither true nor false"),
        ("keys = 1", "1: keys: this is a table: write [keys]"),
        ('[colours]\nerror = "red"', ("2: colours.error: 'red' is no colour: write one "
         'as "#e8b86d"')),
        ("[console]\nmode = [1]", "2: console.mode: an array is none of emacs, vi"),
        ("[console.mode]\nx = 1", "1: console.mode: a table is none of emacs, vi"),
        ('[keys]\nstpe = "x"', ("2: keys.stpe: there is no such action; did you mean "
         "step?")),
        ('[keys]\nstep = "pagedwn"', ("2: keys.step: there is no key 'pagedwn'; did "
         "you mean pagedown?")),
        ("[keys]\nstep = ''", "2: keys.step: each action needs a key"),
        ("[keys]\nstep = 5", ("2: keys.step: keys are written as a text: 's f11', or "
         "['s', 'f11']")),
        ("[keys]\nleave = 'x'", ("2: keys.leave: Esc stays: there has to be a way out "
         "of everything")),
        ("[keys]\nstep = 'Ctrl+C'", "2: keys.step: Ctrl-C is always break"),
        ("[keys]\nstep = 'ctrl+q'", "2: keys.step: Ctrl-Q is always quit"),
        ("[keys]\nstep = 'x'\nfork = ['x', 'y']", ("3: keys.fork: x is given to step "
         "too")),
        ("[keys]\nstep = 'F'", "2: keys.step: fork has no key then: F is its only one"),
        ("theme = ", "1: invalid value"),
        ("a = 1\n[b\n", "2: expected ']' at the end of a table declaration"),
        ("a = 1\na = 2", "2: cannot overwrite a value"),
        ('a = """\n\n', "2: unterminated string"),
        ("\na = " + "[" * 5000, "2: this is nested too deeply"),
        ("\na = " + "1" * 5000, "2: a number has too many digits"),
        (b"\n\ntheme = '\xff'", "3: byte 0xff is not UTF-8"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_file_line_and_key(
    text: str | bytes, said: str
) -> None:
    assert told(text) == [f"a.toml:{said}"]
    notice = read(text).notice
    assert notice is not None
    assert notice.startswith(f"a.toml:{said}; ")


def test_a_line_ends_where_toml_has_it_end_and_a_dot_in_quotes_is_no_table() -> None:
    assert told("theme = 'a\u2028b\u0085'\r\n\x0c= 1") == [
        "a.toml:2: invalid statement"
    ]
    first, second = told("theme = 'a\u2028b\u0085'\r\n'open.cpus' = 3")
    assert first.startswith("a.toml:1: theme: ")
    assert second.startswith("a.toml:2: open.cpus: there is no such key")


def test_what_is_wrong_takes_nothing_else_with_it() -> None:
    found = read('theme = "drak"\n[keys]\nstep = "F"\nzoom = "Z"\n[open]\ncpus = 3\n')
    assert [problem.line for problem in found.problems] == [1, 3]
    assert found.notice is not None
    assert found.notice.endswith("; and 1 more, see lapis config check")
    assert found.open == {"cpus": 3}
    assert keys_of(found) == keys_of(Config()) | {"zoom": "Z"}


def test_two_actions_change_their_only_keys() -> None:
    found = read("[keys]\nfork = 'm'\nname = 'F'\n")
    assert found.problems == ()
    keys = keys_of(found)
    assert (keys["fork"], keys["name"]) == ("m", "F")


def test_an_action_leaves_a_key_that_was_given_away_and_keeps_its_other() -> None:
    keys = keys_of(read("[keys]\nfork = 'F f11'\n"))
    assert (keys["fork"], keys["step"]) == ("F,f11", "s")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# x = 1\n\n'a b' = 1", {("a b",): 3}),
        ('a = """\nb = 1\n"""\nc = 2', {("a",): 1, ("c",): 4}),
        ("a = '''\n[x]\n'''\nc = 2", {("a",): 1, ("c",): 4}),
        ("a = [\n 1, # ]\n 2,\n]\nc = 2", {("a",): 1, ("c",): 5}),
        ("[t]\r\na = 1\r\n", {("t",): 1, ("t", "a"): 2}),
        (
            "[a.'b.c']\nd.e = 1\n[f]\n",
            {
                ("a",): 1, ("a", "b.c"): 1, ("a", "b.c", "d"): 2,
                ("a", "b.c", "d", "e"): 2, ("f",): 3,
            },
        ),
        (
            "[[a]]\nb = 1\n[[a]]\nb = 2\n",
            {("a",): 1, ("a", "b"): 2},
        ),
        ("t = { a = 1, b = 2 }", {("t",): 1, ("t", "a"): 1, ("t", "b"): 1}),
    ],
)  # fmt: skip
def test_the_line_of_each_key(text: str, expected: dict[tuple[str, ...], int]) -> None:
    assert places(text) == expected


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_file_stops_the_program(text: str | bytes) -> None:
    data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    found = parsed(data, "a.toml")
    for problem in found.problems:
        assert 1 <= problem.line <= data.count(b"\n") + data.count(b"\r") + 1
        assert str(problem).isprintable()


# Files that are no file.


@pytest.mark.parametrize("kind", ["none", "folder", "fifo", "large"])
def test_a_file_that_the_environment_names_is_told_if_it_cannot_be_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "large":
        path.write_bytes(b"#" * 70_000)
    monkeypatch.setenv("LAPIS_CONFIG", str(path))
    found = load()
    assert found.chosen == "environment"
    assert found.keys == KEYS
    assert found.notice is not None
    assert found.notice.startswith(f"{path}:1: ")


def test_no_file_at_all_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAPIS_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load() == Config(str(tmp_path / "lapis" / "config.toml"))


def test_reading_loads_neither_the_engine_nor_a_terminal() -> None:
    code = "import sys, lapis_tui.config.reading as r; r.load(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"textual", "rich", "prompt_toolkit", "unicorn", "click"}
    assert not {name for name in loaded if name.startswith("lapis_engine.")} - {
        "lapis_engine.errors"
    }


# Key maps.


def taken(kind: type[Widget]) -> set[str]:
    """Return the keys that a pane, or what it is a kind of, takes for itself."""
    found: set[str] = set()
    for each in kind.__mro__:
        if not each.__module__.startswith("lapis_tui"):
            break
        for binding in each.__dict__.get("BINDINGS", ()):
            keys = binding.key if isinstance(binding, Binding) else binding[0]
            found |= set(keys.split(","))
    return found


@pytest.mark.parametrize("name", keymaps.MAPS)
def test_each_action_has_a_key_and_no_key_two_actions(name: str) -> None:
    table = keymaps.mapped(name, {})
    assert [key.id for key in table] == [key.id for key in KEYS]
    keys = [each for key in table for each in key.keys.split(",")]
    assert len(keys) == len(set(keys))
    assert all(key.keys and key.shown for key in table)
    assert {key.id: key.keys for key in table}.items() >= keymaps.KEPT.items()


@pytest.mark.parametrize("name", keymaps.MAPS)
@pytest.mark.parametrize("kind", PANES, ids=lambda kind: kind.__name__)
def test_no_pane_hides_an_action_in_a_map_that_it_does_not_hide_in_the_default(
    name: str, kind: type[Widget]
) -> None:
    own = taken(kind)

    def hidden(which: str) -> set[str]:
        table = keymaps.mapped(which, {})
        return {key.id for key in table if set(key.keys.split(",")) <= own}

    assert hidden(name) <= hidden("default")


@pytest.mark.parametrize("name", [name for name in keymaps.MAPS if name != "default"])
def test_a_map_is_of_ids_and_keys_that_there_are(name: str) -> None:
    for action, keys in keymaps.MAPS[name].items():
        assert keymaps.read(action, keys) == keys


def test_keys_are_spelled_as_textual_spells_them() -> None:
    spelled = {
        name: char for name, char in NAMES.items() if char in map(chr, range(128))
    }
    for name, char in spelled.items():
        assert _character_to_key(char) == name
    punctuation = {chr(c) for c in range(0x21, 0x7F) if not chr(c).isalnum()}
    assert set(spelled.values()) == punctuation
