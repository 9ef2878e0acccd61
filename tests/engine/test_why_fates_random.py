"""What is told of the last INIT, SIPI and NMI is what a second model says of them."""

from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.boot_oracle import NAMES, Bus
from rigs.why_states import rig

from lapis_engine.machine.machine import Machine
from lapis_engine.vmm import run_state
from lapis_engine.vmm.run import run
from lapis_engine.why import vcpu as why_vcpu
from lapis_engine.why.causes.fates import fates

CPUS = 3
LDRS = [1, 2, 6]
PAGES = (0x08, 0x42)
"""Vectors of SIPIs; at each is `jmp $`."""
HANDLER = 0x500
"""Where the NMI handler stays."""
DROPPED = {"mode-shorthand", "init-deassert"}

icrs = st.builds(
    lambda to, mode, vector, bits: to << 56 | mode << 8 | vector | bits,
    st.sampled_from([0, 1, 2, 3, 7, 0xFF]),
    st.sampled_from(sorted(NAMES)),
    st.sampled_from(PAGES),
    st.sampled_from([0x4000] * 6 + [0, 0x8000, 0xC000, 0x800, 0x4_0000, 0xC_0000]),
)
sends = st.tuples(st.integers(0, CPUS - 1), icrs)
entries = st.tuples(st.integers(0, CPUS - 1), st.none())
traffic = st.lists(st.one_of(sends, sends, entries), max_size=40)


def machine() -> Machine:
    m = rig(CPUS)
    for vcpu, ldr in zip(m.vcpus, LDRS, strict=True):
        vcpu.apic.ldr = ldr << 24
    memory = m.vm.memory
    for at in (*(page << 12 for page in PAGES), HANDLER, 0xF_FFF0):
        memory.write(at, bytes.fromhex("ebfe"), force=True)
    memory.write(8, HANDLER.to_bytes(4, "little"))
    return m


def enter(m: Machine, number: int) -> None:
    """Let one vCPU get on for an instruction; one that waits cannot."""
    vcpu = m.vcpus[number]
    if run_state.can_run(vcpu.run_state) or vcpu.run_state & run_state.PEND_INIT:
        run(m.vm, vcpu, budget=1)


def played(acts: list[tuple[int, int | None]]) -> tuple[Machine, Bus]:
    """Do the same on a machine and on the second model."""
    m, bus = machine(), Bus(LDRS)
    for number, icr in acts:
        if icr is None:
            enter(m, number)
            bus.enter(number)
        else:
            bus.write(number, icr, m.log.next_seq)
            m.send_ipi(number, icr)
    return m, bus


@settings(max_examples=250, deadline=None)
@given(traffic)
def test_the_fates_are_those_of_a_second_model(
    acts: list[tuple[int, int | None]],
) -> None:
    m, bus = played(acts)
    for it, vcpu in zip(bus.all, m.vcpus, strict=True):
        told = fates(m, vcpu)
        assert {mode: (each.event, each.fate) for mode, each in told.came.items()} == {
            mode: (each.event, each.fate) for mode, each in it.came.items()
        }
        missed = {mode: each for mode, each in told.missed.items() if mode != "fixed"}
        assert {mode: each.event for mode, each in missed.items()} == {
            mode: each.event for mode, each in it.missed.items()
        }
        for mode, each in missed.items():
            expected = it.missed[mode].fate
            if expected == "to-sender":
                assert each.fate in {"to-sender", "excludes-self"}
            elif expected in DROPPED:
                assert each.fate in {expected, "elsewhere"}
            else:
                assert each.fate not in DROPPED
        assert all(
            f"SIPI {each.vector:#04x} at " in each.text
            for each in told.all
            if each.mode == "sipi"
        )


@settings(max_examples=120, deadline=None)
@given(traffic)
def test_a_vcpu_that_waits_is_told_the_message_that_it_lacks(
    acts: list[tuple[int, int | None]],
) -> None:
    """Never an INIT or a SIPI that did what it should."""
    m, bus = played(acts)
    for number, it in enumerate(bus.all):
        answer = why_vcpu.vcpu(m, number)
        if it.runs or it.init or (it.waits and it.sipi):
            assert answer.verdict == "runs"
            continue
        first = answer.reasons[0]
        sent = {**it.came, **it.missed}
        if not sent.keys() & {"init", "sipi"}:
            assert first.rule == "never-sent"
        elif it.waits:
            since = it.came["init"].event
            later = [
                each["sipi"].event
                for each in (it.came, it.missed)
                if "sipi" in each and each["sipi"].event > since
            ]
            assert first.rule not in {"never-sent", "taken"}
            assert (first.rule in {"no-sipi", "init-again", "sipi-early"}) <= (
                not later or first.rule == "init-again"
            )
        else:
            assert first.rule not in {"no-sipi", "init-again", "started"}
