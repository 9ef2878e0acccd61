"""Pages of the documentation taken apart: what they show, and how that is run.

`docs/pages/carry-on.md` says what a block is and what stands before it; this does that.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from lapis_plugins.host import discover
from lapis_tui.cli import running
from lapis_tui.cli.main import lapis, main
from lapis_tui.console.interrupts import Interrupts
from lapis_tui.console.shell import Shell
from lapis_tui.ending import Ending

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = ROOT / "docs" / "pages"
RUN: Final = ("sh", "lapis", "python")
"""Languages of what is run."""
OTHERS: Final = ("text", "toml", "json", "yaml", "xml", "c", "asm", "")
"""Languages of what is only shown; what a program showed is `text`."""
PROGRAMS: Final = {"lapis", "gdb", "pytest", "python", "echo", "cat", "printf", "grep"}
"""What a line of a shell may begin with."""
MARKS: Final = {
    "fails": False, "not run": True, "session": True, "status": True, "file": True,
    "run": False, "test": False,
}  # fmt: skip
"""What may stand before a block, and whether something follows its colon. The last two
are the README's: they install, and `.ci/run` does them."""
SESSION: Final = "ap-bringup --cpus 2"
PATIENCE: Final = 300
"""Seconds for the lines of one block that are done in a shell."""
_FENCE: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_MARK: Final = re.compile(r"<!-- (.*?) -->")
_INLINE: Final = re.compile(r"(?<!`)`(lapis [^`\n]+(?:\n[^`\n]+)?)`(?!`)")
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_SETTING: Final = re.compile(r"[A-Z_]+=")
_SHELL: Final = re.compile(r"[|&;<>$`*?~]")


class Block(NamedTuple):
    """A fenced block, and what stands before it."""

    language: str
    text: str
    line: int
    """Its number in the page, from 1, for whoever looks for it."""
    marks: dict[str, str]
    shown: str | None
    """What the block behind says that this one shows; None if it says nothing."""

    @property
    def reason(self) -> str | None:
        """Why it is not run; None if it is."""
        return (
            "installs"
            if {"run", "test"} & set(self.marks)
            else self.marks.get("not run")
        )

    @property
    def is_run(self) -> bool:
        """Whether there is something to do: to run it, or to write it into a file."""
        return "file" in self.marks or (self.language in RUN and self.reason is None)

    @property
    def commands(self) -> list[str]:
        """Its lines, those that go on joined, without comments."""
        joined = self.text.replace("\\\n", " ")
        rows = [row.strip() for row in joined.splitlines()]
        return [row for row in rows if row and not row.startswith("#")]


@dataclass
class Page:
    """A page, by its name below `docs/pages`."""

    name: str
    text: str

    @cached_property
    def blocks(self) -> list[Block]:
        """Its blocks, in order."""
        return list(_blocks(self.text))

    def inline(self) -> Iterator[str]:
        """Yield the command lines of the program that stand within its sentences."""
        for found in _INLINE.finditer(_FENCE.sub("", self.text)):
            yield " ".join(found[1].split())


def page(path: Path) -> Page:
    """Read a page."""
    name = "README" if path.name == "README.md" else f"{path.relative_to(PAGES)}"
    return Page(name.removesuffix(".md"), path.read_text("utf-8"))


def every() -> list[Page]:
    """Read all pages, and the README."""
    return [page(each) for each in (*sorted(PAGES.rglob("*.md")), ROOT / "README.md")]


def _blocks(text: str) -> Iterator[Block]:
    fences, end = list(_FENCE.finditer(text)), 0
    for number, fence in enumerate(fences):
        marks = _marks(text[end : fence.start()])
        end = fence.end()
        behind = fences[number + 1] if number + 1 < len(fences) else None
        shown = None
        if behind and behind[2] == "text" and not text[end : behind.start()].strip():
            shown = behind[3]
        line = text.count("\n", 0, fence.start()) + 1
        yield Block(fence[2], _flush(fence[3], fence[1]), line, marks, shown)


def _marks(before: str) -> dict[str, str]:
    """Return the marks at the end of what stands before a block."""
    found: dict[str, str] = {}
    for row in reversed(before.rstrip().splitlines()):
        mark = _MARK.fullmatch(row.strip())
        if mark is None:
            break
        name, _, value = mark[1].partition(": ")
        found[name] = value
    return found


def _flush(text: str, margin: str) -> str:
    """Return a block without the margin that it has within a list."""
    return "".join(row.removeprefix(margin) for row in text.splitlines(keepends=True))


def lacking(text: str, shown: str) -> str | None:
    """Return the first part of what a page says is shown that is not; None if all is.

    Where lines are broken does not matter, and between two parts is a line `...`.
    """
    rest = " ".join(text.split())
    for part in re.split(r"^ *\.\.\.$", shown, flags=re.MULTILINE):
        wanted = " ".join(part.split())
        if not wanted:  # it begins or ends with such a line
            continue
        _, found, rest = rest.partition(wanted)
        if not found:
            return part
    return None


