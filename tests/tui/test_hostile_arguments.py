"""Every subcommand, and every argument and option of it, given what nobody means.

They are found in click's own tree, so that what is added is tried as well.
"""

import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from rigs.odd_arguments import EVERY
from rigs.odd_files import made
from rigs.session_files import recorded

from lapis_tui.cli.main import lapis, main

NOT_RUN = {"bench gdb", "bench guests", "bench peers", "bench tui", "explore"}
"""The second boots guests (`tests/sessions/test_real_guests.py` has its arguments), the
other three of them have no arguments but a flag; the last starts processes, and is no
slice of a suite: it has what a machine is made of from `exec`."""
USUAL = {
    "file": "a.lapis", "first": "a.lapis", "second": "a.lapis", "guest": "ipi-ping",
    "name": "lost-sipi", "piece": "start:end", "text": "note", "out": "out",
    "at": "end", "commands": "where", "until": "1", "answers": "any = 1",
    "word": "script", "memory": "1M", "qmp": "no.sock",
}  # fmt: skip
"""What an argument is while another one is the hostile one."""
NEEDED = {
    "exec": ("guest", "commands"), "shrink": ("until",),
    "session export": ("word", "out"),
}  # fmt: skip
"""What a command wants that click does not know of."""
STATUSES = {0, 1, 2, 3, 4}


def leaves(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, *names, name)
        else:
            yield " ".join([*names, name]), command


COMMANDS = {name: each for name, each in leaves(lapis) if name not in NOT_RUN}


def lines(name: str, command: click.Command) -> Iterator[list[str]]:
    """Yield command lines with one hostile argument each."""
    params = [p for p in command.params if not getattr(p, "is_flag", False)]
    if name == "tui":  # it has nothing that exec has not
        params = params[:1]
    needed = [p for p in params if p.required or p.name in NEEDED.get(name, ())]
    # Where there are many, each has every third kind, and the next one the next.
    step = 3 if len(params) > 3 else 1
    for number, target in enumerate(params):
        for text in list(EVERY.values())[number % step :: step]:
            out = [*name.split()]
            for each in dict.fromkeys([*needed, target]):
                value = text if each is target else USUAL.get(str(each.name), "x")
                if isinstance(each, click.Option):
                    out += [each.opts[-1], value]
                else:
                    out.append(value)
            yield out


async def nobody(made: socket.socket, *_more: object) -> None:
    """Serve nobody: `lapis serve` with good arguments would go on for ever."""
    made.close()


def no_gdb(*_arguments: object, **_more: object) -> None:
    """Serve nobody: `lapis gdb` would wait for ever."""


@pytest.mark.parametrize("name", COMMANDS)
def test_no_argument_raises_and_each_is_refused_in_a_sentence(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(made(tmp_path))
    monkeypatch.setenv("VISUAL", "true")  # an editor that leaves all as it is
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("lapis_tui.browser.server.serve", nobody)
    monkeypatch.setattr("lapis_sessions.gdb.server.Server.serve", no_gdb)
    monkeypatch.setattr("lapis_tui.docs.site.rendered", Path.mkdir)  # it takes seconds
    recorded(tmp_path / "a.lapis", ["run 10"], "ipi-ping", memory="1M")
    for line in lines(name, COMMANDS[name]):
        assert main(line) in STATUSES, line
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        assert not any(0xD800 <= ord(c) < 0xE000 for c in told.out), line
        for row in told.err.splitlines():
            assert len(row) < 25_000


def test_a_file_whose_name_is_not_utf_8_is_as_good_as_any(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = "odd\udcff\udc80"
    Path(f"{odd}.bin").write_bytes(b"\xf4")
    Path(f"{odd}.lines").write_text("run 1\n")
    Path(f"{odd}.values").write_text("1, 2\n")
    recording = f"{odd}.lapis"
    rule = f"rule add 'port 0xd000 in = file {odd}.values'"
    for line in (
        ["exec", f"{odd}.bin", "--memory", "1M", "--script", f"{odd}.lines",
         "--record", recording, "-c", rule, "-c", f"apic export {odd}.apic"],
        ["session", "info", recording],
        ["session", "verify", recording],
        ["session", "dump", recording, "--ndjson"],
        ["session", "dump", recording, "-o", f"{odd}.txt"],
        ["session", "pack", recording, "-o", f"{odd}-packed.lapis"],
        ["session", "annotate", recording, "note", "--at", "end"],
        *(["session", "export", recording, form, "-o", f"{odd}.{form}"]
          for form in ("perfetto", "asciicast", "script", "pytest", "vcd", "html",
                       "sarif")),
        ["apic", "import", f"{odd}.apic"],
        ["session", "diff", recording, recording],
    ):  # fmt: skip
        assert main(line) == 0, (line, capsys.readouterr())
    for file in os.listdir(b"."):  # noqa: PTH208 - as bytes
        if file.endswith((b".perfetto", b".asciicast", b".script", b".pytest")):
            assert Path(os.fsdecode(file)).read_bytes().decode("utf-8")


def test_texts_that_are_not_utf_8_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = Path(recorded(tmp_path / "a.lapis", ["run 10"], memory="1M")).read_bytes()
    for line in (
        ["exec", "ipi-ping", "--append", "x\udcff", "-c", "where"],
        ["session", "annotate", "a.lapis", "x\udcff", "--at", "end"],
        ["session", "annotate", "a.lapis", "x", "--ask", "x\udcff", "--at", "end"],
    ):
        assert main(line) == 2
        assert r"'x\udcff' is not text in UTF-8" in capsys.readouterr().err
    assert Path("a.lapis").read_bytes() == before
    Path("odd\udcff.bin").write_bytes(b"\xf4")
    line = ["exec", "odd\udcff.bin", "--record", "b.lapis", "--by-reference"]
    assert main([*line, "-c", "where"]) == 2
    assert "its name is not UTF-8" in capsys.readouterr().err
