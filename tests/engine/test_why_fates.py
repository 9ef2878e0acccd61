"""The first sentence of `irq why` names the cause; what is nearly it names another.

What each must say is from the SDM: Vol. 3A "APIC Timer", "TSC-Deadline Mode", "EOI
Register", "Determining IPI Destination", "Handling Multiple NMIs", and from the 8259A
"Interrupt Sequence". The pairs differ in one write, and the cause is in one of them.
"""

from collections.abc import Callable

import pytest
from rigs.why_fates import (
    ARMED,
    COUNT,
    DEADLINE,
    EOI,
    FAR,
    LEVEL,
    LVT_TIMER,
    MASKED,
    ONE_SHOT,
    PERIODIC,
    asked_for_nothing,
    ended,
    entry,
    ipi,
    level_cleared_by_ipi,
    lined,
    pic_ended,
    pulse,
    served,
    spurious,
    taken,
    timer,
    wrote,
)
from rigs.why_states import IDS, forgotten, nmi, no_if, pic, pin, rig, sent

from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.replay.digest import Digester
from lapis_engine.vmm import arbitration, written
from lapis_engine.why import ranking
from lapis_engine.why import vector as why_vector

Made = Callable[[], Machine]
V = 0x31


def first(m: Machine, vector: int = V, number: int = 0) -> str:
    return why_vector.irq(m, vector, number).text


def dropped(m: Machine, line: int) -> Machine:
    m.set_line(line, asserted=False)
    return m


def msi(address: int) -> Machine:
    m = rig()
    m.send_msi(address, V)
    return m


def up(m: Machine) -> Machine:
    m.set_pin(4, asserted=True)
    return m


def eoi_of_other(m: Machine) -> Machine:
    """vCPU 1 writes its EOI register."""
    m.vm.buses[1].write(0xFEE0_0000 + EOI, 4, 0)
    return m


