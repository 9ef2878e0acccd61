"""Each pane as plain text: what it says, and that it fits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rigs.screens import bringup, look, spin

from lapis_engine.cause import Cause
from lapis_engine.cpu.disasm import disassemble
from lapis_engine.events import Logged, Suspended, VectorAccepted
from lapis_engine.machine.requests import PendingRequest
from lapis_sessions.symbols.book import Places, Source
from lapis_sessions.symbols.lines import Lines, Run
from lapis_sessions.symbols.table import Table
from lapis_sessions.views import snapshot
from lapis_sessions.views.apic import Worded
from lapis_tui.bench.scenes import README
from lapis_tui.blocks import code, ladder
from lapis_tui.blocks.lines import Line, plain
from lapis_tui.layouts import LAYOUTS
from lapis_tui.panes import (
    apics,
    console,
    events,
    keys,
    pending,
    results,
    seek,
    status,
    vcpus,
)
from lapis_tui.panes.command import told
from lapis_tui.panes.results import Result
from lapis_tui.screens import help, inject  # noqa: A004 - the module's name
from lapis_tui.screens.inject import Form
from lapis_tui.view import View, after

WIDTHS = (46, 60, 79, 99, 119, 159, 199)
TO_READ = ("run 5000000",)


def columns(view: View, count: int) -> View:
    return replace(view, columns=count)


# vCPUs.


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_vcpus_and_apics_fill_exactly_the_width(width: int, cpus: int) -> None:
    view = look(bringup(cpus), *TO_READ)
    for count in range(1, min(cpus, (width + 1) // 49) + 1):
        at = columns(view, count)
        for render in (vcpus.render, apics.render):
            assert {line.width for line in render(at, (width, 20))} == {width}


def test_a_column_heads_with_state_mode_and_count() -> None:
    text = plain(vcpus.render(columns(look(bringup()), 2), (119, 20)))
    first = text.split("\n")[0]
    assert first.startswith(">vCPU 0  ● running  real 16  cpl 0")
    assert "0 retired" in first
    assert " vCPU 1  . never-started  real 16  cpl 0" in first


def test_only_what_differs_from_the_stop_before_is_marked() -> None:
    view = look(bringup(), "step 2", "step")
    text = plain(vcpus.render(view, (60, 24)))
    assert "eax*00001000" in text
    assert "eip*00000004" in text
    assert text.count("*") == 2


def test_a_command_that_moves_nothing_leaves_the_marks() -> None:
    view = look(bringup(), "step 2", "step", "regs", "break start")
    assert "eax*00001000" in plain(vcpus.render(view, (60, 24)))


def test_long_mode_shows_sixteen_registers_of_sixty_four_bits() -> None:
    text = plain(vcpus.render(look(bringup(), *TO_READ), (60, 24)))
    assert " rbx*00000000fee00000  r9  0000000000000000" in text
    assert " rip*0000000000010185  rfl*0000000000000046" in text
    assert "flags of df if tf sf*ZF af*PF cf  iopl 0" in text
    assert "efer*0500" in text


def test_real_mode_shows_eight_registers_and_the_segments() -> None:
    text = plain(vcpus.render(look(bringup()), (60, 24)))
    assert " eax 00000000  cs  1000 at 00010000  0000ffff" in text
    assert "r15" not in text


def test_protected_mode_names_the_width_of_its_code() -> None:
    view = look(bringup(), "break protected_mode", "run")
    head = vcpus.header(view, view.vcpu, 60).plain
    assert "protected 32" in head
    assert ">*0001001e" in plain(vcpus.render(view, (60, 24)))


def test_compat_mode_of_a_vcpu_has_thirty_two_bits() -> None:
    view = look(bringup(), "break 0x100ba", "run")
    assert vcpus.mode(view.vcpu) == "compat 32"


def test_the_row_above_the_code_says_where_and_why_not() -> None:
    view = columns(look(bringup(), *TO_READ), 2)
    text = plain(vcpus.render(view, (139, 24)))
    assert "─ read_device ─ waits for an answer to its pending request ─" in text
    assert "─ ap_done+0x2 ─ halted with IF=0 and waits for NMI or INIT ─" in text


def test_a_vcpu_that_waits_for_the_user_says_pending() -> None:
    view = look(bringup(), *TO_READ)
    assert "vCPU 0  ? pending" in vcpus.header(view, view.vcpu, 60).plain


def test_a_vcpu_on_nothing_says_that_there_is_no_memory() -> None:
    text = plain(vcpus.render(look(bringup()).turned(1), (60, 24)))
    assert "fffffff0 no memory here" in text


def test_the_strip_keeps_the_selected_vcpu_in_sight() -> None:
    view = look(bringup(32))
    for chosen in (0, 7, 31):
        line = vcpus.strip(view.turned(chosen), 60)
        assert line.width == 60
        assert f"[{chosen} " in line.plain


def test_a_suspended_machine_is_shown_as_such() -> None:
    view = look(bringup())
    dead = replace(
        view.now.vcpus[0], state="suspended", why=Cause("suspended", "triple fault")
    )
    now = replace(view.now, vcpus=(dead, view.now.vcpus[1]))
    assert "# suspended" in plain(vcpus.render(replace(view, now=now), (60, 20)))
    assert "# suspended" in status.render(replace(view, now=now), 119).plain


# Disassembly.


def listing(width: int = 60, **around: object) -> str:
    found = disassemble(bytes.fromhex("eb02 9090 66b83412 c7450001000000"), 16, 32, 9)
    given = {"rip": 16, "breakpoints": (), "symbols": {}} | around
    given["symbols"] = Places.of(given["symbols"])  # type: ignore[arg-type]
    return plain(code.render(found, width, code.Surroundings(**given)))  # type: ignore[arg-type]


def test_rip_breakpoints_and_cursor_have_glyphs() -> None:
    rows = listing(breakpoints=(16, 18), cursor=19).split("\n")
    assert rows[0].startswith(">*00000010")
    assert rows[1].startswith(" *00000012")
    assert rows[2].startswith("▸ 00000013")


def test_places_and_targets_have_their_names_at_the_right_edge() -> None:
    rows = listing(rip=0, symbols={20: "after", 18: "gap"}).split("\n")
    assert rows[0].endswith("jmp    0x14                after")
    assert rows[1].endswith("gap:")
    assert rows[3].endswith("after:")


def test_a_line_of_source_stands_where_it_begins() -> None:
    rows = lines_of_source({16: 7, 18: 8, 20: 8})
    assert not rows[0].endswith("c:7")  # the row above the listing says it
    assert rows[1].endswith(" boot.c:8")
    assert not rows[2].endswith("c:8")


def lines_of_source(found: dict[int, int]) -> list[str]:
    known = Lines()
    known.files.append("arch/x86/boot.c")
    known.addresses.extend(found)
    known.file_of.extend(1 for _ in found)
    known.line_of.extend(found.values())
    known.runs.append(Run(min(found), max(found) + 1, 0, len(found)))
    known.sort()
    places = Places((Source("it", "ELF", Table([]), known),))
    code_at = disassemble(bytes.fromhex("eb02 9090 90"), 16, 32, 4)
    return plain(code.render(code_at, 60, code.Surroundings(16, (), places))).split(
        "\n"
    )


def test_the_size_of_memory_is_said_where_nothing_else_says_it() -> None:
    assert "dword [ebp], 1" in listing()
    assert code.operands("byte ptr [rax], bl") == "[rax], bl"


def test_a_long_name_is_cut_visibly() -> None:
    rows = listing(width=36, rip=0, symbols={16: "a_name_without_end"}).split("\n")
    assert rows[0].endswith("…")
    assert len(rows[0]) < 37


def test_a_place_too_far_from_any_name_has_none() -> None:
    assert Places.of({0x1000: "start"}).near(0x9000) == ""


# APICs.


def test_the_ladder_counts_vectors_by_class_and_marks_the_new() -> None:
    row = ladder.vectors_row("IRR", (0x31, 0x32, 0x41), (0x31,))
    assert row.plain == "IRR   ...21...........  31 *32 *41"


def test_a_vector_that_has_gone_is_shown_once_more() -> None:
    assert ladder.vectors_row("ISR", (), (0x31,)).plain.endswith(".  -31")


@pytest.mark.parametrize(
    ("tpr", "isr", "words"),
    [
        (0x00, (), "TPR, ISR empty"),
        (0x20, (0x31,), "ISR 31 over TPR 20"),
        (0x30, (0x31,), "TPR 30 over ISR 31"),
        (0x35, (0x31, 0x34), "TPR 35 over ISR 34"),
        (0x2F, (0x31, 0x52), "ISR 52 over TPR 2f"),
    ],
)
def test_who_makes_the_ppr(tpr: int, isr: tuple[int, ...], words: str) -> None:
    assert ladder.winner(tpr, isr) == words


@pytest.mark.parametrize(
    ("ppr", "interrupts", "enabled", "words"),
    [
        (0x20, True, True, "next 31 deliverable: class 3 > PPR 2"),
        (0x30, True, True, "next 31 held: class 3 <= PPR 3"),
        (0x20, False, True, "next 31 class 3 > PPR 2, held: IF=0"),
        (0x20, True, False, "next 31 held: the APIC is software-disabled"),
    ],
)
def test_what_becomes_of_the_highest_vector(
    *, ppr: int, interrupts: bool, enabled: bool, words: str
) -> None:
    line = ladder.verdict(ppr, (0x21, 0x31), interrupts=interrupts, enabled=enabled)
    assert line.plain == words


def test_the_apic_of_an_ap_in_its_handler_says_why_the_next_is_held() -> None:
    view = look(README.session(), "run")
    text = plain(apics.render(view.turned(1), (60, 9)))
    assert "class 0123456789abcdef  xapic id 01 on" in text
    assert "IRR   ...1.1.......... *31  52" in text
    assert "ISR   ...1............  31" in text
    assert "PPR   ####............  30 = ISR 31 over TPR 00" in text
    assert "next 52 class 5 > PPR 3, held: IF=0" in text


def test_the_icr_is_put_into_words_without_the_usual() -> None:
    text = plain(apics.render(look(bringup(), *TO_READ), (60, 9)))
    assert "ICR   000c4031 FIXED 0x31, all excluding self" in text


def test_an_x2apic_and_a_disabled_one_are_named() -> None:
    view = look(bringup())
    off = replace(view.vcpu, apic=replace(view.vcpu.apic, mode="disabled"))
    assert "APIC disabled" in plain(apics.column(off, off, 60))
    x2 = replace(view.vcpu, apic=replace(view.vcpu.apic, mode="x2apic"))
    assert "x2apic id 00 soft-off" in plain(apics.column(x2, x2, 60))


def test_lvt_entries_that_are_not_masked_are_listed() -> None:
    view = look(bringup())
    lvt = {"timer": 0x2_0040, "lint0": 0x700, "lint1": 0x400, "error": 0x1_0000}
    entries = {name: Worded(raw, "") for name, raw in lvt.items()}
    apic = replace(view.vcpu.apic, lvt=entries)
    text = plain(apics.column(replace(view.vcpu, apic=apic), view.vcpu, 60))
    assert "LVT timer 40  lint0 ExtINT  lint1 NMI" in text


# Requests, events, console.


def request(**fields: object) -> PendingRequest:
    usual = {"vcpu": 0, "kind": "mmio", "read": True, "address": 0xD000_0000}
    usual |= {"bytes": 4, "data": 0}
    return PendingRequest(**(usual | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "reads dword at 0xd0000000"),
        ({"read": False, "data": 7, "bytes": 8}, "writes qword at 0xd0000000 = 0x7"),
        ({"kind": "inout", "address": 0x61, "bytes": 1}, "IN  byte from port 0x0061"),
        (
            {"kind": "inout", "read": False, "address": 0x80, "bytes": 2, "data": 9},
            "OUT word to port 0x0080 = 0x9",
        ),
        ({"kind": "msr", "address": 0x1B, "bytes": 8}, "RDMSR 0x1b"),
        (
            {"kind": "msr", "read": False, "address": 0x1B, "bytes": 8, "data": 9},
            "WRMSR 0x1b = 0x9",
        ),
        ({"kind": "inst-emul", "bytes": 3}, "instruction without emulation on 0xd0"),
    ],
)
def test_a_request_says_what_the_guest_wants(
    fields: dict[str, object], words: str
) -> None:
    assert words in plain(pending.render([request(**fields)], 0, (90, 3)))


def test_the_selected_vcpus_request_has_the_mark() -> None:
    both = [request(), request(vcpu=1, kind="inst-emul")]
    first, second = pending.render(both, 1, (90, 3))
    assert first.plain.startswith(" ? vCPU 0")
    assert second.plain.startswith(" > vCPU 1")
    assert "d discard" in second.plain
    assert "answer" not in second.plain


def test_events_say_when_who_and_what_newest_last() -> None:
    log = [
        Logged(4, 1_234_567, VectorAccepted(1, 0x31, level=False, source="ipi")),
        Logged(5, 1_300_000, Suspended(-1, "poweroff", "by ACPI")),
    ]
    rows = plain(events.render(log, (100, 5))).split("\n")
    assert rows[0] == ("     4     1234.567   1 + vector 0x31 accepted, edge, from ipi")
    assert rows[1] == "     5     1300.000     # suspended (poweroff): by ACPI"


def test_events_show_the_last_that_fit() -> None:
    log = [
        Logged(n, n, VectorAccepted(0, 0x31, level=False, source="")) for n in range(9)
    ]
    assert len(events.render(log, (80, 3))) == 3
    assert "     8 " in events.render(log, (80, 3))[-1].plain
    assert events.render(log, (80, 0)) == []


@pytest.mark.parametrize(
    ("raw", "rows"),
    [
        (b"", []),
        (b"2 processors\r\ndevice\r\n", [" 2 processors", " device"]),
        (b"a\tb\n\x07c", [" a       b", r" \x07c"]),
        (b"\x1b[2J\x1b[1;1Hhello", [r" \x1b[2J\x1b[1;1Hhello"]),
        (b"10%\r20%\r30%\n", [r" 10%\r20%\r30%"]),
        (b"\x00\xff\xc3\xbf", [r" \x00\xffÿ"]),
    ],
)  # fmt: skip
def test_the_console_shows_text_and_nothing_that_moves_the_cursor(
    raw: bytes, rows: list[str]
) -> None:
    shown = [line.plain for line in console.render({"com1": raw}, (80, 5))]
    assert shown == (rows or [" the guest has printed nothing"])


def test_several_consoles_are_told_apart() -> None:
    shown = plain(console.render({"com1": b"one", "debugcon": b"two"}, (80, 9)))
    assert shown == " com1\n one\n debugcon\n two"


def test_a_long_console_costs_only_its_end() -> None:
    shown = console.render({"com1": b"x\n" * 1_000_000}, (80, 5))
    assert len(shown) <= console.KEPT


# Bars, results, help.


def test_the_status_bar_says_state_selection_time_requests_and_profile() -> None:
    text = status.render(look(bringup(), *TO_READ), 119).plain
    for words in (
        "lapis ap-bringup", "■ stopped", "vCPU 0 long 64", "t 28.838 us",
        "pending 1", "events 26", "sdm",
    ):  # fmt: skip
        assert words in text
    running = replace(look(bringup()), running=True)
    assert "▶ running" in status.render(running, 119).plain


@pytest.mark.parametrize("width", [60, 79, 100, 200])
def test_the_bars_fill_the_width(width: int) -> None:
    view = look(spin(), "sched only 0")
    assert status.render(view, width, typing=True).width == width
    pieces = keys.render(keys.hints(view, (), typing=False), LAYOUTS[0], width)
    assert sum(piece.width for piece, _ in pieces) == width
    assert seek.render(view, width).width == width


def test_the_keys_that_are_hinted_make_sense_now() -> None:
    def texts(view: View) -> list[str]:
        return [f"{h.shown} {h.text}" for h in keys.hints(view, (), typing=False)]

    session = bringup()
    assert "a answer" not in texts(look(session))
    waiting = look(session, "run")
    assert "a answer" in texts(waiting)
    assert "F fork" not in texts(waiting)
    assert "F fork" in texts(look(session, "goto start"))
    running = texts(replace(waiting, running=True))
    assert "Ctrl-C break" in running
    assert "s step" not in running


def test_results_tell_success_from_failure_without_colour() -> None:
    assert plain(results.render(Result("step", "one\ntwo", ok=True), 40)) == (
        " : step\n   one\n   two"
    )
    refused = Result("stpe", "no such", ok=False)
    assert plain(results.render(refused, 40)) == " : stpe\n ! no such"
    assert told("a\nb", ok=True).plain == " a"
    assert told("bad", ok=False).plain == " ! bad"
    assert told("", ok=True).plain == " "


def test_help_shows_every_key_mark_and_command() -> None:
    topics = bringup().topics()
    text = plain(help.render(topics, None, (200, 40)))
    assert "s F11        step the selected vCPU one instruction" in text
    for usage, _, words in topics:
        assert usage in text
        assert words.split()[0] in text
    assert all(mark in text for mark, _ in help.MARKS)


@pytest.mark.parametrize("width", [60, 76, 96])
def test_help_fits_its_width(width: int) -> None:
    lines = help.render(bringup().topics(), None, (width, 40))
    assert max(line.width for line in lines) <= width


# The form for an IPI.


@pytest.mark.parametrize(
    ("form", "line", "words"),
    [
        (Form("init", "", "all-but-self"), "ipi init --to all-but-self --from 0",
         "ICR 0x00000000000c4500"),
        (Form("sipi", "8", "1"), "ipi sipi 8 --to 1 --from 0",
         "STARTUP vector 0x08 (start 0x8000)"),
        (Form("raw", "0xC4500", ""), "ipi raw 0xC4500 --from 0",
         "INIT, physical, assert, edge, all excluding self"),
        (Form("fixed", "0x05", "1"), "ipi fixed 0x05 --to 1 --from 0",
         "! vector 0x05 is illegal: vectors below 16"),
        (Form("init", "", "all"), "ipi init --to all --from 0",
         "! INIT cannot have the shorthand all, only all-but-self"),
        (Form("nmi", "", "9"), "ipi nmi --to 9 --from 0",
         "! no APIC has id 9"),
        (Form("nmi", "", "255"), "ipi nmi --to 255 --from 0",
         "NMI, physical, assert, edge, to everyone (broadcast)"),
        (Form("raw", "0x84500", ""), "ipi raw 0x84500 --from 0",
         "! it will be dropped: init cannot have the shorthand all"),
        (Form("fixed", "0x131", "1"), "ipi fixed 0x131 --to 1 --from 0",
         "! vector 0x131: vectors are 8 bits"),
        (Form("nmi", "", "300"), "ipi nmi --to 300 --from 0",
         "! destination 0x12c: ids are 8 bits here"),
        (Form("nmi", "", "x"), "ipi nmi --to x --from 0", "! to 'x' is not a number"),
        (Form("nmi", "", "1", "7"), "ipi nmi --to 1 --from 7", "! there is no vCPU 7"),
    ],
)  # fmt: skip
def test_the_form_makes_a_command_and_explains_it(
    form: Form, line: str, words: str
) -> None:
    text = plain(inject.render(form, look(bringup()).now, (), (90, 6)))
    assert line in text
    assert words in text


@pytest.mark.parametrize("mode", inject.MODES)
def test_the_command_of_every_mode_is_one_that_the_registry_takes(mode: str) -> None:
    form = Form(mode, inject.DEFAULTS.get(mode, ""), "1", "0")
    outcome = bringup().execute(form.command())
    assert outcome.ok, outcome.error


# Views.


def test_the_first_view_marks_nothing() -> None:
    view = after(None, snapshot.take(bringup()), running=False)
    assert view.now is view.before


def test_a_run_is_compared_with_the_stop_before_it() -> None:
    session = bringup()
    first = look(session)
    session.execute("step 2")
    running = after(first, snapshot.take(session), running=True)
    session.execute("step 2")
    stopped = after(running, snapshot.take(session), running=False)
    assert stopped.before is first.now


def test_the_selection_is_the_users_until_the_session_moves_its_own() -> None:
    session = bringup()
    view = look(session).turned(1)
    session.execute("step", vcpu=0)
    view = after(view, snapshot.take(session), running=False)
    assert view.selected == 1
    session.execute("vcpu 1")
    view = after(view, snapshot.take(session), running=False).turned(0)
    session.execute("vcpu 0")
    assert after(view, snapshot.take(session), running=False).selected == 0


def test_the_cursor_stays_within_the_code() -> None:
    view = look(bringup())
    assert view.cursor == 0x10000
    assert view.moved(1).cursor == 0x10001
    assert view.moved(-5).cursor == 0x10000
    last = view.vcpu.code[-1].linear
    assert view.moved(10_000).cursor == last
    assert Line(view.moved(1).turned(0).vcpu.state).plain == "running"
