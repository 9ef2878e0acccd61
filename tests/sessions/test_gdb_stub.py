"""A conversation in the remote protocol, packet by packet, with the guest ap-bringup.

Oracles: the GDB manual ("Packets", "Stop Reply Packets", "General Query Packets"), the
listing of the guest (`ap-bringup.asm`), and the session's own commands.
"""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from rigs.gdb_rig import Client, packet, parsed, thread_of, words

from lapis_engine.replay.digest import Digester

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session

    Opened = Callable[..., Session]

TRAMPOLINE = 0x8000
AP_PROTECTED = 0x1008B
"""ap_protected_mode, where the trampoline jumps to."""
APS_COUNTED = 0x12034
COUNT = 0x101F5
"""lock inc dword [aps_counted], in the handler of the IPI."""
DEVICE = "0xd0000000"


@pytest.fixture
def client(opened: Opened) -> Client:
    return Client(opened(cpus=4))


def document(client: Client, name: str, annex: str = "") -> ET.Element:
    """Fetch a document in small pieces."""
    text, at = "", 0
    while True:
        piece = client.ask(f"qXfer:{name}:read:{annex}:{at:x},123")
        text += piece[1:]
        at += len(piece) - 1
        if piece[0] == "l":
            return ET.fromstring(text)
        assert piece[0] == "m"


def rows(client: Client, table: str) -> list[dict[str, str]]:
    found = document(client, "osdata", table)
    return [{c.attrib["name"]: c.text or "" for c in item} for item in found]


# What is said of the machine.


def test_what_is_supported(client: Client) -> None:
    features = client.ask("qSupported:swbreak+;xmlRegisters=i386").split(";")
    assert {
        "QStartNoAckMode+", "vContSupported+", "ReverseStep+", "ReverseContinue+",
        "swbreak+", "hwbreak+", "qXfer:features:read+", "qXfer:memory-map:read+",
        "qXfer:threads:read+", "qXfer:osdata:read+",
    } <= set(features)  # fmt: skip
    size = next(f for f in features if f.startswith("PacketSize="))
    assert int(size[11:], 16) >= 0x4000


def test_a_gdb_of_another_architecture_is_told(client: Client) -> None:
    client.ask("qSupported:xmlRegisters=arm,mips")
    assert any("arm, mips" in text for text in client.stub.said)
    text, _ = client.told("vCont;s:1")
    assert "arm, mips" in text


def test_threads_have_their_run_states_and_reasons(client: Client) -> None:
    assert client.ask("qfThreadInfo") == "m1,2,3,4"
    before = document(client, "threads")
    assert [t.attrib["name"] for t in before] == ["running"] + ["never-started"] * 3
    assert "waits for INIT and SIPI" in (before[1].text or "")
    client.ask("Z0,10133,1")  # send_sipi
    assert thread_of(client.ask("vCont;c")) == 1
    after = document(client, "threads")
    assert [t.attrib["name"] for t in after] == ["running"] + ["wait-for-SIPI"] * 3
    assert "waits for SIPI" in (after[2].text or "")
    extra = bytes.fromhex(client.ask("qThreadExtraInfo,3")).decode()
    assert extra.startswith("wait-for-SIPI; vCPU 2, real mode: it waits for SIPI")
    client.ask("Z0,8000,1")
    assert thread_of(client.ask("vCont;c")) == 2
    texts = [t.text for t in document(client, "threads")]
    assert texts[1:3] == [
        "vCPU 1, real mode, can run",
        "vCPU 2, real mode, what it waits for has come, and it runs at its turn",
    ]


@pytest.mark.parametrize("architecture", ["auto", "i386", "i8086"])
def test_the_description_has_as_many_bytes_as_g(
    opened: Opened, architecture: str
) -> None:
    client = Client(opened(), architecture=architecture)
    target = document(client, "features", "target.xml")
    names = {"auto": "i386:x86-64", "i386": "i386", "i8086": "i8086"}
    assert target.findtext("architecture") == names[architecture]
    registers = list(target.iter("reg"))
    bits = sum(int(reg.attrib["bitsize"]) for reg in registers)
    assert len(client.ask("g")) == 2 * bits // 8
    pc = "rip" if architecture == "auto" else "eip"
    first = [reg.attrib["name"] for reg in registers]
    assert first.index(pc) == (16 if pc == "rip" else 8)
    apic = next(
        f for f in target.iter("feature") if f.attrib["name"] == "org.lapis.apic"
    )
    record = next(
        s for s in apic.iter("struct") if s.attrib["id"] == "lapis_apic_parts"
    )
    parts = {field.attrib["name"] for field in record}
    assert {
        "irr", "isr", "tmr", "tpr", "ppr", "icr", "svr", "ldr", "dfr", "esr", "id",
        "lvt_timer", "lvt_lint0", "lvt_lint1", "timer_initial", "timer_current",
    } <= parts  # fmt: skip


