"""The commands that get in the way of IPIs, catch events, and lint; and their data."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lapis_engine.replay.digest import Digester
from lapis_sessions.session import Session
from lapis_tui.cli.main import main

Open = Callable[..., Session]
Do = Callable[[Session, str], Any]
Refused = Callable[[Session, str], str]
RULE = {
    "number", "action", "mode", "to", "from", "vector", "nth", "by", "seen", "done",
    "text",
}  # fmt: skip


def test_a_dropped_sipi_and_the_second_one(opened: Open, done: Do) -> None:
    session = opened()
    rule = done(session, "ipi drop --mode sipi --to 1 --nth 1")
    assert set(rule) == RULE
    assert (rule["number"], rule["action"], rule["seen"]) == (1, "drop", 0)
    assert rule["text"] == "rule 1: drop number 1 of SIPI to vCPU 1"
    assert done(session, "run 100000")["stop"] == "budget"
    assert done(session, "vcpus")[1]["state"] == "wait-for-sipi"
    [rule] = done(session, "ipi rules")["rules"]
    assert (rule["seen"], rule["done"]) == (1, 1)
    done(session, "ipi sipi 8 --to 1")
    assert done(session, "run 100000")["stop"] == "exit"
    assert done(session, "vcpus")[1]["run_state"] == 3


def test_what_is_held_is_listed_and_arrives_though_the_rule_is_gone(
    opened: Open, done: Do
) -> None:
    session = opened()
    done(session, "ipi delay --mode sipi --from 0 --vector 8 --by 5000")
    done(session, "catch interfere --mode sipi")
    stop = done(session, "run")
    assert stop["text"].startswith("catch 1, interfere: delay: SIPI 0x08 from vCPU 0")
    [held] = done(session, "ipi rules")["held"]
    due = session.machine.log.last(1)[0].at + 5000
    assert held == {
        "rule": 1, "mode": "sipi", "vector": 8, "from": 0, "to": 1, "due": due,
    }  # fmt: skip
    assert done(session, "ipi clear 1") == {"rules": [], "held": [held]}
    assert done(session, "run")["stop"] == "exit"
    assert done(session, "ipi rules") == {"rules": [], "held": []}


def test_every_and_duplicate(opened: Open, done: Do) -> None:
    session = opened(cpus=3)
    rule = done(session, "ipi duplicate --mode fixed --every")
    assert (rule["nth"], rule["mode"]) == (None, "fixed")
    done(session, "run")
    [rule] = done(session, "ipi rules")["rules"]
    assert (rule["seen"], rule["done"]) == (2, 2)


def test_catch_lists_stops_and_goes(opened: Open, done: Do) -> None:
    session = opened()
    assert done(session, "catch") == []
    [row] = done(session, "catch boot --vcpu 1 --mode sipi --once")
    assert row == {
        "number": 1, "event": "boot", "once": True, "hits": 0,
        "conditions": {"vcpu": 1, "mode": "sipi"},
    }  # fmt: skip
    done(session, "catch exit --code mmio")
    stop = done(session, "run")
    assert (stop["stop"], stop["vcpu"], "exit" in stop) == ("catch", 1, False)
    assert stop["text"].startswith("catch 1, boot: SIPI 0x08")
    assert session.selected == 1
    [row] = done(session, "catch")
    assert (row["number"], row["conditions"]) == (2, {"code": "MMIO"})
    stop = done(session, "run")
    assert (stop["stop"], stop["exit"]["code"]) == ("catch", "MMIO")
    assert done(session, "catch")[0]["hits"] == 1
    done(session, "catch eoi")
    assert [row["number"] for row in done(session, "uncatch 2")] == [3]
    assert done(session, "uncatch all") == []


def test_catch_in_words(opened: Open, done: Do) -> None:
    session = opened()
    done(session, "catch deliver --vector 0x31 --vcpu 1")
    text = session.execute("catch").text
    assert text == "  1  catch deliver --vcpu 1 --vector 0x31  (0 times)"
    assert "stopped (catch) on vCPU 1" in session.execute("run").text


def test_lints_are_listed_with_what_they_found_and_switched(
    opened: Open, done: Do
) -> None:
    session = opened()
    rows = {row["name"]: row for row in done(session, "lint")}
    assert list(rows)[:8] == [
        "eoi-empty-isr", "sipi-ignored", "icr-reserved-bits", "ipi-absent",
        "level-no-eoi", "empty-trampoline", "bsp-spins", "isrvec",
    ]  # fmt: skip
    assert all(row["on"] and not row["found"] for row in rows.values())
    done(session, "kernemu write 0xFEE000B0 4 0 --vcpu 0")
    done(session, "kernemu write 0xFEE000B0 4 0 --vcpu 0")
    row = done(session, "lint")[0]
    hand = "the user's hand"
    words = f"EOI with nothing in service, by {hand}"
    assert (row["found"], row["severity"], row["places"]) == (
        2, "warning", [{
            "vcpu": 0, "place": hand, "times": 2, "seq": 1, "at": 0, "ran": None,
            "rip": None, "values": {}, "text": words,
        }],
    )  # fmt: skip
    assert done(session, "lint eoi-empty-isr") == [row]
    off = {row["name"]: row["on"] for row in done(session, "lint off eoi-empty-isr")}
    assert [name for name, on in off.items() if not on] == ["eoi-empty-isr"]
    assert not any(row["on"] for row in done(session, "lint off all"))
    assert all(row["on"] for row in done(session, "lint on all"))


def test_a_finding_is_told_with_its_place_and_the_words_last(opened: Open) -> None:
    session = opened()
    session.execute("ipi send --mode init --to 9 --force")
    session.execute("kernemu write 0xFEE000B0 4 0 --vcpu 0")
    shown = session.execute("lint eoi-empty-isr").text.splitlines()
    head = " ".join(shown[0].split())
    assert head == "on 1 eoi-empty-isr warning EOI with no vector in service"
    seq = session.machine.lints.state.told.popitem()[1].seq
    hand = "EOI with nothing in service, by the user's hand"
    assert shown[1:] == [f"          1  vCPU 0, event {seq}, 0 ns: {hand}"]


def test_what_there_is_to_read_about_a_lint(opened: Open, done: Do) -> None:
    session = opened()
    pages = done(session, "lint --explain")
    assert [page["name"] for page in pages] == [
        it["name"] for it in done(session, "lint")
    ]
    page = done(session, "lint --explain init-level-clear")
    assert page["severity"] == "warning"
    assert "Interrupt Command Register" in page["why"]
    assert "Hyper-V" in page["where"]
    text = session.execute("lint init-level-clear --explain").text
    heads = ("What it finds", "Why it matters", "Where it bites", "How to fix it")
    assert [line for line in text.splitlines() if line in heads] == list(heads)
    assert max(map(len, text.splitlines()[1:])) <= 78
    listed = session.execute("lint --explain").text.splitlines()
    assert len(listed) == len(pages) + 1
    refused = session.execute("lint --explain eoi")
    assert not refused.ok
    assert "name 'eoi' is not one of eoi-empty-isr" in refused.text


def test_isrvec_is_shown_and_checks(opened: Open, done: Do) -> None:
    session = opened()
    view = done(session, "isrvec")
    assert (view["on"], view["stack"], view["agrees"]) == (False, [], True)
    done(session, "set isrvec on")
    done(session, "catch deliver --vector 0x31")
    done(session, "run")
    view = done(session, "isrvec 1")
    assert view == {
        "vcpu": 1, "on": True, "gives_ppr": False, "stack": [0x31], "isr": [0x31],
        "agrees": True, "text": "",
    }  # fmt: skip
    session.machine.vcpus[1].apic.isr |= 1 << 0x22
    assert not done(session, "isrvec 1")["agrees"]
    assert "they do NOT agree" in session.execute("isrvec 1").text
    assert not done(session, "set isrvec off")["on"]


def test_where_isrvec_gives_the_ppr_it_says_so(
    opened: Open, done: Do, refused: Refused
) -> None:
    session = opened(profile="illumos-pre-12936")
    assert done(session, "isrvec")["gives_ppr"]
    assert "it gives the PPR" in refused(session, "set isrvec off")


@pytest.mark.parametrize(
    ("line", "says"),
    [("ipi drop --to 7", "to vCPU 7: they are 0 to 1"),
     ("ipi drop --mode reserved", "'reserved' is not one of fixed"),
     ("ipi drop --nth 0", "counted from 1"),
     ("ipi drop --every --nth 2", "--every takes no number"),
     ("ipi drop --by 3", "ipi drop has no option --by"),
     ("ipi delay --mode sipi", "ipi delay needs BY"),
     ("ipi delay --by 0", "a delay of 0 ns"),
     ("ipi clear 1", "there is no rule 1; there are: none"),
     ("catch --once", "catch needs an event: ipi, accept"),
     ("catch boot --vcpu 2", "there is no vCPU 2"),
     ("catch ipi --to 2", "there is no vCPU 2"),
     ("catch accept --code MMIO", "catch accept has no code"),
     ("catch exit --code nothing", "there is no exit 'NOTHING'"),
     ("uncatch", "uncatch needs NUMBER"),
     ("uncatch 1", "there is no catch 1"),
     ("lint off nothing", "'nothing' is not one of all"),
     ("lint on", "lint on needs NAME"),
     ("set isrvec maybe", "'maybe' is not one of on, off"),
     ("isrvec 2", "there is no vCPU 2")],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    opened: Open, done: Do, refused: Refused, line: str, says: str
) -> None:
    session = opened()
    assert says in refused(session, line)
    assert done(session, "ipi rules") == {"rules": [], "held": []}
    assert done(session, "catch") == []


def test_exec_stops_at_a_catch(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["exec", "ap-bringup", "--json", "-c", "catch boot", "-c", "run"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == 0
    assert [line["ok"] for line in lines] == [True, True]
    stop = lines[1]["result"]
    assert (stop["stop"], stop["vcpu"]) == ("catch", 1)
    assert stop["text"].startswith("catch 1, boot: INIT from vCPU 0")


@pytest.mark.parametrize("line", ["read 0xfee00308 4", "write 0xfee00300 8 4"])
def test_a_malformed_kernemu_access_is_refused_and_leaves_nothing(
    opened: Open, done: Do, refused: Refused, line: str
) -> None:
    """Only 4 bytes at a multiple of 16 are a register (bhyve `vlapic_mmio_write`)."""
    session = opened(profile="freebsd")
    before = Digester(session.machine).digest(), session.timeline.spot
    assert "EINVAL" in refused(session, f"kernemu {line}")
    assert (Digester(session.machine).digest(), session.timeline.spot) == before
    assert session.timeline.branch.entries == []
    assert done(session, "run 10")["stop"] == "budget"


def test_tpr_and_eoi_are_done_again(opened: Open, done: Do, refused: Refused) -> None:
    session = opened()
    done(session, "run 3000")
    done(session, "tpr 0x52")
    done(session, "tpr 0x31 1")
    events = done(session, "eoi")
    assert "oddity" in {each["kind"] for each in events}  # nothing is in service
    assert "reserved" in refused(session, "tpr 0x100")
    done(session, "run 100")
    hashed = Digester(session.machine).digest()
    for line in ("goto start", "goto end"):
        done(session, line)
    assert Digester(session.machine).digest() == hashed
    assert [vcpu.apic.tpr for vcpu in session.machine.vcpus] == [0x52, 0x31]
