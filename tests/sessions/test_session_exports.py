"""What other programs get of a recording: traces, films, tests."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from rigs.session_files import (
    ANSWERED,
    DEVICES,
    GUESTS,
    Taped,
    check_arrows,
    nested,
    perfetto,
    tracks,
    verified,
)

from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.edit import pack
from lapis_sessions.recording.export import asciicast, export, facts, pytest_file
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play.player import Player


def test_a_trace_has_a_track_a_vcpu_and_an_arrow_an_ipi(taped: Taped) -> None:
    events = perfetto(taped(ANSWERED, cpus=4))
    names = tracks(events)
    assert [f"vCPU {n}" in names for n in range(5)] == [True] * 4 + [False]
    slices = list(nested(events))
    for vcpu in (1, 2, 3):
        mine = [name for track, name, _ in slices if track == names[f"vCPU {vcpu}"]]
        assert mine[:3] == ["halted", "vector 0x31", "halted"]
    assert (names["vCPU 0"], "waits: MMIO", 1) in slices
    sender = names["vCPU 0 events"]
    arrows = check_arrows(events)
    # INIT, SIPI and vector 0x31, each from vCPU 0 to three others; then one by hand.
    others = [names[f"vCPU {n} events"] for n in (1, 2, 3)]
    assert arrows == [(sender, other) for _ in range(3) for other in others] + [
        (sender, names["vCPU 1 events"])
    ]


def test_interrupts_within_interrupts_nest_in_a_trace(taped: Taped) -> None:
    """The guest takes a higher vector within a lower one, three deep."""
    one = taped(["run 1000000"], guest=str(GUESTS / "fabric-nesting.bin"))
    events = perfetto(one)
    deep = [depth for _, name, depth in nested(events) if name.startswith("vector")]
    assert max(deep) == 3
    priorities = [e for e in events if e["ph"] == "C"]
    assert {e["args"]["PPR"] for e in priorities} > {0}


def test_what_init_interrupts_ends_there(taped: Taped) -> None:
    """vCPU 1 halts for good; INIT takes it out of that, and nothing is left open."""
    events = perfetto(taped([*ANSWERED, "ipi init --to 1", "run 1000"]))
    mine = tracks(events)["vCPU 1"]
    ends = [e for e in events if e["ph"] == "E" and e["tid"] == mine]
    taken = next(e for e in reversed(events) if "INIT taken" in str(e.get("args", {})))
    assert taken["ts"] in {e["ts"] for e in ends}
    assert list(nested(events))


def test_a_trace_is_in_us_of_virtual_time_and_has_the_annotations(
    taped: Taped,
) -> None:
    one = taped(["run 5000000", 'annotate "asks"', "answer 1", "run 100"])
    events = perfetto(one)
    notes = [e for e in events if e["ph"] == "i"]
    exits = [e for e in events if e.get("cat") == "exit" and e["ph"] == "X"]
    assert [e["ts"] for e in notes] == [e["ts"] for e in exits] == [28.838]
    assert [e["name"] for e in notes] == ["asks"]


# Films.


def test_a_film_shows_each_command_and_its_answer(taped: Taped) -> None:
    one = taped(["run 5000000", 'annotate "it asks"', "answer 0x1234", "run 100"])
    data = b"".join(export.export(one, "asciicast", DEVICES))
    head, *events = map(json.loads, data.decode("utf-8").splitlines())
    assert head["version"] == 2
    assert head["width"] > 0
    assert head["height"] > 0
    assert all(len(event) == 3 and event[1] in {"o", "m"} for event in events)
    times = [event[0] for event in events]
    assert times == sorted(times)
    assert [event[2] for event in events if event[1] == "m"] == ["it asks"]
    shown = "".join(event[2] for event in events if event[1] == "o")
    assert "> run 28839\r\nstopped (exit) on vCPU 0: read 4 bytes at 0xd00" in shown
    assert "> answer 0x1234 0\r\nanswered 0x1234 to vCPU 0" in shown
    assert not set(shown.replace("\r\n", "")) & set("\r\n\x1b")


def test_a_film_keeps_its_own_pace() -> None:
    assert asciicast.KEY < asciicast.ANSWER < asciicast.PAUSE


# Tests.


def passes(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)],
        capture_output=True, text=True, check=False, cwd=path.parent,
    )  # fmt: skip


@pytest.mark.parametrize("beside", [False, True])
def test_an_exported_test_passes_and_fails_when_the_end_is_another(
    taped: Taped, tmp_path: Path, *, beside: bool
) -> None:
    one = taped([*ANSWERED, "goto 15000", "nmi 0", "run 100"])
    path = tmp_path / "test_exported.py"
    way = str(path) if beside else ""
    text = b"".join(export.export(one, "pytest", DEVICES, way))
    path.write_bytes(text)
    done = passes(path)
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout
    assert (b"a.lapis" in text) == beside
    wanted = verified(reader.read(one.recording.name)).digest
    path.write_bytes(text.replace(b"'halted'", b"'running'", 1))
    done = passes(path)
    assert done.returncode == 1
    assert "1 failed, 7 passed" in done.stdout
    assert len(wanted) == 32


def test_a_recording_too_large_for_a_test_is_refused(taped: Taped) -> None:
    one = taped()
    noise = b"".join(hashlib.sha256(bytes([i % 256, i >> 8])).digest()
                     for i in range(1 << 16))  # fmt: skip
    head = one.recording.header
    image = msgspec.structs.replace(
        head.image, data=noise, sha256=hashlib.sha256(noise).hexdigest()
    )
    one.recording.header = msgspec.structs.replace(head, image=image)
    with pytest.raises(RecordingError, match="--by-reference names it instead"):
        pytest_file.within(
            "main", facts.gather(Player(taped(), DEVICES)),
            b"".join(pack.pack(one.recording)),
        )  # fmt: skip


def test_the_facts_are_what_happened(taped: Taped) -> None:
    """INIT and SIPI to one AP, an IPI to it and back: `ap-bringup` on two vCPUs."""
    one = taped(["run 5000000", "answer 0x1234", "run 5000000"])
    found = facts.gather(Player(one, DEVICES))
    counts = {kind: found.events[kind] for kind in ("init", "sipi", "exit", "answer")}
    assert counts == {"init": 1, "sipi": 1, "exit": 1, "answer": 1}
    assert (found.retired, found.now) == (29360, 29360)
    assert [row[:2] for row in found.vcpus] == [("halted", "long")] * 2
    assert sum(row[3] for row in found.vcpus) == 29360
    assert found.console == {"com1": "2 processors\r\ndevice says 0x1234\r\n"}


# All of them.


@pytest.mark.parametrize("form", DEVICES.exporters)
def test_an_export_is_the_same_bytes_each_time(taped: Taped, form: str) -> None:
    one = taped()
    once = b"".join(export.export(one, form, DEVICES))
    assert once == b"".join(export.export(one, form, DEVICES))
