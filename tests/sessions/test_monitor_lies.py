"""What is said to be a QEMU monitor may hang, lie, or never end: it gets a sentence.

The status is that of bad input, standard output is empty, and nothing is left of what
was begun: no recording, and no memory in a folder.
"""

import json
import os
import random
import re
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rigs import fake_qmp
from rigs.fake_qmp import Conversation, Reply, Twist, honest, key, serving

from lapis_engine.boot import machine_image
from lapis_engine.boot.machine_state import PROCESSOR
from lapis_engine.boot.request import BootRequest
from lapis_engine.errors import ImageError, LapisError
from lapis_sessions.monitor import chips, memory_map, reading, registers
from lapis_sessions.monitor.channel import MonitorError, address
from lapis_tui.cli.main import main

GUEST = "stuck-sipi"
ROWS = re.compile(r"^ +[0-9a-f]+-00000000ffffffff .*pc.bios.*$", re.MULTILINE)
COMMANDS = (
    "greeting", "qmp_capabilities", "query-status", "qom-get", "query-cpus-fast",
    "info mtree -f", "query-memory-size-summary", "info registers", "info lapic",
    "info lapic 0", "info pic", "dump-guest-memory",
    "pmemsave",
)  # fmt: skip
"""All that is asked, and the greeting."""
WRONG: tuple[Any, ...] = (
    None, True, 5, -1, 1.5, "", "x", "\x1b[2J\n" * 3, [], [None], [5], [[]], {},
    {"status": 1}, {"status": "paused", "running": 0}, {"return": {}}, "é" * 70_000,
    10**30, [{}] * 3, {"status": "inmigrate", "running": False},
    [{"cpu-index": 0, "target": "aarch64"}], [{"cpu-index": 7, "target": "x86_64"}],
    [{"cpu-index": 0, "target": "x86_64"}] * 2, [{"cpu-index": True}],
    [{"cpu-index": n, "target": "x86_64"} for n in range(300)],
)  # fmt: skip
"""Returned instead of anything."""