def test_registers_are_the_machines(client: Client, done: Callable[..., Any]) -> None:
    client.ask("Z0,8000,1")
    client.ask("vCont;c")
    assert client.ask("Hg1") == "OK"
    regs = done(client.session, "regs 0")
    for name in ("rax", "rsp", "rbp", "r13", "cs", "cr0", "cr3", "efer"):
        assert client.register(name) == regs[name], name
    assert client.register("rip") == client.register("ip") == 0x1013D
    assert client.register("apic_tpr") == 0
    client.ask("Hg2")  # real mode: the pc is linear
    assert (client.register("rip"), client.register("ip")) == (TRAMPOLINE, 0)
    assert client.register("cs_base") == TRAMPOLINE


def test_a_write_of_the_pc_is_linear_and_an_act(client: Client) -> None:
    client.ask("vCont;s:1")
    assert client.ask("P10=0600010000000000") == "OK"
    assert (client.register("rip"), client.register("ip")) == (0x10006, 6)
    assert client.ask("P10=0000020000000000") == (
        "E.0x20000 is not within CS: CS begins at 0x10000 and ends 0xffff behind that"
    )
    assert client.ask("bs").startswith("T05")
    assert client.register("rip") == 0x10000


def test_cr8_is_the_class_of_the_tpr(client: Client) -> None:
    index = [reg.attrib["name"] for reg in _registers(client)].index("cr8")
    assert client.ask(f"P{index:x}=0300000000000000") == "OK"
    assert client.register("cr8") == 3
    assert client.register("apic_tpr") == 0x30
    assert client.ask(f"P{index:x}=1000000000000000") == (
        "E.cr8 0x10: 0x0 to 0xf is expected"
    )
    assert client.register("cr8") == 3


def test_memory_is_peeked_and_no_device_is_touched(client: Client) -> None:
    session, seq = client.session, client.session.machine.log.next_seq
    assert client.ask("m10000,2") == "fafc"  # cli, cld
    assert client.ask("x10000,2") == "b\xfa\xfc"
    for device in ("fee00020", "d0000000", "fec00000"):
        assert client.ask(f"m{device},4") == "E14"
    assert client.ask("m3fffffe,4") == "0000"  # RAM ends at 64 MiB
    assert session.machine.log.next_seq == seq


def test_memory_is_written_as_an_act_that_going_back_undoes(client: Client) -> None:
    client.ask("vCont;s:1")
    assert client.ask("M20000,2:1234") == "OK"
    assert client.ask("X20002,2:}]\x01") == "OK"
    assert client.ask("m20000,4") == "12347d01"
    assert client.ask("M" + "fee00020,4:00000000") == "E14"
    client.ask("bs")
    assert client.ask("m20000,4") == "00000000"


def test_physical_addresses_are_those_of_qemus_packet(client: Client) -> None:
    client.ask("Z0,1013d,1")
    client.ask("vCont;c")
    assert client.ask("m100000000,1") == "E14"
    assert client.ask("Qqemu.PhyMemMode:1") == "OK"
    assert client.ask("qqemu.PhyMemMode") == "1"
    assert client.ask("m70000,1") == "23"  # pml4: PTE_TABLE


def test_the_memory_map_leaves_devices_out_and_kernels_in(client: Client) -> None:
    found = [
        (int(m.attrib["start"], 16), int(m.attrib["length"], 16))
        for m in document(client, "memory-map")
    ]

    def lists(at: int) -> bool:
        return any(start <= at < start + length for start, length in found)

    assert lists(0x10000)
    assert lists(0xFFFF_FFFF_8100_0000)
    assert not lists(0xFEE0_0020)
    assert not lists(0xFEC0_0000)


