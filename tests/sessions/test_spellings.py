"""Lines of gdb, Bochs, QEMU's monitor and WinDbg: what they do, and that all do."""

from __future__ import annotations

from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import pytest

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.spellings.page import page
from lapis_sessions.spellings.spelling import Own, Spelling
from lapis_sessions.spellings.table import TABLES
from lapis_sessions.spellings.translation import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.session import Session

NEED_A_FILE = {"symbol-file vmlinux", "ldsym a.elf"}
NEED_A_PC = {"system_powerdown"}

GDB = """\
b *0x10131
info breakpoints
c
info registers rip
p/x $rsp + 8
x/4xb $pc
x/2i $pc
clear *0x10131
stepi 2
info threads
thread 1
thread 0
set var $rax = 5
set {int}0x500 = 0x12345678
p u32(0x500)
watch *0x500
info watchpoints
delete
reverse-stepi
info symbol $pc
info program
"""
BOCHS = """\
lb 0x10131
blist
c
reg
calc rip
x /4xb 0x10131
xp /2xw 0x500
u /2
del 1
s 2
rbx = 7
info eflags
watch w 0x500
watch
bpd 2
bpe 2
unwatch 2
set $cpu=1
set $cpu=0
setpmem 0x500 4 0x12345678
print-stack 2
ptime
"""
QEMU = """\
savevm before
cont
info registers
info registers -a
info cpus
cpu 1
cpu 0
info lapic
info lapic 1
info ioapic
info pic
info pit
info mtree
info mtree -f
info status
x /2i $pc
x /4xb 0x10131
xp /2xw 0x500
p $rip
gva2gpa 0x10131
info snapshots
loadvm before
"""
WINDBG = """\
bp 0x10131
bl
g
r rip
r rax=5
u pc L2
db 0x10131 L4
dd 0x500 L2
ed 0x500 0x12345678
bc *
t
t 2
t-
~
~1s
~0
!apic
!ioapic
ln pc
rdmsr 0x1b
ba w4 0x500
bc 2
!positions
"""
SCRIPTS = {"gdb": GDB, "Bochs": BOCHS, "QEMU's monitor": QEMU, "WinDbg": WINDBG}


@pytest.fixture
def session() -> Iterator[Session]:
    it = open_session(SessionOptions("ap-bringup"), discover().extensions)
    it.limit = 20_000
    yield it
    it.release()


def done(session: Session, line: str) -> Any:
    outcome = session.execute(line)
    assert outcome.ok, f"{line}: {outcome.error}"
    return outcome.result


@pytest.mark.parametrize("program", TABLES)
def test_a_script_of_twenty_commands_is_done(session: Session, program: str) -> None:
    lines = SCRIPTS[program].splitlines()
    assert len({line.split()[0] for line in lines}) >= 8
    assert len(set(lines)) >= 20
    for line in lines:
        done(session, line)


def test_gdb_stops_looks_and_writes_as_it_says(session: Session) -> None:
    done(session, "b *0x10131")
    assert done(session, "c")["stop"] == "breakpoint"
    assert done(session, "info registers rip")["value"] == 0x10131
    rsp = done(session, "regs")["rsp"]
    view = done(session, "p/x $rsp + 8")
    assert (view["value"], view["shown"]) == (rsp + 8, f"{rsp + 8:#x}")
    code = done(session, "x/4xw $pc")
    assert (code["address"], len(code["units"])) == (0x10131, 4)
    rows = done(session, "x/2i $pc")["instructions"]
    assert (rows[0]["linear"], len(rows)) == (0x10131, 2)
    done(session, "set {int}0x500 = 0x12345678")
    assert done(session, "mem 0x500 4")["bytes"] == "78563412"


