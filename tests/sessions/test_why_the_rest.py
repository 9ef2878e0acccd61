"""`why pending`, `why exit`, `why not` and `why diverged`: the cause comes first.

What must be told is from how each case was made: which address nobody has, which rule
is for something else, which instruction a breakpoint lies within.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rigs.asking import CODE, asking
from rigs.counting import done
from rigs.screens import bringup

from lapis_engine.cpu import selfcheck
from lapis_engine.errors import EngineError
from lapis_engine.replay import entries
from lapis_engine.replay.capture import Position
from lapis_engine.vmm import exits as vmm_exits
from lapis_engine.why.exits import MEANINGS
from lapis_engine.why.stopping import catch

if TYPE_CHECKING:
    from lapis_sessions.session import Session

READ = "a1000000d0"  # mov eax, [0xd0000000]
WRITE = "a3000000d0"
IN = "e4e0"  # in al, 0xe0


def rules(view: dict[str, Any], *, blocking: bool = True) -> list[str]:
    return [each["rule"] for each in view["reasons"] if each["blocks"] == blocking]


@pytest.mark.parametrize(
    ("code", "lines", "first", "names"),
    [
        (READ, (), "unclaimed", "0xd0000000"),
        (WRITE, (), "unclaimed", "0xd0000000"),
        (IN, (), "unclaimed", "port 0xe0"),
        ("e440", ("trap port 0x40",), "trap", "trap 1: port 0x40"),
        ("a10000c0fe", ("trap mmio 0xfec00000/0x20",),
         "trap", "trap 1: mmio 0xfec00000/0x20"),
        ("b91b000000 0f32", ("trap msr 0x1b",), "trap", "trap 1: msr 0x1b"),
    ],
)  # fmt: skip
def test_an_access_is_asked_for_what_makes_it_one(
    code: str, lines: tuple[str, ...], first: str, names: str
) -> None:
    view = done(asking(code, *lines), "why pending")
    assert rules(view) == [first]
    assert names in view["text"]
    also = rules(view, blocking=False)
    assert "instruction" in also
    assert ("policy" in also) == (first == "unclaimed")


def test_what_lies_beside_it_is_named() -> None:
    session = asking("a1 f0ffffd0", machine="pc")
    text = session.execute("why pending").text
    claims = [where for where, _ in session.machine.vm.mmio.claims()]
    regions = session.machine.vm.memory.regions
    address = session.machine.pending()[0].address
    below = max(
        [w.first for w in claims if w.first < address]
        + [r.gpa for r in regions if r.gpa < address]
    )
    above = min(
        [w.first for w in claims if w.first > address]
        + [r.gpa for r in regions if r.gpa > address]
        + [0xFEE0_0000]
    )
    assert f", {below:#x} to" in text
    assert f", {above:#x} to" in text


def test_an_msr_is_asked_for_by_a_profile_that_does() -> None:
    session = asking("b934120000 0f32", profile="illumos")
    view = done(session, "why pending")
    assert rules(view) == ["unknown-msr"]
    assert view["reasons"][0]["values"] == {"msr": 0x1234}


def test_what_vie_has_no_instruction_for_is_asked_as_a_whole() -> None:
    session = asking("f0ff05000000d0", profile="illumos")  # lock inc [0xd0000000]
    view = done(session, "why pending")
    assert rules(view) == ["no-emulation"]
    assert view["reasons"][0]["values"] == {"address": 0xD000_0000}
    assert "[f0 ff 05 00 00 00 d0" in view["text"]


def test_who_waits_for_nothing_says_so() -> None:
    view = done(bringup(), "why pending")
    assert (view["request"], view["reasons"]) == (None, [])
    assert "waits for no answer" in view["text"]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("port 0x80 = 1", "rule-space"), ("mmio 0xd0000004 = 1", "rule-range"),
        ("mmio 0xd0000000 write = 1", "rule-direction"),
        ("mmio 0xd0000000 vcpu 1 = 1", "rule-vcpu"),
    ],
)  # fmt: skip
def test_a_rule_that_did_not_answer_says_why(rule: str, code: str) -> None:
    session = asking(READ, cpus=2)
    done(session, f'rule add "{rule}"')
    assert code in rules(done(session, "why pending"))


def test_a_rule_that_is_used_up_says_so() -> None:
    session = asking(READ + READ)
    done(session, 'rule add "mmio 0xd0000000 = once 1"')
    done(session, "run 1000")
    assert session.machine.pending()
    assert "rule-used-up" in rules(done(session, "why pending"))


# Exits.


def test_an_exit_is_told_with_what_is_asked_and_then_with_what_settled_it() -> None:
    session = asking(READ)
    view = done(session, "why exit")
    assert (view["code"], view["rip"]) == ("MMIO", CODE)
    accepted = [r["text"] for r in view["reasons"] if r["rule"] == "accepted"]
    assert any(text.startswith("VEC_FULFILL_MMIO: with read=1") for text in accepted)
    assert not any("VEC_FULFILL_INOUT" in text for text in accepted)
    done(session, "answer 5")
    view = done(session, "why exit")
    assert view["code"] == "MMIO"
    assert rules(view, blocking=False) == ["means", "settled"]


def test_an_exit_that_ended_the_machine_says_so() -> None:
    view = done(asking("0f0b"), "why exit")  # ud2, without an IDT
    assert (view["code"], rules(view)) == ("SUSPENDED", ["suspended"])


def test_who_never_came_out_says_so() -> None:
    view = done(bringup(), "why exit 1")
    assert (view["code"], view["seq"], view["reasons"]) == (None, None, [])


def test_every_exit_has_a_meaning() -> None:
    codes = {each.code for each in vmm_exits.Exit.__args__}
    assert codes == set(MEANINGS)


# Breakpoints, watchpoints, catches.


@pytest.fixture
def session() -> Session:
    """Stand behind `mov ds, ax`: two of the guest's instructions lie behind."""
    return asking("b805000000bb0600000089c1" + READ, cpus=2)