class Runner:
    """Runs the blocks of a page, in the folder that is the current one."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.missing: set[str] = set()
        """Programs that are not on this machine, and so what takes them is left out."""
        self._names: dict[str, object] = {}
        self._shell: Shell | None = None
        self._face = _Face()

    def close(self) -> None:
        """End the session of the page."""
        if self._shell is not None:
            self._shell.session.close(intact=True)
            self._shell = None

    def run(self, block: Block) -> None:
        """Run a block, and hold what it shows to what the page says."""
        if "file" in block.marks:
            Path(block.marks["file"]).write_text(block.text, "utf-8")
            return
        told = getattr(self, f"_{block.language}")(block)
        if told is None:
            return
        if block.shown is not None:
            lack = lacking(told, block.shown)
            assert lack is None, f"not shown:\n{lack}\nbut this is:\n{told}"

    def _lapis(self, block: Block) -> str:
        if self._shell is None or "session" in block.marks:
            self.close()
            self._shell = _shell(block.marks.get("session", SESSION), self._face)
        rows = []
        for line in block.commands:
            ok = self._shell.do(line)
            told = self._face.taken()
            assert ok != ("fails" in block.marks), f"{line}\n{told}"
            rows.append(told)
        return "\n".join(rows)

    def _python(self, block: Block) -> str:
        code = compile("\n" * block.line + block.text, "the page", "exec")
        with _caught() as out:
            exec(code, self._names)
        return out()

    def _sh(self, block: Block) -> str | None:
        wanted = int(block.marks.get("status", 0))
        words = {_program(line) for line in block.commands}
        assert words <= PROGRAMS, f"nothing runs these here: {words - PROGRAMS}"
        if "gdb" in words and shutil.which("gdb") is None:
            self.missing.add("gdb")
            return None
        rows = []
        if words == {"lapis"} and not any(map(_needs_shell, block.commands)):
            for line in block.commands:
                with _caught() as out:
                    status = main(shlex.split(line)[1:])
                assert status == wanted, f"{line}: {status}\n{out()}"
                rows.append(out())
            return "\n".join(rows)
        ours = Path(sys.executable).parent
        outer = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.text],
            env=outer | {"PATH": f"{ours}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        told = done.stdout.decode("utf-8", "replace")
        assert done.returncode == wanted, f"status {done.returncode}\n{told}"
        return told


def _program(line: str) -> str:
    """Return what a line starts, behind what it sets in the environment."""
    return next(word for word in line.split() if not _SETTING.match(word))


def _needs_shell(line: str) -> bool:
    if _SETTING.match(line):
        return True
    return _SHELL.search(_QUOTED.sub("", line)) is not None


def check_arguments(line: str) -> None:
    """Raise `UsageError` for a command line that `lapis` does not take.

    A value that is not given is no fault: sentences name commands without them. What
    is in brackets may be given or not, as in a usage.
    """
    said = re.split(r" (?:\||>|&&) ", re.sub(r"\[.*?\]", "", line))[0]
    command: click.Command = lapis
    name, args, above = "lapis", shlex.split(said, comments=True)[1:], None
    try:
        while isinstance(command, click.Group) and args:
            above = command.make_context(name, args, parent=above)
            rest = [*above._protected_args, *above.args]
            found, inner, args = command.resolve_command(above, rest)
            assert inner is not None
            command, name = inner, found or ""
        if not isinstance(command, click.Group):
            command.make_context(name, args, parent=above)
    except (click.MissingParameter, click.BadOptionUsage, click.exceptions.Exit):
        pass


@dataclass
class _Face:
    """A terminal that keeps what is shown."""

    is_interactive: bool = False
    rows: list[str] = field(default_factory=list)

    def taken(self) -> str:
        rows, self.rows = self.rows, []
        return "\n".join(rows)

    def show(self, text: str, *, ok: bool, is_paged: bool) -> None:  # noqa: ARG002
        self.rows.append(text if ok else f"error: {text}")

    def tell(self, sentence: str) -> None:
        self.rows.append(f"lapis: {sentence}")

    def guest(self, port: str, rows: list[str]) -> None:
        self.rows += [f"{port}| {row}" for row in rows]

    def events(self, rows: list[str]) -> None:
        self.rows += rows

    def status(self, text: str | None) -> None:
        pass

    def ask(self, question: str) -> bool:  # noqa: ARG002
        return True


def _shell(arguments: str, face: _Face) -> Shell:
    """Return a console on what `lapis console` would be given."""
    context = running.tui.make_context("console", shlex.split(arguments))
    looks = {"theme", "is_ascii"}
    options = {n: v for n, v in context.params.items() if n not in looks}
    session = running.opened(options, discover(installed=False).extensions)
    return Shell(session, face, Interrupts(Ending()))


@contextmanager
def _caught() -> Iterator[_Told]:
    """Catch both outputs of the program, in the order in which they come."""
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    with redirect_stdout(stream), redirect_stderr(stream):
        yield _Told(stream)


class _Told:
    """What was caught by now."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream

    def __call__(self) -> str:
        self._stream.flush()
        made: bytes = self._stream.buffer.getvalue()  # type: ignore[attr-defined]
        return made.decode()