@pytest.fixture
def said() -> Conversation:
    return fake_qmp.load(GUEST)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders are: none is left there."""
    where = tmp_path / "temporary"
    where.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(where))
    yield where
    assert list(where.iterdir()) == []


Refused = Callable[..., str]


@pytest.fixture
def refused(
    tmp_path: Path, said: Conversation, capsys: pytest.CaptureFixture[str]
) -> Refused:
    """Import from who twists what is said; return the sentence of the refusal."""

    def of(twist: Twist = honest, *more: str, seconds: str = "30") -> str:
        recording = tmp_path / "a.lapis"
        line = ["--json", "--timeout", seconds, "--record", str(recording), *more]
        with serving(tmp_path / "qmp", said, twist) as fake:
            assert main(["import", "qemu", "--qmp", fake.path, *line]) == 2
        (tmp_path / "qmp").unlink()
        told = capsys.readouterr()
        assert told.out == ""
        assert not recording.exists()
        assert len(told.err.splitlines()) == 1
        assert len(told.err) < 1000
        assert told.err.isprintable() or told.err.rstrip("\n").isprintable()
        return told.err

    return of


def at(wanted: str, out: Callable[[Reply], bytes | None]) -> Twist:
    """Lie at one command, or the first of its kind."""

    def twist(command: str, reply: Reply) -> bytes | None:
        return out(reply) if command == wanted else honest(command, reply)

    return twist


# Hanging, and closing.


@pytest.mark.parametrize("command", COMMANDS)
def test_who_closes_in_the_middle(command: str, refused: Refused) -> None:
    assert "has closed the connection in the middle" in refused(
        at(command, lambda _: None)
    )


@pytest.mark.parametrize("command", ["greeting", "query-status", "pmemsave"])
def test_who_hangs(command: str, tmp_path: Path, said: Conversation) -> None:
    over = threading.Event()

    def hang(_reply: Reply) -> None:
        assert over.wait(30)

    with serving(tmp_path / "qmp", said, at(command, hang)) as fake:
        began = time.monotonic()
        with pytest.raises(MonitorError, match=r"within 0.3 s \(--timeout\)"):
            reading.read(fake.path, 0.3, pause=False, cpu="lapis")
        assert time.monotonic() - began < 10
        over.set()


def test_who_answers_a_byte_at_a_time_is_late_as_well(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "qmp"))
    listener.listen(1)

    def drip() -> None:
        client, _ = listener.accept()
        with client:
            try:
                while True:
                    client.sendall(b" ")
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    with pytest.raises(MonitorError, match=r"has not answered within 0\.3 s"):
        reading.read(str(tmp_path / "qmp"), 0.3, pause=False, cpu="lapis")
    thread.join(10)
    listener.close()


# Rubbish.


@pytest.mark.parametrize(
    "greeting",
    [
        b"QEMU 7.2.22 monitor - type 'help' for more information\r\n",
        b"\0" * 50 + b"\n", b"\xff\xfe\n", b"[]\n", b"{}\n",
        b'{"QMP": 5}\n', b'{"QMP": {"version": []}}\n',
        b'{"QMP": {"version": {"qemu": {"major": "7", "minor": 2, "micro": 0}}}}\n',
        b'{"QMP": {"version": {"qemu": {"major": 1e9, "minor": 2, "micro": 0}}}}\n',
        b'{"QMP": NaN}\n', b"[" * 100_000 + b"\n", b'{"a":1,"a":2}\n',
        b'{"a":' + b"9" * 5000 + b"}\n", b"220 mail.example.org ESMTP\r\n",
    ],
    ids=lambda greeting: repr(greeting[:24]),
)  # fmt: skip
def test_who_does_not_greet_as_qemu(greeting: bytes, refused: Refused) -> None:
    assert refused(at("greeting", lambda _: greeting)).startswith("lapis: QMP ")


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_rubbish_instead_of_any_answer(
    command: str, refused: Refused, said: Conversation
) -> None:
    for text in (b"x\n", b"[]\n", b"{}\n", b'{"return": {}}\n', b'{"error": 5}\n'):
        refused(at(command, lambda _, text=text: text))  # type: ignore[misc]
    assert "pmemsave" not in said.answers


@pytest.mark.parametrize("command", COMMANDS[2:-2])
def test_a_wrong_value_instead_of_any_answer(command: str, refused: Refused) -> None:
    for value in WRONG:
        if command == "info pic" and isinstance(value, str):
            continue  # a machine may have neither, which is told
        refused(at(command, lambda it, value=value: honest("", it | {"return": value})))  # type: ignore[misc]


@pytest.mark.parametrize("command", ["query-status", "info pic"])
def test_an_answer_that_never_ends(command: str, refused: Refused) -> None:
    """It is not received further than what an answer may have."""
    assert "has answered with more than 16,777,216 bytes" in refused(
        at(command, lambda _: b'{"return": "' + b"x" * (20 << 20))
    )
    events = b'{"event": "NICE"}\n' * 10_001
    assert "10,000 events and no answer" in refused(at(command, lambda _: events))


def test_what_qemu_says_is_told_fit_for_a_terminal(refused: Refused) -> None:
    said = {"class": "GenericError", "desc": "no \x1b[2J\n" + "x" * 10_000}
    told = refused(
        at("qom-get", lambda it: honest("", {"id": it["id"], "error": said}))
    )
    assert "QEMU refuses qom-get: no \\x1b[2J\\n" in told


# What does not fit together.


@pytest.mark.parametrize("event", ["RESUME", "RESET", "SHUTDOWN"])
def test_a_machine_that_moves_while_it_is_read(event: str, refused: Refused) -> None:
    def moves(reply: Reply) -> bytes:
        return json.dumps({"event": event}).encode() + b"\n" + honest("", reply)

    assert f"did not stay paused while it was read ({event})" in refused(
        at("info pic", moves)
    )


def test_a_machine_that_runs_again_at_the_end(refused: Refused) -> None:
    asked = []

    def runs(reply: Reply) -> bytes:
        asked.append(reply)
        status = {"status": "running", "running": True}
        return honest("", reply | {"return": status} if len(asked) > 1 else reply)

    assert "the machine runs" in refused(at("query-status", runs))


@pytest.mark.parametrize(
    "kind", ["microvm-machine", "isapc-machine", "virt-7.2-machine"]
)
def test_a_machine_of_another_kind(kind: str, refused: Refused) -> None:
    assert "pc (i440FX) and q35 are known" in refused(
        at("qom-get", lambda it: honest("", it | {"return": kind}))
    )


@pytest.mark.parametrize(
    ("command", "before", "after", "words"),
    [
        ("info registers", "SMM=0", "SMM=1", "is in SMM"),
        ("info registers", "A20=1", "A20=0", "has A20 closed"),
        ("info registers", "CPU#0", "CPU#3", "it is of processor 3"),
        ("info registers", "II=0", "II=2", "II is 0x2, and is 0 or 1"),
        ("info registers", "CR4=00000020", "CR4=00001020", "pages by five levels"),
        ("info registers", "CR4=00000020", "CR4=00000000", "no long mode without PAE"),
        ("info registers", "EFER=0000000000000500", "EFER=0000000000000100", "efer"),
        ("info registers", "MXCSR=00001f80", "MXCSR=00011f80", "mxcsr"),
        (
            "info registers",
            "RIP=0000000000010106",
            "RIP=0000800000000000",
            "others than",
        ),
        ("info registers", "00af9b00", "00af9300", "not the flags of a code segment"),
        ("info registers", "RBX=", "RBX=1", "RBX is there 0 times"),
        ("info registers", "RBX=", "RBX=1 RBX=", "RBX is there 2 times"),
        ("info registers", "\nTR ", "\nTQ ", "TR is there 0 times"),
        ("info registers", "FPR3=", "FPR2=", "of FPR0 to FPR7 there are 7"),
        ("info registers", "XMM03=", "XMM83=", "XMM0 to XMM15 are not all there"),
        ("info lapic", "for CPU 0", "for CPU 1", "of vCPU 0 is of vCPU 1"),
        ("info lapic 0", "for CPU 0", "for CPU 1", "vCPU 0 has not APIC id 0"),
        ("info lapic", "TPR 0x00", "TPR 0x", "vCPU 0: "),
        ("info mtree -f", 'AS "memory"', 'AS "memories"', "0 views of memory"),
        ("info pic", "pin 7 ", "pin 8 ", "not all its pins"),
        ("info pic", "pic1:", "pic2:", "not both its chips"),
        ("info pic", "Remote IRR (none)", "Remote IRR 3", "of pin 3 differ"),
    ],
)
def test_a_text_that_is_not_whole_or_cannot_be(
    command: str,
    before: str,
    after: str,
    words: str,
    refused: Refused,
) -> None:
    told: list[str] = []

    def twist(reply: Reply) -> bytes:
        text = reply.get("return")
        if isinstance(text, str) and before in text and not told:
            told.append(text)
            reply = reply | {"return": text.replace(before, after)}
        return honest("", reply)

    assert words in refused(at(command, twist))
    assert told


def test_a_machine_larger_than_memory_is_refused_before_any_of_it_is_read(
    tmp_path: Path, said: Conversation, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = said.answers[key("human-monitor-command", {"command-line": "info mtree -f"})]
    first, last = "0000000100000000", "000000ffffffffff"
    rows = tree["return"].replace("\r\n", "\n")
    for each in set(ROWS.findall(rows)):
        rows = rows.replace(each, f"{each}\n  {first}-{last} (prio 0, ram): pc.ram")
    tree["return"] = rows
    size = (4 << 20) + (0x100 << 32) - (4 << 30)
    said.answers["query-memory-size-summary {}"] = {"return": {"base-memory": size}}
    with serving(tmp_path / "qmp", said) as fake:
        assert main(["import", "qemu", "--qmp", fake.path, "--json"]) == 2
        assert "pmemsave" not in fake.asked
    assert "MiB are available here" in capsys.readouterr().err


# Memory.


def written(make: Callable[[Path], None], said: Conversation, path: Path) -> None:
    """Read from who makes a file of its own instead of the one that is asked for."""

    class Other(fake_qmp.Fake):
        def _write(self, arguments: dict[str, Any]) -> None:
            make(Path(arguments["filename"]))

    other = Other(path, said)
    try:
        reading.read(other.path, 30, pause=False, cpu="lapis")
    finally:
        other.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: None, "there is no such file; QEMU must run on this machine"),
        (
            lambda file: file.write_bytes(b"short"),
            "QEMU wrote 5 bytes of memory from 0",
        ),
        (lambda file: file.write_bytes(b"x" * (5 << 20)), "4194304 is the most"),
        (os.mkfifo, "is not a regular file"),
        (lambda file: file.symlink_to("/dev/zero"), "is not a regular file"),
        (lambda file: file.symlink_to("/proc/self/mem"), "memory that QEMU wrote"),
    ],
)
def test_a_file_that_is_not_the_memory(
    make: Callable[[Path], None], words: str, said: Conversation, tmp_path: Path
) -> None:
    with pytest.raises(MonitorError) as error:
        written(make, said, tmp_path / "qmp")
    assert words in str(error.value)


def test_nobody_else_can_look_into_the_folder(
    said: Conversation, tmp_path: Path
) -> None:
    modes = []

    def make(file: Path) -> None:
        modes.append(stat.S_IMODE(file.parent.stat().st_mode))

    with pytest.raises(MonitorError):
        written(make, said, tmp_path / "qmp")
    assert modes == [0o700]


@pytest.mark.parametrize("at", range(0, 3000, 97))
def test_a_dump_that_is_spoilt(at: int, said: Conversation, tmp_path: Path) -> None:
    """Either its notes are those of the processors, or it is refused, or none."""
    said.dump = said.dump[:at] + b"\xff" * 9 + said.dump[at + 9 :]
    with serving(tmp_path / "qmp", said) as fake:
        try:
            found = reading.read(fake.path, 30, pause=False, cpu="lapis")
        except LapisError as error:
            text = str(error)
        else:
            text = ""
            assert len(found.state.processors) == 2
    assert not text or "dump-guest-memory has" in text or "kernel_gs" in text


# Nobody.


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("no.sock", "cannot be reached: No such file"),
        ("file", "cannot be reached: Connection refused"),
        (".", "cannot be reached"),
        ("x" * 300, "cannot be reached"),
        ("unix:no.sock", "cannot be reached: No such file"),
        ("127.0.0.1:1", "cannot be reached: Connection refused"),
        ("127.0.0.1:0", "ports are 1 to 65535"),
        ("tcp:127.0.0.1:99999", "ports are 1 to 65535"),
        ("", "a path or HOST:PORT is expected"),
    ],
)
def test_where_nobody_listens(
    where: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert main(["import", "qemu", "--qmp", where, "--json"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err


def test_a_monitor_on_a_port(said: Conversation) -> None:
    assert address("localhost:4444").port == 4444
    assert address("./localhost:4444").path == "./localhost:4444"
    listener = socket.create_server(("127.0.0.1", 0))

    class OnPort(fake_qmp.Fake):
        def __init__(self) -> None:
            self._said, self._twist, self.asked = said, honest, []
            self._listener = listener
            self._thread = threading.Thread(target=self._serve)
            self._thread.start()

    fake = OnPort()
    where = f"127.0.0.1:{listener.getsockname()[1]}"
    found = reading.read(where, 30, pause=False, cpu="lapis")
    fake._thread.join(10)
    listener.close()
    assert len(found.state.processors) == 2


# Texts that are cut, and images.


def mutated(text: str, choice: random.Random) -> str:
    """Leave out or double a line, cut the text, or spoil one of its letters."""
    lines = text.splitlines(keepends=True)
    where = choice.randrange(len(lines))
    match choice.randrange(4):
        case 0:
            del lines[where]
        case 1:
            lines.insert(where, lines[where])
        case 2:
            return text[: choice.randrange(len(text))]
        case _:
            spot = choice.randrange(len(text))
            return text[:spot] + choice.choice("#~\x1b\n\0é") + text[spot + 1 :]
    return "".join(lines)


@pytest.mark.parametrize("command", ["info registers", "info pic", "info mtree -f"])
def test_a_spoilt_text_is_refused_or_tells_the_same(
    command: str, said: Conversation
) -> None:
    """For none of these is there a value that another would be taken for."""
    about = {"cpu-index": 0} if command == "info registers" else {}
    line = key("human-monitor-command", {"command-line": command} | about)
    text = said.answers[line]["return"].replace("\r\n", "\n")
    read: dict[str, Callable[[str], Any]] = {
        "info registers": lambda it: registers.read(it, 0),
        "info pic": chips.read,
        "info mtree -f": memory_map.layout,
    }
    choice = random.Random(command)
    wanted, other = read[command](text), 0
    for _ in range(1500):
        try:
            found = read[command](mutated(text, choice))
        except MonitorError:
            continue
        other += found != wanted
    # A whole row of a map may be missing, and both chips of a pair.
    assert other <= {"info registers": 0, "info pic": 15, "info mtree -f": 60}[command]


def test_the_fields_of_a_machine_image_are_those_of_its_version() -> None:
    """Another field, or another width, is another `IMAGE_VERSION`."""
    assert machine_image.IMAGE_VERSION == 1
    assert list(PROCESSOR) == [
        "gpr", "rip", "rflags", "cr0", "cr2", "cr3", "cr4", "efer", "es", "cs", "ss",
        "ds", "fs", "gs", "ldtr", "tr", "gdtr", "idtr", "dr", "fcw", "fsw", "ftw",
        "mxcsr", "x87", "xmm", "shadow", "halted", "waits",
        "kernel_gs",
    ]  # fmt: skip


def test_a_damaged_machine_image_is_refused(said: Conversation, tmp_path: Path) -> None:
    with serving(tmp_path / "qmp", said) as fake:
        found = reading.read(fake.path, 30, pause=False, cpu="lapis")
    request = BootRequest(found.memory, cpus=2, machine="pc")
    image = found.image
    assert machine_image.load(image, request).blobs
    with pytest.raises(ImageError, match="give --cpus 2 --memory 4M"):
        machine_image.load(image, BootRequest(found.memory, cpus=3))
    choice = random.Random(1)
    for _ in range(400):
        spoilt = bytearray(image)
        for _ in range(choice.randrange(1, 4)):
            spoilt[choice.randrange(8, len(spoilt))] = choice.randrange(256)
        for data in (bytes(spoilt), image[: choice.randrange(8, len(image))]):
            with suppress(ImageError):
                machine_image.load(data, request)
