"""What the program loads before it does something: only what that takes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from typing import TYPE_CHECKING

import click
import pytest

from lapis_sessions.origin import SessionOptions
from lapis_tui.cli import running
from lapis_tui.cli.importing import import_group
from lapis_tui.cli.main import lapis
from lapis_tui.cli.session import session

if TYPE_CHECKING:
    from lapis_tui.cli.lazy import LazyGroup

TERMINAL = {"textual", "rich", "prompt_toolkit", "pygments"}
SETTLED = {"lapis_engine", "lapis_engine.errors"}
"""What of the engine is only the names of its errors."""


def loaded(*arguments: str, **environment: str) -> set[str]:
    """Return the modules that a command line has loaded at its end."""
    code = (
        "import sys; from lapis_tui.cli.main import main; main(sys.argv[1:]); "
        "print('\\n', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def engine(modules: set[str]) -> set[str]:
    return {name for name in modules if name.startswith("lapis_engine")} - SETTLED


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"], ["-h"], ["exec", "--help"], ["tui", "--help"], ["exec"],
        ["session", "--help"], ["bench", "--help"], ["bench", "--nothing"],
        ["serve", "--help"], ["docs", "--help"], ["docs", "--list"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_help_loads_neither_the_engine_nor_a_terminal(arguments: list[str]) -> None:
    modules = loaded(*arguments)
    assert "lapis_tui.cli.main" in modules
    assert not engine(modules)
    heavy = {"unicorn", "capstone", "pluggy", "aiohttp"}
    assert not packages(modules) & {*TERMINAL, *heavy}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("lapis sc", {"scenario", "scenarios"}), ("lapis session di", {"diff"}),
        ("lapis --v", {"--version"}),
        ("lapis exec --mem", {"--memory", "--memory-limit"}),
    ],
)  # fmt: skip
def test_the_shell_completes_without_the_engine(words: str, found: set[str]) -> None:
    code = (
        "import sys; from lapis_tui.cli.main import lapis\n"
        "try:\n    lapis.main(prog_name='lapis')\n"
        "except SystemExit:\n    print(*sys.modules)"
    )
    *_, word = words.split()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "_LAPIS_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    *rows, modules = done.stdout.splitlines()
    names = {
        name for kind, _, name in (r.partition(",") for r in rows) if kind == "plain"
    }
    assert names == found, word
    assert not engine(set(modules.split()))
    assert not packages(set(modules.split())) & TERMINAL


def test_the_version_loads_the_processor_and_no_machine() -> None:
    modules = loaded("--version")
    assert "lapis_engine.cpu.selfcheck" in modules  # which of its cores works
    assert not modules & {
        "lapis_engine.machine.machine", "lapis_engine.vmm.run", "lapis_plugins.host",
        "lapis_engine.lints.catalog", "lapis_sessions.session", "capstone",
    }  # fmt: skip
    assert not packages(modules) & TERMINAL


def test_exec_loads_no_terminal() -> None:
    modules = loaded("exec", "ap-bringup", "-c", "run 100", "-c", "regs")
    assert "lapis_engine.machine.machine" in modules
    assert not packages(modules) & TERMINAL


@pytest.mark.parametrize(
    "group", [lapis, session, import_group], ids=lambda each: each.name
)
def test_what_is_listed_is_what_the_commands_say(group: LazyGroup) -> None:
    context = click.Context(group)
    assert group.list_commands(context) == sorted(group.known)
    for name, known in group.known.items():
        command = group.get_command(context, name)
        assert command is not None
        assert (command.name, command.hidden) == (name, False)
        assert command.get_short_help_str(1000) == known.help
        for limit in (30, 60):
            assert command.get_short_help_str(limit) == known.short(limit)


def test_no_command_is_left_out_of_the_lists() -> None:
    there = {
        id(value)
        for module in list(sys.modules.values())
        if (getattr(module, "__name__", "") or "").startswith("lapis_tui.cli.")
        for value in vars(module).values()
        if isinstance(value, click.Command)
    }
    context = click.Context(lapis)
    listed = {id(lapis)}
    groups: list[click.Group] = [lapis]
    while groups:
        group = groups.pop()
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            listed.add(id(command))
            groups += [command] if isinstance(command, click.Group) else []
    assert there <= listed


def test_a_guest_is_no_command_and_a_word_is_not_loaded_twice() -> None:
    context = click.Context(lapis)
    assert lapis.get_command(context, "ap-bringup") is None
    assert lapis.get_command(context, "exec") is lapis.get_command(context, "exec")


def test_the_options_have_the_defaults_of_a_session() -> None:
    ours = {option.name: option for option in running.execute.params}
    for field in fields(SessionOptions):
        option = ours[field.name]
        default = option.default
        missing = default is None or repr(default).startswith("Sentinel")
        if isinstance(field.default, tuple):
            assert missing or not default
        elif getattr(option, "is_flag", False):
            assert missing
            assert field.default is False
        else:
            assert (None if missing else default) == field.default, field.name