def test_a_breakpoint_within_an_instruction(session: Session) -> None:
    start = session.machine.vcpu(0).regs.linear_rip - 12
    assert start == CODE
    session.symbols = session.symbols.of_guest("asks.bin", [("begin", start)])
    for off in (1, 4, 6, 11):
        done(session, f"break {start + off:#x}")
        view = done(session, f"why not break {start + off:#x}")
        inside = max(at for at in (0, 5, 10) if at <= off)
        assert rules(view) == ["boundary"]
        assert view["reasons"][0]["values"]["address"] == start + inside
    for off in (0, 5, 10, 12):
        done(session, f"break {start + off:#x}")
        view = done(session, f"why not break {start + off:#x}")
        assert rules(view) == []


def test_what_is_linear_is_not_said_of_a_physical_breakpoint(session: Session) -> None:
    session.symbols = session.symbols.of_guest("asks.bin", [("begin", CODE)])
    done(session, f"break {CODE + 1:#x} --physical")
    done(session, "break 0x600 --physical")
    for number in (1, 2):
        assert rules(done(session, f"why not break {number}")) == []


def test_a_breakpoint_where_nobody_can_execute(session: Session) -> None:
    done(session, "break 0x90000000")
    view = done(session, "why not break 1")
    assert rules(view) == ["unmapped"]
    assert "0x90000000" in view["text"]


def test_a_breakpoint_that_is_off_or_for_another(session: Session) -> None:
    done(session, "break 0x10050")
    done(session, "disable 1")
    done(session, "break 0x10051 --vcpu 1")
    assert rules(done(session, "why not break 1")) == ["disabled"]
    view = done(session, "why not break 2")
    assert rules(view)[0] == "not-running"
    assert "never started" in view["text"]


LOOP = "b805000000 48 75fd"  # mov eax, 5; dec eax; jnz


def test_conditions_and_other_vcpus_are_counted() -> None:
    session = asking("90" + READ + LOOP)
    at = CODE + 11  # dec eax, five times
    done(session, f"break {at:#x} if eax == 99")
    done(session, f"break {at:#x} --skip 100")
    done(session, "answer 0")
    done(session, "run 1000")
    view = done(session, "why not break 1")
    assert rules(view) == ["condition"]
    assert view["reasons"][0]["values"]["unmet"] == 5
    view = done(session, "why not break 2")
    assert (view["hits"], rules(view)) == (5, ["skip"])


def test_a_watch_of_memory_that_the_address_no_longer_means() -> None:
    session = bringup()
    done(session, "continue")  # paging is on
    done(session, "watch 0x500")
    assert rules(done(session, "why not watch 1")) == []
    (item,) = session.machine.watches.items
    item.places = ((0x700, 4),)  # as if the tables had been changed since
    view = done(session, "why not watch 1")
    assert rules(view) == ["remapped"]
    assert view["reasons"][0]["values"] == {"watched": 0x700, "now": 0x500}


def test_a_watch_that_wants_a_change_says_so() -> None:
    session = asking(READ)
    done(session, "watch 0x500 --change")
    done(session, "watch 0x504")
    assert rules(done(session, "why not watch 1"), blocking=False) == ["change"]
    assert rules(done(session, "why not watch 2"), blocking=False) == []


