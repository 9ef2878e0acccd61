"""Every command does what its line says, and names what is wrong with it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lapis_sessions import completion
from lapis_sessions.session import Session
from lapis_sessions.views import snapshot
from lapis_sessions.views.wanted import Wanted

Open = Callable[..., Session]
Do = Callable[[Session, str], Any]
Refuse = Callable[[Session, str], str]
READ = {
    "vcpu": 0, "kind": "mmio", "read": True, "gpa": 0xD000_0000, "bytes": 4, "data": 0,
}  # fmt: skip


def test_the_bring_up_stops_once_for_an_answer_and_ends_halted(
    opened: Open, done: Do
) -> None:
    session = opened(cpus=4)
    stop = done(session, "run 5000000")
    assert (stop["stop"], stop["vcpu"], stop["exit"]["code"]) == ("exit", 0, "MMIO")
    assert done(session, "pending") == [READ]
    assert done(session, "answer 0x1234") == READ | {"value": 0x1234}
    assert done(session, "run 5000000")["stop"] == "halted"
    rows = done(session, "vcpus")
    assert [(r["id"], r["state"], r["mode"]) for r in rows] == [
        (n, "halted", "long") for n in range(4)
    ]
    always = {"id", "state", "run_state", "mode", "rip", "retired"}
    assert always <= rows[0].keys() <= always | {"symbol"}
    assert done(session, "console") == "4 processors\r\ndevice says 0x1234\r\n"


def test_a_vcpu_that_cannot_run_says_why_and_nothing_moves(
    opened: Open, done: Do, refused: Refuse
) -> None:
    session = opened()
    done(session, "vcpu 1")
    before = done(session, "vcpus"), done(session, "events 100")
    assert "waits for INIT and SIPI" in refused(session, "step")
    assert (done(session, "vcpus"), done(session, "events 100")) == before
    assert session.machine.now == 0


def test_a_step_moves_the_selected_vcpu_alone(opened: Open, done: Do) -> None:
    session = opened()
    stop = done(session, "s 3")
    assert (stop["stop"], stop["retired"], stop["vcpu"]) == ("budget", 3, 0)
    assert [r["retired"] for r in done(session, "vcpus")] == [3, 0]


@pytest.mark.parametrize("line", ["lint on {}", "{}", "branch {}", "run {}", "x 0 {}"])
def test_a_refusal_repeats_no_more_than_can_be_read(
    opened: Open, refused: Refuse, line: str
) -> None:
    said = refused(opened(), line.format("a" * 70_000))
    assert 20 < len(said) < 2000
    assert "\n" not in said


@pytest.mark.parametrize("slice_", [1, 7, 1000])
def test_how_a_run_is_sliced_changes_nothing(
    opened: Open, done: Do, slice_: int
) -> None:
    whole, sliced = opened(cpus=3), opened(cpus=3)
    stop = done(whole, "run 5000000")
    outcome = sliced.execute("run 5000000", pace=lambda left: min(left, slice_))
    assert outcome.result == stop
    for line in ("vcpus", "events 1000 --all", "regs", "apic", "console"):
        assert done(sliced, line) == done(whole, line)


@pytest.mark.parametrize("slice_", [1, 2, 5])
def test_a_sliced_step_ends_at_hlt_as_a_whole_one_does(
    opened: Open, done: Do, slice_: int
) -> None:
    whole, sliced = (
        opened("tests/guests/hlt-loop.bin"),
        opened("tests/guests/hlt-loop.bin"),
    )
    outcome = sliced.execute("step 50", pace=lambda left: min(left, slice_))
    assert outcome.result == done(whole, "step 50")
    assert outcome.result["stop"] == "halted"


def test_a_run_that_is_broken_off_keeps_what_was_done(opened: Open) -> None:
    session = opened()
    slices = iter([100, 100, 0])
    result = session.execute("continue", pace=lambda _: next(slices)).result
    assert (result["stop"], result["retired"]) == ("budget", 200)
    assert result["text"] == "broken off"


def test_an_exit_selects_the_vcpu_that_it_is_about(opened: Open, done: Do) -> None:
    session = opened()
    done(session, "vcpu 1")
    done(session, "run 5000000")
    assert session.selected == 0


def test_apic_has_the_fields_of_the_contract(opened: Open, done: Do) -> None:
    session = opened()
    done(session, "run 5000000")
    view = done(session, "apic 0")
    assert (view["mode"], view["id"], view["tpr"], view["ppr"]) == ("xapic", 0, 0, 0)
    assert (view["isr"], view["irr"], view["tmr"]) == ([], [], [])
    assert view["icr"]["raw"] == 0xC4031
    assert view["icr"]["text"].startswith("FIXED vector 0x31")
    assert (view["svr"], view["esr"]) == (0x1FF, 0)
    assert list(view["lvt"]) == ["timer", "thermal", "perf", "lint0", "lint1", "error"]
    assert view["lvt"]["timer"]["raw"] == 0x1_0000


def test_the_lvt_of_illumos_has_cmci(opened: Open, done: Do) -> None:
    assert "cmci" in done(opened(profile="illumos"), "apic")["lvt"]


def test_regs_names_every_register(opened: Open, done: Do) -> None:
    view = done(opened(), "regs 1")
    assert (view["vcpu"], view["mode"], view["cpl"]) == (1, "real", 0)
    assert (view["rip"], view["cs"], view["cs.base"]) == (0xFFF0, 0xF000, 0xFFFF_0000)
    assert view["cr0"] == 0x6000_0010
    assert {"rax", "r15", "rflags", "gdtr.limit", "idtr.base", "efer"} <= view.keys()


@pytest.mark.parametrize(
    ("line", "icr", "targets"),
    [
        ("ipi init --to all-but-self --from 0", 0xC4500, [1, 2]),
        ("ipi raw 0xC4500", 0xC4500, [1, 2]),
        ("ipi sipi 8 --to 1", 0x0100_0000_0000_4608, [1]),
        ("ipi fixed 0x31 --to 2", 0x0200_0000_0000_4031, [2]),
        ("ipi nmi --to 1", 0x0100_0000_0000_4400, [1]),
        ("ipi fixed 0x31 --to all", 0x8_4031, [0, 1, 2]),
        ("ipi fixed 0x31 --to self --from 2", 0x4_4031, [2]),
        ("ipi fixed 0x31 --to 1 --level", 0x0100_0000_0000_C031, [1]),
        ("ipi init --to 1 --level --deassert --raw", 0x0100_0000_0000_8500, []),
        ("ipi fixed 0x31 --to 9 --raw", 0x0900_0000_0000_4031, []),
    ],
)
def test_an_ipi_spelled_out_is_its_icr(
    opened: Open, done: Do, line: str, icr: int, targets: list[int]
) -> None:
    view = done(opened(cpus=3), line)
    assert (view["icr"], view["targets"]) == (icr, targets)
    assert bool(view["dropped"]) is not bool(targets)


def test_init_and_sipi_by_hand_start_a_vcpu(opened: Open, done: Do) -> None:
    session = opened()
    done(session, "ipi init --to 1")
    assert done(session, "vcpus")[1]["state"] == "wait-for-sipi"
    done(session, "ipi sipi 8 --to 1")
    done(session, "vcpu 1")
    assert done(session, "step 1")["retired"] == 1
    assert done(session, "regs")["cs"] == 0x0800


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ipi fixed --to 1", "needs a vector"),
        ("ipi nmi 3 --to 1", "takes no vector"),
        ("ipi nmi", "needs --to"),
        ("ipi raw", "needs the ICR"),
        ("ipi raw 0xC4500 --to 1", "takes no --to"),
        ("ipi", "needs MODE"),
        ("ipi boot --to 1", "'boot' is not one of init, sipi"),
        ("ipi nmi --to one", "'one' is not a number"),
        ("ipi nmi --to 0x100", "8 bits"),
        ("ipi nmi --to 1 --from 7", "there is no vCPU 7"),
        ("ipi nmi --to", "needs a value"),
        ("ipi fixed 0x100 --to 1", "8 bits"),
        ("run many", "run: count 'many' is not a number"),
        ("run -5", "'-5' is not a number"),
        ("run 1 2", "'2' is too much"),
        ("step --fast", "has no option --fast"),
        ("vcpu 2", "there is no vCPU 2; they are 0 to 1"),
        ("answer 1", "vCPU 0 has no pending request"),
        ("discard 1", "vCPU 1 has no pending request"),
        ("mem", "mem needs ADDRESS"),
        ("mem 0xD0000000 4", "0xd0000000"),
        ("mem 0 0", "length 0"),
        ("mem 0 0x40000000", "length 1073741824"),
        ("mem 0 16 --physical --physical", "given twice"),
        ("disas 0xD0000000", "0xd0000000"),
        ("disas 0 0", "count 0"),
        ("break nowhere", "neither a number nor a known symbol"),
        ("delete 0x1234", "there is no breakpoint at 0x1234"),
        ("explain icr", "needs RAW"),
        ("explain cheese 1", "not one of icr"),
        ("sched fair", "not one of round-robin"),
        ("sched only 9", "there is no vCPU 9"),
        ("sched lockstep 1", "takes no vCPU"),
        ("quantum 0", "quantum 0"),
        ("console com9", "'com9'"),
        ("stpe", "there is no command 'stpe'; did you mean step?"),
        ("xyzzy", "there is no command 'xyzzy'; try help"),
        ("help stpe", "did you mean step?"),
        ("", "empty"),
        ("   ", "empty"),
        ("mem 'oops", "cannot be read"),
    ],
)
def test_bad_lines_are_refused_in_a_sentence_and_move_nothing(
    opened: Open, done: Do, refused: Refuse, line: str, why: str
) -> None:
    session = opened()
    looks = ("vcpus", "events 10", "regs", "apic", "bl", "sched", "pending")
    before = [done(session, look) for look in looks]
    assert why in refused(session, line)
    assert [done(session, look) for look in looks] == before


def test_a_read_needs_a_value_that_fits(
    opened: Open, done: Do, refused: Refuse
) -> None:
    session = opened()
    done(session, "run 5000000")
    assert "say which one" in refused(session, "answer")
    assert "does not fit in 4 bytes" in refused(session, "answer 0x100000000")
    assert "no pending request" in refused(session, "answer 1 1")
    assert done(session, "pending") == [READ]


def test_a_discarded_request_is_made_again(opened: Open, done: Do) -> None:
    session = opened()
    done(session, "run 5000000")
    assert done(session, "discard") == READ
    assert done(session, "pending") == []
    assert done(session, "run 10")["stop"] == "exit"
    assert done(session, "pending") == [READ]


def test_a_pending_write_needs_no_value(opened: Open, done: Do) -> None:
    session = opened("tests/guests/mmio-forms.bin", cpus=1)
    done(session, "run 1000")
    assert done(session, "answer")["value"] == 0x11


def test_a_request_on_a_port_names_the_port(opened: Open, done: Do) -> None:
    session = opened("tests/guests/inout.bin", cpus=1)
    assert done(session, "run 1000")["exit"]["code"] == "INOUT"
    assert done(session, "pending") == [
        {
            "vcpu": 0,
            "kind": "inout",
            "read": True,
            "port": 0x5658,
            "bytes": 4,
            "data": 0,
        }
    ]


def test_ports_that_float_ask_nobody(opened: Open, done: Do) -> None:
    session = opened("tests/guests/inout.bin", cpus=1, ports="float")
    assert done(session, "run 1000")["stop"] == "halted"


def test_breakpoints_stop_before_the_instruction(opened: Open, done: Do) -> None:
    session = opened()
    assert done(session, "b *send_sipi") == [0x1_0133]
    stop = done(session, "c")
    assert (stop["stop"], stop["exit"]["linear"]) == ("breakpoint", 0x1_0133)
    assert done(session, "regs")["rip"] == 0x1_0133
    assert done(session, "delete") == []
    assert done(session, "c 5000000")["stop"] == "exit"


def test_memory_is_shown_as_the_vcpu_sees_it(opened: Open, done: Do) -> None:
    session = opened()
    view = done(session, "mem start 4")
    assert view == {"address": 0x1_0000, "bytes": "fafc8cc8"}
    assert done(session, "x 0x10000 4 --physical") == view


def test_disassembly_follows_the_mode_and_names_symbols(opened: Open, done: Do) -> None:
    session = opened()
    first = done(session, "disas")[0]
    assert (first["linear"], first["mnemonic"], first["bytes"]) == (
        0x1_0000,
        "cli",
        "fa",
    )
    assert (first["symbol"], first["current"]) == ("start", True)
    done(session, "run 5000000")
    assert done(session, "u read_device 1")[0]["mnemonic"] == "movabs"


def test_events_carry_the_fields_of_their_record(opened: Open, done: Do) -> None:
    session = opened()
    done(session, "run 5000000")
    init = next(e for e in done(session, "events 1000") if e["kind"] == "ipi")
    assert (init["icr"], init["mode"], init["targets"]) == (0xC4500, "init", [1])
    assert (init["vcpu"], init["dropped"], init["times"]) == (0, "", 1)
    assert init["text"].startswith("IPI 0xc4500 (INIT")
    seqs = [e["seq"] for e in done(session, "events 5 --all")]
    assert seqs == list(range(seqs[0], seqs[0] + 5))


def test_explain_puts_an_icr_into_words(opened: Open, done: Do) -> None:
    view = done(opened(), "explain icr 0xC4500")
    assert view["text"] == "INIT, physical, assert, edge, all excluding self"
    assert {"name", "bits", "value", "meaning"} == view["fields"][0].keys()


def test_one_vcpu_alone_may_have_every_turn(opened: Open, done: Do) -> None:
    session = opened()
    assert done(session, "sched only 0")["only"] == 0
    assert done(session, "quantum 7")["quantum"] == 7
    done(session, "run 20000")
    assert done(session, "vcpus")[1]["retired"] == 0


def test_the_map_shows_memory_and_ports(opened: Open, done: Do) -> None:
    rows = done(opened(), "map")
    assert {
        "space": "memory",
        "first": 0,
        "last": (64 << 20) - 1,
        "name": "RAM",
    } in rows
    assert {"space": "port", "first": 0x3F8, "last": 0x3FF, "name": "com1"} in rows


@pytest.mark.parametrize("guest", ["triple-fault", "garbage", "jump-to-hole"])
def test_a_guest_that_goes_wrong_can_be_looked_at(
    opened: Open, done: Do, guest: str
) -> None:
    session = opened(f"tests/guests/{guest}.bin")
    stop = done(session, "run 100000")
    if guest != "garbage":
        assert stop["stop"] == {"triple-fault": "suspended"}.get(guest, "exit")
    for look in ("vcpus", "regs", "apic", "pending", "events", "console", "map"):
        done(session, look)
    assert snapshot.take(session).vcpus[0].regs["rip"] == done(session, "regs")["rip"]
    assert session.execute("step").result is None or guest != "triple-fault"


def test_every_result_is_json_and_every_command_has_help(
    opened: Open, done: Do
) -> None:
    session = opened()
    done(session, "run 5000000")
    for row in done(session, "help"):
        assert row["help"]
        assert row["effect"] in {"read-only", "mutating", "time-moving"}
        assert done(session, f"help {row['name']}") == [row]
        if row["effect"] == "read-only" and "[" not in row["usage"].split(" ", 1)[0]:
            outcome = session.execute(row["name"])
            json.dumps(outcome.to_dict())
    assert len(session.topics()) == len(done(session, "help"))


def test_help_on_catch_lists_the_events(opened: Open) -> None:
    text = opened().execute("help catch").text
    listed = text.splitlines()[-1].removeprefix("EVENT: ").split(", ")
    assert {"init", "sipi", "ipi", "eoi", "halt", "mode", "exit"} <= set(listed)


def test_one_act_is_not_several(opened: Open) -> None:
    session = opened()
    session.execute("step")
    assert "main         1 act, ends" in session.execute("branches").text
    session.execute("run 20")
    assert "main         2 acts, ends" in session.execute("branches").text


@pytest.mark.parametrize(
    ("line", "choice"),
    [("vcp", "vcpus"), ("ipi in", "ipi init"), ("ipi init --t", "ipi init --to"),
     ("break read_", "break read_device"), ("vcpu ", "vcpu 1"),
     ("help st", "help step"),
     ("explain i", "explain icr"), ("ipi init --from ", "ipi init --from 1"),
     ("apic ", "apic 0")],
)  # fmt: skip
def test_the_last_word_is_completed(opened: Open, line: str, choice: str) -> None:
    assert choice in completion.complete(opened(), line)


def test_nothing_completes_an_unknown_command(opened: Open) -> None:
    assert completion.complete(opened(), "xyzzy ") == []


def test_a_snapshot_outlives_what_it_shows(opened: Open, done: Do) -> None:
    session = opened()
    before = snapshot.take(session)
    done(session, "run 5000000")
    after = snapshot.take(session, Wanted(code=4, events=3))
    assert (before.now, before.vcpus[0].regs["rip"], before.pending) == (0, 0, ())
    assert str(before.vcpus[1].why).startswith("it was never started")
    assert len(after.vcpus[0].code) == 4
    assert len(after.events) == 3
    assert after.events_total > 3
    assert after.pending[0].address == 0xD000_0000
    assert after.symbols[0x1_0000] == "start"
    assert after.vcpus[0].apic.svr == 0x1FF
    assert after.vcpus[0].apic.timer_text == "stopped"


@pytest.mark.parametrize(
    "begun", ["ipi drop --from --from ", "ipi drop --nth --nth 2 "]
)
def test_an_option_that_is_another_ones_value_can_be_completed_after(
    opened: Open, begun: str
) -> None:
    assert all(line.startswith(begun) for line in completion.complete(opened(), begun))
