"""Rules: what they look like, what they answer, and what they may not do."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_sessions.errors import CommandError
from lapis_sessions.rules import expression, syntax
from lapis_sessions.session import Session

if TYPE_CHECKING:
    from pathlib import Path

Open = Callable[..., Session]
Do = Callable[[Session, str], Any]
Refuse = Callable[[Session, str], str]

READS = bytes.fromhex(
    "66ba00d00000"  # mov edx, 0xd000 (ports are wide enough to be told apart)
    "bb0300"  # mov bx, 3
    "eced"  # loop: in al, dx; in ax, dx
    "ee"  # out dx, al
    "4b75fa"  # dec bx; jnz loop
    "f4"  # hlt
)
"""Three times: a byte and a word are read from port 0xD000, and a byte is written."""


@pytest.fixture
def reads(opened: Open, tmp_path: Path) -> Session:
    path = tmp_path / "reads.bin"
    path.write_bytes(READS)
    return opened(str(path), cpus=1)


def answers(session: Session) -> list[tuple[str, int | None]]:
    rows = session.execute("requests 100").result
    return [(row["by"], row["value"]) for row in rows]


# Expressions.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("count*4", 28),
        ("0x1000 + (address & 0xfff)", 0x1FED),
        ("~0 & 0xff", 0xFF),
        ("-7 // 2", -4),
        ("-7 % 4", 1),
        ("1 << size * 8 - 1", 1 << 31),
        ("2 ** 100 >> 99", 2),
        ("min(3, count, 9) + max(1, 2) + abs(-5)", 10),
        ("1 if read and not data else 0", 1),
        ("0 or 5", 5),
        ("0 and 1 // 0", 0),
        ("1 < count <= 7", 1),
        ("1 < count < 7", 0),
        ("count == 7 != 8", 1),
        ("True", 1),
        ("+count", 7),
        ("~(count == 7)", -2),
        ("1 > count > 1 // 0", 0),
        ("count and size or 9", 4),
        ("(-2) ** 127", -(2**127)),
        ("1 << 127 >> 127", 1),
    ],
)
def test_an_expression_is_what_python_makes_of_it(text: str, value: int) -> None:
    names = dict.fromkeys(expression.NAMES, 0)
    names |= {"count": 7, "address": 0xFED, "size": 4, "read": 1}
    (node,) = expression.parse(text)
    assert expression.evaluate(node, names) == value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # ~ of a bool
        assert int(eval(text, {}, dict(names))) == value


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "()", "1 +", "1; 2", "x = 1", "lambda: 1", "open", "__import__('os')",
        "().__class__", "count.real", "data[0]", "'a'*9", "1.5", "1e9", "1/2", "2j",
        "[1]", "{1}", "f'{count}'", "b'1'", "None", "...", "min()", "min(*[1])",
        "max(1, key=2)", "print(1)", "(lambda: 1)()", "[x for x in (1,)]", "(yield)",
        "await count", "1.", "(n := 1)", "count is 1", "count in (1,)", "min",
        "-" * 300 + "1", "(" * 300 + "1" + ")" * 99, "1+" * 190 + "1", "9" * 399,
        "1" * 5000,
        "\0", "1\n2", "count @ 1", "min(1)(2)", "count if count",
        "1 << 9 in (9,)", "len(count)", "sum(1, 2)", "sorted(1)", "'a' 'b'", "count,,",
        "lambda: " + "-" * 390 + "1", "True is True", "1, 'a'", "(1, (2, 3))",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(CommandError):
        expression.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "1 // count", "1 % count", "1 << 999", "1 << -1", "1 >> 200", "2 ** -1",
        "9 ** 9 ** 9", "(2 ** 127) * (2 ** 127)", "2 ** 128", "abs(1, 2)",
        "9 ** 128", "(1 << 127) + (1 << 127)", "-(-2) ** 128",
        "~((1 << 127) + ((1 << 127) - 1))",
        "1 ** (1 << 90)", "count ** -1", "0 >> 999", "0 << (1 << 100)", "min(count)",
        "*".join(["(1 << 120)"] * 30), "**".join(["2"] * 40),
        "max(1, " + "+".join(["9 ** 40"] * 39) + ") ** 2",
    ],
)  # fmt: skip
def test_what_comes_to_too_much_is_an_error_and_soon(text: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(CommandError):
        expression.evaluate(
            expression.parse(text)[0], dict.fromkeys(expression.NAMES, 0)
        )
    assert time.perf_counter() - begun < 0.5


@given(
    st.text(
        st.sampled_from("0123456789abxcountmin()+-*/%<>&|^~,. =if\"'[]:"), max_size=40
    )
)
def test_no_text_does_anything_but_give_an_integer_or_an_error(text: str) -> None:
    names = dict.fromkeys(expression.NAMES, 3)
    with suppress(CommandError):
        for node in expression.parse(text):
            assert isinstance(expression.evaluate(node, names), int)


# Syntax.


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "WHERE = HOW"),
        ("mmio 0x1000", "WHERE = HOW"),
        ("mmio 0x1000 =", "WHERE = HOW"),
        ("= 1", "WHERE = HOW"),
        ("memory 1 = 1", "'memory'"),
        ("mmio = 1", "needs a number"),
        ("mmio zero = 1", "'zero'"),
        ("mmio 0x10/0 = 1", "at least 1"),
        ("mmio 0x10/x = 1", "'x'"),
        ("port 1 read write = 1", "'write'"),
        ("port 1 vcpu = 1", "vcpu needs"),
        ("port 1 often = 1", "'often'"),
        ("any = once 1, 2", "one value"),
        ("any = fault zz", "'zz'"),
        ("any = fault gp x", "'x'"),
        ("any = device 3", "is not"),
        ("any = file /nowhere/at/all", "no such file"),
        ("any = eval(1)", "there is no function 'eval'"),
        ("any = countt", "no 'countt'; did you mean count?"),
        ("any if = 1", "it is empty"),
        ("any if data == 1", "WHERE = HOW"),
        ("any if data === 1 = 1", "'=' is not taken: == compares"),
        ("any if data, 1 = 1", "2 conditions behind if, and not one"),
        ("if data = 1", "WHERE = HOW"),
        ("any = 1, count / 2", "'/' is not taken: // divides, and rounds down"),
        ("any = addres", "no 'addres'; did you mean address?"),
        ("any = 1 +", "'1 +' is not an expression of a rule: it ends too soon"),
    ],
)
def test_a_rule_that_does_not_parse_is_refused(
    reads: Session, refused: Refuse, text: str, word: str
) -> None:
    assert word in refused(reads, f'rule add "{text}"')
    assert reads.rules.rules == []


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        # What an old rule says is what it said.
        ("port 0xd000 = count * 2 + vcpu", [0, 2, 4, 6, 8, 10]),
        ("port 0xd000 = size, 7, port >> 8", [1, 7, 0xD0]),
        # BX counts down from 3, and DX holds the port.
        ("port 0xd000 = bx", [3, 3, 2, 2, 1, 1]),
        ("port 0xd000 = vcpu[0].rbx + vcpu", [3, 3, 2, 2, 1, 1]),
        ("port 0xd000 = (msr[0x1b] >> 12) & 0xff", [0] * 6),
        ("port 0xd000 = apic.tpr + u8(phys(0x10003))", [0xD0] * 6),
        ("port 0xd000 = len([1, 2]) if 2 in [size] else 5", [5, 2, 5, 2, 5, 2]),
        ("port 0xd000 if size == 1 and bx >= 2 = 9", [9]),
        ("port 0xd000 if vcpu[vcpu].rbx == 3 = 1, 2", [1, 2]),
        ("port 0xd000 read if 1 <= size = data == 0", [1, 1, 1, 1, 1, 1]),
    ],
)
def test_a_rule_may_speak_of_the_whole_machine(
    reads: Session, done: Do, rule: str, values: list[int]
) -> None:
    """The writes are the user's."""
    done(reads, f"rule add '{rule}'")
    for _ in range(12):
        if done(reads, "run 100").get("stop") != "exit" or not reads.machine.pending():
            break
        if reads.machine.pending()[0].read:
            break  # the rule does not answer any more
        done(reads, "answer")
    given = [value for by, value in answers(reads) if by == "rule 1"]
    assert [value for value in given if value is not None] == values


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("any = mode", "'mode' comes to no number"),
        ("any if u8(0xfffffff0) = 1", "has no value"),
        ("any = vcpu[9].rax", "there is no vCPU 9"),
    ],
)
def test_a_rule_without_a_value_is_disabled_and_says_why(
    reads: Session, done: Do, rule: str, why: str
) -> None:
    done(reads, f"rule add '{rule}'")
    stop = done(reads, "run 100")
    assert "rule 1 is disabled: " in stop["text"]
    assert why in stop["text"]
    assert reads.machine.pending()
    assert done(reads, "rules")[0]["state"] == "disabled"


