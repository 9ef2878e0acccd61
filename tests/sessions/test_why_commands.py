"""The commands that ask why, that try out an IPI, and that refuse one."""

from collections.abc import Callable
from typing import Any

import pytest

from lapis_sessions.session import Session

Open = Callable[..., Session]
Do = Callable[[Session, str], Any]
Refuse = Callable[[Session, str], str]
REASON = {"rule", "text", "values", "blocks", "about"}
LOOKS = ("vcpus", "events 1000", "regs", "apic 0", "apic 1", "pending", "sched")


def looked(session: Session, done: Do) -> list[Any]:
    return [done(session, look) for look in LOOKS]


def test_a_vector_that_waits_is_data_and_a_sentence(opened: Open, done: Do) -> None:
    session = opened()
    # The APICs are off after reset; IF of a vCPU that starts is 0.
    done(session, "run 5000000")
    done(session, "ipi fixed 0x31 --to 1")
    view = done(session, "irq why 0x31 1")
    assert view.keys() == {
        "vcpu", "vector", "where", "verdict", "text", "reasons", "more",
    }  # fmt: skip
    assert (view["vcpu"], view["vector"], view["where"]) == (1, 0x31, "irr")
    assert view["verdict"] == "blocked"
    assert view["text"].startswith("vector 0x31 is in the IRR of vCPU 1 and waits: ")
    assert all(reason.keys() == REASON for reason in view["reasons"])
    held = {reason["rule"]: reason for reason in view["reasons"] if reason["blocks"]}
    assert held["if"]["values"] == {"rflags": 2}


def test_the_words_are_a_sentence_and_a_line_a_reason(opened: Open) -> None:
    text = opened().execute("irq why 0x31").text
    first, *rest = text.splitlines()
    assert first.startswith(
        "vector 0x31 is neither in the IRR nor in the ISR of vCPU 0"
    )
    assert rest == [
        "  - svr",  # which is in the sentence
        (
            "  - no-source        no LVT entry, IOAPIC pin or ICR names vector 0x31, "
            "and no message carried it"
        ),
    ]


def test_three_reasons_are_told_and_the_rest_is_asked_for(
    opened: Open, done: Do
) -> None:
    """Vector 0 is in every entry that nobody has written."""
    session = opened()
    view = done(session, "irq why 0")
    assert [reason["rule"] for reason in view["reasons"][:2]] == [
        "svr", "illegal-vector",
    ]  # fmt: skip
    assert len(view["reasons"]) == 3
    lines = session.execute("irq why 0").text.splitlines()
    assert lines[0] == (
        "vector 0x00 is neither in the IRR nor in the ISR of vCPU 0: SVR is 0xff: bit "
        "8 is 0, so new interrupts are refused"
    )
    assert len(lines) == 5
    assert lines[-1] == f"  {view['more']} more reasons: `irq why 0x00 0 --all`"
    whole = done(session, "irq why 0x00 0 --all")
    assert whole["more"] == 0
    assert len(whole["reasons"]) == 3 + view["more"]
    assert whole["reasons"][:3] == view["reasons"]
    assert whole["text"] == view["text"]


def test_the_nmi_is_asked_for_by_name_or_number(opened: Open, done: Do) -> None:
    session = opened()
    done(session, "ipi nmi --to 1")
    named = done(session, "irq why nmi 1")
    assert (named["vector"], named["where"], named["verdict"]) == (
        2, "pending", "blocked",
    )  # fmt: skip
    assert [reason["rule"] for reason in named["reasons"]] == ["not-running", "came"]
    assert done(session, "irq why NMI 1") == done(session, "why irq 2 1") == named


def test_the_selected_vcpu_is_asked_where_none_is_named(opened: Open, done: Do) -> None:
    session = opened()
    done(session, "vcpu 1")
    assert done(session, "irq why 0x31")["vcpu"] == 1
    assert done(session, "why vcpu") == done(session, "why") == done(session, "why 1")
    assert done(session, "ipi dry-run nmi --to 0")["from"] == 1


def test_why_a_vcpu_does_not_run_and_what_would_wake_it(opened: Open, done: Do) -> None:
    session = opened()
    view = done(session, "why vcpu 1")
    assert view.keys() == {
        "vcpu", "state", "run_state", "verdict", "text", "reasons", "wakes", "next",
        "sent", "did", "whole",
    }  # fmt: skip
    assert (view["state"], view["run_state"]) == ("never-started", 0)
    assert (view["verdict"], view["next"]) == ("waits", None)
    assert view["text"] == "vCPU 1 does not run: no INIT has been sent to it"
    assert (view["sent"], view["did"], view["whole"]) == ([], [], False)
    assert [wake["rule"] for wake in view["wakes"]] == ["init"]
    runs = done(session, "why vcpu 0")
    assert (runs["verdict"], runs["reasons"], runs["wakes"]) == ("runs", [], [])
    assert runs["next"]["rule"] == "instruction"
    assert runs["text"].endswith("next it executes 0x10000: cli")


