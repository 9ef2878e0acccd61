"""A guest that is stuck under QEMU is read by its monitor, and goes on here.

Where QEMU is installed it runs, and steps beside; else, and also, what it answered once
is played. To record that anew: `python tests/sessions/test_monitor.py`.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from rigs import fake_qmp
from rigs.fake_qmp import Conversation, digest, serving
from rigs.qemu_machine import QEMU, START, stuck
from rigs.remote_protocol import GPRS, Registers

from lapis_engine.cpu.registers import GPR_NAMES, SEGMENT_NAMES
from lapis_engine.machine.machine import Machine
from lapis_engine.replay.digest import Digester
from lapis_plugins.host import discover
from lapis_sessions.monitor import opening, reading
from lapis_sessions.monitor.channel import Channel, address
from lapis_sessions.monitor.registers import read as read_registers
from lapis_sessions.origin import SessionOptions
from lapis_sessions.session import Session
from lapis_tui.cli.main import main

STEPS = 1000
CASES = {
    "stuck-sipi": ("why vcpu 1", "icr", "which goes to nobody"),
    "stuck-tpr": ("irq why 0x41 0", "class", "PPR is 0x50 because TPR is 0x50"),
    "stuck-lvt": ("irq why 0x40 0", "lvt-mask", "LVT timer (0x30040) names it and is"),
}
"""Guest -> what is asked, the rule that is the cause, and some of its sentence."""
needs_qemu = pytest.mark.skipif(QEMU is None, reason="QEMU is not installed")


def read(path: str) -> Session:
    found = reading.read(path, 30, pause=False, cpu="lapis")
    return opening.opened(found, SessionOptions(), discover().extensions)


@pytest.fixture
def played(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    """A session of what QEMU answered once of a guest."""
    with serving(tmp_path / "qmp", fake_qmp.load(request.param)) as fake:
        session = read(fake.path)
    yield session
    session.release()


def registers(machine: Machine, number: int) -> Registers:
    """The registers of a vCPU as a stub has them."""
    regs = machine.vcpu(number).regs
    gpr = dict(zip(GPR_NAMES, regs.gpr, strict=True))
    selectors = {name: regs.selector(index) for index, name in enumerate(SEGMENT_NAMES)}
    order = ("cs", "ss", "ds", "es", "fs", "gs")
    return Registers(
        tuple(gpr[name] for name in GPRS),
        regs.rip,
        regs.rflags,
        tuple(selectors[name] for name in order),
    )


# With QEMU.


@needs_qemu
@pytest.mark.parametrize(
    ("guest", "machine", "first"),
    [
        *((guest, machine, None) for guest in CASES for machine in ("pc", "q35")),
        ("stuck-floats", "pc", None),
        ("stuck-sipi", "pc", START),  # from real mode on
        ("stuck-floats", "q35", START),
    ],
)
def test_a_thousand_instructions_give_qemus_registers(
    guest: str, machine: str, first: int | None, tmp_path: Path
) -> None:
    with stuck(guest, tmp_path, machine, first) as it:
        session = read(it.qmp)
        assert registers(session.machine, 0) == it.stub.registers(0)
        for count in range(STEPS):
            assert session.step(1).retired == 1
            wanted = it.stub.step(0)
            assert registers(session.machine, 0) == wanted, (count, hex(wanted.rip))
        assert registers(session.machine, 1) == it.stub.registers(1)
        after = read(it.qmp)
    assert state(session) == state(after)


def state(session: Session) -> dict[str, Any]:
    """Every register, x87 and SSE with them, and every page of memory.

    Status words are left out, for the processor underneath raises no PE.
    """
    fields = Digester(session.machine).fields()
    wanted = ("vcpu0.", "vcpu1.", "memory ")
    few = (".retired", ".tsc", ".msr", ".dr", ".vie", ".apic", ".fpu", ".run_state")
    found: dict[str, Any] = {
        name: value
        for name, value in fields.items()
        if name.startswith(wanted) and not any(each in name for each in few)
    }
    for vcpu in session.machine.vcpus:
        context = vcpu.regs.context
        unit = context.x87
        found[f"{vcpu.id} modes"] = unit.fcw, unit.top, context.floats.mxcsr & ~0x3F
        for n, slot in enumerate(unit.slots):
            found[f"{vcpu.id} x87 {n}"] = slot.significand, slot.upper, unit.empty[n]
        for n in range(16):
            found[f"{vcpu.id} xmm {n}"] = tuple(context.xmm(n))
    return found


@needs_qemu
def test_qemu_is_left_as_it_was(tmp_path: Path) -> None:
    with stuck("stuck-tpr", tmp_path) as it:
        before = [it.stub.registers(number) for number in (0, 1)]
        read(it.qmp)
        with Channel(address(it.qmp), 30) as channel:
            status = channel.command("query-status")
        assert [it.stub.registers(number) for number in (0, 1)] == before
    assert (status["status"], status["running"]) == ("debug", False)


# Without.


@pytest.mark.parametrize("guest", CASES)
def test_the_cause_is_told(
    guest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line, rule, words = CASES[guest]
    with serving(tmp_path / "qmp", fake_qmp.load(guest)) as fake:
        assert main(["import", "qemu", "--qmp", fake.path, "-c", line, "--json"]) == 0
    told = capsys.readouterr()
    result = json.loads(told.out)["result"]
    found = {each["rule"]: each["text"] for each in result["reasons"]}
    assert words in found[rule]
    assert words in result["text"]
    assert "2 vCPUs, 4 MiB of RAM" not in told.out


@pytest.mark.parametrize("played", CASES, indirect=True)
def test_a_thousand_instructions_give_what_qemu_gave(
    played: Session, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["played"]
    trace = fake_qmp.load(name).trace
    assert len(trace) == STEPS
    for count, wanted in enumerate(trace):
        played.step(1)
        assert digest(registers(played.machine, 0)) == wanted, count


@pytest.mark.parametrize("played", ["stuck-tpr"], indirect=True)
def test_the_one_msr_that_a_dump_tells_is_taken(played: Session) -> None:
    assert played.value("msr[0xc0000102]") == 0x5678_9ABC_DEF0


@pytest.mark.parametrize("played", ["stuck-lvt"], indirect=True)
def test_what_was_imported_is_gone_back_to(played: Session) -> None:
    digester = Digester(played.machine)
    beginning = digester.digest()
    played.execute("step 700")
    middle = digester.digest()
    played.execute("run 30000")
    assert played.execute("goto 700").ok
    assert digester.digest() == middle
    assert played.execute("reverse-step 700").ok
    assert digester.digest() == beginning


def test_a_recording_of_it_replays_without_qemu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = str(tmp_path / "a.lapis")
    with serving(tmp_path / "qmp", fake_qmp.load("stuck-sipi")) as fake:
        done = ["-c", "step 500", "-c", "ipi init --to 1", "-c", "run 900"]
        line = ["import", "qemu", "--qmp", fake.path, "--record", recording]
        assert main([*line, *done]) == 0
    assert main(["session", "verify", recording]) == 0
    capsys.readouterr()
    assert main(["replay", recording, "-c", "goto start", "-c", "print rip"]) == 0
    assert "0x10106" in capsys.readouterr().out


def test_json_alone_lists_what_was_read_and_what_was_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path / "qmp", fake_qmp.load("stuck-sipi")) as fake:
        assert main(["import", "qemu", "--qmp", fake.path, "--json"]) == 0
        assert "stop" not in fake.asked
        assert "cont" not in fake.asked
    found = json.loads(capsys.readouterr().out)
    assert [each["state"] for each in found["processors"]] == [
        "running", "wait-for-sipi",
    ]  # fmt: skip
    assert found["memory"] == 4 << 20
    assert found["held"] < 1 << 20
    assert any("LSTAR" in each for each in found["left_out"])


def test_a_machine_that_runs_is_paused_only_where_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = fake_qmp.load("stuck-sipi")
    paused = said.answers[fake_qmp.key("query-status", {})]
    said.answers["stop {}"] = {"return": {}}

    def runs(command: str, reply: fake_qmp.Reply) -> bytes:
        if command == "query-status" and "stop" not in fake.asked:
            reply = {**reply, "return": {"status": "running", "running": True}}
        elif command == "query-status":
            reply = {**reply, **paused}
        return fake_qmp.honest(command, reply)

    with serving(tmp_path / "a", said, runs) as fake:
        assert main(["import", "qemu", "--qmp", fake.path, "--json"]) == 2
        assert "stop" not in fake.asked
    assert "the machine runs: pause it" in capsys.readouterr().err
    with serving(tmp_path / "b", said, runs) as fake:
        assert main(["import", "qemu", "--qmp", fake.path, "--pause", "--json"]) == 0
        assert "cont" not in fake.asked


# Values that a guest of ours leaves at their reset.


def opened_with(
    said: Conversation, path: Path, command: str, new: Mapping[str, str]
) -> Session:
    """A session of a conversation in which the rest of some rows is another.

    `new` is by what they begin with, the blanks before it left out.
    """
    for line, answer in said.answers.items():
        text = answer["return"]
        if json.dumps(command) in line and isinstance(text, str):
            for name, row in new.items():
                pattern = rf"(?m)^( *){re.escape(name)}[^\r\n]*"
                text = re.sub(pattern, rf"\g<1>{name}{row}", text, count=1)
            answer["return"] = text
    with serving(path, said) as fake:
        return read(fake.path)


def test_debug_registers_are_taken(tmp_path: Path) -> None:
    said = fake_qmp.load("stuck-sipi")
    here = "0000000000010110"
    session = opened_with(
        said, tmp_path / "qmp", "info registers",
        {
            "DR0=": f"{here} DR1=1111111111111111 DR2=0000000000002222 "
            "DR3=0000000000003333",
            "DR6=": "00000000ffff4ff1 DR7=0000000000000401",
        },
    )  # fmt: skip
    regs = session.machine.vcpu(0).regs
    assert [regs.dr[n] for n in (0, 1, 2, 3)] == [
        0x10110, 0x1111_1111_1111_1111, 0x2222, 0x3333,
    ]  # fmt: skip
    assert (regs.dr[6], regs.dr[7]) == (0xFFFF_4FF1, 0x401)
    # It is armed: the guest has no handler, and so the #DB there ends it.
    stop = session.run(1000)
    assert stop.reason == "suspended"
    assert stop.retired < 10


def text_of(said: Conversation, number: int) -> str:
    """What `info registers` printed of a processor."""
    asked = {"command-line": "info registers", "cpu-index": number}
    text = said.answers[fake_qmp.key("human-monitor-command", asked)]["return"]
    return str(text).replace("\r\n", "\n")


def test_an_ap_at_the_reset_vector_waits_for_a_sipi_under_kvm_too() -> None:
    """KVM does not tell one as halted that waits; a BSP that is there begins."""
    text = text_of(fake_qmp.load("stuck-sipi"), 1).replace("HLT=1", "HLT=0")
    found, _ = read_registers(text, 1)
    assert (found.waits, found.halted) == (1, 0)
    found, _ = read_registers(text.replace("CPU#1", "CPU#0"), 0)
    assert (found.waits, found.halted) == (0, 0)


@pytest.mark.parametrize(("kind", "words"), [("YMM", 4), ("ZMM", 8)])
def test_of_wider_registers_the_lower_half_is_taken(kind: str, words: int) -> None:
    text = text_of(fake_qmp.load("stuck-sipi"), 0)
    text = text[: text.index("XMM00")]
    for upper in (0, 7):
        rows = [
            f"{kind}{n:02d}="
            + " ".join(
                f"{value:016x}" for value in (*(upper,) * (words - 2), n + 0x100, n)
            )
            for n in range(16)
        ]
        found, missing = read_registers(text + "\n".join(rows) + "\n", 0)
        assert found.xmm == tuple((n + 0x100) << 64 | n for n in range(16))
        assert bool(missing) == bool(upper)


CHIPS = {
    "pic1: ": "irr=42 imr=0f isr=80 hprio=3 irq_base=70 rr_sel=1 elcr=0c fnm=0",
    "pic0: ": "irr=05 imr=fa isr=20 hprio=0 irq_base=08 rr_sel=0 elcr=01 fnm=1",
    "ioapic0: ": "ver=0x20 id=0x05 sel=0x1a",
    "pin 4 ": " 0x030000000000c941 dest=3 vec=65  active-hi level fixed logical",
    "pin 9 ": " 0x0200000000000052 dest=2 vec=82  active-hi edge  fixed physical",
    "IRR ": "     4 9",
    "Remote IRR ": "4",
}


def test_the_ioapic_and_the_8259_are_taken(tmp_path: Path) -> None:
    session = opened_with(
        fake_qmp.load("stuck-sipi"), tmp_path / "qmp", "info pic", CHIPS
    )
    vm = session.machine.vm
    assert vm.ioapic is not None
    assert vm.pic is not None
    assert (vm.ioapic.id, vm.ioapic.select) == (0x0500_0000, 0x1A)
    pins = vm.ioapic.pins
    assert [n for n, pin in enumerate(pins) if pin.count] == [4]
    assert pins[4].entry == 0x0300_0000_0000_C941  # with remote-IRR
    assert pins[9].entry == 0x0200_0000_0000_0052
    assert {pins[n].entry for n in range(24) if n not in {4, 9}} == {0x1_0000}
    master, slave = vm.pic.master, vm.pic.slave
    assert (master.edges, master.lines, master.elcr) == (0x04, 0x01, 0x01)
    assert (master.imr, master.isr, master.base) == (0xFA, 0x20, 0x08)
    assert master.lowest == 7
    assert (slave.edges, slave.lines, slave.imr) == (0x42, 0, 0x0F)
    assert (slave.isr, slave.base, slave.elcr) == (0x80, 0x70, 0x0C)
    assert slave.lowest == 2
    assert vm.pic.intr  # IRQ 0, which is not masked


# The fixtures.


def write(guest: str) -> None:
    """Have QEMU answer, and keep that."""
    said = Conversation()

    class Heard(Channel):
        def command(self, name: str, **arguments: Any) -> Any:
            found = super().command(name, **arguments)
            if name == "pmemsave":
                data = Path(arguments["filename"]).read_bytes()
                for at in range(0, len(data), fake_qmp.PAGE):
                    page = data[at : at + fake_qmp.PAGE]
                    if any(page):
                        said.pages[arguments["val"] + at] = page
            elif name == "dump-guest-memory":
                file = arguments["protocol"].removeprefix("file:")
                said.dump = Path(file).read_bytes()
            else:
                said.answers[fake_qmp.key(name, arguments)] = {"return": found}
            return found

    with TemporaryDirectory() as folder, stuck(guest, Path(folder)) as it:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "Channel", Heard)
            reading.read(it.qmp, 30, pause=False, cpu="lapis")
        said.trace = [digest(it.stub.step(0)) for _ in range(STEPS)]
    said.save(guest)


if __name__ == "__main__":
    for each in CASES:
        write(each)
