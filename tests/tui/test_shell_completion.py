"""Shells complete our command lines: in each real one, and without the engine."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lapis_engine.profiles.catalog import PROFILES
from lapis_plugins.host import discover
from lapis_sessions import guests
from lapis_sessions.exploring import jobs
from lapis_sessions.exploring.shrinking import DEFAULT_TRIES
from lapis_sessions.exploring.work import DEFAULT_LIMIT
from lapis_tui import recent
from lapis_tui.cli import completing, exploring
from lapis_tui.cli.main import main

SECONDS = 60
SCENARIO = "illumos-13139"


def completed(words: str, **environment: str) -> list[str]:
    """Return what the program answers to a shell about the last word."""
    done = subprocess.run(
        [sys.executable, "-m", "lapis_tui"],
        env={
            **os.environ, **environment,
            completing.VARIABLE: "bash_complete",
            "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1),
        },
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    rows = [row.partition(",") for row in done.stdout.splitlines()]
    return [name if kind == "plain" else f"<{kind}>" for kind, _, name in rows]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("lapis scenari", ["<file>", "scenario", "scenarios"]),
        ("lapis ap-", ["<file>", "ap-bringup"]),
        ("lapis ap-bringup --prof", ["--profile"]),
        ("lapis ap-bringup --profile illumos-pre-131", ["illumos-pre-13139"]),
        ("lapis exec st", ["<file>", "stale-sipi", "start-one"]),
        ("lapis exec --machine b", ["bare"]),
        ("lapis exec --ports a", ["ask"]),
        ("lapis exec --disk x", ["<file>"]),
        ("lapis explore --profile freebsd-13.1-o", ["freebsd-13.1-off-by-one"]),
        ("lapis replay illumos-1313", ["<file>", SCENARIO]),
        ("lapis scenario illumos-1313", [SCENARIO]),
        ("lapis replay x --compare sd", ["sdm"]),
        ("lapis config che", ["check"]),
        ("lapis config check x", ["<file>"]),
        ("lapis completion z", ["zsh"]),
        ("lapis --ver", ["--version"]),
    ],
)  # fmt: skip
def test_the_program_answers(words: str, found: list[str]) -> None:
    assert completed(words) == found


def test_it_completes_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "one.lapis").touch()
    (tmp_path / "one.txt").touch()
    (tmp_path / "bad\nname.lapis").touch()
    path = f"{tmp_path}/"
    assert completed(f"lapis replay {path}o") == ["<file>", f"{path}one.lapis"]
    assert completed(f"lapis session verify {path}") == [
        "<file>", f"{path}one.lapis",
    ]  # fmt: skip


def test_guests_that_were_opened_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    recent.remember("/there/kernel.elf")
    assert completed("lapis /the") == ["<file>", "/there/kernel.elf"]


@pytest.mark.parametrize(
    "words",
    [
        "lapis ap", "lapis exec ap", "lapis tui --profile s", "lapis replay i",
        "lapis scenario i", "lapis config --c", "lapis completion b",
        "lapis explore --sch", "lapis shrink x", "lapis session verify x",
        "lapis session export --f",
    ],
)  # fmt: skip
def test_no_engine_is_loaded_for_it(words: str) -> None:
    code = (
        "import sys; from lapis_tui.cli.main import main\n"
        "main([])\nprint('', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ, completing.VARIABLE: "bash_complete", "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    modules = done.stdout.splitlines()[-1].split()
    loaded = {name for name in modules if name.startswith("lapis_engine")}
    assert loaded <= {"lapis_engine", "lapis_engine.errors"}
    assert not {"textual", "unicorn", "pluggy"} & set(modules)


def test_the_defaults_are_those_that_there_are() -> None:
    assert exploring.LIMIT == DEFAULT_LIMIT
    assert exploring.TRIES == DEFAULT_TRIES
    assert tuple(jobs.IPIS) == exploring.IPIS


def test_the_names_are_those_that_there_are() -> None:
    extensions = discover().extensions
    assert tuple(PROFILES) == completing.PROFILES
    offered = (each.name for each in extensions.machines.values() if each.offered)
    assert tuple(offered) == completing.MACHINES
    assert completing.scenario_names() == sorted(extensions.scenarios)
    names = [item.value for item in completing.guest_names("")]
    assert names == guests.names()


# Real shells.


def interactive(shell: list[str], lines: list[str], typed: str, wanted: str) -> str:
    """Type into an interactive shell; return all it wrote, up to what is `wanted`."""
    pid, terminal = pty.fork()
    if not pid:
        folder = str(Path(sys.executable).parent)
        path = f"{folder}:{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "TERM": "dumb", "PS1": "> "}
        os.execvpe(shell[0], shell, env)
    try:
        for line in [*lines, "echo re''ady"]:
            os.write(terminal, f"{line}\n".encode())
        _until(terminal, "ready", "> ")  # only then a tab is no mere blank
        os.write(terminal, typed.encode())
        return _until(terminal, wanted)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def _until(terminal: int, wanted: str, then: str = "") -> str:
    said = ""
    end = time.monotonic() + SECONDS
    while then not in said.partition(wanted)[2] or wanted not in said:
        ready, _, _ = select.select([terminal], [], [], end - time.monotonic())
        assert ready, said
        said += os.read(terminal, 4096).decode(errors="replace").replace("\a", "")
    return said


def test_bash_completes_at_a_prompt() -> None:
    shell = ["bash", "--norc", "--noprofile", "-i"]
    lines = ['eval "$(lapis completion bash)"']
    assert interactive(shell, lines, "lapis replay illumos-1313\t", SCENARIO)
    assert interactive(shell, lines, "lapis exec --profile fr\t", "--profile freebsd")


@pytest.mark.parametrize("shell", [s for s in ("zsh",) if shutil.which(s)])
def test_zsh_completes_at_a_prompt(shell: str) -> None:
    lines = ["autoload -Uz compinit; compinit -u -D", 'eval "$(lapis completion zsh)"']
    assert interactive(
        [shell, "-f", "-i"], lines, "lapis replay illumos-1313\t", SCENARIO
    )


@pytest.mark.parametrize("shell", [s for s in ("fish",) if shutil.which(s)])
def test_fish_completes(shell: str) -> None:
    folder = shlex.quote(str(Path(sys.executable).parent))
    code = (
        f"set PATH {folder} $PATH; lapis completion fish | source; "
        "complete -C 'lapis replay illumos-1313'"
    )
    done = subprocess.run(
        [shell, "--no-config", "-c", code], capture_output=True, text=True, check=True
    )
    assert SCENARIO in done.stdout.split()


@pytest.mark.parametrize("shell", completing.SHELLS)
def test_the_script_of_each_shell_names_its_function(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_lapis_completion" in script
    assert f"{completing.VARIABLE}={shell}_complete" in script