def test_osdata_lists_vcpus_and_requests(client: Client) -> None:
    assert {row["Type"] for row in rows(client, "")} == {"vcpus", "requests"}
    assert rows(client, "requests") == []
    client.ask("vCont;c")
    requests = rows(client, "requests")
    assert [(r["vCPU"], r["access"], r["bytes"]) for r in requests] == [
        ("0", "read", "4")
    ]
    vcpus = rows(client, "vcpus")
    assert [row["state"] for row in vcpus] == ["running", "halted", "halted", "halted"]
    assert "pending request" in vcpus[0]["reason"]


# Going on.


def test_a_step_of_a_waiting_ap_answers_at_once_and_runs_nobody(client: Client) -> None:
    for body in ("vCont;s:2;c", "vCont;s:2"):
        shown, stop = client.told(body)
        assert client.slices == 0
        assert "vCPU 1 cannot be stepped" in shown
        assert "waits for INIT and SIPI" in shown
        assert thread_of(stop) == 2
    assert sum(vcpu.retired for vcpu in client.session.machine.vcpus) == 0


def test_a_refusal_that_is_asked_for_again_ends_a_range_step(client: Client) -> None:
    assert client.ask("vCont;s:2;c").startswith("T05")
    assert client.ask("vCont;s:2;c").startswith("T00")
    client.ask("vCont;s:1")
    assert client.ask("vCont;s:2;c").startswith("T05")


def test_a_step_of_one_that_the_schedule_gives_no_turn_is_refused(
    client: Client,
) -> None:
    client.ask("Z0,8000,1")
    client.ask("vCont;c")
    client.monitor("sched only 0")
    total = sum(vcpu.retired for vcpu in client.session.machine.vcpus)
    shown, stop = client.told("vCont;s:2;c")
    assert "the schedule runs vCPU 0 only" in shown
    assert thread_of(stop) == 2
    assert sum(vcpu.retired for vcpu in client.session.machine.vcpus) == total
    assert "10:0180000000000000" in client.ask("vCont;s:2")  # it alone


def test_a_step_alone_freezes_the_others(client: Client) -> None:
    client.ask("Z0,8000,1")
    client.ask("vCont;c")
    vcpus = client.session.machine.vcpus
    before = [vcpu.retired for vcpu in vcpus]
    assert thread_of(client.ask("vCont;s:2")) == 2
    assert [vcpu.retired for vcpu in vcpus] == [before[0], before[1] + 1, *before[2:]]


def test_steps_among_others_make_the_history_that_a_run_makes(opened: Opened) -> None:
    stepping, running = Client(opened(cpus=2)), opened(cpus=2)
    stepping.session.set_quantum(5)
    running.set_quantum(5)
    stepping.ask("Z0,8000,1")
    stepping.ask("vCont;c")
    for _ in range(40):
        assert thread_of(stepping.ask("vCont;s:2;c")) == 2
    machine = stepping.session.machine
    total = sum(vcpu.retired for vcpu in machine.vcpus)
    running.run(total)
    theirs = [(vcpu.retired, vcpu.regs.rip) for vcpu in running.machine.vcpus]
    assert [(vcpu.retired, vcpu.regs.rip) for vcpu in machine.vcpus] == theirs
    assert machine.vcpus[1].retired == 40


def test_the_one_who_stops_is_reported(client: Client) -> None:
    client.ask("qSupported:swbreak+;hwbreak+")
    client.ask("Z0,8000,1")
    stop = client.ask("vCont;c")
    assert thread_of(stop) == 2
    assert "swbreak:;" in stop
    client.ask("z0,8000,1")
    client.ask("Z1,1008b,1")
    assert "hwbreak:;" in client.ask("vCont;c")


def test_a_step_leaves_a_breakpoint_that_was_set_where_it_stands(
    client: Client,
) -> None:
    client.ask("Z0,10000,1")
    assert "10:0100010000000000" in client.ask("vCont;s:1")


