"""The palette: every entry is a command line, whole, with its key and its help."""

from __future__ import annotations

import pytest
from rigs.screens import Driver, bringup, drive
from textual.command import Command, CommandPalette
from textual.widgets import OptionList

from lapis_plugins.host import discover
from lapis_sessions.registry import NoNames
from lapis_tui import own, palette
from lapis_tui.bindings import KEYS
from lapis_tui.panes.command import CommandInput
from lapis_tui.theme import THEMES

REGISTRY = discover().extensions.registry
ENTRIES = palette.entries(REGISTRY, own.OWN)


def entry(title: str) -> palette.Entry:
    (found,) = (each for each in ENTRIES if each.title == title)
    return found


def test_every_entry_is_a_line_that_can_be_typed_and_has_help() -> None:
    for each in ENTRIES:
        assert each.help, each
        registry = own.OWN if own.knows(each.line) else REGISTRY
        if each.argument is None:
            registry.parse(each.line, NoNames())
        else:
            command, _ = registry.find(each.line.split())
            assert each.title == command.usage
    titles = [each.title for each in ENTRIES]
    assert len(titles) == len(set(titles))


def test_every_key_and_every_command_is_there_once() -> None:
    shown = [each.keys for each in ENTRIES if each.keys is not None]
    assert sorted(shown) == sorted(key.shown for key in KEYS)
    lines = {each.title for each in ENTRIES}
    for registry in (REGISTRY, own.OWN):
        assert {command.usage for command in registry.commands} <= lines


@pytest.mark.parametrize(
    ("title", "line", "argument", "keys"),
    [
        ("step [COUNT] [--with-others]", "step", None, "s F11"),
        ("checkpoint NAME", "checkpoint NAME", "NAME", "m"),
        ("next-event EVENT [--vcpu VCPU]", "next-event EVENT", "EVENT", None),
        ("run [COUNT]", "run", None, "c F5"),
        ("explain WHAT RAW", "explain WHAT RAW", "WHAT", None),
        ("layout boot", "layout boot", None, "3"),
        ("key zoom", "key zoom", None, "z"),
        ("theme dark", "theme dark", None, None),
        ("goto start", "goto start", None, "Home"),
    ],
)
def test_a_line_is_whole_and_the_cursor_is_at_its_argument(
    title: str, line: str, argument: str | None, keys: str | None
) -> None:
    found = entry(title)
    assert (found.line, found.keys) == (line, keys)
    if found.argument is None:
        assert argument is None
    else:
        at, count = found.argument
        assert line[at : at + count] == argument


def test_the_place_of_an_option_is_behind_its_name() -> None:
    (found,) = (each for each in ENTRIES if each.title.startswith("ipi delay "))
    assert found.argument is not None
    at, count = found.argument
    assert found.line == "ipi delay --by BY"
    assert found.line[at : at + count] == "BY"


async def _open(it: Driver, text: str) -> None:
    await it.pilot.press("ctrl+p")
    await it.until(lambda: isinstance(it.app.screen, CommandPalette))
    await it.type(text)


def _offered(it: Driver) -> str | None:
    option = it.app.screen.query_one(OptionList).highlighted_option
    return option.hit.text if isinstance(option, Command) else None


async def _choose(it: Driver, text: str) -> None:
    await _open(it, text)
    await it.until(lambda: _offered(it) == text)
    await it.pilot.press("enter")
    await it.until(lambda: not isinstance(it.app.screen, CommandPalette))
    await it.press()


def test_what_needs_nothing_is_done() -> None:
    async def play(it: Driver) -> None:
        await _choose(it, "layout boot")
        await it.until(lambda: it.app.main.layout_.name == "boot")
        await _choose(it, "theme light")
        await it.until(lambda: it.app.theme == THEMES["light"].name)
        await _choose(it, "where")
        await it.until(lambda: "at instruction 0, event 0" in it.text)
        await _choose(it, "key next-vcpu")
        await it.until(lambda: it.view.selected == 1)

    drive(bringup(), play)


def test_what_needs_an_argument_is_on_the_command_line_to_be_typed_over() -> None:
    async def play(it: Driver) -> None:
        await _choose(it, "checkpoint NAME")
        await it.until(lambda: isinstance(it.app.focused, CommandInput))
        field = it.app.main.query_one(CommandInput)
        assert field.value == "checkpoint NAME"
        await it.type("here")
        assert field.value == "checkpoint here"
        await it.press("enter")
        assert "here" in {each.name for each in it.view.now.history.named}

    drive(bringup(), play)


def test_optional_arguments_are_shown_as_they_are_and_help_is_searched() -> None:
    async def play(it: Driver) -> None:
        await _open(it, "step")
        await it.until(lambda: "step [COUNT] [--with-others]   s F11" in it.text)
        await it.pilot.press("escape")
        await it.until(lambda: not isinstance(it.app.screen, CommandPalette))
        await _open(it, "give the whole screen")
        await it.until(lambda: "key zoom   z" in it.text)

    drive(bringup(), play, (80, 25))
