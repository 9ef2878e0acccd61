"""The command `boot`, held against the machine and against what was done to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from rigs.screens import bringup

from lapis_sessions import completion
from lapis_tui.cli.main import lapis

if TYPE_CHECKING:
    from lapis_sessions.session import Session


def told(session: Session, line: str = "boot") -> dict[str, Any]:
    """Return the JSON of a command."""
    outcome = session.execute(line)
    assert outcome.ok, outcome.text
    found: dict[str, Any] = json.loads(json.dumps(outcome.result))
    return found


def test_nothing_was_sent_at_reset() -> None:
    session = bringup(2)
    found = told(session)
    assert found["moments"] == []
    assert [each["state"] for each in found["processors"]] == [
        "running", "never-started",
    ]  # fmt: skip
    text = session.execute("boot").text
    assert "no processor was sent anything yet" in text
    assert "no INIT came to it" in text


@pytest.mark.parametrize("cpus", [1, 2, 4, 32])
def test_each_processor_is_told_as_the_machine_has_it(cpus: int) -> None:
    session = bringup(cpus)
    session.execute("run")
    found = told(session)
    assert found["since"] == 0
    assert len(found["moments"]) == min(found["total"], 200)
    for number, each in enumerate(found["processors"]):
        vcpu = session.machine.vcpu(number)
        assert each["vcpu"] == number
        assert each["state"] == session.machine.vcpu_state(number)
        assert each["retired"] == vcpu.retired > 0
        assert each["modes"][-1] == vcpu.regs.mode == "long"
        if number:
            assert each["init"]
            assert (each["sipi"], each["start"]) == (0x08, 0x8000)
            assert each["interrupt"] == 0x31
            assert each["last_init"] == each["last_sipi"] == "taken"


def test_what_was_ignored_and_dropped_is_told_with_its_reason() -> None:
    session = bringup(3)
    for line in (
        "ipi drop --mode sipi --to 2", "ipi sipi 0x8 --to 1 --from 0 --raw",
        "run 40000",
    ):  # fmt: skip
        assert session.execute(line).ok
    text = session.execute("boot").text
    assert "vCPU 0 SIPI 08 -> 1; vCPU 1: ignored" in text
    assert "x vCPU 1: no INIT came before it" in text
    assert "x vCPU 2: dropped by a rule of yours" in text
    assert "[x] INIT  [ ] SIPI  [ ] 16  [ ] first instruction" in text
    assert "wait-for-sipi: SIPI 0x08 at 28.7 us from vCPU 0 was dropped by a" in text
    assert "last INIT: taken; last SIPI: dropped by a rule of yours" in text


def test_one_processor_and_the_last_moments_are_told_alone() -> None:
    session = bringup(3)
    session.execute("run")
    whole, one = told(session), told(session, "boot 2")
    assert [each["vcpu"] for each in one["processors"]] == [2]
    assert one["moments"] == [
        row for row in whole["moments"] if "2" in row["cells"] or 2 in row["targets"]
    ]
    last = told(session, "boot --moments 2")
    assert last["moments"] == whole["moments"][-2:]
    assert last["total"] == whole["total"]
    assert told(session, "boot --moments 0")["moments"] == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("boot 7", "there is no vCPU 7; they are 0 to 1"),
        ("boot --moments 4001", "boot --moments 4001: 0 to 4000"),
        ("boot x", "boot: vcpu"), ("boot 0 1", "is too much"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(line: str, why: str) -> None:
    session = bringup(2)
    outcome = session.execute(line)
    assert not outcome.ok
    assert why in outcome.text


def test_it_moves_nothing_and_goes_back_with_the_machine() -> None:
    session = bringup(2)
    session.execute("run")
    total = told(session)["total"]
    here = session.timeline.spot
    told(session)
    assert session.timeline.spot == here
    session.execute("goto 12382")
    assert 0 < told(session)["total"] < total
    session.execute("goto start")
    assert told(session)["total"] == 0


def test_it_is_completed_and_comes_as_json_from_the_shell() -> None:
    session = bringup(3)
    assert "boot" in completion.complete(session, "boo")
    assert completion.complete(session, "boot ") == ["boot 0", "boot 1", "boot 2"]
    assert completion.complete(session, "boot -") == ["boot --moments"]
    done = CliRunner().invoke(
        lapis, ["exec", "ap-bringup", "--json", "-c", "run", "-c", "boot 1"]
    )
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["result"]["processors"][0]["start"] == 0x8000
