"""What `why` says is what the machine then does, and asking changes nothing.

The oracle is the machine itself: every vector has a handler of its own in the real-mode
IVT, and where the processor stands after one entry says which event went in.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.machines import fingerprint
from rigs.why_states import pic, rig

from lapis_engine.apic import priority
from lapis_engine.cpu.delivery import Pending
from lapis_engine.errors import EntryError
from lapis_engine.events import EngineFault, Interfered, VectorRefused
from lapis_engine.machine.machine import Machine
from lapis_engine.profiles.catalog import PROFILES
from lapis_engine.vmm.run import run
from lapis_engine.why import ipi as why_ipi
from lapis_engine.why import vcpu as why_vcpu
from lapis_engine.why import vector as why_vector

HANDLERS = 0x2000
"""Segment in which handler n is `jmp $` at n * 16."""
VECTORS = (0x10, 0x31, 0x35, 0x3F, 0x40, 0x51, 0xEF, 0xF0, 0xFF)
EVENT = 0x60
ASKED = (*VECTORS, 2, EVENT, 0x20, 0x24, 0x27, 0x2A)
some_vectors = st.sets(st.sampled_from(VECTORS), max_size=4).map(
    lambda found: sum(1 << vector for vector in found)
)
mostly = st.sampled_from([True, True, True, False])
seldom = st.sampled_from([False, False, False, True])


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """One vCPU in a state drawn at random, and a second one that is not started."""
    profile = draw(st.sampled_from(["sdm", "illumos", "illumos-pre-12936"]))
    m = rig(2, profile, irr=draw(some_vectors), isr=draw(some_vectors))
    for vector in range(256):
        m.vm.memory.write(vector * 4, bytes([vector << 4 & 0xFF, vector >> 4, 0, 0x20]))
        m.vm.memory.write(HANDLERS * 16 + vector * 16, bytes.fromhex("ebfe"))
    vcpu = m.vcpus[0]
    apic = vcpu.apic
    apic.tpr = draw(st.sampled_from([0, 0, 0x0F, 0x30, 0x3F, 0x50, 0xF0]))
    apic.svr = 0x1FF if draw(mostly) else 0xFF
    if apic.isrvec is not None and draw(mostly):
        apic.isrvec = tuple(priority.vectors(apic.isr))
    priority.update(apic)
    vcpu.regs.rflags = 0x202 if draw(mostly) else 0x2
    vcpu.regs.shadow = draw(seldom)
    vcpu.halted, vcpu.nmi_blocked = draw(seldom), draw(seldom)
    vcpu.nmi_pending = draw(seldom)
    states = [2, 2, 2, 2, 3, 0, 1, 0x8000, 0x8001, 0x8003, 0x4002]
    vcpu.run_state, vcpu.sipi_vector = draw(st.sampled_from(states)), 0x10
    vcpu.halted &= bool(vcpu.run_state & 2)  # INIT ends HLT
    if draw(seldom):
        vcpu.event = Pending(EVENT, "external", None)
    if draw(seldom):
        pic(m, draw(st.sampled_from([None, 0, 4, 10])))
        apic.lvt_lint0 = draw(st.sampled_from([0x700, 0x1_0700, 0x400]))
        vcpu.extint_pending = draw(seldom)
    if draw(st.integers(0, 9)) == 0:
        m.vm.debug_cpus = 1
    if draw(st.integers(0, 9)) == 0:
        m.vm.suspend("poweroff", 0, "by hand")
    return m


def whole(m: Machine) -> tuple[object, ...]:
    """All that an entry or an IPI could change."""
    vcpus = [
        (v.run_state, v.sipi_vector, v.halted, v.nmi_pending, v.nmi_blocked,
         v.extint_pending, v.active, v.unreached, v.event, repr(v.vie), v.tsc_offset)
        for v in m.vcpus
    ]  # fmt: skip
    vm = m.vm
    rest = vm.debug_cpus, vm.startup_cpus
    due = vm.panic, vm.suspended, repr(vm.spinup), vm.exit_due, vm.boot_ipi_due
    devices = [repr(device.state) for device in vm.devices]
    rules = repr(vm.interference)
    return fingerprint(m), vcpus, rules, rest, due, devices, vm.entered


def enter(m: Machine) -> None:
    """One entry of vCPU 0, for one instruction."""
    try:
        run(m.vm, m.vcpus[0], budget=1)
    except EntryError:
        assert m.vm.suspended is not None or not m.vcpus[0].active


def handler(m: Machine) -> int:
    """The vector in whose handler vCPU 0 stands, or -1."""
    regs = m.vcpus[0].regs
    at = regs.rip >> 4
    return at if regs.segment(1).selector == HANDLERS and not regs.rip & 0xF else -1


@settings(max_examples=200, deadline=None)
@given(machines())
def test_a_vector_is_deliverable_when_the_next_entry_delivers_it(m: Machine) -> None:
    before = whole(m)
    answers = {vector: why_vector.irq(m, vector, 0) for vector in ASKED}
    assert whole(m) == before
    enter(m)
    said = [v for v, answer in answers.items() if answer.verdict == "deliverable"]
    assert said == [v for v in ASKED if v == handler(m)], answers
    for answer in answers.values():
        held = any(reason.blocks for reason in answer.reasons)
        assert held or answer.verdict in {"deliverable", "absent"}
        assert not held or answer.verdict != "deliverable"


@settings(max_examples=200, deadline=None)
@given(machines())
def test_a_vcpu_runs_when_an_entry_moves_something(m: Machine) -> None:
    before = whole(m)
    answer = why_vcpu.vcpu(m, 0)
    assert whole(m) == before
    enter(m)
    assert (whole(m) != before) is (answer.verdict == "runs"), answer.text
    if answer.next is not None and answer.next.rule == "vector":
        assert handler(m) == answer.next.values["vector"]
    if answer.next is not None and answer.next.rule == "nmi":
        assert handler(m) == 2


@st.composite
def fabrics(draw: st.DrawFn) -> tuple[Machine, int, int]:
    """Three vCPUs in states drawn at random, a sender, and what it sends."""
    profile = draw(st.sampled_from(sorted(PROFILES)))
    m = rig(3, profile)
    for vcpu in m.vcpus:
        apic = vcpu.apic
        apic.svr = 0x1FF if draw(mostly) else 0xFF
        apic.apicbase |= 0x400 if draw(seldom) else 0
        apic.apicbase &= ~0xC00 if draw(seldom) else -1
        apic.ldr = draw(st.sampled_from([0, 0x0100_0000, 0x0200_0000, 0x1100_0000]))
        apic.dfr = draw(st.sampled_from([0xFFFF_FFFF, 0x0FFF_FFFF, 0x5FFF_FFFF]))
        apic.irr, apic.tpr = draw(some_vectors), draw(st.sampled_from([0, 0x20, 0xF0]))
        priority.update(apic)
        vcpu.nmi_pending, vcpu.nmi_blocked = draw(seldom), draw(seldom)
        states = [0, 1, 2, 3, 0x4000, 0x8000, 0x8001, 0x8003, 0xC000]
        vcpu.run_state, vcpu.sipi_vector = draw(st.sampled_from(states)), 8
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        action = draw(st.sampled_from(["drop", "delay", "duplicate"]))
        m.interfere(
            action, to=draw(st.sampled_from([None, 0, 1, 2])),
            nth=draw(st.integers(0, 3)), by=7 if action == "delay" else 0,
        )  # fmt: skip
    low = draw(st.integers(0, 7)) << 8 | draw(st.sampled_from([*VECTORS, 0, 15]))
    low |= draw(st.sampled_from([0x4000, 0x4000, 0, 0x8000, 0xC000]))
    low |= draw(st.sampled_from([0, 0, 0x4_0000, 0x8_0000, 0xC_0000]))
    low |= 0x800 if draw(seldom) else 0
    high = draw(st.sampled_from([0, 1, 2, 3, 0x11, 0xFF])) << draw(
        st.sampled_from([56, 56, 32])
    )
    return m, draw(st.integers(0, 2)), high | low


@settings(max_examples=250, deadline=None)
@given(fabrics())
def test_a_dry_run_says_what_the_ipi_then_does(it: tuple[Machine, int, int]) -> None:
    m, sender, icr = it
    before = whole(m)
    said = why_ipi.dry_run(m, sender, icr)
    assert whole(m) == before
    earlier = [_target(m, vcpu.id) for vcpu in m.vcpus]
    seq = m.log.next_seq
    sent = m.send_ipi(sender, icr)
    assert (sent.targets, sent.dropped) == (said.targets, said.dropped)
    assert (said.dropped is not None) == (not said.targets)
    events = [logged.event for logged in m.log.since(seq)]
    lost = any(isinstance(e, EngineFault) and "is lost" in e.text for e in events)
    refused = {e.vcpu for e in events if isinstance(e, VectorRefused)}
    acted = {e.vcpu: e.action for e in events if isinstance(e, Interfered)}
    for verdict in said.verdicts:
        number, what = verdict.vcpu, verdict.verdict
        assert (what != "not-reached") is (number in sent.targets)
        assert (what == "refused") is (number in refused)
        if what in {"not-reached", "refused", "ignored", "lost", "delayed"}:
            assert _target(m, number) == earlier[number], verdict
        if what == "lost":
            assert lost or acted[number] == "drop"
        assert (what == "delayed") is (acted.get(number) == "delay")
        values = verdict.reasons[-1].values
        if "after" in values:
            assert values["before"] == earlier[number][0]
            assert values["after"] == m.vcpus[number].run_state
        if what == "accepted":
            _check_accepted(m, said.mode, number, icr & 0xFF)


def _target(m: Machine, number: int) -> tuple[object, ...]:
    vcpu = m.vcpus[number]
    return vcpu.run_state, vcpu.sipi_vector, vcpu.nmi_pending, vcpu.apic.irr


def _check_accepted(m: Machine, mode: str, number: int, vector: int) -> None:
    vcpu, profile = m.vcpus[number], m.vm.profile
    if mode in {"fixed", "lowest"}:
        assert vcpu.apic.irr >> vector & 1
    elif mode == "nmi":
        assert vcpu.nmi_pending
    elif profile.boot_ipi == "spinup-ap" and mode == "init":
        assert vcpu.run_state == 1
    elif profile.boot_ipi == "spinup-ap":
        request = m.vm.spinup.request
        assert request is not None
        assert (request.vcpu, request.rip) == (number, vector << 12)
    elif mode == "init":
        assert vcpu.run_state & 0x4000
    else:
        assert (vcpu.run_state & 0x8000, vcpu.sipi_vector) == (0x8000, vector)


@settings(max_examples=150, deadline=None)
@given(fabrics(), st.booleans())
def test_an_answer_begins_with_its_first_reason_whatever_was_sent(
    it: tuple[Machine, int, int], goes_on: bool
) -> None:
    """Under every profile, with rules that interfere, and APICs in any mode."""
    m, sender, icr = it
    for value in (icr, icr ^ 0x100, icr):
        m.send_ipi(sender, value)
        if goes_on:
            enter(m)
    for vcpu in m.vcpus:
        before = whole(m)
        answer = why_vcpu.vcpu(m, vcpu.id, whole=True)
        assert whole(m) == before
        first = answer.reasons[0] if answer.reasons else answer.next
        assert first is not None
        does = "runs" if answer.verdict == "runs" else "does not run"
        assert answer.text == f"vCPU {vcpu.id} {does}: {first.text}"
        told = [reason.text for reason in answer.reasons]
        assert len(set(told)) == len(told)
        texts = [*told, *(fate.text for fate in answer.sent)]
        assert not any("{" in text or "None" in text for text in texts)
        assert not any(fate.fate == "sent" for fate in answer.sent if fate.came) or (
            m.config.profile.boot_ipi != "run-state"
        )
