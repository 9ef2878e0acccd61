"""`lapis exec` and its kin as users meet them: output, exit status, sentences."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lapis_engine.errors import ProcessorError
from lapis_tui.cli.main import main

SEABIOS = Path("/usr/share/seabios/bios.bin")
BRING_UP = (
    "ap-bringup", "--cpus", "4", "-c", "run 5000000", "-c", "pending",
    "-c", "answer 0x1234", "-c", "run 5000000", "-c", "vcpus", "-c", "console",
    "--json",
)  # fmt: skip
GUESTS = Path(__file__).parents[1] / "guests"

Captured = pytest.CaptureFixture[str]


def objects(capsys: Captured) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def lapis(*arguments: str, seed: str = "0") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "lapis_tui", *arguments],
        capture_output=True, check=False, env={**os.environ, "PYTHONHASHSEED": seed},
    )  # fmt: skip


def test_the_bring_up_by_one_command(capsys: Captured) -> None:
    assert main(["exec", *BRING_UP]) == 0
    first, pending, _, second, vcpus, console = objects(capsys)
    assert first["result"]["stop"] == "exit"
    assert [p["gpa"] for p in pending["result"]] == [0xD000_0000]
    assert second["result"]["stop"] == "halted"
    assert {(v["state"], v["mode"]) for v in vcpus["result"]} == {("halted", "long")}
    assert "4 processors" in console["result"]
    assert "0x1234" in console["result"]


def test_a_step_that_cannot_be_fails_and_the_next_command_is_done(
    capsys: Captured,
) -> None:
    lines = ("-c", "vcpu 1", "-c", "step", "-c", "vcpus")
    assert main(["exec", "ap-bringup", "--cpus", "2", *lines, "--json"]) == 1
    _, step, vcpus = objects(capsys)
    assert step.keys() == {"command", "ok", "error"}
    assert step["ok"] is False
    assert "INIT and SIPI" in step["error"]
    assert [v["retired"] for v in vcpus["result"]] == [0, 0]


def test_the_same_command_twice_is_byte_identical() -> None:
    events = (
        "-c",
        "events 5000",
        "-c",
        "map",
        "-c",
        "help",
        "-c",
        "apic",
        "-c",
        "regs",
    )
    once = lapis("exec", *BRING_UP, *events, seed="1")
    again = lapis("exec", *BRING_UP, *events, seed="2")
    assert once.returncode == again.returncode == 0
    assert once.stdout == again.stdout
    assert once.stdout.count(b"\n") == 11


@pytest.mark.skipif(not SEABIOS.exists(), reason=f"{SEABIOS} is not installed")
def test_seabios_finds_four_processors_by_its_own_init_and_sipi(
    capsys: Captured,
) -> None:
    lines = ("-c", "run 2000000000", "-c", "console", "-c", "events 400")
    assert (
        main(["exec", "--firmware", str(SEABIOS), "--cpus", "4", *lines, "--json"]) == 0
    )
    run, console, events = objects(capsys)
    assert run["ok"]
    assert "Found 4 cpu(s)" in console["result"]
    assert "Booting from" in console["result"]
    sent = [e for e in events["result"] if e["kind"] == "ipi"]
    assert [(e["icr"] & 0xFFF00, e["targets"]) for e in sent[:2]] == [
        (0xC4500, [1, 2, 3]), (0xC4600, [1, 2, 3]),
    ]  # fmt: skip
    assert sent[0]["text"].startswith("IPI 0xc4500 (INIT, physical, assert, edge, all")
    assert len(events["result"]) <= 400


def test_without_json_the_result_is_text_for_people(capsys: Captured) -> None:
    assert main(["exec", "ap-bringup", "-c", "explain icr 0xC4500", "-c", "nope"]) == 1
    out, err = capsys.readouterr()
    assert "INIT, physical, assert, edge, all excluding self" in out
    assert "> nope\nerror: there is no command 'nope'" in err


def test_a_script_is_done_after_the_commands(capsys: Captured, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("# steps\n\nstep 2\n  vcpus\n")
    arguments = ["exec", "ap-bringup", "-c", "step", "--script", str(script), "--json"]
    assert main(arguments) == 0
    assert [o["command"] for o in objects(capsys)] == ["step", "step 2", "vcpus"]


def refused(capsys: Captured, *arguments: str) -> str:
    """Check for exit status 2 and one sentence on standard error; return it."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lapis: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("nosuch",), "neither an embedded guest (ap-bringup, ipi-ping, "),
        (("ap-bringpu",), "did you mean ap-bringup?"),
        (("/no/such/file",), "guest '/no/such/file': there is no such file"),
        (("/tmp",), "guest '/tmp' is a directory"),
        (("/dev/null",), "is not a regular file"),
        (("bad\0name",), "is not the name of a file"),
        (
            ("--firmware", "/no/such.bin"),
            "firmware '/no/such.bin': there is no such file",
        ),
        (("ap-bringup", "--firmware", "x.bin"), "exclude each other"),
        (("ap-bringup", "--cpus", "0"), "0 vCPUs: profile sdm takes 1 to 255"),
        (("ap-bringup", "--cpus", "256"), "256 vCPUs: profile sdm takes 1 to 255"),
        (
            ("ap-bringup", "--cpus", "33", "--profile", "illumos"),
            "illumos takes 1 to 32",
        ),
        (("ap-bringup", "--cpus", "two"), "'two' is not a valid integer"),
        (("ap-bringup", "--memory", "512K"), "memory of 524288 bytes"),
        (("ap-bringup", "--memory", "0"), "memory of 0 bytes"),
        (("ap-bringup", "--memory", "lots"), "memory 'lots' is not a size"),
        (("ap-bringup", "--memory", "65G"), "whole MiB from 1 to 65536"),
        (("ap-bringup", "--profile", "kvm"), "there is no profile 'kvm'"),
        (("ap-bringup", "--quantum", "0"), "quantum 0"),
        (("ap-bringup", "--ports", "maybe"), "ask or float is expected"),
        (("ap-bringup", "--script", "/no/such"), "script '/no/such'"),
        (("ap-bringup", "--wrong"), "--wrong"),
        (("ap-bringup", "extra"), "unexpected extra argument"),
        ((), "there is no guest"),
    ],
)
def test_what_cannot_be_set_up_is_refused_in_one_sentence(
    capsys: Captured, arguments: tuple[str, ...], why: str
) -> None:
    assert why in refused(capsys, "exec", *arguments, "-c", "vcpus")