def test_the_init_of_the_broken_freebsd_went_to_an_inactive_vcpu(
    opened: Open, done: Do
) -> None:
    session = opened(profile="freebsd-13.1-broken")
    done(session, "run 200000")
    outcome = session.execute("why vcpu 1")
    assert outcome.result["verdict"] == "stuck"
    assert {"inactive", "not-running"} == {
        reason["rule"] for reason in outcome.result["reasons"]
    }
    lines = outcome.text.splitlines()
    assert "vCPU 1 does not run: INIT at " in lines[0]
    assert "went to an inactive vCPU and was dropped" in lines[0]
    whole = session.execute("why vcpu 1 --all").text.splitlines()
    assert whole[0] == lines[0]
    assert "what would make it run:" in whole
    assert "nothing makes it active" in whole[-1]


def test_a_pending_request_is_why_and_an_answer_ends_it(opened: Open, done: Do) -> None:
    session = opened()
    done(session, "run 5000000")
    view = done(session, "why vcpu 0")
    (reason,) = view["reasons"]
    assert (reason["rule"], reason["values"]["address"]) == (
        "pending-request", 0xD000_0000,
    )  # fmt: skip
    assert [wake["rule"] for wake in view["wakes"]] == ["answer", "discard"]
    done(session, "answer 1")
    assert done(session, "why vcpu 0")["verdict"] == "runs"


def test_a_dry_run_has_a_verdict_a_vcpu_and_moves_nothing(
    opened: Open, done: Do
) -> None:
    session = opened(cpus=3)
    before = looked(session, done)
    view = done(session, "ipi dry-run init --to all-but-self")
    assert looked(session, done) == before
    assert view.keys() == {
        "icr", "mode", "text", "from", "targets", "dropped", "rule", "answer",
        "forbidden", "guest", "verdicts",
    }  # fmt: skip
    assert (view["icr"], view["mode"], view["targets"]) == (0xC4500, "init", [1, 2])
    assert (view["dropped"], view["rule"], view["forbidden"]) == ("", "", "")
    assert view["verdicts"][0].keys() == {"vcpu", "verdict", "text", "reasons"}
    assert [(v["vcpu"], v["verdict"]) for v in view["verdicts"]] == [
        (0, "not-reached"), (1, "accepted"), (2, "accepted"),
    ]  # fmt: skip
    sent = done(session, "ipi init --to all-but-self")
    assert {name: view[name] for name in sent} == sent


def test_a_dry_run_takes_the_whole_icr(opened: Open, done: Do) -> None:
    view = done(opened(), "ipi dry-run raw 0xC8500")
    assert (view["rule"], view["dropped"]) == (
        "init-deassert", "INIT de-assert is ignored",
    )  # fmt: skip
    assert view["forbidden"] == ""
    assert {v["verdict"] for v in view["verdicts"]} == {"not-reached"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        # SDM "Valid Interrupt Vectors".
        ("ipi fixed 15 --to 1", "vector 0x0f is illegal: vectors below 16 are"),
        ("ipi lowest 0 --to 1", "vector 0x00 is illegal"),
        # SDM "Valid Combinations": self and all are for FIXED alone.
        ("ipi init --to self", "INIT cannot have the shorthand self, only all-but"),
        ("ipi init --to all", "INIT cannot have the shorthand all, only"),
        ("ipi sipi 8 --to all", "STARTUP cannot have the shorthand all"),
        ("ipi sipi 8 --to self", "STARTUP cannot have the shorthand self"),
        ("ipi nmi --to self", "NMI cannot have the shorthand self"),
        ("ipi smi --to all", "SMI cannot have the shorthand all"),
        ("ipi lowest 0x31 --to self", "LOWEST PRIORITY cannot have the shorthand self"),
        ("ipi init --to 1 --level --deassert", "an INIT de-assert is ignored by every"),
        ("ipi fixed 0x31 --to 9", "no APIC has id 9 (they are 0, 1)"),
        ("ipi sipi 8 --to 0xfe", "no APIC has id 254 (they are 0, 1)"),
        ("ipi fixed 0x31 --to 8 --logical",
         "no APIC has the logical destination 0x8 (the LDRs are 0x0, 0x0)"),
    ],
)  # fmt: skip
def test_an_ipi_that_the_manual_forbids_is_refused_without_raw(
    opened: Open, done: Do, refused: Refuse, line: str, why: str
) -> None:
    session = opened()
    before = looked(session, done)
    sentence = refused(session, line)
    assert why in sentence
    assert sentence.endswith("; --raw sends it all the same")
    dry = done(session, line.replace("ipi", "ipi dry-run", 1))
    assert dry["forbidden"] in sentence
    assert dry["targets"] == []
    assert looked(session, done) == before
    sent = done(session, f"{line} --raw")
    assert (sent["targets"], sent["icr"]) == ([], dry["icr"])
    assert sent["dropped"] == dry["dropped"] != ""