@pytest.mark.parametrize(
    ("line", "rule", "names"),
    [
        ("catch reset", "none", "nothing of that kind"),
        ("catch ipi --vector 0x77", "vector", "0x77"),
        ("catch ipi --mode nmi", "mode", "init"),
        ("catch boot --vcpu 0", "vcpu", "0x1"),
        ("catch ipi --to 0", "to", "0x1"),
        ("catch ipi --mode init --vector 0x31", "together", "met all"),
        ("catch ipi if event.vector == 0x77", "condition", "its condition"),
        ("catch ipi --mode init", "earlier", "before it was set"),
    ],
)
def test_a_catch_tells_what_the_events_have_instead(
    line: str, rule: str, names: str
) -> None:
    session = bringup()
    done(session, "continue")
    done(session, line)
    view = done(session, "why not catch 1")
    assert rules(view) == [rule]
    assert names in view["text"]


def test_a_catch_that_was_met_has_nothing_against_it() -> None:
    session = bringup()
    done(session, "catch ipi")
    done(session, "continue")
    view = done(session, "why not catch 1")
    assert (view["hits"], view["reasons"]) == (1, [])


def test_there_must_be_such_a_one() -> None:
    session = bringup()
    with pytest.raises(EngineError, match="there is no catch 4; there are: none"):
        catch(session.machine, 4)
    assert "there is no breakpoint 4" in session.execute("why not break 4").text
    assert "there is no watchpoint 4" in session.execute("why not watch 4").text
    assert not session.execute("why not").ok


# What is slow.


def test_who_waits_in_a_loop_is_told_first() -> None:
    # inc [0x700]; again: cmp dword [0x500], 1; jne again
    session = asking("ff0500070000 833d0005000001 75f7")
    view = done(session, "why slow")
    assert rules(view)[0] == "spins"
    values = view["reasons"][0]["values"]
    assert (values["address"], values["value"], values["bytes"]) == (0x500, 0, 4)
    assert view["text"].startswith("vCPU 0: it spins at ")
    done(session, "set u32(0x500) = 1")
    done(session, "run 1000")  # and it halts
    assert "spins" not in rules(done(session, "why slow"))


def test_what_comes_again_and_again_is_counted() -> None:
    # mov ecx, 0x1b; mov esi, 40; again: rdmsr; dec esi; jne again
    session = asking("b91b000000 be28000000 0f32 4e 75fb")
    view = done(session, "why slow")
    (row,) = [r for r in view["reasons"] if r["rule"] == "often"]
    assert row["values"]["count"] == 40
    assert row["values"]["every"] in range(3, 6)  # three instructions a round
    most = view["events"][0]
    assert (most["vcpu"], most["what"], most["count"]) == (0, "RDMSR 0x1b", 40)


def test_what_the_debugger_adds_is_told() -> None:
    session = asking("90")
    is_counted = isinstance(selfcheck.blocks_library(), str)
    view = done(session, "why slow")
    assert ("counted" in rules(view)) == is_counted
    assert view["text"].startswith("nothing is seen") != is_counted
    done(session, "watch 0x500")
    assert "watch" in rules(done(session, "why slow"))
    done(session, "watch port 0x80")
    done(session, "disable 1")
    assert "watch" not in rules(done(session, "why slow"))  # a port costs nothing


def test_what_the_user_chose_is_told() -> None:
    session = asking("90" + READ + LOOP, quantum=1, strict=True, cost="pc")
    done(session, "catch ipi")
    done(session, f"break {CODE + 11:#x} if eax == 99")
    done(session, "answer 0")
    done(session, "run 1000")
    view = done(session, "why slow")
    apart = {"often", "counted"}  # what the guest does, and what the core is
    chosen = [rule for rule in rules(view) if rule not in apart]
    assert chosen == ["strict", "conditions", "quantum"]
    assert rules(view, blocking=False) == ["catches", "costs"]
    plain = done(asking("90"), "why slow")
    assert set(rules(plain)) <= apart
    assert rules(plain, blocking=False) == []


# Divergence.


def test_a_divergence_is_kept_and_told_with_repairs() -> None:
    session = bringup()
    done(session, "continue")
    view = done(session, "why diverged")
    assert (view["act"], view["done"], view["known"]) == (None, 1, 1)
    branch = session.timeline.branch
    was = branch.entries[0]
    wrong = Position(was.end.retired, was.end.seq + 1, *was.end[2:])
    branch.entries[0] = entries.Entry(was.act, was.start, wrong, was.reason)
    done(session, "goto start")
    assert not session.execute("goto end").ok
    view = done(session, "why diverged")
    assert view["act"] == was.act.text
    assert (view["wanted"], view["came"]) == (wrong.text, was.end.text)
    assert "a fault of Lapis" in session.execute("why diverged").text
    session.recorded_by = 6
    assert "repaired since engine 6" in session.execute("why diverged").text
