"""What `why` answers as a whole: verdicts, places and sentences."""

from collections.abc import Callable

import pytest
from rigs.why_states import (
    BIT,
    IDS,
    asking,
    broken_bring_up,
    halted,
    in_delivery,
    interfered,
    nmi,
    no_if,
    panicked,
    pending,
    pic,
    pic_masked,
    powered_off,
    pulsed,
    rig,
    sent,
)

from lapis_engine.errors import EngineError
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.replay.digest import state_fields
from lapis_engine.why import ipi as why_ipi
from lapis_engine.why import vcpu as why_vcpu
from lapis_engine.why import vector as why_vector


def test_a_vector_in_the_irr_that_nothing_holds_is_deliverable() -> None:
    found = why_vector.irq(rig(irr=BIT[0x31]), 0x31, 0)
    assert (found.verdict, found.where, found.reasons) == ("deliverable", "irr", ())
    assert found.text == (
        "vector 0x31 is in the IRR of vCPU 0 and goes in at its next entry"
    )


@pytest.mark.parametrize(
    ("m", "vector", "where", "verdict"),
    [
        (rig(irr=BIT[0x31], tpr=0x40), 0x31, "irr", "blocked"),
        (rig(irr=BIT[0x31], isr=BIT[0x31]), 0x31, "irr+isr", "blocked"),
        (rig(isr=BIT[0x31]), 0x31, "isr", "in-service"),
        (rig(), 0x31, "nowhere", "absent"),
        (nmi(rig()), 2, "pending", "deliverable"),
        (nmi(rig(), blocked=True), 2, "pending", "blocked"),
        (rig(), 2, "nowhere", "absent"),
        (in_delivery(rig()), 0x40, "event", "deliverable"),
        (pic(rig(), 4), 0x24, "pic", "deliverable"),
        (no_if(pic(rig(), 4)), 0x24, "pic", "blocked"),
        # LINT0 pulsed with nothing requested: the spurious vector, IRQ 7.
        (pulsed(), 0x27, "pic", "deliverable"),
    ],
)
def test_where_a_vector_is(m: Machine, vector: int, where: str, verdict: str) -> None:
    found = why_vector.irq(m, vector, 0)
    assert (found.where, found.verdict) == (where, verdict)
    assert (found.vcpu, found.vector) == (0, vector)


def test_the_mask_of_input_2_is_no_matter_of_the_master() -> None:
    m = pic_masked(0x04)
    assert [r.rule for r in why_vector.irq(m, 0x24, 0).reasons] == ["line"]


def test_all_that_holds_a_vector_back_is_in_the_sentence() -> None:
    found = why_vector.irq(no_if(rig(irr=BIT[0x31] | BIT[0x51], tpr=0x60)), 0x31, 0)
    assert found.text == (
        "vector 0x31 is in the IRR of vCPU 0 and waits: vector 0x31 is class 3; PPR is "
        "0x60 because TPR is 0x60: class 3 is not above class 6; RFLAGS is 0x2: IF "
        "(bit 9) is 0, and it spins at 0x10000 and looks at nothing: with IF=0 only "
        "NMI or INIT ends it; vector 0x51 is in the IRR too, and higher: it goes first"
    )
    assert [reason.rule for reason in found.reasons] == ["class", "if", "higher-vector"]


@pytest.mark.parametrize(
    ("stopped", "rule"), [(panicked, "panic"), (powered_off, "suspended")]
)
def test_a_machine_that_has_stopped_is_told_before_who_could_send(
    stopped: Callable[[], Machine], rule: str
) -> None:
    m = stopped()
    m.vcpus[1].apic.lvt_timer = 0x1_0035
    found = why_vector.irq(m, 0x35, 1)
    assert [reason.rule for reason in found.reasons] == [rule, "lvt-mask"]
    assert found.text.endswith(found.reasons[0].text)


def test_what_became_of_a_vector_is_told_before_that_the_machine_stopped_since() -> (
    None
):
    m = rig()
    m.vcpus[1].apic.svr = 0xFF
    m.send_ipi(0, IDS[1] | 0x4035)
    m.vm.suspend("poweroff", 0, "isa-debug-exit", 1)
    rules = [reason.rule for reason in why_vector.irq(m, 0x35, 1).reasons]
    assert rules[:2] == ["refused", "suspended"]