def test_a_level_de_assert_is_refused_where_it_is_dropped(
    opened: Open, done: Do, refused: Refuse
) -> None:
    line = "ipi fixed 0x31 --to 1 --level --deassert"
    session = opened(profile="illumos")
    assert "a level-triggered FIXED must be asserted" in refused(session, line)
    # SDM: other than INIT it is sent as an edge.
    assert done(opened(), line)["targets"] == [1]


def test_a_row_of_ids_is_told_by_its_ends(opened: Open, refused: Refuse) -> None:
    assert "no APIC has id 9 (they are 0 to 3)" in refused(
        opened(cpus=4), "ipi nmi --to 9"
    )
    assert "no APIC has id 9 (there is 0)" in refused(opened(cpus=1), "ipi nmi --to 9")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("irq why", "irq why needs VECTOR"),
        ("irq why 0x100", "irq why: vector 0x100: vectors are 8 bits, 0 to 0xff"),
        ("irq why timer", "irq why: vector 'timer' is not a number"),
        ("irq why 0x31 7", "there is no vCPU 7; they are 0 to 1"),
        ("why vcpu 2", "there is no vCPU 2; they are 0 to 1"),
        ("ipi dry-run", "needs MODE"),
        ("ipi dry-run fixed --to 1", "needs a vector"),
        ("ipi dry-run nmi --to 1 --from 3", "there is no vCPU 3"),
        ("profiles diff sdm", "profiles diff needs OTHER"),
        (
            "profiles diff sdm linux",
            "there is no profile 'linux'; the profiles are sdm",
        ),
        ("explain apicbase", "explain needs RAW"),
        ("explain icr 0x10000000000000000", "0xffffffffffffffff is the most"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(
    opened: Open, done: Do, refused: Refuse, line: str, why: str
) -> None:
    session = opened()
    before = looked(session, done)
    assert why in refused(session, line)
    assert looked(session, done) == before


@pytest.mark.parametrize(
    "line",
    [
        "irq why 0x31 1", "irq why nmi", "why vcpu 0", "why vcpu 1", "profiles",
        "profiles diff sdm illumos", "explain icr 0xC4500",
        "ipi dry-run fixed 0x31 --to all", "ipi dry-run sipi 8 --to 1",
    ],
)  # fmt: skip
def test_asking_changes_nothing(opened: Open, done: Do, line: str) -> None:
    session = opened()
    done(session, "run 20000")
    before, now = looked(session, done), session.machine.now
    done(session, line)
    assert (looked(session, done), session.machine.now) == (before, now)
    words = line.split()
    known = {command.name: command for command in session.registry.commands}
    command = known.get(" ".join(words[:2])) or known[words[0]]
    assert command.effect == "read-only"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("explain icr 0xC4500", "INIT, physical, assert, edge, all excluding self"),
        ("explain lvt 0x10031",
         "fixed vector 0x31, edge, masked, timer one-shot"),
        ("explain apicbase 0xFEE00900", "xAPIC, BSP, page at 0xfee00000"),
        ("explain svr 0x1FF", "enabled, spurious vector 0xff"),
        ("explain esr 0x20", "send illegal vector"),
    ],
)  # fmt: skip
def test_a_raw_value_is_explained(opened: Open, done: Do, line: str, text: str) -> None:
    view = done(opened(), line)
    assert view.keys() == {"what", "raw", "text", "fields", "reserved"}
    assert view["text"] == text
    assert view["raw"] == int(line.rsplit(maxsplit=1)[-1], 0)


def test_profiles_differ_in_their_switches(opened: Open, done: Do) -> None:
    session = opened()
    view = done(session, "profiles diff illumos illumos-pre-13645")
    assert (view["first"], view["second"]) == ("illumos", "illumos-pre-13645")
    (row,) = view["differences"]
    assert row.keys() == {"name", "first", "second", "doc", "source"}
    assert (row["name"], row["first"], row["second"]) == (
        "init_clears_sipi", True, False,
    )  # fmt: skip
    assert "13645" in row["source"]
    assert done(session, "profiles diff sdm sdm")["differences"] == []
    assert session.execute("profiles diff sdm sdm").text == "sdm and sdm do not differ"


def test_every_profile_is_listed_with_every_switch(opened: Open, done: Do) -> None:
    rows = done(opened(), "profiles")
    assert [row["name"] for row in rows] == [
        "sdm", "illumos", "illumos-pre-13645", "illumos-pre-13275",
        "illumos-pre-13253", "illumos-pre-13139", "illumos-pre-12936",
        "illumos-pre-12989", "illumos-pre-12960", "freebsd", "freebsd-pre-d37452",
        "freebsd-13.1-compat", "freebsd-13.1-broken", "freebsd-13.1-off-by-one",
    ]  # fmt: skip
    names = [switch["name"] for switch in rows[0]["switches"]]
    for row in rows:
        assert [switch["name"] for switch in row["switches"]] == names
        assert all(switch["doc"] and switch["source"] for switch in row["switches"])