def test_a_step_goes_on_within_a_range_and_stops_at_breakpoints_there(
    opened: Opened,
) -> None:
    client, single = Client(opened()), Client(opened())
    stop = client.ask("vCont;r1001e,10056:1;c")  # not within it: one instruction
    assert "10:0100010000000000" in stop
    client.ask("Z0,1001e,1")
    single.ask("Z0,1001e,1")
    client.ask("vCont;c")
    single.ask("vCont;c")
    stop = client.ask("vCont;r1001e,1004b:1;c")  # protected_mode, with a rep stosd
    while single.register("rip") in range(0x1001E, 0x1004B):
        single.ask("vCont;s:1;c")
    assert stop.startswith("T05thread:1;")
    assert client.register("rip") == single.register("rip")
    assert client.session.machine.vcpus[0].retired == (
        single.session.machine.vcpus[0].retired
    )
    at = client.register("rip") + 10
    client.ask("qSupported:swbreak+")
    client.ask(f"Z0,{at:x},1")
    stop = client.ask("vCont;r10000,20000:1;c")
    assert "swbreak:;" in stop
    assert client.register("rip") == at


def test_some_go_on_and_the_others_are_frozen(client: Client) -> None:
    client.ask("Z0,8000,1")
    client.ask("vCont;c")
    client.ask("z0,8000,1")
    client.ask("Z0,101cd,1")  # ap_main
    vcpus = client.session.machine.vcpus
    before = [vcpu.retired for vcpu in vcpus]
    client.ask("vCont;c:2;c:3")
    after = [vcpu.retired for vcpu in vcpus]
    assert after[0] == before[0]
    assert after[3] == before[3]
    assert after[1] > before[1]
    assert vcpus[1].regs.rip == 0x101CD


def test_0x03_stops_a_run_with_sigint(opened: Opened) -> None:
    client = Client(opened("ap-bringup", cpus=1))
    assert client.stub.receive(packet(b"vCont;c")) == b""
    client.stub.go(100)
    assert client.carries_on()
    assert client.stub.receive(packet(b"g")) == b""  # it runs: nobody answers
    stop = parsed(client.stub.receive(b"\x03"))[-1]
    assert stop.startswith("T02thread:1;")
    assert not client.carries_on()
    assert client.stub.receive(b"\x03") == b""


def test_a_pending_request_is_said_and_answered_by_monitor(client: Client) -> None:
    shown, stop = client.told("vCont;c")
    assert DEVICE in shown
    assert "monitor answer" in shown
    assert (stop[:3], thread_of(stop)) == ("T05", 1)
    assert "0x2a" in client.monitor("answer 0x2a")
    shown, stop = client.told("vCont;c")
    assert "halted" in shown
    assert "device says 0x2a" in client.session.machine.consoles["com1"].decode()


def test_old_packets_go_on_too(client: Client) -> None:
    client.ask("Hc1")
    assert "10:0100010000000000" in client.ask("s")
    assert "10:0200010000000000" in client.ask("S05")
    assert "10:0400010000000000" in client.ask("s10002")
    client.ask("Hc0")
    client.ask("Z0,8000,1")
    assert thread_of(client.ask("c")) == 2


def test_who_stopped_is_selected_without_being_asked(client: Client) -> None:
    # gdb takes it so (`record_currthread`): QEMU and gdbserver do it as well.
    client.ask("Hg1")
    client.ask("Z0,8000,1")
    assert thread_of(client.ask("vCont;c")) == 2
    assert client.ask("qC") == "QC2"
    assert client.register("rip") == 0x8000
    client.ask("vCont;s:1")
    assert client.ask("qC") == "QC1"


# Watchpoints.


@pytest.mark.parametrize(
    ("body", "word"), [("Z2", "watch"), ("Z3", "rwatch"), ("Z4", "awatch")]
)
def test_watchpoints_say_what_was_touched(client: Client, body: str, word: str) -> None:
    assert client.ask(f"{body},{APS_COUNTED:x},4") == "OK"
    stop = client.ask("vCont;c")
    assert f";{word}:{APS_COUNTED:x};" in stop


def test_nothing_to_watch_is_refused(client: Client) -> None:
    assert client.ask("Z2,fee00020,4") == "E14"
    assert client.ask("Z2,10000,0") == "E14"


def test_numbers_of_breakpoints_do_not_run_away(client: Client) -> None:
    for _ in range(5):
        client.ask("Z0,8000,1")
        client.ask("vCont;s:1")
        client.ask("z0,8000,1")
    client.ask("Z0,8000,1")
    client.ask("vCont;s:1")
    assert [point.number for point in client.session.machine.points.items] == [1]
    assert client.ask("D") == "OK"
    assert client.session.machine.points.items == []
    assert client.stub.has_ended