@pytest.mark.parametrize(
    ("dfr", "words"),
    [
        (0xFFFF_FFFF, "MDA 0x10 & its LDR 0x20 is 0x00"),
        (0x0FFF_FFFF, "0x1 is not its cluster 0x2"),
    ],
)
def test_an_icr_that_names_another_says_by_which_rule(dfr: int, words: str) -> None:
    """As in a dump, which has the ICR and none of the events."""
    m = rig()
    apic = m.vcpus[1].apic
    apic.dfr, apic.ldr = dfr, 0x2000_0000
    m.vcpus[0].apic.icr = 0x1000_0000_0000_4835
    (first, *_) = why_vector.irq(m, 0x35, 1).reasons
    assert first.rule == "destination"
    assert words in first.text


@pytest.mark.parametrize("vector", [-1, 0x100])
def test_a_vector_has_8_bits(vector: int) -> None:
    with pytest.raises(EngineError, match="vectors are 8 bits, 0 to 0xff"):
        why_vector.irq(rig(), vector, 0)


def test_a_vcpu_that_is_not_there_has_no_answer() -> None:
    with pytest.raises(EngineError, match="there is no vCPU 2; they are 0 to 1"):
        why_vector.irq(rig(), 0x31, 2)
    with pytest.raises(EngineError, match="there is no vCPU 2"):
        why_vcpu.vcpu(rig(), 2)
    with pytest.raises(EngineError, match="there is no vCPU 2"):
        why_ipi.dry_run(rig(), 2, 0xC_4500)


@pytest.mark.parametrize(
    ("m", "number", "verdict", "state"),
    [
        (rig(), 0, "runs", "running"),
        (halted(rig()), 0, "waits", "halted"),
        (rig(), 1, "waits", "never-started"),
        (pending(rig(), 1, 1), 1, "waits", "wait-for-sipi"),
        (rig(profile="freebsd-13.1-broken"), 1, "stuck", "never-started"),
        (panicked(), 0, "stuck", "running"),
        (powered_off(), 0, "stuck", "suspended"),
        (asking(), 0, "waits", "running"),
    ],
)
def test_a_vcpu_runs_waits_or_is_stuck(
    m: Machine, number: int, verdict: str, state: str
) -> None:
    found = why_vcpu.vcpu(m, number)
    assert (found.verdict, found.state) == (verdict, state)
    assert found.run_state == m.vcpus[number].run_state
    assert (found.next is not None) is (verdict == "runs")
    assert found.reasons or verdict == "runs"
    assert all(reason.blocks for reason in found.reasons) is (verdict != "runs")
    assert (m.why_not_runnable(number) is not None) <= (verdict != "runs")


def test_the_init_that_went_to_an_inactive_vcpu_is_named() -> None:
    found = why_vcpu.vcpu(broken_bring_up(), 1)
    first, second = found.reasons[:2]
    assert (first.rule, second.rule) == ("inactive", "inactive")
    assert first.text.startswith("INIT at ")
    assert first.text.endswith(" from vCPU 0 went to an inactive vCPU and was dropped")
    assert second.text.startswith("SIPI 0x08 at ")
    assert found.text == f"vCPU 1 does not run: {first.text}"


def test_what_is_no_longer_in_the_history_is_told_from_the_state() -> None:
    m = broken_bring_up()
    m.log.restore((), m.log.next_seq)
    found = why_vcpu.vcpu(m, 1)
    assert found.reasons[0].rule == "unreached"
    assert "the INIT of vCPU 0 (ICR 0xc4500) went to an inactive vCPU" in found.text