def test_windbg_means_its_own_by_its_letters(session: Session) -> None:
    done(session, "bp 0x10131")
    assert done(session, "g")["stop"] == "breakpoint"
    done(session, "bc *")
    before = done(session, "where")["retired"]
    done(session, "t 3")
    done(session, "t-")
    assert done(session, "where")["retired"] == before + 2
    done(session, "r rax=5")
    assert done(session, "r rax")["value"] == 5
    done(session, "ew 0x500 0x1234")
    units = done(session, "dw 0x500 L3")["units"]
    assert [unit["value"] for unit in units] == [0x1234, 0, 0]
    assert done(session, "~1s")["id"] == 1
    assert done(session, "? 2 * 21")["value"] == 42
    assert done(session, "?")[0]["name"] == "run"  # help, as before


def test_bochs_watches_and_writes_physical_memory(session: Session) -> None:
    done(session, "setpmem 0x500 2 0x1234")
    assert done(session, "xp /1xh 0x500")["units"][0]["value"] == 0x1234
    done(session, "watch r 0x500")
    assert [row["kind"] for row in done(session, "watch")] == ["read"]
    done(session, "rbx = 7")
    assert done(session, "calc rbx + 1")["value"] == 8
    assert done(session, "set $cpu=1")["id"] == 1


def test_qemu_keeps_and_finds_a_point(session: Session) -> None:
    done(session, "run 100")
    done(session, "savevm here")
    done(session, "run 100")
    done(session, "loadvm here")
    assert done(session, "info status")["retired"] == 100
    assert done(session, "info lapic 1")["vcpu"] == 1
    assert done(session, "gva2gpa 0x500") == done(session, "page 0x500")


@pytest.mark.parametrize(
    "each",
    [each for table in TABLES.values() for each in table],
    ids=lambda each: each.example,
)
def test_an_example_is_what_the_page_says_and_is_understood(
    session: Session, each: Spelling | Own
) -> None:
    names = session.registry.names
    words = each.example.split()
    is_ours = words[0] in names or " ".join(words[:2]) in names
    if isinstance(each, Own):
        assert translated(each.example, names) == each.example
        ours = session.registry.parse(each.example_is, session)
        assert session.registry.parse(each.example, session).command == ours.command
    else:
        assert translated(each.example, names) == each.example_is
        assert each.is_over == is_ours
        assert session.registry.find(each.example_is.split())[0].name in names
    if each.example not in NEED_A_FILE | NEED_A_PC:
        session.execute("run 2000")
        session.execute("break 0x1234")
        done(session, each.example)


def test_our_own_lines_mean_what_they_did() -> None:
    names = discover().extensions.registry.names
    for line in (
        "r 500", "u start 5", "watch 0x500 4", "watch u32(0x500) if rax == 5",
        "condition 1 if rax > 3", "set rax = 5", "set isrvec on", "mem 0x500",
        "? run", "x 0x500 16", "x start", "p rax", "bp start", "info registers",
        "r", "~", "xyzzy", "", "   ", "print ? 2", "info", "!", ".",
    ):  # fmt: skip
        assert translated(line, names) == line


def test_a_command_of_a_plugin_goes_before_a_spelling() -> None:
    assert translated("reg", {"reg"}) == "reg"
    assert translated("reg", ()) == "regs"


def test_a_long_line_takes_no_time() -> None:
    for line in ("db " + " " * 100_000, "x/" + "9" * 500, "u " + " L" * 250,
                 "set {int}" + " =" * 200, "? " + "a " * 250):  # fmt: skip
        begun = process_time()
        translated(line, ())
        assert process_time() - begun < 0.5


def test_an_unknown_field_says_our_usage(session: Session) -> None:
    error = session.execute("ed 0x500 nothing").error
    assert "no command" in error
    error = session.execute("ed nowhere 1").error
    assert "nowhere" in error
    assert "usage: write-memory" in error


def test_the_page_is_that_of_the_table() -> None:
    pages = Path(__file__).parents[2] / "docs" / "pages"
    path = pages / "coming-from" / "spellings.md"
    assert path.read_text("utf-8") == page(), "see its head for how to write it anew"
