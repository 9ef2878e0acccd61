"""`--cpu` and `--hypervisor`: what is said, kept in a recording, and refused."""

from pathlib import Path

import pytest
from rigs import recordings

from lapis_engine.errors import ConfigError
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying

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
