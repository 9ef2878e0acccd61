"""The requests pane: a question answered wrongly, then rightly, by keys alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rigs.asking import asking
from rigs.screens import Driver, bringup, drive, look

from lapis_tui.blocks.asked import binary, entered, is_begun
from lapis_tui.blocks.lines import ELLIPSIS, Line, plain
from lapis_tui.blocks.requests import BESIDE, by
from lapis_tui.panes import requests as pane
from lapis_tui.screens.ask import AskScreen


@pytest.mark.parametrize("size", [(80, 15), (120, 36), (200, 56)])
def test_what_waits_and_what_was_answered(size: tuple[int, int]) -> None:
    session = bringup()
    view = look(session, "run")
    rows = pane.render(view, size)
    assert all(row.width <= size[0] for row in rows)
    text = plain(rows)
    assert "read   mmio d0000000" in text
    assert "4 bytes" in text
    assert "nothing yet" in text
    session.execute("answer 0x1234")
    text = plain(pane.render(look(session), size))
    assert "nothing waits" in text
    assert "= 0x1234  you" in text


@pytest.mark.parametrize(
    ("text", "size", "value"),
    [
        ("0x1234", 2, 0x1234), ("1234", 2, 1234), ("0b1010", 1, 10),
        ("-1", 4, 2**32 - 1),
        ("-0x80", 1, 0x80), ("'A'", 1, 0x41), ("-1", 8, 2**64 - 1), (" 7 ", 1, 7),
    ],
)  # fmt: skip
def test_an_answer_is_read(text: str, size: int, value: int) -> None:
    assert entered(text, size) == value


@pytest.mark.parametrize("text", ["zz", "", "--1", "-", "'", "''", "0x", "1 2"])
def test_what_is_no_number_says_what_is(text: str) -> None:
    why = entered(text, 4)
    assert isinstance(why, str)
    assert why.endswith("is not a number: 0x1234, 1234, 0b1010, -1, 'A'")


@pytest.mark.parametrize(("text", "size"), [("256", 1), ("-129", 1), ("0x10000", 2)])
def test_what_is_too_wide_is_refused(text: str, size: int) -> None:
    why = entered(text, size)
    assert isinstance(why, str)
    assert "too wide" in why


def test_wrongly_then_rightly() -> None:
    """The field stays with its text and says what is wrong; back to the question."""
    session = bringup()

    async def play(driver: Driver) -> None:
        await driver.press("c")
        assert driver.view.now.pending
        await driver.press("4")
        assert driver.app.main.focused_name == "requests"
        await driver.press("enter")
        await driver.type("zz")
        await driver.press("enter")
        assert "'zz' is not a number" in driver.text
        assert driver.view.now.pending
        await driver.press("backspace", "backspace")
        await driver.type("0x100000000")
        await driver.press("enter")
        assert "too wide: 4 bytes" in driver.text
        await driver.press(*["backspace"] * len("0x100000000"))
        await driver.type("0x1234")
        await driver.press("enter")
        await driver.until(lambda: not driver.view.now.pending)
        await driver.press()
        assert "= 0x1234  you" in driver.text
        assert driver.app.main.focused_name == "requests"
        await driver.press("u")
        await driver.until(lambda: bool(driver.view.now.pending))

    drive(session, play, (80, 25))


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ("p", "= 0x0  you"), ("f", "= 0xffffffff  you"), ("D", "discarded  you"),
        ("xg", "#GP"), ("xu", "#UD"), ("xp", "#PF"),
    ],
)  # fmt: skip
def test_each_key_settles_it(keys: str, shown: str) -> None:
    async def play(driver: Driver) -> None:
        await driver.press("c")
        await driver.press("4")
        await driver.press(*keys)
        await driver.until(lambda: not driver.view.now.pending)
        await driver.press()
        assert shown in driver.text

    drive(bringup(), play, (120, 40))


@pytest.mark.parametrize(
    ("keys", "typed", "how"),
    [
        ("Ra", "7", "always"), ("Ro", "7", "once"), ("Rs", "7, 8", "sequence"),
        ("Rc", "7, 8", "cycle"), ("Rn", "count + 7", "always"),
    ],
)  # fmt: skip
def test_a_rule_of_each_kind_is_begun_and_answers(
    keys: str, typed: str, how: str
) -> None:
    async def play(driver: Driver) -> None:
        await driver.press("c")
        await driver.press("4")
        await driver.press(*keys)
        await driver.type(typed)
        await driver.press("enter")
        await driver.until(lambda: not driver.view.now.pending)
        await driver.press()
        assert "= 0x7  rule 1" in driver.text
        assert driver.view.now.requests is not None
        (rule,) = driver.view.now.requests.rules
        assert rule.how == how

    drive(bringup(), play, (120, 40))


def test_the_field_of_the_row_keeps_what_is_wrong() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("c")
        await driver.press("a")
        await driver.type("zz")
        await driver.press("enter")
        assert "'zz' is not a number" in driver.text
        assert driver.app.focused is not None
        assert driver.app.focused.id == "answer"
        await driver.press("backspace", "backspace")
        await driver.type("-1")
        await driver.press("enter")
        await driver.until(lambda: not driver.view.now.pending)

    drive(bringup(), play, (80, 25))


def test_the_key_of_an_answer_goes_where_the_field_is() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("c")
        await driver.press("3")
        await driver.press("a")
        await driver.type("5")
        await driver.press("enter")
        await driver.until(lambda: not driver.view.now.pending)
        assert driver.app.main.layout_.name == "requests"

    drive(bringup(), play, (80, 25))


def test_answer_and_run_runs_only_when_it_was_answered() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("c", "4", "C")
        await driver.type("0x1234")
        await driver.press("enter")
        await driver.press()
        assert "device says 0x1234" in driver.view.now.consoles["com1"].decode()

    async def wrong(driver: Driver) -> None:
        await driver.press("c", "4")
        at = driver.view.now.now
        for text in ("zz", "0x100000000", ""):
            await driver.press("C")
            await driver.type(text)
            await driver.press("enter")
            assert driver.view.now.pending, text
            assert driver.view.now.now == at, text
            await driver.press("escape")
        await driver.press("C")
        await driver.type("0x1234")
        await driver.press("enter")
        await driver.press()
        assert "device says 0x1234" in driver.view.now.consoles["com1"].decode()

    async def refused(driver: Driver) -> None:
        await driver.press("c", "4")
        at = driver.view.now.now
        pane_ = driver.app.main.query_one(pane.RequestsPane)
        pane_.post_message(pane_.Wish("answer zz 0", then="run"))
        await driver.press()
        assert "zz" in driver.rows[-2]
        assert driver.view.now.now == at
        assert driver.view.now.pending

    drive(bringup(), play, (120, 40))
    drive(bringup(), refused, (120, 40))
    drive(bringup(), wrong, (80, 25))


# The sheet, for each kind of request.

LAPIC = "trap mmio 0xfee00000/0x1000"
KINDS = [
    ("a1f000e0fe", LAPIC,
     ["vCPU 0 read mmio fee000f0 4 bytes local APIC SVR",
      "local APIC would say 0xff disabled by software, spurious vector 0xff",
      "eax = the answer: all 32 bits",
      "> 0001005f mov eax, dword ptr [0xfee000f0]", "p zero", "v the device's own"]),
    ("c7050003e0fe 00c50c00", LAPIC,
     ["vCPU 0 write mmio fee00300 4 bytes local APIC ICR = 0xcc500",
      "written 0xcc500 836,864 1100 1100 0101 0000 0000",
      "INIT, physical, assert, level, all excluding self",
      "nothing but RIP, which goes on behind it", "Enter accept"]),
    ("a10801d0fe", "trap mmio 0xfed00000/0x400",
     ["read of 4 bytes at mmio fed00108: hpet TIM0_COMP, timer 0: comparator",
      "hpet would say 0xffffffff"]),
    ("c7050000c0fe 12000000", "trap mmio 0xfec00000/0x1000",
     ["write of 4 bytes at mmio fec00000: ioapic IOREGSEL, index of the register in",
      "written 0x12 18 0001 0010"]),
    ("e471", "trap port 0x71",
     ["read of 1 byte at port 71: rtc CMOS 00, seconds",
      "eax = the answer: low 8 bits, the rest stays"]),
    ("b041 e680", "trap port 0x80",
     ["write of 1 byte at port 80: post-code POST code", "written 0x41 65 0100 0001"]),
    ("66ba9909 bf00000200 b903000000 f36c", "traps",
     ["read of 1 byte at port 999: nobody answers there", "none: nobody answers there",
      "1 byte at 0x20000, where edi points; edi + 1, ecx 0x3 -> 0x2"]),
    ("b91b000000 0f32", "trap msr 0x1b",
     ["read of 8 bytes at msr 1b: local APIC IA32_APIC_BASE",
      "local APIC would say 0xfee00900", "edx:eax = the answer",
      "+ FULFILL_MSR with read=1 msr=0x1b"]),
    ("b91b000000 b80008e0fe 31d2 0f30", "trap msr 0x1b",
     ["write of 8 bytes at msr 1b: local APIC IA32_APIC_BASE",
      "xAPIC, AP, page at 0xfee00000"]),
    ("833d000000d005", "traps",
     ["flags CF PF AF ZF SF OF; no register", "nobody answers there"]),
    ("ff35000000d0", "traps", ["4 bytes on the stack at 0x8fffc; rSP - 4"]),
]  # fmt: skip
COMMON = [
    "since", "- FULFILL_", "EINVAL: no", "+ DISCARD_INSTR", "again",
    "u back to the last question", "answered before, the last first",
]  # fmt: skip


def read(rows: list[Line]) -> str:
    """The words of a pane as one reads them, wherever lines were broken."""
    return " ".join(plain(rows).split())


@pytest.mark.parametrize("size", [(79, 19), (119, 36)])
@pytest.mark.parametrize(("code", "line", "told"), KINDS)
def test_the_sheet_tells_all_of_each_kind_and_nothing_is_cut(
    code: str, line: str, told: list[str], size: tuple[int, int]
) -> None:
    view = look(asking(code, line, machine="pc"))
    rows = pane.render(view, size)
    assert all(row.width <= size[0] for row in rows)
    assert ELLIPSIS not in plain(rows)
    if size[0] < BESIDE:
        text = read(rows)
    else:  # two halves, each of which is read by itself
        half = size[0] // 2 - 1
        text = " ".join(
            " ".join(plain(rows).split())
            for rows in ([Line(row.plain[:half]) for row in rows],
                         [Line(row.plain[half:]) for row in rows],
                         rows)
        )  # fmt: skip
    for words in (*told, *COMMON):
        assert words in text, words


def test_at_200_columns_the_pane_has_120_and_the_whole_sheet() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("4")
        for words in ("local APIC SVR", "would say 0xff", "what vm_run accepts now"):
            assert words in driver.text
        title = driver.app.main.query_one(pane.RequestsPane).border_title
        assert title is not None
        assert "requests (1 waits)" in str(title)

    drive(asking("a1f000e0fe", LAPIC, machine="pc"), play, (200, 60))


@pytest.mark.parametrize("size", [(80, 25), (120, 40), (200, 60)])
def test_a_value_is_checked_and_read_while_it_is_typed(size: tuple[int, int]) -> None:
    async def play(driver: Driver) -> None:
        await driver.press("4", "enter")
        assert "a number of 1 byte at most" in driver.text
        await driver.type("0x")
        await driver.press()
        assert "is not a number" not in driver.text
        await driver.type("a5")
        await driver.press()
        assert "0xa5  165  1010 0101  fits 1 byte" in driver.text
        await driver.type("0")
        await driver.press()
        assert driver.text.count("0xa50 is too wide: 1 byte, 0xff at most") == 2
        await driver.press("enter")
        assert driver.view.now.pending
        assert "! 0xa50 is too wide" in driver.rows[-1]
        await driver.press("backspace")
        assert "too wide" not in driver.text
        await driver.press("backspace", "backspace", "backspace", "backspace", "enter")
        assert "'' is not a number" in driver.text
        assert driver.view.now.pending
        await driver.press("escape")
        assert "is not a number" not in driver.text
        assert "a number of 1 byte at most" not in driver.text
        assert driver.app.main.focused_name == "requests"
        await driver.press("enter")
        await driver.type("0xa5")
        await driver.press("enter")
        await driver.until(lambda: not driver.view.now.pending)
        await driver.press()
        assert "= 0xa5  you" in driver.text

    drive(asking("e460", "trap port 0x60", machine="pc"), play, size)


def test_the_field_beside_the_request_checks_while_one_types() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("a")
        await driver.type("256")
        await driver.press()
        assert "256 is too wide: 1 byte, 0xff at most" in driver.rows[-1]
        await driver.press("backspace")
        assert "too wide" not in driver.text

    drive(asking("ec"), play, (80, 25))


@pytest.mark.parametrize(
    ("code", "keys", "told"),
    [
        ("a1000000d0", "x", "p #PF"), ("ec", "x", "g #GP"),
        ("a1000000d0", "R", "f file"), ("66ba9909 ee", "R", "d device"),
    ],
)  # fmt: skip
def test_a_choice_offers_what_there_is(code: str, keys: str, told: str) -> None:
    async def play(driver: Driver) -> None:
        await driver.press("4", *keys)
        assert told in driver.text
        assert ELLIPSIS not in driver.rows[-2]
        assert len(driver.rows[-2]) <= 80
        if code != "a1000000d0":
            assert "#PF" not in driver.text
            assert "cycle" not in driver.text

    drive(asking(code), play, (80, 25))


def test_any_other_fault_is_begun() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("4", "x", "o")
        await driver.type("de")
        await driver.press("enter")
        await driver.until(lambda: not driver.view.now.pending)
        await driver.press()
        assert "#DE" in driver.text

    drive(asking("a1000000d0"), play, (80, 25))


def test_the_devices_own_answer_by_key_or_by_rule() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("4", "v")
        await driver.until(lambda: not driver.view.now.pending)
        await driver.press()
        assert "= 0xff  device" in driver.text
        await driver.press("u")
        await driver.until(lambda: bool(driver.view.now.pending))
        await driver.press("R", "d")
        await driver.until(lambda: isinstance(driver.app.screen, AskScreen))
        await driver.press("y")
        await driver.until(lambda: not driver.view.now.pending)
        await driver.press()
        assert "= 0xff  rule 2, device" in driver.text
        assert "(1 rule)" in str(
            driver.app.main.query_one(pane.RequestsPane).border_title
        )

    drive(asking("a1f000e0fe", LAPIC, machine="pc"), play, (80, 25))


def test_the_history_marks_the_same_place_and_says_who() -> None:
    # again: mov eax, [nobody]; jmp again
    session = asking("a1000000d0 ebf9")
    view = look(
        session, "answer 1", "run", "rule add 'mmio 0xd0000000 = once 0x2a'", "run"
    )
    rows = plain(pane.render(view, (79, 19))).splitlines()
    past = rows[
        [row.strip() for row in rows].index("answered before, the last first") :
    ]
    assert [row.split()[-4:] for row in past[1:]] == [
        ["0x2a", "rule", "1", "nobody"], ["=", "0x1", "you", "nobody"],
    ]  # fmt: skip
    assert all(row.startswith(" = ") for row in past[1:])
    assert any("before   0x2a rule 1 #" in row and "0x1 you #" in row for row in rows)


def test_an_answer_in_binary() -> None:
    assert binary(0x1FF) == "0001 1111 1111"
    assert [text for text in ("", "0x", "-0b", "'A", "0", "zz") if is_begun(text)] == [
        "", "0x", "-0b", "'A",
    ]  # fmt: skip


@pytest.mark.parametrize(("cpus", "begin"), [(4, 4), (32, 1)])
def test_the_sheet_is_in_view_however_many_wait(cpus: int, begin: int) -> None:
    """All of them read a place where nobody is; vCPU 2 is chosen."""
    session = asking("a1000000d0", cpus=cpus)
    for number in range(1, cpus):
        session.machine.set_run_state(number, 2, 0)
        regs, first = session.machine.vcpu(number).regs, session.machine.vcpu(0).regs
        regs.context.load_bytes(first.context.state_bytes())
        session.machine.step(number)
    view = look(session).turned(2)
    assert len(view.now.pending) == cpus
    rows = plain(pane.render(view, (79, 20))).splitlines()
    assert [row for row in rows if row.startswith(" > vCPU 2 ")]
    assert rows[begin].startswith(" read of 4 bytes at mmio d0000000")
    told = [row for row in rows if " read   mmio d0000000" in row]
    assert len(told) == cpus


def test_a_replay_of_somebodys_answers_does_not_call_them_yours() -> None:
    view = look(bringup(), "run", "answer 0x1234", "run")
    assert view.now.requests is not None
    (row,) = view.now.requests.settled
    assert [by(each) for each in (row, replace(row, is_replayed=True))] == [
        "you", "replay",
    ]  # fmt: skip
    ruled = replace(row.answer, by="rule 1")
    rows = [replace(row, answer=ruled, is_replayed=on) for on in (False, True)]
    assert [by(each) for each in rows] == ["rule 1", "rule 1, replay"]
