"""Platforms and the files beside an image: said, settled, recorded, refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from rigs import recordings

from lapis_engine.boot.detect import LOADERS, Loader
from lapis_engine.errors import ConfigError, LapisError
from lapis_plugins.host import discover
from lapis_sessions import attached, platforms
from lapis_sessions.attached import Attached
from lapis_sessions.errors import GuestError, RecordingError
from lapis_sessions.guests import Image
from lapis_sessions.opening import open_session
from lapis_sessions.origin import Origin, SessionOptions
from lapis_sessions.recording.edit.pack import pack
from lapis_sessions.recording.export import script
from lapis_sessions.recording.format import header, reader
from lapis_sessions.recording.play import rebuild, replaying
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping

GUEST = Path(__file__).parents[1] / "guests" / "hlt-loop.bin"
FIXTURES = Path(__file__).parents[1] / "fixtures" / "recordings"
SEABIOS = Path("/usr/share/seabios/bios-256k.bin")
KERNEL = Loader("kernel", lambda data: data == b"kernel", lambda *_: _never(), "pc")
PLAIN = Loader("plain", lambda data: data == b"plain", lambda *_: _never())


def _never() -> Any:
    raise AssertionError("nothing is loaded")


def settle(
    data: bytes, *roles: str, firmware: str = "", **said: Any
) -> dict[str, object]:
    """What is settled for an image, with files of these roles."""
    options = SessionOptions(firmware=firmware, **said)
    files = tuple(Attached(role, "x", bytes(512)) for role in roles)
    origin = Origin(options, Image("x", data, is_flat=False), files)
    found = platforms.settled(origin, (KERNEL, PLAIN))
    names = ("machine", "memory", "ports", "mmio", "cost", "tsc_hz")
    return {name: getattr(found, name) for name in names}


BARE = {
    "machine": "bare", "memory": "64M", "ports": "", "mmio": "", "cost": "none",
    "tsc_hz": 10**9,
}  # fmt: skip
PC = {
    "machine": "pc", "memory": "256M", "ports": "float", "mmio": "float", "cost": "pc",
    "tsc_hz": 10**9,
}  # fmt: skip


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (settle(b"flat"), BARE),
        (settle(b"plain"), BARE),
        (settle(b"kernel"), PC),
        (settle(b"plain", "module"), PC),
        (settle(b"plain", "initrd"), PC),
        (settle(b"plain", "disk"), PC),
        (settle(b"rom", firmware="rom"), PC | {"cost": "firmware"}),
        (settle(b"flat", machine="pc"), PC | {"ports": "ask", "mmio": "ask"}),
        (settle(b"kernel", machine="bare"), BARE),
        (settle(b"rom", firmware="rom", machine="bare"), BARE),
        (settle(b"kernel", memory="1G", ports="ask"),
         PC | {"memory": "1G", "ports": "ask"}),
        (settle(b"kernel", mmio="ask"), PC | {"mmio": "ask"}),
        (settle(b"kernel", time="board"), PC | {"cost": "board", "tsc_hz": 25 * 10**8}),
        (settle(b"flat", time="fast"), BARE | {"cost": "pc"}),
        (settle(b"kernel", cost="none", tsc_hz=5), PC | {"cost": "none", "tsc_hz": 5}),
    ],
)  # fmt: skip
def test_what_is_not_said_follows_from_the_guest(
    found: dict[str, object], wanted: dict[str, object]
) -> None:
    assert found == wanted


@pytest.mark.parametrize(("machine", "lint0"), [("pc", 0x700), ("bare", 0x1_0000)])
def test_the_8259_is_wired_through_the_bsp_of_a_pc(machine: str, lint0: int) -> None:
    """From the start and after a reset, as the BIOS of Bochs counts on."""
    options = SessionOptions(cpus=2, machine=machine, on_reset="reboot")
    session = open_session(options, discover().extensions)
    apics = [vcpu.apic for vcpu in session.machine.vcpus]
    assert [apic.lvt_lint0 for apic in apics] == [lint0, 0x1_0000]
    session.machine.run(20_000)
    apics[0].lvt_lint0 = 0x1_0000
    assert session.execute("machine reset").ok
    session.machine.run(1)
    assert [apic.lvt_lint0 for apic in apics] == [lint0, 0x1_0000]


def test_an_embedded_guest_is_on_a_bare_machine_as_ever() -> None:
    machine = open_session(SessionOptions("ap-bringup"), discover().extensions).machine
    config = machine.config
    assert (config.machine, config.memory) == ("bare", 64 << 20)
    assert not config.float_mmio
    assert not config.float_ports
    assert not config.costs.some()


@pytest.mark.parametrize("each", LOADERS, ids=lambda each: each.name)
def test_a_loader_names_a_platform_that_there_is(each: Loader) -> None:
    assert each.machine in discover().extensions.machines


# What is refused.


def refused(**options: Any) -> str:
    """The sentence with which a session of these options is refused."""
    with pytest.raises(LapisError) as error:
        open_session(SessionOptions(**options), discover().extensions)
    return str(error.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"machine": "vax"}, "machine 'vax': bare or pc is expected"),
        ({"mmio": "maybe"}, "mmio 'maybe': ask or float is expected"),
        ({"time": "slow"}, "time 'slow': fast or board is expected"),
        ({"seed": -1}, f"seed -1: 0 to {2**63 - 1}"),
        ({"seed": 2**63}, f"seed {2**63}: 0 to {2**63 - 1}"),
        ({"initrd": "x"}, ("an initrd or a module goes with a kernel, and there is "
         "none: firmware loads them from its disk")),
        ({"firmware": "x", "modules": ("y z",)}, ("an initrd or a module goes with a "
         "kernel, and there is none: firmware loads them from its disk")),
        ({"flash_vars": "x"},
         "flash variables belong to firmware: give --firmware FILE"),
        ({"disk": "x"}, ("a disk is booted by firmware: give --firmware FILE, such as "
         "the bios-256k.bin of SeaBIOS, or a kernel that uses it")),
        ({"guest": str(GUEST), "modules": ("x",) * 65}, "65 modules: 64 is the most"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(options: dict[str, Any], sentence: str) -> None:
    assert refused(**options) == sentence


@pytest.mark.parametrize("option", ["disk", "initrd", "modules"])
def test_a_file_that_is_not_there_is_named(option: str) -> None:
    given: Any = ("/no/such args",) if option == "modules" else "/no/such"
    role = {"modules": "module"}.get(option, option)
    said = refused(guest=str(GUEST), **{option: given})
    assert said == f"{role} '/no/such': there is no such file"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "disk FILE is empty"),
        (bytes(513), ("disk FILE has 513 bytes, which is no multiple of 512: a disk "
         "comes by whole sectors")),
    ],
)  # fmt: skip
def test_a_disk_of_an_odd_size_is_refused(
    data: bytes, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "disk"
    path.write_bytes(data)
    said = refused(guest=str(GUEST), disk=str(path))
    assert said.replace(repr(str(path)), "FILE") == sentence


def test_a_disk_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate((1 << 30) + 512)
    said = refused(guest=str(GUEST), disk=str(path))
    assert said.endswith(f"has {(1 << 30) + 512} bytes; {1 << 30} is the most")


# Recordings.


def record(folder: Path, *, embed: bool = True) -> Path:
    """A recording of a guest on a PC with a disk."""
    disk, path = folder / "disk", folder / "x.lapis"
    disk.write_bytes(b"sector" + bytes(506) + b"\x55\xaa" * 256)
    recordings.record(
        path, ("run 5",), str(GUEST), cpus=1, disk=str(disk), seed=7, memory="4M",
        embed=embed, time="board",
    )  # fmt: skip
    return path


def test_a_recording_holds_what_came_with_the_image(tmp_path: Path) -> None:
    path = record(tmp_path)
    data = (tmp_path / "disk").read_bytes()
    (tmp_path / "disk").unlink()
    head = reader.read(str(path)).header
    assert (head.machine, head.ports, head.mmio, head.seed) == ("pc", "ask", "ask", 7)
    assert (head.cost["port"], head.tsc_hz) == (1200, 25 * 10**8)
    (row,) = head.attached
    digest = hashlib.sha256(data).hexdigest()
    assert (row.role, row.args, row.sha256, row.data) == ("disk", "", digest, data)
    recording = reader.read(str(path))
    session = replaying.session_of(recording, discover().extensions)
    assert replaying.verify(session, recording).divergence is None
    config = session.machine.config
    assert (config.machine, config.disk, config.seed) == ("pc", data, 7)
    assert config.tsc_hz == 25 * 10**8
    words = script.options(head)
    for option in ("--machine pc", "--seed 7", "--mmio ask"):
        assert option in " ".join(words)
    assert words[words.index("--disk") + 1] == str(tmp_path / "disk")


def test_an_outline_has_the_names_and_not_the_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record(tmp_path)
    assert [row.data for row in reader.outline(str(path)).header.attached] == [b""]
    assert main(["session", "info", str(path), "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    (row,) = view["attached"]
    assert (view["machine"], view["seed"], row["role"]) == ("pc", 7, "disk")
    assert main(["session", "info", str(path)]) == 0
    assert f"disk {tmp_path / 'disk'}" in capsys.readouterr().out


def test_by_reference_it_must_be_the_same_and_packing_takes_it_in(
    tmp_path: Path,
) -> None:
    path = record(tmp_path, embed=False)
    recording = reader.read(str(path))
    assert recording.header.attached[0].data is None
    session = replaying.session_of(recording, discover().extensions)
    assert replaying.verify(session, recording).divergence is None
    packed = tmp_path / "packed.lapis"
    packed.write_bytes(b"".join(pack(recording)))
    (tmp_path / "disk").write_bytes(bytes(512))
    with pytest.raises(RecordingError, match="is not the one that was recorded"):
        replaying.session_of(recording, discover().extensions)
    (tmp_path / "disk").unlink()
    with pytest.raises(GuestError, match=r"disk '.*': there is no such file"):
        replaying.session_of(recording, discover().extensions)
    again = reader.read(str(packed))
    assert replaying.session_of(again, discover().extensions).machine.config.disk


def test_an_older_header_is_of_a_bare_machine_that_asks() -> None:
    head = reader.read(str(FIXTURES / "schema-2" / "answers.lapis")).header
    assert (head.machine, head.mmio, head.seed, head.attached) == ("bare", "", 0, [])
    config = replaying.session_of(
        reader.read(str(FIXTURES / "schema-2" / "answers.lapis")),
        discover().extensions,
    ).machine.config
    assert (config.machine, config.float_mmio, config.disk) == ("bare", False, None)


ODD: Mapping[str, tuple[dict[str, Any], str]] = {
    "role": ({"role": "tape"}, ("chunk HEAD at byte 12: 'tape' comes with its image, "
             "and must be one of initrd, module, disk, flash-vars")),
    "name": ({"name": "x" * 70_000}, "its name has 70,000 letters"),
    "args": ({"args": "x" * 70_000}, "what it is told has 70,000 letters"),
    "sha": ({"sha256": "x" * 300}, "its SHA-256 has 300 letters"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_a_header_with_odd_files_is_refused(name: str, tmp_path: Path) -> None:
    from rigs import framing  # noqa: PLC0415 - it makes a recording of its own

    changes, sentence = ODD[name]
    row = {"role": "disk", "name": "x", "args": "", "sha256": "y", "data": None}
    head = framing.header()
    assert head[-2] == []
    head[-2] = [list((row | changes).values())]
    with pytest.raises(RecordingError) as error:
        reader.read(framing.written(tmp_path / "x.lapis", head))
    assert sentence in str(error.value)


def test_a_recorded_disk_of_an_odd_size_is_refused(tmp_path: Path) -> None:
    head = reader.read(str(record(tmp_path))).header
    odd = bytes(100)
    row = msgspec.structs.replace(
        head.attached[0], data=odd, sha256=hashlib.sha256(odd).hexdigest()
    )
    with pytest.raises(ConfigError, match="no multiple of 512"):
        rebuild.attached_of(msgspec.structs.replace(head, attached=[row]))


def test_what_is_too_large_for_a_recording_is_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header, "LARGEST_IMAGE", 600)
    with pytest.raises(RecordingError) as error:
        record(tmp_path)
    size = len(GUEST.read_bytes()) + 1024
    assert str(error.value) == (
        f"disk {str(tmp_path / 'disk')!r} has 1024 bytes, {size} with what comes with "
        f"it and a recording takes 600: use --by-reference"
    )


def test_the_words_of_a_module() -> None:
    assert attached.split("  a/b  c d ") == ("a/b", "c d")
    assert attached.split("") == ("", "")


# The command line.


def test_the_platforms_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["machines"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert sorted(names) == ["bare", "pc"]
    assert main(["machines", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == names
    assert all(row["text"] for row in rows)


def test_the_command_line_says_all_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk, path = tmp_path / "disk", tmp_path / "x.lapis"
    disk.write_bytes(bytes(512))
    words = f"--machine pc --mmio float --seed 9 --time board --disk {disk}".split()
    line = ["exec", str(GUEST), *words, "--record", str(path), "-c", "run 3"]
    assert main(line) == 0
    capsys.readouterr()
    head = reader.read(str(path)).header
    assert (head.machine, head.mmio, head.seed) == ("pc", "float", 9)
    assert head.memory == "256M"
    assert main(["exec", "--disk", str(disk), "-c", "run 3"]) == 2
    assert "a disk is booted by firmware" in capsys.readouterr().err


@pytest.mark.skipif(not SEABIOS.exists(), reason="SeaBIOS is not installed")
def test_firmware_is_on_a_pc_and_in_flash() -> None:
    options = SessionOptions(firmware=str(SEABIOS), cpus=1, memory="16M")
    config = open_session(options, discover().extensions).machine.config
    assert (config.machine, config.flash) == ("pc", 256 << 10)
    assert config.costs.rdtsc == 2000