def test_why_says_which_condition_did_not_hold(reads: Session, done: Do) -> None:
    done(reads, "rule add 'any if bx == 77 = 1'")
    done(reads, "run 100")
    assert "rule 1, any if bx == 77 = 1: bx == 77 does not hold" in (
        reads.execute("why request").text
    )


@pytest.mark.parametrize("data", [b"", b"# none\n", b"1 two 3", b"\xff\xfe", b"-1"])
def test_a_file_without_numbers_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "values"
    path.write_bytes(data)
    with pytest.raises(CommandError, match="values"):
        syntax.parse(f"any = file {path}", 1)


@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    with suppress(CommandError):
        assert syntax.parse(text, 1).text == text.strip()


# Answering.


def test_always_counts_its_answers_and_lets_writes_be(reads: Session, done: Do) -> None:
    done(reads, "rule add 'port 0xd000 = count*4'")
    assert done(reads, "run 1000")["stop"] == "halted"
    given_ = [value for _, value in answers(reads)]
    assert given_ == [0, 4, None, 8, 12, None, 16, 20, None]
    assert {by for by, _ in answers(reads)} == {"rule 1"}
    (row,) = done(reads, "rules")
    assert (row["answered"], row["state"]) == (9, "on")
    assert row["last"][-1] == {
        "request": "OUT to port 0xd000, 1 bytes = 0x14", "given": "taken",
    }  # fmt: skip