def test_no_command_is_bad_usage(capsys: Captured) -> None:
    assert "there is nothing to do" in refused(capsys, "exec", "ap-bringup")


def test_an_oversized_guest_is_not_read(capsys: Captured, tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 33)
    assert "8589934592 bytes" in refused(capsys, "exec", str(huge), "-c", "vcpus")
    why = refused(capsys, "exec", "--firmware", str(huge), "-c", "vcpus")
    assert "16777216 is the most" in why


def test_an_unreadable_guest_is_refused(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Even root, as whom the tests may run, cannot open what the system refuses.
    secret = tmp_path / "secret"
    secret.write_bytes(b"\xf4")

    opened = os.open

    def refuse(path: str, *rest: Any, **more: Any) -> int:
        if os.fspath(path) == str(secret):
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    why = refused(capsys, "exec", str(secret), "-c", "vcpus")
    assert "cannot be read: Permission denied" in why
    assert "File name too long" in refused(capsys, "exec", "x" * 5000, "-c", "vcpus")


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("notes.txt", b"not a kernel", "notes.txt: the image is not understood"),
        ("empty.bin", b"", "empty.bin: the flat binary is empty"),
        ("big.bin", bytes(600 << 10), "524288 is the most"),
        ("cut.elf", b"\x7fELF\x02\x01\x01" + bytes(20), "cut.elf:"),
    ],
)
def test_a_damaged_image_is_refused(
    capsys: Captured, tmp_path: Path, name: str, data: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(data)
    assert why in refused(capsys, "exec", str(tmp_path / name), "-c", "vcpus")


@pytest.mark.parametrize("size", [1, 65535, 65536])
def test_firmware_that_is_no_rom_is_refused(
    capsys: Captured, tmp_path: Path, size: int
) -> None:
    rom = tmp_path / "rom.bin"
    rom.write_bytes(bytes(size))
    why = refused(capsys, "exec", "--firmware", str(rom), "-c", "vcpus")
    assert f"{rom}: the firmware" in why


def test_an_unknown_unicorn_is_one_sentence(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_library: object = None) -> None:
        raise ProcessorError("Unicorn 9.9 has another layout")

    monkeypatch.setattr("lapis_engine.cpu.selfcheck.Core", refuse)
    why = refused(capsys, "exec", "ap-bringup", "-c", "vcpus")
    assert "Unicorn 9.9 has another layout" in why


def test_bad_input_in_a_process_of_its_own_has_no_traceback() -> None:
    done = lapis("exec", "nosuch", "-c", "vcpus")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"lapis: 'nosuch' is neither")