CAUSES: tuple[tuple[int, str, Made, Made], ...] = (
    # Vector, the words of the cause, the guest that has it, and one that nearly has.
    (V, "was ignored, as LVT timer (0x40031) was in TSC-deadline mode",
     lambda: timer((LVT_TIMER, DEADLINE), (COUNT, 3000)),
     lambda: timer((LVT_TIMER, DEADLINE), (ARMED, FAR))),
    (V, "the mode has changed since",
     lambda: timer((LVT_TIMER, DEADLINE), (COUNT, 3000), (LVT_TIMER, PERIODIC)),
     lambda: timer((LVT_TIMER, DEADLINE), (LVT_TIMER, PERIODIC), (COUNT, 1 << 30))),
    (V, "which disarms it",
     lambda: timer((LVT_TIMER, ONE_SHOT), (COUNT, 1 << 30), (LVT_TIMER, DEADLINE)),
     # SDM: of these two modes a change does not disarm it here, nor in bhyve.
     lambda: timer((LVT_TIMER, ONE_SHOT), (COUNT, 1 << 30), (LVT_TIMER, PERIODIC))),
    (V, "was not in TSC-deadline mode",
     lambda: timer((LVT_TIMER, ONE_SHOT), (ARMED, FAR)),
     lambda: timer((LVT_TIMER, DEADLINE), (ARMED, FAR), (ARMED, 0))),
    (V, "0x0, written by the user at 1,000 ns, stops it",
     lambda: timer((LVT_TIMER, ONE_SHOT), (COUNT, 0)),
     lambda: timer((LVT_TIMER, ONE_SHOT), (COUNT, 0), (COUNT, 1 << 30))),
    (V, "it fired at 2,000 ns; one-shot",
     lambda: ended(taken(timer((LVT_TIMER, ONE_SHOT), (COUNT, 100)))),
     lambda: ended(taken(timer((LVT_TIMER, PERIODIC), (COUNT, 100))))),
    (V, "fired in vain at 2,000 ns: it was masked",
     lambda: timer((LVT_TIMER, MASKED), (COUNT, 100)),
     lambda: timer((LVT_TIMER, MASKED), (COUNT, 1 << 30))),
    (V, "it was masked (bit 16), and stays so while bit 8 of the SVR (0xff) is 0",
     lambda: timer((0xF0, 0xFF), (LVT_TIMER, ONE_SHOT), (COUNT, 100)),
     lambda: timer((LVT_TIMER, MASKED), (COUNT, 100))),
    (V, "written by the user at 1,000 ns, would unmask it, and bit 8 of the SVR was 0",
     lambda: timer((0xF0, 0xFF), (LVT_TIMER, ONE_SHOT), (0xF0, 0x1FF), (COUNT, 100)),
     lambda: timer((0xF0, 0xFF), (LVT_TIMER, MASKED), (0xF0, 0x1FF), (COUNT, 100))),
    (V, "an edge on a masked pin is lost",
     lambda: entry(pulse(entry(rig(), 4, MASKED), 4), 4, V),
     lambda: ended(taken(pulse(entry(rig(), 4, V), 4)))),
    (V, "is masked (bit 16)",
     lambda: pin(rig(), MASKED),
     lambda: pin(rig(), V)),
    (V, "ISA line 0 (the 8254) is led to pin 2",
     lambda: entry(rig(), 0, V),
     lambda: entry(rig(), 2, V)),
    (V, "handled as edge (TMR bit 0)",
     lambda: forgotten(ended(taken(ended(level_cleared_by_ipi())))),
     # Its EOI comes before the IPI, and as that of a level.
     lambda: ended(taken(ipi(ended(taken(pulse(pin(rig(), LEVEL), 4))), 0x4031, 1)))),
    (V, "refused when it came from ipi of the user: the APIC is off",
     lambda: sent(0x4_4031, svr=0xFF),
     lambda: wrote(sent(0x4_4031, svr=0xFF), (0xF0, 0x1FF), (0x300, 0x4_4031))),
    (V, "; SVR is 0xff still: bit 8, which enables it, is 0",
     lambda: sent(0x4_4031, svr=0xFF),
     lambda: wrote(sent(0x4_4031, svr=0xFF), (0xF0, 0x1FF))),
    (V, "the upper half of the ICR, 0x0 now, was written after that",
     lambda: wrote(rig(), (0x310, 1 << 24), (0x300, 0x4031), (0x310, 0)),
     lambda: wrote(rig(), (0x310, 0), (0x310, 1 << 24), (0x300, 0x4031))),
    (V, "it spins at 0x10000 and looks at nothing: with IF=0 only NMI or INIT ends it",
     lambda: no_if(rig(irr=1 << V)),
     lambda: rig(irr=1 << V)),
    (V, "; vCPU 1 gave one at 1,000 ns, with nothing in service there",
     lambda: eoi_of_other(taken(sent(0x4_4031))),
     lambda: taken(eoi_of_other(sent(0x4_4031)))),
    (V, ": switching the APIC off (SVR 0xff, written by the user at 1,000 ns) masked",
     lambda: timer((LVT_TIMER, ONE_SHOT), (0xF0, 0xFF), (0xF0, 0x1FF)),
     lambda: timer((0xF0, 0xFF), (0xF0, 0x1FF), (LVT_TIMER, MASKED))),
    (V, "masked (bit 16), as the value 0x10031, written by the user at 1,000 ns, has",
     lambda: timer((LVT_TIMER, ONE_SHOT), (LVT_TIMER, MASKED)),
     lambda: timer((LVT_TIMER, MASKED), (LVT_TIMER, ONE_SHOT))),
    (V, "is masked (bit 16) since it was written by the user at 1,000 ns",
     lambda: entry(entry(rig(), 4, V), 4, MASKED),
     lambda: entry(entry(rig(), 4, MASKED), 4, V)),
    (0xFF, "vector 0xff is the spurious one of the SVR (0x1ff): nobody sends it",
     rig, lambda: rig(lvt_error=0xFF)),
    # 82093AA: an EOI clears the remote IRR of the entries that have its vector.
    (V, "the message had vector 0x52, which the entry had until 1,000 ns",
     lambda: ended(taken(entry(up(entry(rig(), 4, 0x8052)), 4, LEVEL))),
     lambda: up(ended(taken(entry(pulse(entry(rig(), 4, 0x8052), 4), 4, LEVEL))))),
    (V, "no APIC has that destination, to APIC id 0x3 (the APIC ids are 0x0, 0x1)",
     lambda: sent(IDS[3] | 0x4031),
     lambda: sent(IDS[1] | 0x4031)),
    (V, "reached vCPU 1",
     lambda: sent(IDS[1] | 0x4031),
     lambda: sent(IDS[3] | 0x4031)),
    (V, "goes to logical destination 0x8, which no APIC has (vCPU 0 has APIC id 0x0",
     lambda: pin(rig(), 0x0800_0000_0000_0831),
     lambda: pin(rig(ldr=0x0800_0000), 0x0800_0000_0000_0831)),
    (V, "no APIC has that destination, to APIC id 0x3 (vCPU 0 has APIC id 0x0 and",
     lambda: msi(0xFEE0_3000),
     lambda: msi(0xFEE0_0000)),
    (V, "to logical destination 0x8 (logical flat: MDA 0x08 & its LDR 0x00 is 0x00)",
     lambda: sent(0x0800_0000_0000_4831),
     lambda: sent(IDS[3] | 0x4031)),
    (V, "no EOI has come since",
     lambda: taken(sent(0x4_4031)),
     lambda: ended(taken(sent(0x4_4031)))),
    (V, "was delivered once at 0 ns, and its EOI came at 1,000 ns",
     lambda: ended(taken(sent(0x4_4031))),
     lambda: taken(sent(0x4_4031))),
    (V, "vector 0x51 was delivered at 0 ns, and no EOI has come since",
     lambda: ipi(taken(sent(0x4_4051)), 0x4_4031),
     lambda: ipi(ended(taken(sent(0x4_4051))), 0x4_4031)),
    (0x05, "vectors below 16 are illegal",
     lambda: pulse(entry(rig(), 4, 0x05), 4),
     lambda: entry(rig(), 4, V)),
    (0x05, "an APIC takes no vector below 16, and 0x05 is one, named by lvt timer",
     lambda: timer((LVT_TIMER, 0x05), (COUNT, 100)),
     lambda: timer((LVT_TIMER, 0x35), (COUNT, 100))),
    (0x05, "vector 0x05 is illegal",
     lambda: sent(0x4_4005),
     rig),
    (0x24, "it is in service there (ISR 0x10): no EOI (OCW2)",
     lambda: served(4),
     lambda: pic_ended(served(4))),
    (0x25, "IRQ 4 is in service (ISR 0x10)",
     lambda: lined(served(4), 5),
     lambda: lined(pic_ended(served(4)), 5)),
    (0x27, "spurious as the 8259 has nothing to serve",
     asked_for_nothing,
     lambda: pic(rig(), 7)),
    (0x25, "its line rose at 0 ns and fell before INTA, which takes the request back",
     lambda: dropped(lined(pic(rig()), 5), 5),
     lambda: dropped(served(5), 5)),
    (0x2F, "IRQ 15 of the 8259 pair was spurious",
     lambda: taken(dropped(lined(pic(rig()), 9), 9)),
     lambda: taken(lined(pic(rig()), 15))),
    (0x27, "was spurious",
     spurious,
     lambda: pic_ended(taken(pic(rig(), 7)))),
    (2, "NMIs are blocked until its IRET",
     lambda: nmi(rig(), blocked=True),
     lambda: nmi(rig())),
)  # fmt: skip


