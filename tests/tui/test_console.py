"""`lapis console` as a user has it: in a terminal, in a dumb one, and in a pipe."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rigs.terminals import CTRL_C, ENTER, TAB, ProgramInTerminal

from lapis_sessions import gallery
from lapis_sessions.recording.format import reader

GALLERY = Path(gallery.__file__).parent
GUESTS = Path(__file__).parents[1] / "guests"
SIZE = (100, 30)
CTRL_D, CTRL_R = "\x04", "\x12"


def console(
    state: Path, *arguments: str, size: tuple[int, int] = SIZE, **environ: str
) -> ProgramInTerminal:
    return ProgramInTerminal(
        "console", *arguments, size=size, state=state, environ=environ, answers=True
    )


def entered(it: ProgramInTerminal, line: str, *answers: str) -> None:
    """Enter a line; wait for what comes of it, below it."""
    it.keys(line, ENTER)
    it.until_so(lambda: _is_answered(it.rows, line, answers), (line, answers))


def _is_answered(rows: list[str], line: str, answers: tuple[str, ...]) -> bool:
    """Tell whether the answers stand below the line, and a new prompt below them."""
    at = max((n for n, row in enumerate(rows) if row == f"lapis> {line}"), default=None)
    if at is None:
        return False
    below = rows[at + 1 :]
    return "lapis>" in below and all(
        any(answer in row for row in below) for answer in answers
    )


def left(it: ProgramInTerminal) -> None:
    it.keys("quit!", ENTER)
    assert it.ended() == 0


def test_a_symbol_is_completed(tmp_path: Path) -> None:
    with console(tmp_path, "ap-bringup") as it:
        it.until("lapis>", "0 on main")
        it.keys("break bsp_m", TAB)
        it.until("lapis> break bsp_main")
        it.keys(ENTER)
        it.until("0x1010f")
        entered(it, "continue", "breakpoint at 0x1010f")
        it.until("long CPL 0", "bsp_main")  # in the bar
        left(it)


def test_the_bar_has_the_usage_and_the_value_of_what_is_typed(tmp_path: Path) -> None:
    with console(tmp_path, "ap-bringup", "-c", "set rax = 41") as it:
        it.until("rax = 0x29", "lapis>")
        it.keys("rwatch")
        it.until("rwatch ADDRESS [SIZE]")
        it.keys(CTRL_C, "print rax+1")
        it.until("= 0x2a (42)")
        it.keys(CTRL_C, "break start if rax == 41")
        it.until("rax == 41 is true")
        it.keys(CTRL_C, "dd rsp L2")
        it.until("is x/2xw rsp")
        it.keys(CTRL_C)
        left(it)


def test_a_line_of_an_earlier_day_is_found(tmp_path: Path) -> None:
    with console(tmp_path, "ap-bringup") as it:
        it.until("lapis>")
        entered(it, "print 1234 + 1", "1,235")
        left(it)
    with console(tmp_path, "ap-bringup") as it:
        it.until("lapis>")
        it.keys(CTRL_R, "1234")
        it.until("print 1234 + 1")
        it.keys(ENTER)
        it.until("0x4d3 (1,235)\nlapis>")
        left(it)
    kept = tmp_path / "lapis" / "console-history"
    assert kept.stat().st_mode & 0o077 == 0
    assert "+print 1234 + 1" in kept.read_text("utf-8").splitlines()


def test_ctrl_c_breaks_into_a_guest_and_drops_a_line(tmp_path: Path) -> None:
    with console(tmp_path, str(GUESTS / "spin.bin"), "--cpus", "1") as it:
        it.until("lapis>")
        it.keys("no such line", CTRL_C)
        entered(it, "print 5", "5")
        it.keys("run", ENTER)
        it.until("running:", "Ctrl-C breaks in")
        it.keys(CTRL_C)
        it.until("broken off", "lapis>")
        entered(it, "where", "at instruction")
        assert "no command 'no'" not in it.text
        left(it)


def test_a_breakpoint_has_a_condition_and_commands(tmp_path: Path) -> None:
    with console(tmp_path, "ipi-ping") as it:
        it.until("lapis>")
        entered(it, "break ping if u32(count) == 5", "0x100a5")
        entered(it, "commands 1 print u32(count) + 1000", "1")
        entered(it, "run", "stopped (breakpoint)", "1,005")
        entered(it, "print u32(count)", "5")
        left(it)


def test_a_watch_has_the_old_value_and_the_new_one(tmp_path: Path) -> None:
    with console(tmp_path, "ipi-ping") as it:
        it.until("lapis>")
        entered(it, "watch u32(count)", "4 bytes at")
        entered(it, "run", "stopped (watchpoint) on vCPU 1", "0x0 -> 0x1")
        it.keys(ENTER)  # does it again
        it.until("0x1 -> 0x2")
        left(it)


def test_what_was_set_is_undone_by_going_back(tmp_path: Path) -> None:
    with console(tmp_path, "ap-bringup") as it:
        it.until("lapis>")
        entered(it, "run 100", "100 instructions retired")
        entered(it, "set r9 = 0x1234", "r9 = 0x1234, was 0x0")
        entered(it, "step", "1 instruction retired")
        entered(it, "p $r9", "0x1234 (4,660)")
        entered(it, "reverse-step 2", "at instruction 99")
        it.until("99 / 101 on main")
        entered(it, "p/d $r9", "0")
        left(it)


def test_events_are_followed_above_the_prompt(tmp_path: Path) -> None:
    with console(tmp_path, "ap-bringup") as it:
        it.until("lapis>")
        entered(it, "follow on", "are shown as they happen")
        entered(it, "run 28700", "IPI 0xc4500 (INIT", "28,700 instructions retired")
        entered(it, "goto 0", "at instruction 0")
        assert it.text.count("IPI 0xc4500 (INIT") == 1
        left(it)
    done = piped("ap-bringup", given="run 500\nfollow\n", state=tmp_path)
    assert done.stdout.splitlines()[-1] == "events are not shown as they happen"


def test_hostile_output_of_a_guest_stays_text(tmp_path: Path) -> None:
    guest = str(GUESTS / "evil-text.bin")
    with console(tmp_path, guest, "--machine", "pc") as it:
        it.until("lapis>")
        entered(it, "run", "com1| ", "[red]markup[/red]", "stopped (halted)")
        entered(it, "console", r"\x1b]0;OWNED")
        left(it)
        raw = bytes(it.raw)
    assert b"\x1b]0;" not in raw
    assert b"OWNED\x07" not in raw
    assert b"\x1b]52" not in raw
    assert b"\x1bc" not in raw


def test_leaving_asks_when_something_is_lost(tmp_path: Path) -> None:
    with console(tmp_path, "ap-bringup") as it:
        it.until("lapis>")
        entered(it, "run 10", "10 instructions")
        it.keys(CTRL_D)
        it.until("1 act is in no recording", "leave?")
        it.keys("n", ENTER)
        entered(it, "print 7", "7")
        it.keys(CTRL_D)
        it.until_so(lambda: it.text.count("leave?") == 2, "asked again")
        it.keys("y", ENTER)
        assert it.ended() == 0


def test_ctrl_d_asks_nothing_when_nothing_is_lost(tmp_path: Path) -> None:
    with console(tmp_path, "ap-bringup") as it:
        it.until("lapis>")
        it.keys(CTRL_D)
        assert it.ended() == 0


def test_commands_can_be_made_and_a_prompt_says_so(tmp_path: Path) -> None:
    with console(tmp_path, "ap-bringup", "--vi") as it:
        it.until("lapis>", "main  vi  start")
        it.keys("define twice", ENTER)
        it.until_so(lambda: ">" in it.rows, ">")
        it.keys("run $arg0", ENTER, "run $arg0", ENTER, "end", ENTER)
        it.until_so(lambda: it.text.count("lapis>") == 2, "a prompt")
        entered(it, "twice 50", "50 instructions")
        entered(it, "where", "at instruction 100")
        left(it)


def test_a_history_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "lapis").mkdir()
    (tmp_path / "lapis" / "console-history").mkdir()
    with console(tmp_path, "ap-bringup") as it:
        it.until("lapis>")
        entered(it, "print 11", "11")
        entered(it, "print 12", "12")
        it.keys(CTRL_R, "11")
        it.until("print 11")
        it.keys(CTRL_C)
        left(it)
        assert it.raw.count(b"cannot be") == 1


def test_without_colours_there_are_none(tmp_path: Path) -> None:
    with console(tmp_path, "ap-bringup", NO_COLOR="1") as it:
        it.until("lapis>")
        entered(it, "disas", "cli")
        entered(it, "nonsense", "error: there is no command")
        left(it)
        raw = bytes(it.raw)
    worn = {n for m in re.findall(rb"\x1b\[([0-9;]*)m", raw) for n in m.split(b";")}
    assert not [n for n in worn if re.fullmatch(rb"[349][0-7]|[34]8", n)]


def test_a_long_result_is_read_in_a_pager(tmp_path: Path) -> None:
    size = (100, 12)
    with console(tmp_path, "ap-bringup", size=size, PAGER="cat -A", LESS="") as it:
        it.until("lapis>")
        it.keys("pager", ENTER)
        it.until("in a pager")
        it.keys("help", ENTER)
        it.until("$", "lapis>")  # what `cat -A` ends its rows with
        it.keys("pager off", ENTER)
        it.until("at once")
        it.keys("disas pc 30", ENTER)
        it.until("lapis>")
        assert not it.text.rstrip().endswith("$")
        left(it)


# Without a terminal that can be edited on.


def piped(
    *arguments: str, given: str = "", status: int = 0, state: Path | None = None
) -> subprocess.CompletedProcess[str]:
    folders = {f"XDG_{each}_HOME": str(state) for each in ("STATE", "CONFIG") if state}
    done = subprocess.run(
        [sys.executable, "-m", "lapis_tui", "console", *arguments],
        input=given, capture_output=True, text=True, check=False,
        env=os.environ | folders,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    return done


def test_a_dumb_terminal_gets_lines_and_no_escapes(tmp_path: Path) -> None:
    with console(tmp_path, "ap-bringup", TERM="dumb") as it:
        it.until("lapis>")
        it.keys("run 5000\n")
        it.until("5,000 instructions retired")
        it.keys("nonsense\n")
        it.until("error: there is no command 'nonsense'")
        it.keys("half a li", CTRL_C)
        it.until("^C\nlapis>")
        it.keys("print 4321\n")
        it.until("4,321")
        it.keys("q\n")
        it.until("leave?")
        it.keys("y\n")
        assert it.ended() == 0
        assert b"\x1b" not in it.raw


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_ctrl_d_asks_once_and_again_is_a_yes(tmp_path: Path, term: str) -> None:
    with console(tmp_path, "ap-bringup", TERM=term) as it:
        it.until("lapis>")
        it.keys("run 10\n")
        it.until("10 instructions retired\nlapis>")
        it.keys(CTRL_D)
        it.until("leave?")
        it.keys("n\n")
        it.until_so(lambda: it.text.count("lapis>") == 3, "a prompt")
        it.keys(CTRL_D)
        it.until_so(lambda: it.text.count("leave?") == 2, "asked again")
        it.keys(CTRL_D)
        assert it.ended() == 0


def test_ctrl_c_breaks_in_on_a_dumb_terminal(tmp_path: Path) -> None:
    with console(tmp_path, "ipi-ping", TERM="dumb") as it:
        it.until("lapis>")
        it.keys("follow on\nrun\n")
        it.until("events are left out")  # of a slice: it runs
        it.keys(CTRL_C)
        it.until("broken off")
        it.keys("quit!\n")
        assert it.ended() == 0


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_prompt_and_the_recording_is_whole(
    tmp_path: Path, term: str, name: str
) -> None:
    path = tmp_path / "it.lapis"
    arguments = ("ap-bringup", "--record", str(path))
    with console(tmp_path, *arguments, TERM=term) as it:
        it.until("lapis>")
        it.keys("run 5000\n")
        it.until("5,000 instructions retired")
        number = getattr(signal, name)
        it.signal(number)
        assert it.ended() in {-number, 128 + number}
        assert f"{name}: recorded to" in it.text.replace("\n", "")
    assert reader.read(str(path)).state == "whole"


def test_a_pipe_loads_no_library_of_terminals(tmp_path: Path) -> None:
    code = (
        "import sys; from lapis_tui.cli.main import main;"
        "main(['console', 'ap-bringup', '--no-rc']); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input="run 5\nhelp\n",
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "lapis_tui" in loaded
    assert not loaded & {"textual", "rich", "prompt_toolkit", "pygments"}


def test_a_pipe_is_done_line_by_line(tmp_path: Path) -> None:
    done = piped("ap-bringup", given="run 5000\n# nothing\n\nwhere\n", state=tmp_path)
    assert done.stdout.splitlines()[-1].startswith("at instruction 5,000")
    assert "lapis>" not in done.stdout
    assert done.stderr == ""


def test_an_error_in_a_pipe_is_told_and_the_rest_is_done(tmp_path: Path) -> None:
    done = piped("ap-bringup", given="bogus\nprint 3\n", status=1, state=tmp_path)
    assert done.stdout == "3\n"
    assert "there is no command 'bogus'" in done.stderr


def test_files_are_done_first_and_stop_at_an_error_if_asked(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_text("print 1\nbogus\nprint 2\n", "utf-8")
    done = piped("ap-bringup", "-x", str(lines), "-c", "print 3", given="print 4\n",
                 status=1, state=tmp_path)  # fmt: skip
    assert done.stdout == "1\n2\n3\n4\n"
    done = piped("ap-bringup", "-x", str(lines), "-c", "print 3", "--stop-on-error",
                 given="print 4\n", status=1, state=tmp_path)  # fmt: skip
    assert done.stdout == "1\n"
    assert "stopped at line 2" in done.stderr


def test_the_file_of_the_user_is_done_unless_not_wanted(tmp_path: Path) -> None:
    folder = tmp_path / "lapis"
    folder.mkdir()
    (folder / "console.rc").write_text("define hi\necho hello $args\nend\n", "utf-8")
    done = piped("ap-bringup", given="hi there you\n", state=tmp_path)
    assert done.stdout == "hello there you\n"
    done = piped("ap-bringup", "--no-rc", given="hi\n", status=1, state=tmp_path)
    assert "there is no command 'hi'" in done.stderr


def test_files_and_commands_within_themselves_come_to_an_end(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_text(f"source {lines}\n", "utf-8")
    done = piped("ap-bringup", given=f"source {lines}\n", status=1, state=tmp_path)
    assert "16 files and commands within another" in done.stderr
    given = "define again\nagain\nend\nagain\nundefine again\nagain\n"
    done = piped("ap-bringup", given=given, status=1, state=tmp_path)
    assert "16 files and commands within another" in done.stderr
    assert "there is no command 'again'" in done.stderr


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("define run", "run is a command already"),
        ("define info", "info is a command already"),
        ("define 1x", "is no name"),
        ("source /no/such/file", "there is no such file"),
        ("source", "source needs FILE"),
        ("pager maybe", "is not one of on, off"),
        ("editing ed", "is not one of emacs, vi"),
        ("define mine\nrun $arg0\nend\nmine", "mine needs 1 word"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, line: str, why: str) -> None:
    assert (
        why in piped("ap-bringup", given=f"{line}\n", status=1, state=tmp_path).stderr
    )


def test_help_knows_the_commands_of_the_console(tmp_path: Path) -> None:
    done = piped("ap-bringup", given="help\nhelp define\n", state=tmp_path)
    assert "source FILE" in done.stdout
    assert "$arg0 to $arg9 are its words" in done.stdout


def test_a_recording_is_opened_at_a_prompt_and_stays_as_it_is(tmp_path: Path) -> None:
    file = str(GALLERY / "freebsd-13.1-after.lapis")
    lines = "set rax = 1\ncontinue\nfork\nset rax = 7\nprint rax\n"
    done = subprocess.run(
        [sys.executable, "-m", "lapis_tui", "replay", file, "--console"],
        input=lines, capture_output=True, text=True, check=False, cwd=tmp_path,
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1  # the first line is refused
    assert "read only" in done.stderr
    assert "end of main" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("7")