def test_a_sequence_is_used_up_and_the_next_request_waits(
    reads: Session, done: Do
) -> None:
    done(reads, "rule add 'port 0xd000 = 7, size, 9'")
    stop = done(reads, "run 1000")
    assert (stop["stop"], stop["exit"]["code"]) == ("exit", "INOUT")
    assert [value for _, value in answers(reads)] == [7, 2, None, 9, None]
    assert done(reads, "rules")[0]["state"] == "used up"
    assert len(done(reads, "pending")) == 1


def test_once_cycle_file_and_direction(
    reads: Session, done: Do, tmp_path: Path
) -> None:
    path = tmp_path / "values"
    path.write_text("0x11, 18 # the first two\n19\n")
    done(reads, "rule add 'port 0xd000 read = once 1'")
    done(reads, f"rule add 'port 0xd000 in = file {path}'")
    done(reads, "rule add 'port 0xd000/2 in = cycle 5, 6'")
    done(reads, "rule add 'any write = 0'")
    assert done(reads, "run 1000")["stop"] == "halted"
    reads_ = [(by, value) for by, value in answers(reads) if value is not None]
    assert reads_ == [
        ("rule 1", 1), ("rule 2", 0x11), ("rule 2", 18), ("rule 2", 19),
        ("rule 3", 5), ("rule 3", 6),
    ]  # fmt: skip
    assert [row["state"] for row in done(reads, "rules")] == [
        "used up", "used up", "on", "on",
    ]  # fmt: skip