@pytest.mark.parametrize(
    ("vector", "words", "has", "nearly"), CAUSES, ids=[each[1][:50] for each in CAUSES]
)
def test_the_sentence_names_the_cause_and_only_where_it_is(
    vector: int, words: str, has: Made, nearly: Made
) -> None:
    assert words in first(has(), vector)
    other = why_vector.irq(nearly(), vector, 0)
    assert all(words not in reason.text for reason in other.reasons), other.reasons
    assert words not in other.text


def test_the_last_message_counts_and_not_one_before_a_delivery() -> None:
    """An IPI went elsewhere, and a later one was delivered: all was well."""
    m = ended(taken(ipi(ipi(rig(), IDS[1] | 0x4031), 0x4_4031)))
    assert "it was delivered once at 2,000 ns" in first(m)
    ipi(m, IDS[1] | 0x4031)
    assert "reached vCPU 1 at 4,000 ns" in first(m)


def test_a_reset_begins_another_life() -> None:
    m = timer((LVT_TIMER, DEADLINE), (COUNT, 3000))
    m.vcpus[0].run_state |= 0x4000
    ipi(m, 0x4500)  # INIT to itself
    assert "ignored, as" in first(m)
    arbitration.boot(m.vm, m.vcpus[0])
    assert "ignored, as" not in first(m)


def test_a_checkpoint_takes_the_writes_along_and_no_hash_is_over_them() -> None:
    m = rig()
    plain = Digester(m).digest()
    start = capture.take(m)
    m.vm.buses[0].write(0xFEE0_0000 + COUNT, 4, 0)  # which changes nothing
    assert [it.what for it in m.vm.writes[written.timer(0)]] == [written.COUNT]
    m.log.restore((), 0)  # it is an event, and their number is state
    assert Digester(m).digest() == plain
    later = capture.take(m)
    capture.put(m, start)
    assert m.vm.writes == {}
    capture.put(m, later)
    assert len(m.vm.writes[written.timer(0)]) == 1


def test_eight_writes_to_a_timer_are_remembered() -> None:
    m = timer(*[(COUNT, value) for value in range(1, 13)])
    assert [it.value for it in m.vm.writes[written.timer(0)]] == list(range(5, 13))


def test_every_reason_for_a_vector_that_is_nowhere_has_its_place() -> None:
    """A rule without one would be told between what is and what was."""
    known = {
        *ranking.HAPPENED, *ranking.REFUSES, *ranking.PRESENT, *ranking.OVER,
        *ranking.WAITS, *ranking.NOBODY,
    }  # fmt: skip
    for _, _, has, nearly in CAUSES:
        for m in (has(), nearly()):
            for vector in (V, 0x24, 0x27, 2):
                answer = why_vector.irq(m, vector, 0)
                if answer.where == "nowhere":
                    assert {row.rule for row in answer.reasons} <= known
                    assert answer.text.endswith(answer.reasons[0].text)


def test_a_vector_that_another_vcpu_has_is_no_reason_where_this_one_had_it() -> None:
    """Every vCPU may have a timer of its own with the same vector."""
    m = ended(taken(sent(0x4_4031)))
    m.vcpus[1].apic.irr = 1 << V
    assert "it was delivered once" in first(m)
    assert "vCPU 1 has it" in why_vector.irq(m, V, 0).reasons[1].text


def test_what_is_counted_is_a_part_where_older_events_are_forgotten() -> None:
    m = ended(taken(sent(0x4_4031)))
    assert "it was delivered once at 0 ns" in first(m)
    m.log.restore(m.log.last(4), 100)  # as after going back to a checkpoint
    assert "it was delivered at least once, the last at 0 ns" in first(m)