# Going back.


def test_back_a_step_is_of_that_vcpu_whoever_ran_last(client: Client) -> None:
    client.ask("Z0,8000,1")
    client.ask("vCont;c")
    client.ask("vCont;s:2")
    client.ask("vCont;s:2")
    before = client.session.machine.vcpus[0].retired
    client.ask("vCont;s:1")
    client.ask("Hc2")
    stop = client.ask("bs")
    assert thread_of(stop) == 2
    assert "10:0180000000000000" in stop
    assert client.session.machine.vcpus[0].retired == before
    # The breakpoint under it does not stop the next one.
    assert "10:0080000000000000" in client.ask("bs")
    shown, stop = client.told("bs")
    assert "replaylog:begin;" in stop
    assert "vCPU 1" in shown


def test_back_to_a_watchpoint_is_before_the_access(client: Client) -> None:
    client.ask("vCont;c")
    client.ask(f"Z2,{APS_COUNTED:x},4")
    for count, thread in ((2, 4), (1, 3), (0, 2)):
        stop = client.ask("bc")
        assert f";watch:{APS_COUNTED:x};" in stop
        assert thread_of(stop) == thread
        assert client.ask(f"m{APS_COUNTED:x},4") == f"{count:02x}000000"
        client.ask(f"Hg{thread:x}")
        assert client.register("rip") == COUNT
    assert "replaylog:begin;" in client.ask("bc")
    assert sum(vcpu.retired for vcpu in client.session.machine.vcpus) == 0


def test_back_from_behind_an_access_is_before_that_one(client: Client) -> None:
    client.ask(f"Z2,{APS_COUNTED:x},4")
    for count, thread in ((1, 2), (2, 3)):
        stop = client.ask("vCont;c")
        assert f";watch:{APS_COUNTED:x};" in stop
        assert thread_of(stop) == thread
        assert client.ask(f"m{APS_COUNTED:x},4") == f"{count:02x}000000"
    for count, thread in ((1, 3), (0, 2)):
        stop = client.ask("bc")
        assert f";watch:{APS_COUNTED:x};" in stop
        assert thread_of(stop) == thread
        assert client.ask(f"m{APS_COUNTED:x},4") == f"{count:02x}000000"
    assert client.ask("vCont;c").startswith("T05")  # and along it again
    assert client.ask(f"m{APS_COUNTED:x},4") == "01000000"
    client.ask(f"z2,{APS_COUNTED:x},4")
    assert "replaylog:begin;" in client.ask("bc")


def test_back_to_what_came_last_whoever_stands_still_since(opened: Opened) -> None:
    client = Client(opened(cpus=2))
    client.ask("qSupported:swbreak+")
    client.ask(f"Z0,{COUNT:x},1")
    assert thread_of(client.ask("vCont;c")) == 2
    client.ask(f"z0,{COUNT:x},1")
    client.ask(f"Z2,{APS_COUNTED:x},4")
    assert ";watch:" in client.ask("vCont;s:2")  # and there vCPU 1 stays
    client.ask("vCont;s:1")
    at = client.register("rip")
    client.ask(f"Z0,{at:x},1")
    client.ask("vCont;s:1")
    stop = client.ask("bc")
    assert thread_of(stop) == 1
    assert "swbreak:;" in stop
    assert client.register("rip") == at
    stop = client.ask("bc")
    assert thread_of(stop) == 2
    assert ";watch:" in stop
    assert client.register("rip") == COUNT


def test_back_to_a_breakpoint_and_forward_along_what_was_done(client: Client) -> None:
    client.ask("qSupported:swbreak+")
    client.ask("vCont;c")
    end = client.session.timeline.spot
    client.ask(f"Z0,{AP_PROTECTED:x},1")
    for thread in (4, 3, 2):
        stop = client.ask("bc")
        assert "swbreak:;" in stop
        assert thread_of(stop) == thread
    assert thread_of(client.ask("vCont;s:2")) == 2
    assert thread_of(client.ask("vCont;c")) == 3
    assert thread_of(client.ask("vCont;c")) == 4
    shown, stop = client.told("vCont;c")
    assert "replaylog:end;" in stop
    assert "end of main" in shown
    assert client.session.timeline.spot == end
    assert len(client.session.timeline.branches) == 1


