"""`--cpu` and `--hypervisor`: what is said, kept in a recording, and refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rigs import recordings

from lapis_engine.errors import ConfigError
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session

    Opened = Callable[..., Session]
    Done = Callable[[Session, str], Any]
    Refused = Callable[[Session, str], str]

FIXTURES = Path(__file__).parents[1] / "fixtures" / "recordings"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cpu": "z80"}, "unknown CPU model 'z80': there are lapis, base"),
        ({"cpu": ""}, "unknown CPU model '': there are lapis, base"),
        ({"hypervisor": "xen"}, "hypervisor 'xen': one of none, kvm, timing"),
    ],
)
def test_what_is_unknown_is_refused(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_session(SessionOptions(**options), discover().extensions)  # type: ignore[arg-type]
    assert str(refused.value) == sentence


def test_a_machine_has_what_was_said() -> None:
    options = SessionOptions(cpu="base", hypervisor="kvm", memory="4M")
    session = open_session(options, discover().extensions)
    assert session.machine.vm.cpu.model.name == "base"
    assert session.machine.vm.cpu.hypervisor == "kvm"


def test_a_recording_keeps_it_and_an_older_one_has_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "new.lapis"
    recordings.record(path)
    head = reader.read(str(path)).header
    assert (head.cpu, head.hypervisor) == ("lapis", "none")
    old = reader.read(str(FIXTURES / "schema-2" / "answers.lapis"))
    assert (old.header.cpu, old.header.hypervisor) == ("first", "none")
    session = replaying.session_of(old, discover().extensions)
    # The hypervisor's bit, and RDRAND: as the processor underneath tells it.
    assert session.machine.vm.cpu.model.leaf(1).ecx >> 30 == 3


def test_cpuid_is_shown_decoded(opened: Opened, done: Done) -> None:
    session = opened(memory="4M", cpus=2)
    rows = done(session, "cpuid")
    assert [row["leaf"] for row in rows] == sorted(row["leaf"] for row in rows)
    (one,) = done(session, "cpuid 1")
    assert (one["leaf"], one["sub"], one["vcpu"]) == (1, 0, 0)
    assert one["ecx"] & 1 == 1
    assert {"SSE3", "SSE4_2", "X2APIC", "APIC", "HTT"} <= set(one["features"])
    assert not {"AVX", "RDRAND", "HYPERVISOR", "MONITOR"} & set(one["features"])
    (core,) = done(session, "cpuid 0xb 1")
    assert (core["eax"], core["ebx"], core["ecx"]) == (1, 2, 0x201)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("cpuid 0x20", "CPU lapis has 0x0 to 0x1f, 0x80000000 to 0x80000008"),
        ("cpuid 0x40000000", "CPUID leaf 0x40000000 is out of range"),
        ("cpuid 0x100000000", "CPUID leaf 0x100000000 is out of range"),
        ("cpuid 0xb 0x100000000", "sub-leaf 0x100000000: ECX has 32 bits"),
    ],
)  # fmt: skip
def test_a_leaf_out_of_range(
    opened: Opened, refused: Refused, line: str, sentence: str
) -> None:
    assert sentence in refused(opened(memory="4M"), line)


def test_the_hypervisor_has_a_range_of_its_own(opened: Opened, done: Done) -> None:
    session = opened(memory="4M", hypervisor="timing")
    (row,) = done(session, "cpuid 0x40000010")
    assert (row["eax"], row["ebx"]) == (1_000_000, 1_000_000)