def test_a_range_holds_the_whole_access_and_a_place_its_beginning(
    reads: Session, done: Do
) -> None:
    done(reads, "rule add 'port 0xcfff/2 = 1'")
    assert done(reads, "run 1000")["stop"] == "exit"
    assert answers(reads)[0] == ("rule 1", 1)
    assert done(reads, "pending")[0]["bytes"] == 2  # it reaches beyond the range
    done(reads, "rule add 'port 0xd001 = 2'")
    assert len(done(reads, "pending")) == 1
    done(reads, "rule add 'port 0xd000 vcpu 1 = 2'")
    assert len(done(reads, "pending")) == 1
    done(reads, "rule add 'port 0xd000 vcpu 0 = 2'")
    assert done(reads, "run 1000")["stop"] == "halted"


def test_answer_rule_settles_what_waits_at_once(reads: Session, done: Do) -> None:
    done(reads, "run 1000")
    rule = done(reads, "answer --rule 'any = 3'")
    assert (rule["number"], rule["answered"]) == (1, 1)
    assert done(reads, "pending") == []


def test_a_rule_that_raises_is_disabled_and_told_once(reads: Session, done: Do) -> None:
    done(reads, "rule add 'port 0xd000 = 12 // (1 - count)'")
    stop = done(reads, "run 1000")
    assert stop["stop"] == "exit"
    assert (
        "rule 1 is disabled: '12 // (1 - count)' has no value: division by zero"
        in stop["text"]
    )
    assert "IN 2 from port 0xd000" in stop["text"]
    assert [request["bytes"] for request in done(reads, "pending")] == [2]
    assert done(reads, "rules")[0]["state"] == "disabled"
    again = done(reads, "run 1000")
    assert "disabled" not in again["text"]
    assert len(done(reads, "pending")) == 1


def test_a_value_that_does_not_fit_disables_its_rule(reads: Session, done: Do) -> None:
    rule = done(reads, "rule add 'any = 0x100'")
    assert rule["state"] == "on"
    stop = done(reads, "run 1000")
    assert "0x100 does not fit in 1 bytes" in stop["text"]
    assert "IN from port 0xd000" in stop["text"]
    assert len(done(reads, "pending")) == 1


def test_a_rule_asks_the_built_in_device(opened: Open, done: Do) -> None:
    session = opened()
    done(session, "trap mmio 0xfee00000/0x1000")
    done(session, "rule add 'mmio 0xfee00000/0x1000 = device'")
    done(session, "rule add 'mmio 0xd0000000 = 0x1234'")
    plain = opened()
    done(plain, "rule add 'any = 0x1234'")
    assert done(session, "run 5000000")["stop"] == "halted"
    assert done(plain, "run 5000000")["stop"] == "halted"
    assert done(session, "console") == done(plain, "console")
    rows = done(session, "requests 1000")
    assert {row["by"] for row in rows} == {"rule 1, device", "rule 2"}
    assert done(session, "apic 1") == done(plain, "apic 1")


def test_step_counts_what_a_rule_finishes(reads: Session, done: Do) -> None:
    done(reads, "rule add 'any = 1'")
    assert done(reads, "step 2")["retired"] == 2
    stop = done(reads, "step")
    assert (stop["stop"], stop["retired"]) == ("budget", 1)
    assert answers(reads) == [("rule 1", 1)]
    assert done(reads, "regs")["rip"] == 10


def test_rules_are_deleted_by_number(reads: Session, done: Do, refused: Refuse) -> None:
    for value in (1, 2, 3):
        done(reads, f"rule add 'any = {value}'")
    assert [row["number"] for row in done(reads, "rule delete 2")] == [1, 3]
    assert "there are: 1, 3" in refused(reads, "rule delete 2")
    assert done(reads, "rule delete") == []
    assert done(reads, "rule add 'any = 1'")["number"] == 4


def test_a_read_modify_write_is_answered_in_both_halves(
    opened: Open, done: Do, tmp_path: Path
) -> None:
    path = tmp_path / "or.bin"  # or dword fs:[0], 1 needs no more than a base of FS
    path.write_bytes(bytes.fromhex("6466830e000001f4"))
    session = opened(str(path), cpus=1)
    regs = session.machine.vcpu(0).regs
    regs.set_base(4, 0xD000_0000)
    done(session, "rule add 'mmio 0xd0000000 = 0x70'")
    stop = done(session, "run 100")
    assert (stop["stop"], answers(session)) == (
        "halted", [("rule 1", 0x70), ("rule 1", None)],
    )  # fmt: skip
    rows = done(session, "requests")
    assert [row["data"] for row in rows] == [0, 0x71]


