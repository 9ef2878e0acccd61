"""`--cost` and `--tsc-hz`: said, kept in a recording, done again, and refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rigs import recordings

from lapis_engine.errors import ConfigError
from lapis_engine.machine.config import MachineConfig
from lapis_engine.replay.digest import Digester
from lapis_engine.vmm.costs import SETS, Costs
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.export import script
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.format.schema import Header
from lapis_sessions.recording.play import replaying
from lapis_sessions.session import Session
from lapis_sessions.text import costs

Opened = Callable[..., Session]
Done = Callable[[Session, str], Any]

GUESTS = Path(__file__).parents[1] / "guests"
FIXTURES = Path(__file__).parents[1] / "fixtures" / "recordings"
DEAR = "port=1009,mmio=211,rdtsc=29,cpuid=101,msr=53"
KINDS = (
    "none, pc, firmware, board, or KIND=NS by commas, of port, mmio, rdtsc, cpuid, msr"
)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cost": ""}, f"cost '': {KINDS}"),
        ({"cost": "prot=1"}, f"cost 'prot=1': {KINDS}"),
        ({"cost": "port"}, f"cost 'port': {KINDS}"),
        ({"cost": "port=1,pc"}, f"cost 'pc': {KINDS}"),
        ({"cost": "x" * 201}, f"cost '{'x' * 20}...' (201 characters): {KINDS}"),
        ({"cost": "port=x"}, "cost of port 'x' is not a number: 0 to 1000000 ns"),
        ({"cost": "port="}, "cost of port '' is not a number: 0 to 1000000 ns"),
        ({"cost": "port=1.5"}, "cost of port '1.5' is not a number: 0 to 1000000 ns"),
        ({"cost": "port=-1"}, "cost of port -1: 0 to 1000000 ns"),
        ({"cost": "pc,msr=1000001"}, "cost of msr 1000001: 0 to 1000000 ns"),
        ({"cost": "port=1,port=1"}, "cost of port is given twice"),
        ({"tsc_hz": 0}, "TSC frequency 0: 1000000 to 10000000000 Hz"),
        ({"tsc_hz": -5}, "TSC frequency -5: 1000000 to 10000000000 Hz"),
        ({"tsc_hz": 999_999}, "TSC frequency 999999: 1000000 to 10000000000 Hz"),
        (
            {"tsc_hz": 10_000_000_001},
            "TSC frequency 10000000001: 1000000 to 10000000000 Hz",
        ),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_session(SessionOptions(**options), discover().extensions)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", Costs()),
        ("port=0", Costs()),
        ("mmio=200", Costs(mmio=200)),
        ("none,mmio=1_000", Costs(mmio=1000)),
        ("pc,port=0", Costs(0, 200, 25, 100, 50)),
        ("firmware", Costs(1000, 200, 2000, 100, 50)),
        ("msr=1000000", Costs(msr=1_000_000)),
    ],
)
def test_what_is_said_is_what_a_machine_has(
    text: str, expected: Costs, opened: Opened
) -> None:
    session = opened(memory="4M", cost=text, tsc_hz=2_400_000_000)
    assert session.machine.vm.costs == expected
    assert session.machine.vm.tsc_hz == 2_400_000_000
    assert costs.read(costs.written(expected.some())) == expected


def test_a_recording_keeps_it_and_an_older_one_has_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "new.lapis"
    recordings.record(path, ("run 500",), cost="pc,msr=0", tsc_hz=3_000_000_000)
    head = reader.read(str(path)).header
    assert head.cost == {"port": 1000, "mmio": 200, "rdtsc": 25, "cpuid": 100}
    assert (head.tsc_hz, head.quantum) == (3_000_000_000, SessionOptions().quantum)
    old = reader.read(str(FIXTURES / "schema-2" / "answers.lapis"))
    assert (old.header.cost, old.header.tsc_hz) == ({}, 1_000_000_000)
    assert old.header.quantum == 1000
    words = " ".join(script.options(head))
    assert "--cost port=1000,mmio=200,rdtsc=25,cpuid=100 --tsc-hz 3000000000" in words
    assert "--cost" not in script.options(old.header)
    assert "--tsc-hz" not in script.options(old.header)


def test_a_header_of_before_is_read_as_it_was_meant() -> None:
    """The fields are the last ones, and may be absent."""
    names = [field.name for field in msgspec.structs.fields(Header)]
    assert names[-7:] == [
        "cost", "tsc_hz", "machine", "mmio", "seed", "attached", "usual",
    ]  # fmt: skip


@pytest.mark.parametrize("cost", [{"pause": 5}, {"port": -1}, {"port": 1 << 40}])
def test_what_a_recording_cannot_cost_is_refused(
    cost: dict[str, int], tmp_path: Path
) -> None:
    path = tmp_path / "odd.lapis"
    recordings.record(path, ("run 5",))
    found = reader.read(str(path))
    found.header = msgspec.structs.replace(found.header, cost=cost)
    with pytest.raises(ConfigError, match=r"^cost "):
        replaying.session_of(found, discover().extensions)


def test_a_turn_is_10000_instructions_unless_one_is_said(opened: Opened) -> None:
    assert SessionOptions().quantum == MachineConfig().quantum == 10_000
    assert opened(memory="4M").machine.schedule.quantum == 10_000
    assert opened(memory="4M", quantum=7).machine.schedule.quantum == 7


# Done again, and backwards.


def test_a_replay_takes_the_same_time(
    tmp_path: Path, opened: Opened, done: Done
) -> None:
    path = tmp_path / "dear.lapis"
    session = opened(str(GUESTS / "costs.bin"), cpus=1, memory="4M", cost=DEAR)
    done(session, f"record start {path}")
    for _ in range(12):
        done(session, "answer 0x42" if session.machine.pending() else "run 90")
    done(session, "record stop")
    machine = session.machine
    assert machine.now > machine.vcpus[0].retired + 1009
    again = replaying.session_of(reader.read(str(path)), discover().extensions)
    done(again, "goto end")
    assert again.machine.now == machine.now
    assert Digester(again.machine).digest() == Digester(machine).digest()


def test_going_back_gives_the_time_back(opened: Opened, done: Done) -> None:
    session = opened(str(GUESTS / "costs.bin"), cpus=1, memory="4M", cost=DEAR)
    seen = []
    dearest = 0
    for _ in range(45):
        seen.append((session.machine.now, Digester(session.machine).digest()))
        done(session, "step")
        dearest = max(dearest, session.machine.now - seen[-1][0])
    assert dearest == 1 + 1009
    for now, digest in reversed(seen):
        done(session, "reverse-step")
        assert (session.machine.now, Digester(session.machine).digest()) == (
            now,
            digest,
        )


def test_a_set_by_name_is_what_it_is_made_of() -> None:
    for name, found in SETS.items():
        assert costs.read(name) == found