def test_a_step_to_the_end_is_a_step_and_who_goes_on_is_told(client: Client) -> None:
    # gdb 13 steps off a breakpoint first, and waits for ever if that step does not end.
    client.ask("vCont;s:1")
    client.ask("bs")
    end = client.session.timeline.branch.end
    shown, stop = client.told("vCont;s:1")
    assert "end of main" in shown
    assert stop.startswith("T05thread:1;")
    assert "replaylog" not in stop
    assert client.session.timeline.spot == end
    assert "replaylog:end;" in client.ask("vCont;c")
    assert client.session.timeline.spot == end
    assert "replaylog" not in client.ask("vCont;c")
    assert client.session.machine.vcpus[0].retired > 1


def test_a_step_that_the_history_does_not_have_is_not_asked_for_again(
    client: Client,
) -> None:
    client.ask("vCont;s:1")
    client.ask("bs")
    shown, stop = client.told("vCont;r10000,20000:1;c")
    assert "end of main" in shown
    assert stop.startswith("T00thread:1;")
    client.session.read_only = True
    shown, stop = client.told("vCont;r10000,20000:1;c")
    assert "fork" in shown
    assert stop.startswith("T00thread:1;")
    assert client.ask("vCont;c").startswith("T05")


def test_a_way_back_can_be_broken_off(opened: Opened) -> None:
    session = opened()
    from lapis_sessions.gdb.stub import Stub  # noqa: PLC0415

    stub = Stub(session, is_asked_to_stop=lambda: True)
    stub.receive(packet(b"QStartNoAckMode"))
    stub.receive(packet(b"vCont;c"))
    while stub.is_running:
        stub.go(1000)
    spot = session.timeline.spot
    stub.receive(packet(b"bc"))
    *shown, stop = parsed(stub.go(1))
    assert stop.startswith("T02")
    assert "broken off" in "".join(map(words, shown))
    assert session.timeline.spot == spot


def test_what_was_not_done_in_the_past_forks_and_is_said(client: Client) -> None:
    client.ask("vCont;c")
    client.ask("bc")
    assert client.ask("M20000,1:55") == "OK"
    shown, stop = client.told("vCont;s:1")
    assert "this left main for" in shown
    assert stop.startswith("T05")
    assert len(client.session.timeline.branches) == 2


def test_a_recording_that_is_only_looked_at_is_not_written(client: Client) -> None:
    client.ask("vCont;s:1")
    client.ask("bs")
    client.session.read_only = True
    shown, _ = client.told("vCont;c")
    assert "end of main: `monitor fork` goes on from here" in shown
    assert client.ask("M20000,1:55") == "E14"
    assert client.ask("P0=01").startswith("E.read only")
    shown, _ = client.told("vCont;s:1")
    assert "read only" in shown
    assert client.session.machine.vcpus[0].retired == 1


def test_bytes_that_cannot_all_be_written_are_none(client: Client) -> None:
    last = 64 * 1024 * 1024 - 2
    assert client.ask(f"M{last:x},4:11223344") == "E14"
    assert client.ask(f"X{last:x},4:abcd") == "E14"
    assert client.ask(f"m{last:x},2") == "0000"
    shown, _ = client.told("vCont;s:1")
    assert shown.count("cannot be written") == 1  # and not once for each try


def test_gdb_cannot_run_a_machine_from_its_beginning_and_stays(client: Client) -> None:
    assert client.ask("!") == "OK"
    assert client.ask("vKill;1") == "E03"
    assert any("monitor goto start" in text for text in client.stub.said)
    assert not client.stub.has_ended
    assert client.ask("vCont;s:1").startswith("T05")


