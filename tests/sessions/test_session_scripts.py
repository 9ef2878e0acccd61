"""A recording as the commands that do it again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rigs.session_files import (
    ANSWERED,
    DEVICES,
    Taped,
    digest,
    verified,
)

from lapis_engine.machine.act_schemas import ACTS
from lapis_engine.machine.acts import VERBS
from lapis_engine.saved import transfer
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.export import export, script
from lapis_sessions.recording.play import named
from lapis_sessions.recording.start import start_recording
from lapis_sessions.session import Session


def done_by(path: Path, lines: list[str], **options: Any) -> Session:
    """Return a session that did a script, none of whose lines failed."""
    text = path.read_text("utf-8") if path.exists() else "\n".join(lines)
    guest = options.pop("guest", "ap-bringup")
    session = open_session(SessionOptions(guest, **options), DEVICES)
    for line in text.splitlines():
        if not line.startswith("#"):
            outcome = session.execute(line)
            assert outcome.ok, (line, outcome.error)
    return session


HANDS = [
    "run 40000", "answer 0x55", "quantum 77", "run 100", "sched lockstep", "run 100",
    "sched only 1", "run 50", "sched round-robin", "lint off all", "lint on all",
    "irq raise 4", "irq lower 4", "irq pulse 3 --isa", "irq lint 1", "irq lint 0 1",
    "msi 0xfee00000 0x4055", "kernemu read 0xfee00020 4 --vcpu 1",
    "kernemu write 0xfee00080 4 0x20 --vcpu 0", "set isrvec on", "set isrvec off",
    "tpr 0x10 0", "eoi 1", "write-memory 0x500 90 90 c3",
    "ipi drop --mode fixed --to 1 --nth 2", "ipi delay --by 500 --vector 0x41 --every",
    "ipi duplicate --mode nmi --from 0", "ipi clear 1", "ipi fixed 0x41 --to 1",
    "ipi raw 0xc4500 --from 0", "run 700", "ipi clear", "run-state 3 --vcpu 1",
    "run 100", "nmi 0", "run 100000",
]  # fmt: skip
"""Every act that there is, but discard."""


TRAPS = [
    "trap port 0x3f8/8", "run 40000", "answer fault gp 0 --vcpu 0", "vcpu 1",
    "mem 0xfee00020 4 --touch --physical", "vcpu 0", "untrap all", "trap port 0x70",
    "run 1000",
]  # fmt: skip


@pytest.mark.parametrize("lines", [ANSWERED, HANDS, TRAPS])
@pytest.mark.parametrize("profile", ["sdm", "illumos"])
def test_a_script_comes_to_the_same_state(
    taped: Taped, tmp_path: Path, lines: list[str], profile: str
) -> None:
    one = taped(lines, profile=profile)
    wanted = verified(one.recording).digest
    path = tmp_path / "script"
    path.write_bytes(b"".join(export.export(one, "script", DEVICES)))
    session = done_by(path, [], profile=profile)
    assert digest(session) == wanted
    assert f"# State in the end: {wanted}\n" in path.read_text()


def test_a_script_goes_to_the_event_at_which_a_catch_stopped(
    taped: Taped, tmp_path: Path
) -> None:
    """Two vCPUs take an IPI at the same instruction; the catch is between them."""
    lines = ["catch accept --vcpu 2", "run 100000", "nmi 1", "uncatch all", "run 1000"]
    one = taped(lines, cpus=4)
    told = list(script.lines(one.branch))
    assert [line.split()[0] for line in told] == ["run", "run-to", "nmi", "run"]
    session = done_by(tmp_path / "none", told, cpus=4)
    assert digest(session) == verified(one.recording).digest


def test_a_script_steps_as_it_was_stepped(taped: Taped, tmp_path: Path) -> None:
    lines = ["step 5", "run 28000", "vcpu 1", "step 2", "vcpu 0", "step 4000", "run 9"]
    one = taped(lines, cpus=2)
    session = done_by(tmp_path / "none", script.lines(one.branch))
    assert digest(session) == verified(one.recording).digest


def test_a_step_is_of_the_vcpu_that_it_was_of_and_not_of_that_which_stopped(
    taped: Taped, tmp_path: Path
) -> None:
    """A catch makes the vCPU that it stopped on the selected one."""
    lines = ["catch deliver --vcpu 1", "run 100000", "vcpu 0", "step 3"]
    one = taped(lines)
    told = script.lines(one.branch)
    assert told[-2:] == ["vcpu 0", "step 3"]
    session = done_by(tmp_path / "none", told)
    assert digest(session) == verified(one.recording).digest


def test_every_line_is_of_an_act_and_says_all_that_it_takes() -> None:
    assert set(script.LINES) <= set(VERBS) - {"run", "step"}
    for verb, line in script.LINES.items():
        asked = Asked()
        line(asked)
        names = set(ACTS[verb]) - {"by"}
        own = {"touch", "write_memory"}  # of the selected vCPU
        names -= {"number"} if verb in own else set()
        if verb == "interfere":
            names |= {"by"}  # of a delay, and not who did it
            asked["action"] = "delay"
            line(asked)
        assert asked.names == names


class Asked(dict[str, Any]):
    """Arguments of an act that notes which of them are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return self.get(name, 0)


def test_an_act_without_a_line_of_its_own_is_done_by_the_command_act(
    taped: Taped, tmp_path: Path
) -> None:
    lines = ["run 40000", """act answer '{"number": 0, "value": 119, "by": "x"}'"""]
    one = taped([*lines, "run 9"])
    told = script.lines(one.branch)
    assert told[1].startswith("act answer '{")
    session = done_by(tmp_path / "none", told)
    assert digest(session) == verified(one.recording).digest


def test_an_imported_apic_is_in_the_script(tmp_path: Path) -> None:
    session = open_session(SessionOptions("ap-bringup"), DEVICES)
    start_recording(session, str(tmp_path / "a.lapis"))
    session.execute("run 20000")
    m = session.machine
    state = transfer.export_apic(m.vm, m.vcpu(0))
    session.machine.import_apic(1, state, "another vCPU's", lenient=True)
    session.execute("run 100")
    session.close()
    one = named.find(str(tmp_path / "a.lapis"))
    told = script.lines(one.branch)
    assert [line.split()[0] for line in told] == ["run", "act", "run"]
    again = done_by(tmp_path / "none", told)
    assert digest(again) == verified(one.recording).digest


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("act dance", "there is no act 'dance'"),
        ("act inject_nmi", "needs number"),
        ("act inject_nmi 7", "is no JSON object"),
        ("act inject_nmi {", "is no JSON object"),
        ("""act inject_nmi '{"number": "x"}'""", "must be int"),
        ("""act inject_nmi '{"number": 9}'""", "there is no vCPU 9"),
        ("""act run '{"limit": 9}'""", "there is a command run for it"),
    ],
)
def test_an_act_that_is_none_is_refused(
    opened: Callable[..., Session],
    refused: Callable[[Session, str], str],
    line: str,
    why: str,
) -> None:
    session = opened()
    assert why in refused(session, line)
    assert not session.timeline.branch.entries


def test_run_to_stops_right_after_the_event(
    opened: Callable[..., Session], done: Callable[[Session, str], Any]
) -> None:
    session = opened(cpus=4)
    view = done(session, "run-to 5")
    events = session.machine.log.last(100)
    assert events[5].event.kind == "ipi"
    assert session.timeline.spot.at.now == events[5].at + 1
    assert view["stop"] == "catch"
    at = session.timeline.spot
    assert done(session, "run-to 3")["text"] == "event 3 has happened already"
    assert session.timeline.spot == at