@pytest.mark.parametrize("arguments", [[], ["ap-bringup", "--cpus", "4"], ["tui"]])
def test_the_debugger_without_a_terminal_says_what_to_use(
    capsys: Captured, arguments: list[str]
) -> None:
    assert "use: lapis exec" in refused(capsys, *arguments)


def test_a_guest_may_stand_where_a_subcommand_would(capsys: Captured) -> None:
    assert "neither an embedded guest" in refused(capsys, "nosuch", "--cpus", "4")
    assert "33 vCPUs" in refused(capsys, "--cpus", "33", "--profile", "illumos")


def test_profiles_and_plugins_are_listed(capsys: Captured) -> None:
    assert main(["profiles"]) == main(["plugins"]) == 0
    out = capsys.readouterr().out
    assert "illumos" in out
    assert "built in" in out
    assert main(["profiles", "--json"]) == 0
    assert [p["name"] for p in json.loads(capsys.readouterr().out)][:2] == [
        "sdm", "illumos",
    ]  # fmt: skip


def test_two_profiles_are_compared(capsys: Captured) -> None:
    assert main(["profiles", "diff", "illumos", "illumos-pre-13645"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "init_clears_sipi: illumos True, illumos-pre-13645 False",
        "  INIT forgets a SIPI that is latched",
        "  source: illumos 13645 vm_inject_init",
    ]
    assert main(["profiles", "diff", "sdm", "illumos", "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert (view["first"], view["second"]) == ("sdm", "illumos")
    rows = {row["name"]: row for row in view["differences"]}
    assert rows["max_vcpus"].items() >= {"first": 255, "second": 32}.items()
    assert "there is no profile 'linux'" in refused(
        capsys, "profiles", "diff", "sdm", "linux"
    )
    assert "Missing argument" in refused(capsys, "profiles", "diff", "sdm")


def test_help_names_the_subcommands(capsys: Captured) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("exec", "bench", "profiles", "plugins", "tui"))


def test_headless_work_loads_no_front_end() -> None:
    code = (
        "import sys; from lapis_tui.cli.main import main;"
        "main(['exec', 'ap-bringup', '-c', 'run 1000', '-c', 'help']);"
        "print(sorted({m.partition('.')[0] for m in sys.modules} &"
        " {'textual', 'rich', 'prompt_toolkit', 'pygments'}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_reader_that_goes_away_leaves_no_traceback() -> None:
    many = [word for _ in range(200) for word in ("-c", "help")]
    command = [sys.executable, "-m", "lapis_tui", "exec", "ap-bringup", *many, "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as it:
        assert it.stdout is not None
        assert it.stderr is not None
        it.stdout.readline()
        it.stdout.close()
        assert b"Traceback" not in it.stderr.read()
        assert it.wait() != 0


def test_ctrl_c_breaks_off_a_run_and_says_where_it_is() -> None:
    command = [
        sys.executable, "-m", "lapis_tui", "exec", str(GUESTS / "spin.bin"),
        "-c", "vcpus", "-c", "run 900000000000", "-c", "vcpus", "--json",
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as it:
        assert it.stdout is not None
        it.stdout.readline()
        it.send_signal(signal.SIGINT)
        rest = it.stdout.read().splitlines()
        assert it.wait() == -signal.SIGINT  # what a shell shows as 130
    assert len(rest) <= 1
    if rest:
        assert json.loads(rest[0])["result"]["text"] == "broken off"