def test_a_client_leaves_while_the_machine_runs(client: Client) -> None:
    client.ask("Z0,8000,1")
    client.stub.receive(packet(b"vCont;c"))
    assert client.carries_on()
    assert parsed(client.stub.receive(packet(b"D"))) == ["OK"]
    assert not client.carries_on()
    assert client.stub.has_ended
    assert client.session.machine.breakpoints == []


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_client_does_is_a_history_that_can_be_done_again(
    opened: Opened, seed: int
) -> None:
    client, random = Client(opened(cpus=3, quantum=40)), Random(seed)
    timeline, machine = client.session.timeline, client.session.machine
    asked = [
        "vCont;s:1;c", "vCont;s:2;c", "vCont;s:2", "vCont;s:3", "vCont;c:2", "bc",
        "vCont;c", "vCont;c", "Z0,1008b,1", "Z0,101f5,1", "z0,101f5,1", "Z2,12030,4",
        "z2,12030,4", "M20000,1:55", "vCont;r10000,20000:2;c",
    ]  # fmt: skip
    for _ in range(80):
        client.ask(f"Hc{random.choice([1, 2, 3, -1])}")
        body = random.choice([*asked, "bs", "bs"])
        answer = client.ask(body)
        assert answer[:3] in {"T05", "T00", "OK"}, (body, answer)
        assert timeline.is_placed, body
    while not timeline.at_end:
        client.ask("vCont;c")
    end, digest = timeline.spot, Digester(machine).digest()
    for body in ("z0,1008b,1", "z0,101f5,1", "z2,12030,4", "Hc-1"):
        client.ask(body)
    assert "replaylog:begin;" in client.ask("bc")
    assert "replaylog:end;" in client.ask("vCont;c")
    assert timeline.spot == end
    assert Digester(machine).digest() == digest


# Monitor.


def test_monitor_has_every_command_and_fails_in_words(client: Client) -> None:
    assert "reverse-continue" in client.monitor("help")
    assert "did you mean" in client.monitor("stepp")
    assert "is neither in the IRR" in client.monitor("irq why 0x31 1")
    assert re.search(r"16-bit|cli", client.monitor("x/2i $pc"))


def test_monitor_is_about_who_stopped_and_says_so_once(client: Client) -> None:
    client.ask("Z0,8000,1")
    client.ask("vCont;c")
    client.ask("Hg4")  # `info threads` asks for each
    assert client.monitor("vcpu").startswith("(this is about vCPU 1, thread 2;")
    assert client.monitor("vcpu").startswith("vCPU 1 selected")
    assert "vCPU 2 selected" in client.monitor("vcpu 2")


def test_monitor_says_that_it_moved_the_machine(client: Client) -> None:
    assert "flush register-cache" not in client.monitor("regs")
    assert "flush register-cache" in client.monitor("step 2")
    assert "10:0200010000000000" in client.ask("?")
    assert client.ask("QLapis.Client:2") == "OK"
    assert "flush register-cache" not in client.monitor("vcpu 0")
    assert client.session.selected == 0


def test_16_bit_code_is_said_once_to_who_takes_it_for_64_bit(opened: Opened) -> None:
    client = Client(opened())
    assert client.bodies("?")[0].startswith("T05")  # gdb expects no words there
    shown, _ = client.told("vCont;s:1")
    assert "vCPU 0 is in 16-bit code" in shown
    assert "in_gdb.py" in shown
    assert client.told("vCont;s:1")[0] == ""
    client = Client(opened())
    client.ask("QLapis.Client:1")
    assert client.told("vCont;s:1")[0] == ""
    client = Client(opened(), architecture="i8086")
    assert client.told("vCont;s:1")[0] == ""


def test_instructions_are_those_of_the_vcpus_mode(client: Client) -> None:
    def asked(thread: int, at: int, syntax: str) -> tuple[str, str, str]:
        answer = client.ask(f"qLapis.Instruction:{thread:x},{at:x},{syntax}")
        bits, size, text = answer.split(",")
        return bits, size, bytes.fromhex(text).decode()

    assert asked(1, 0x10002, "intel") == ("10", "2", "mov\tax, cs")
    assert asked(1, 0x10002, "att") == ("10", "2", "movw\t%cs, %ax")
    assert client.ask("qLapis.Instruction:1,d0000000,att") == "E14"
    assert client.ask("qLapis.Instruction:1,10000,masm") == "E01"
    client.ask("Z0,1013d,1")
    client.ask("vCont;c")
    assert asked(1, 0x1013D, "intel")[0] == "40"


# The record of the APIC.

SIZES = {"int8": 1, "uint32": 4, "int32": 4, "uint64": 8, "int64": 8}