def test_whom_an_ipi_did_not_reach_is_a_code_and_hashes_as_it_always_has() -> None:
    """The state had the sentence, and a recording of then is held against its hash."""
    m = broken_bring_up()
    lost = m.vcpus[1].unreached
    assert lost is not None
    assert [(it.mode, it.sender, it.icr, it.why.code) for it in lost] == [
        ("init", 0, 0xC_4500, "inactive"),
        ("sipi", 0, 0xC_4608, "inactive"),
    ]
    assert dict(state_fields(m))["vcpu1.unreached"] == (
        "'the INIT of vCPU 0 (ICR 0xc4500) went to an inactive vCPU and was dropped; "
        "the SIPI of vCPU 0 (ICR 0xc4608) went to an inactive vCPU and was dropped'"
    )
    start = capture.take(m)
    m.vcpus[1].unreached = None
    assert "vcpu1.unreached" not in dict(state_fields(m))
    capture.put(m, start)
    assert m.vcpus[1].unreached == lost


def test_a_boot_ipi_that_came_after_one_that_was_dropped_ends_the_reason() -> None:
    m = interfered("drop", 0xC_4500)
    assert "interfered" in [r.rule for r in why_vcpu.vcpu(m, 1).reasons]
    m.send_ipi(0, 0xC_4500)
    m.set_run_state(1, 0)
    rules = [r.rule for r in why_vcpu.vcpu(m, 1).reasons]
    assert rules == ["set-by-hand", "not-running"]


def test_a_sipi_that_comes_alone_does_not_hide_the_init_that_was_dropped() -> None:
    m = interfered("drop", 0xC_4500)
    m.send_ipi(0, 0xC_4608)
    found = why_vcpu.vcpu(m, 1)
    assert [r.rule for r in found.reasons] == ["interfered", "no-init", "not-running"]
    assert "dropped by a rule of yours (INIT from the user to vCPU 1" in found.text


def test_a_dry_run_does_not_count_for_the_rules_on_ipis() -> None:
    m = interfered("drop")
    for _ in range(2):
        (_, verdict) = why_ipi.dry_run(m, 0, 0xC_4500).verdicts
        assert verdict.verdict == "lost"
    m.send_ipi(0, 0xC_4500)
    assert m.vcpus[1].run_state == 0
    assert why_ipi.dry_run(m, 0, 0xC_4500).verdicts[1].verdict == "accepted"


def test_a_dry_run_has_a_verdict_for_each_vcpu() -> None:
    m = rig(3)
    m.vcpus[2].apic.svr = 0xFF
    found = why_ipi.dry_run(m, 0, 0xC_4031)
    assert (found.mode, found.targets, found.dropped) == ("fixed", (1, 2), None)
    assert [v.verdict for v in found.verdicts] == ["not-reached", "accepted", "refused"]
    assert found.text == (
        "FIXED vector 0x31, physical, assert, edge, all excluding self; it would reach "
        "vCPU 1 (accepted), vCPU 2 (refused)"
    )


@pytest.mark.parametrize(
    ("profile", "icr", "text"),
    [
        ("sdm", 0xC_4500, ""),
        ("illumos", 0xC_4500, ""),
        ("illumos-pre-13275", 0x0100_0000_0000_4500, ""),
        ("illumos-pre-13275", 0xC_4500, "it is an INST_EMUL exit: init has ICRHI"),
        ("illumos-pre-13253", 0xC_4500, "the host panics: init has ICRHI destination"),
        ("illumos-pre-13253", 0xC_4031, ""),
        ("freebsd", 0xC_4131, "it makes vm_run fail with EINVAL"),
        ("illumos", 0xC_4131, ""),
    ],
)
def test_what_the_guest_would_meet_instead_is_said(
    profile: str, icr: int, text: str
) -> None:
    found = why_ipi.dry_run(rig(profile=profile), 0, icr)
    assert (found.guest is not None) is bool(text)
    assert text in (found.guest or "")
    assert found.text.endswith(found.guest or "")


def test_a_dry_run_of_an_illegal_vector_says_where_the_error_shows() -> None:
    found = why_ipi.dry_run(rig(), 0, 0xC_400F)
    assert found.dropped is not None
    assert (found.dropped.code, found.targets) == ("illegal-vector", ())
    assert found.text.endswith("and vCPU 0 has ESR bit 5 (send illegal vector)")


def test_an_illegal_vector_by_hand_is_an_error_of_the_sender() -> None:
    m = sent(0xC_400F)
    assert [v.apic.esr_pending for v in m.vcpus] == [0x20, 0]
    assert [v.apic.irr for v in m.vcpus] == [0, 0]
