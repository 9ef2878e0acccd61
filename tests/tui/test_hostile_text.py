"""Nothing of a guest or a file reaches a terminal as it is, by whatever command.

The commands, their arguments and the exporters come from the registries, so that a new
one is tried without being named here.
"""

from __future__ import annotations

import ast
import io
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from rigs import hostile, plugin_files, screens
from rigs.hostile import EVIL, NAME, is_fit

import lapis
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.export import export, script
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import named, replaying
from lapis_sessions.symbols.book import Symbols
from lapis_sessions.text.visible import printed, visible
from lapis_tui.cli import headless
from lapis_tui.cli.main import lapis as program
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from lapis_sessions.registry import Argument, Command
    from lapis_sessions.session import Session

Captured = pytest.CaptureFixture[str]
EXTENSIONS = discover().extensions
FEW = {
    "bench guests": ("nobody",),  # it boots what there is, and prints no text of theirs
    "explore": ("--schedules", "1", "--limit", "99", "-j", "1", "--until", "False"),
    "shrink": ("--tries", "1", "--until", "True"),
}
"""What keeps a sub-command from doing much."""
ELSEWHERE = {"bench gdb", "bench peers", "bench tui", "tui"}
"""Sub-commands that print figures alone, or nothing without a terminal."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(hostile.recording(tmp_path_factory.mktemp("evil")))


@pytest.fixture
def session(file: str) -> Session:
    session = replaying.session_of(reader.read(file), EXTENSIONS)
    session.limit = 500
    session.machine.consoles["debugcon"] = bytearray(b"one\ttwo\r\n\x1b[2J\x9b\n")
    return session


def check(capsys: Captured, what: object) -> str:
    """Check everything that was said since the last time; return it."""
    out, err = capsys.readouterr()
    assert is_fit(out), (what, out)
    assert is_fit(err), (what, err)
    return out


# The rule.


def test_a_character_is_shown_as_it_is_or_as_an_escape() -> None:
    some = (*range(0x3000), *range(0xD800, 0x1_1000), *range(0xE0000, 0xE0200))
    every = [chr(code) for code in (*some, 0x1_F600, 0xF_0000, sys.maxunicode)]
    shown = {char: visible(char) for char in every}
    assert not hostile.unfit("".join(shown.values()))
    changed = {char for char in every if shown[char] != char}
    assert changed >= set(hostile.unfit("".join(every)))
    assert all(shown[char].startswith("\\") for char in changed)
    # And so what is quoted by `!r` is as fit.
    assert all(repr(char) == f"'{shown[char]}'" for char in changed)
    assert not hostile.unfit(repr("".join(every)))
    assert printed("a\tb\r\nc\rd") == "a\tb\nc\\rd"


# Commands of a session.


def value(argument: Argument) -> str:
    """Return a value that an argument may well have."""
    match argument.kind:
        case "count" | "value":
            return "3"
        case "vcpu":
            return "0"
        case "address":
            return shlex.quote(EVIL)  # a symbol of the recording
        case _:
            return argument.choices[0] if argument.choices else shlex.quote(EVIL)


def lines(command: Command) -> Iterator[str]:
    """Yield lines of a command, with evil text at each place that it has for text."""
    evil = shlex.quote(EVIL)
    positional = [value(a) for a in command.arguments if not a.option]
    options = [a for a in command.arguments if a.option]
    yield command.name
    for number in range(len(positional)):
        good = positional[: number + 1]
        yield " ".join([command.name, *good])
        yield " ".join([command.name, *positional[:number], evil])
    for option in options:
        head = [command.name, *positional, f"--{option.name}"]
        if option.kind == "flag":
            yield " ".join(head)
        else:
            yield " ".join([*head, value(option)])
            yield " ".join([*head, evil])
    yield " ".join([command.name, *positional, evil])
    yield f"{command.name} {shlex.quote(f'--{EVIL}')}"


SETTING = (
    f"checkpoint {shlex.quote(EVIL)}",
    f"note {shlex.quote(EVIL)}",
    f"break {shlex.quote(EVIL)}",
    "rule 'port 0x80 = 1'",
    EVIL,
    shlex.quote(EVIL),
    f"'{EVIL}",
    "run 100",
    "goto 500",
)


@pytest.mark.parametrize("as_json", [False, True])
def test_no_command_prints_what_a_terminal_would_obey(
    session: Session,
    as_json: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [command.name for command in session.registry.commands]
    for command in session.registry.commands:
        for line in (*lines(command), *(SETTING if command.name == names[0] else ())):
            outcome = session.execute(line)
            headless._print(outcome, as_json=as_json)
            out = check(capsys, line)
            assert is_fit(outcome.text), line
            if as_json:
                assert out.isascii()
                assert json.loads(out) == outcome.to_dict()
    session.close()


def test_what_is_shown_says_the_text_and_json_holds_it(session: Session) -> None:
    told = session.execute("symbols find")
    assert {"name": EVIL, "address": 0x1000} in told.result
    assert visible(EVIL) in told.text
    told = session.execute("branches")
    assert told.result[1]["name"] == NAME
    assert visible(NAME) in told.text
    told = session.execute("console")
    assert told.text.startswith("one\ttwo\n\\x1b[2J")


def test_two_symbols_that_look_alike_are_two(session: Session) -> None:
    session.symbols = Symbols.of_guest("it", (("\x1b", 1), ("\\x1b", 2)))
    told = session.execute("symbols find")
    assert len(told.text.splitlines()) == 2
    assert [row["name"] for row in told.result] == ["\x1b", "\\x1b"]


# Sub-commands of the program.


def leaves(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, *path, name)
        elif " ".join([*path, name]) not in ELSEWHERE:
            yield (*path, name), command


def arguments(
    path: tuple[str, ...], command: click.Command, file: str, evil: str
) -> Iterator[list[str]]:
    """Yield arguments of a sub-command, each text of which is evil in turn."""
    places = [p for p in command.params if isinstance(p, click.Argument)]
    good = [file if p.name in {"file", "guest", "first"} else evil for p in places]
    few = FEW.get(" ".join(path), ())
    needed = list(few)
    for option in command.params:
        if isinstance(option, click.Option) and option.required:
            needed += [option.opts[0], evil]
    yield [*few]
    yield [*few, evil]
    yield [*good, *needed]
    yield [*good, *needed, evil, evil]
    yield [*good, *needed, f"--{evil}"]
    for option in command.params:
        if isinstance(option, click.Option) and not option.is_flag:
            yield [*good, *needed, option.opts[0], evil]


async def nobody(made: socket.socket, *_more: object) -> None:
    """Serve nobody: `lapis serve` would go on for ever."""
    made.close()


def no_gdb(*_arguments: object, **_more: object) -> None:
    """Serve nobody: `lapis gdb` would wait for ever."""


@pytest.mark.parametrize(
    ("path", "command"),
    [pytest.param(path, it, id=" ".join(path)) for path, it in leaves(program)],
)
def test_no_sub_command_prints_what_a_terminal_would_obey(
    path: tuple[str, ...],
    command: click.Command,
    file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISUAL", "true")  # an editor that leaves all as it is
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("lapis_tui.browser.server.serve", nobody)
    monkeypatch.setattr("lapis_sessions.gdb.server.Server.serve", no_gdb)
    monkeypatch.setattr("lapis_tui.docs.site.rendered", Path.mkdir)  # it takes seconds
    for words in arguments(path, command, file, NAME):
        main([*path, *words])
        check(capsys, (path, words))


GOOD: tuple[tuple[str, ...], ...] = (
    ("session", "info"), ("session", "dump"), ("session", "dump", "--events"),
    ("session", "verify"), ("replay", "--verify"), ("session", "diff"),
    ("session", "export"), ("replay", "--compare", "illumos"),
    ("replay", "-c", "symbols find", "-c", "branches", "-c", "where"),
)  # fmt: skip


@pytest.mark.parametrize("words", GOOD, ids=" ".join)
def test_what_is_said_of_a_recording_is_visible(
    words: tuple[str, ...], file: str, capsys: Captured
) -> None:
    more = [f"{file}@{NAME}"] if "diff" in words else []
    main([*words, file, *more])
    assert check(capsys, words)


def test_json_of_a_recording_holds_the_true_text(file: str, capsys: Captured) -> None:
    assert main(["session", "info", file, "--json"]) == 0
    view = json.loads(check(capsys, "info"))
    assert (view["guest"], view["branches"][1]["name"]) == (EVIL, NAME)
    main(["session", "dump", file, "--ndjson"])
    rows = [json.loads(line) for line in check(capsys, "dump").splitlines()]
    assert [row["text"] for row in rows if row["type"] == "annotation"] == [EVIL]


def test_an_elf_a_script_and_a_firmware_of_evil_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    hostile.elf(tmp_path / NAME)
    (tmp_path / "lines").write_text(f"symbols\n{EVIL}\n", "utf-8")
    doing = ["-c", "disas", "-c", "symbols find", "-c", "regs", "--script", "lines"]
    for more in ([], ["--json"], ["--record", f"r{NAME}"]):
        main(["exec", NAME, *doing, *more])
        assert "jmp" in check(capsys, more)
    main(["exec", "--firmware", NAME, "-c", "regs"])
    check(capsys, "firmware")
    assert open_session(SessionOptions(NAME), EXTENSIONS).symbols[EVIL] == 0x10_0000


APICS = (
    EVIL, f"dumping local APIC state for CPU 0\n\n{EVIL}", json.dumps({EVIL: EVIL}),
    json.dumps({"format": EVIL}), json.dumps({"format": "lapis-apic", "version": EVIL}),
    json.dumps({"format": "lapis-apic", "version": 1, EVIL: 1, "profile": EVIL}),
)  # fmt: skip


def test_files_of_apics_with_evil_contents(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / NAME
    for text in APICS:
        path.write_text(text, "utf-8")
        main(["apic", "import", str(path)])
        check(capsys, text)


def test_plug_ins_with_evil_names_and_sentences(
    tmp_path: Path, capsys: Captured
) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    tape = f'[[tapes]]\nname = "a"\nabout = {json.dumps(EVIL)}\npoints = []\n'
    head = "".join(
        f"{key} = {json.dumps(EVIL)}\n"
        for key in ("title", "summary", "source", "text")
    )
    (folder / "scene.toml").write_text(f"{head}{tape}".replace("\x7f", "\\u007f"))
    bodies = (
        f"raise RuntimeError({EVIL!r})",
        f"def perform(*_):\n    raise RuntimeError({EVIL!r})\ncommand(perform)",
        f"command(lambda *_: {{{EVIL!r}: {EVIL!r}}})",
        (
            f"render = lambda *_: [[({EVIL!r}, '')]]\n"
            f"offer('lapis_panes', [Pane('p', {EVIL!r}, (), render)])"
        ),
        f"offer('lapis_exporters', [Exporter('e', {EVIL!r}, boom)])",
        f"offer('lapis_scenarios', [Path({str(folder)!r})])",
    )
    for body in bodies:
        path = plugin_files.plugin(tmp_path, body, NAME)
        for words in (
            ["plugins"], ["plugins", "--json"], ["scenarios"], ["scenario", "scene"],
            ["exec", "level", "-c", "foo", "-c", "pane p", "-c", "run 10"],
        ):  # fmt: skip
            main([*words, "--plugin", path])
            check(capsys, (body, words))


# Exports, each of which is read back.


def test_no_export_holds_what_a_terminal_would_obey(file: str) -> None:
    for branch in (file, f"{file}@{NAME}"):
        one = named.find(branch)
        for form in EXTENSIONS.exporters:
            text = b"".join(export.export(one, form, EXTENSIONS)).decode()
            assert is_fit(text), form


def test_exports_say_what_was_meant_and_no_more(file: str) -> None:
    one = named.find(file)

    def made(form: str, beside: str = "") -> str:
        return b"".join(export.export(one, form, EXTENSIONS, beside)).decode()

    trace = json.loads(made("perfetto"))["traceEvents"]
    assert EVIL in {row["name"] for row in trace}
    film = [json.loads(line) for line in made("asciicast").splitlines()]
    for _, _, data in film[1:]:
        assert is_fit(data.replace("\r\n", "\n"))
    assert visible(EVIL) in [data for _, code, data in film[1:] if code == "m"]
    told = [row for row in made("script").splitlines() if not row.startswith("#")]
    assert told == script.lines(one.branch)
    tree = ast.parse(made("pytest", "a-test.py"))
    given = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
    }
    assert given["BRANCH"] == "main"
    assert given["RECORDING"].endswith(f"{NAME}.lapis")


def test_an_act_with_an_evil_word_is_one_line_of_a_script(file: str) -> None:
    one = named.find(file)
    one.branch.acts[:] = []
    row = reader.read(file).branches[0].acts[-1]
    args = {"on": True, "name": "all\nrun 5 --once"}
    one.branch.acts.append(
        type(row)("set_lint", args, row.retired, row.seq, row.now, "")
    )
    (line,) = script.lines(one.branch)
    verb, name, given = shlex.split(line)
    assert (verb, name, json.loads(given)) == ("act", "set_lint", args)


def test_tables_of_notebooks_are_visible(file: str) -> None:
    with lapis.replay(file) as session:
        shown = session._repr_html_()
        assert is_fit(shown)
        assert "[2J" in shown
        assert is_fit(repr(session))


# The screen.


def test_the_screen_shows_evil_text_and_obeys_none(session: Session) -> None:
    async def play(driver: screens.Driver) -> None:
        await driver.command("symbols find e")
        rows = list(driver.rows)
        for line in ("branches", "console"):
            await driver.command(line)
            rows += driver.rows
        await driver.press("escape")
        await driver.go("console")
        rows += driver.rows
        await driver.press(":")
        driver.app.main.type(EVIL.replace("\n", " "))
        await driver.pilot.pause()
        rows += driver.rows
        assert all(row.isprintable() for row in rows), rows
        assert any("\\x1b]0;OWNED" in row for row in rows)
        assert any("[@click" in row for row in rows)

    screens.drive(session, play, (160, 50))


@pytest.mark.parametrize("name", [EVIL, "[/]", "[@click=app.quit]x"])
def test_every_layout_shows_an_evil_branch_and_obeys_it_not(name: str) -> None:
    live = screens.bringup()
    live.execute("run 20000")
    live.execute("goto start")
    live.execute("fork")
    live.timeline.branch.name = name
    live.timeline.branches[name] = live.timeline.branches.pop("branch-1")
    live.execute("run 20000")
    live.execute("goto start")

    async def play(driver: screens.Driver) -> None:
        for key in "12347":
            await driver.press(key)
            assert "this pane failed" not in driver.text
            assert all(row.isprintable() for row in driver.rows)
        await driver.go("acts")
        assert visible(name)[:6] in driver.text
        await driver.press("i", "enter")  # what is not what was done asks
        assert "leave " in driver.text
        assert all(row.isprintable() for row in driver.rows)
        assert not driver.app._exit

    screens.drive(live, play, (160, 50))