def laid_out(client: Client, name: str) -> dict[str, int]:
    """Take a record apart by what the description says of it."""
    target = document(client, "features", "target.xml")
    sizes = dict(SIZES)
    sizes |= {f.attrib["id"]: int(f.attrib["size"]) for f in target.iter("flags")}
    for vector in target.iter("vector"):
        kind, count = vector.attrib["type"], int(vector.attrib["count"])
        sizes[vector.attrib["id"]] = sizes.get(kind, 0) * count
    numbers = [reg.attrib["name"] for reg in target.iter("reg")]
    data = bytes.fromhex(client.ask(f"p{numbers.index(name):x}"))
    record = next(
        s for s in target.iter("struct") if s.attrib["id"] == f"lapis_{name}_parts"
    )
    found, at = dict[str, int](), 0
    for field in record:
        size = sizes[field.attrib["type"]]
        assert at % min(size, 32) == 0, "gdb would leave a gap"
        signed = field.attrib["type"].startswith("int")
        piece = data[at : at + size]
        found[field.attrib["name"]] = int.from_bytes(piece, "little", signed=signed)
        at += size
    assert at == len(data)
    return found


def test_the_record_of_the_apic_is_what_the_command_shows(
    client: Client, done: Callable[..., Any]
) -> None:
    client.ask("Z0,101e4,1")  # ipi_handler
    assert thread_of(client.ask("vCont;c")) == 2
    client.ask("Hg2")
    shown, parts = done(client.session, "apic 1"), laid_out(client, "apic")
    assert shown["isr"] == [0x31]
    assert parts["isr"] == 1 << 0x31
    assert (parts["isrv"], parts["irrv"]) == (0x31, -1)
    for name in ("tpr", "ppr", "svr", "esr", "ldr", "dfr", "id"):
        assert parts[name] == shown[name], name
    assert parts["base"] == shown["apicbase"]
    assert parts["icr"] == shown["icr"]["raw"]
    assert parts["lvt_lint0"] == shown["lvt"]["lint0"]["raw"]
    assert client.register("apic_ppr") == shown["ppr"] == 0x30
    system = laid_out(client, "system")
    regs = done(client.session, "regs 1")
    assert system["gdtr_base"] == regs["gdtr.base"]
    assert system["cs_limit"] == regs["cs.limit"]
    assert system["dr7"] == regs["dr7"]


def test_a_part_of_the_record_is_written_as_its_vcpu_would(client: Client) -> None:
    client.ask("Z0,101e4,1")
    client.ask("vCont;c")
    client.ask("Hg2")
    names = [reg.attrib["name"] for reg in _registers(client)]
    index = names.index("apic")
    data = bytearray.fromhex(client.ask(f"p{index:x}"))
    parts = list(laid_out(client, "apic"))
    at = 4 * 8 + 3 * 32 + 4 * (parts.index("tpr") - 7)
    data[at] = 0x20
    assert client.ask(f"P{index:x}={data.hex()}") == "OK"
    assert client.register("apic_tpr") == 0x20
    data[at + 4] = 0xFF  # the PPR
    assert client.ask(f"P{index:x}={data.hex()}").startswith("E.ppr cannot be written")
    assert client.register("apic_ppr") == 0x30


def test_g_written_back_changes_what_differs_alone(client: Client) -> None:
    client.ask("vCont;s:1")
    whole = bytearray.fromhex(client.ask("g"))
    acts = len(client.session.timeline.branch.entries)
    assert client.ask(f"G{whole.hex()}") == "OK"
    assert len(client.session.timeline.branch.entries) == acts
    whole[8] = 0x77  # RBX, the second of gdb's order
    assert client.ask(f"G{whole.hex()}") == "OK"
    assert client.session.machine.vcpus[0].regs.gpr[3] == 0x77
    assert len(client.session.timeline.branch.entries) == acts + 1
    whole[16 * 8 : 17 * 8] = (0x10006).to_bytes(8, "little")  # RIP; `ip` says the same
    assert client.ask(f"G{whole.hex()}") == "OK"
    assert (client.register("rip"), client.register("ip")) == (0x10006, 6)


def _registers(client: Client) -> list[ET.Element]:
    return list(document(client, "features", "target.xml").iter("reg"))