def test_replay_needs_no_rules(opened: Open, done: Do) -> None:
    session = opened(cpus=2)
    done(session, "rule add 'any = 0x4321'")
    done(session, "run 5000000")
    entries = list(session.timeline.branch.entries)
    verbs = [entry.act.verb for entry in entries]
    assert "answer" in verbs
    args = next(dict(e.act.args) for e in entries if e.act.verb == "answer")
    assert args == {"number": 0, "value": 0x4321, "by": "rule 1"}
    console, events = done(session, "console"), done(session, "requests")
    start, end = session.timeline.branch.kept[0].spot, session.timeline.spot
    done(session, "rule delete")
    session.timeline.go(start)
    assert done(session, "requests") == []
    session.timeline.go(end)
    assert (done(session, "console"), done(session, "requests")) == (console, events)


def test_run_to_an_event_that_a_rule_causes_stops_there(
    reads: Session, done: Do
) -> None:
    done(reads, "rule add 'any = 1'")
    done(reads, "run 4")
    seq = reads.machine.log.next_seq + 3
    stop = done(reads, f"run-to {seq}")
    assert stop["stop"] == "catch"
    assert reads.machine.log.next_seq == seq + 1


def test_a_rep_that_asks_for_ever_can_be_broken_off(
    opened: Open, done: Do, tmp_path: Path
) -> None:
    path = tmp_path / "rep.bin"  # mov edx, 0xd000; mov ecx, -1; a32 rep outsb
    path.write_bytes(bytes.fromhex("66ba00d0000066b9ffffffff67f36e"))
    session = opened(str(path), cpus=1)
    done(session, "rule add 'any = 0'")
    asked: list[int] = []

    def pace(left: int) -> int:
        asked.append(left)
        return left if len(asked) < 5 else 0

    stop = session.execute("run", pace=pace).result
    assert stop["text"] == "broken off"
    assert done(session, "rules")[0]["answered"] >= 3


@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
@pytest.mark.parametrize(("size", "code"), [(1, "a4"), (2, "a5"), (4, "66a5")])
def test_a_memcpy_by_rule_arrives_intact(
    opened: Open, done: Do, tmp_path: Path, size: int, code: str, *, down: bool
) -> None:
    """From the device over a page boundary into RAM, and from there back."""
    path = tmp_path / "memcpy.bin"
    string = code[:2] + "f3a5" if size == 4 else "f3" + code
    way = "fd" if down else "fc"
    path.write_bytes(bytes.fromhex(way + string + "f4"))
    session = opened(str(path), cpus=1)
    count = 12
    first = 0xFF0 + (size * (count - 1) if down else 0)
    regs = session.machine.vcpu(0).regs
    regs.set_base(3, 0xD000_0000)  # DS
    regs.set_base(0, 0x2_0000)  # ES
    regs.gpr[6] = regs.gpr[7] = first
    regs.gpr[1] = count
    mask = (1 << 8 * size) - 1
    done(session, f"rule add 'mmio 0xd0000000/0x10000 = address * 0x01030507 & {mask}'")
    assert done(session, "run 100")["stop"] == "halted"
    wanted = b"".join(
        ((0xD000_0FF0 + size * n) * 0x0103_0507 & mask).to_bytes(size, "little")
        for n in range(count)
    )
    assert session.machine.read_physical(0x2_0FF0, len(wanted)) == wanted
    regs.set_base(3, 0x2_0000)
    regs.set_base(0, 0xD000_0000)
    regs.gpr[6] = regs.gpr[7] = first
    regs.gpr[1], regs.rip = count, 0
    session.machine.vcpu(0).halted = False
    assert done(session, "run 100")["stop"] == "halted"
    written = [row for row in done(session, "requests 1000") if not row["read"]]
    found = {
        row["gpa"]: row["data"].to_bytes(row["bytes"], "little") for row in written
    }
    assert len(written) == count
    assert b"".join(found[at] for at in sorted(found)) == wanted
