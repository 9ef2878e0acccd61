"""Every cause that `why vcpu` can begin with, in a state made for it.

What each must be is from the SDM: Vol. 3A "MP Initialization Protocol Algorithm",
"Determining IPI Destination", "x2APIC Register Availability"; Vol. 2A "HLT".
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest
from rigs.machines import ROOT, machine
from rigs.why_rules import rules_of
from rigs.why_states import (
    IDS,
    asking,
    broken_bring_up,
    halted,
    interfered,
    nmi,
    no_if,
    pending,
    rig,
    sent,
)

from lapis_engine.boot.image import SavedEntry
from lapis_engine.cpu.spinning import spin
from lapis_engine.events import Answered, MsrAccessed
from lapis_engine.explain.moments import moment
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.vmm import clock, run_state
from lapis_engine.vmm.run import run
from lapis_engine.why import vcpu as why_vcpu
from lapis_engine.why.causes.fates import ENDS, fates
from lapis_engine.why.reason import Reason

if TYPE_CHECKING:
    from lapis_engine.boot.machine_state import MachineState

PAGE = 0x8000
"""The page of SIPI 0x08."""
CODE = bytes.fromhex("ebfe")
NOT_INIT = 0x8500
"""INIT, level, de-assert."""


def sends(*icrs: int, cpus: int = 2, profile: str = "sdm") -> Machine:
    """vCPU 0 sends these, and every vCPU that can gets on between two of them."""
    m = rig(cpus, profile)
    m.vm.memory.write(PAGE, CODE)
    for icr in icrs:
        m.send_ipi(0, icr)
        get_on(m)
    return m


def get_on(m: Machine) -> None:
    """Let every vCPU get on that can."""
    for vcpu in m.vcpus:
        if run_state.can_run(vcpu.run_state):
            run(m.vm, vcpu, budget=2)


def started(page: bytes, *, after: bytes | None = None, vector: int = 8) -> Machine:
    """vCPU 1 was sent a SIPI when `page` was there, and took it when `after` was."""
    m = rig()
    m.vm.memory.write(vector << 12, page)
    m.send_ipi(0, IDS[1] | 0x4500)
    get_on(m)
    m.send_ipi(0, IDS[1] | 0x4600 | vector)
    if after is not None:
        m.vm.memory.write(vector << 12, after)
    get_on(m)
    return m


def spinning(code: str, *, cpus: int = 1, masked: bool = False) -> Machine:
    """vCPU 0 runs `code`, 16-bit, in hex."""
    m = machine(bytes.fromhex(code), cpus)
    m.vcpus[0].regs.rflags = 2 if masked else 0x202
    m.run(20)
    return m


def masked_nmi() -> Machine:
    """HLT in an NMI handler, and another NMI that is pending."""
    return nmi(halted(no_if(rig())), blocked=True)


def masked_timer_fired() -> Machine:
    """One-shot, at 900 ns."""
    m = halted(rig(timer_deadline=900, lvt_timer=0x1_0040))
    clock.pass_time(m.vm, 900)
    return m


def vector_waits() -> Machine:
    m = halted(no_if(rig()))
    m.send_ipi(0, 0x4031)
    return m


def no_x2apic() -> Machine:
    """WRMSR of an INIT to 0x830 in xAPIC mode, which is #GP(0)."""
    m = rig()
    m.log.note(MsrAccessed(0, 0x830, True, IDS[1] >> 24 | 0x4500, True))
    return m


def no_xapic() -> Machine:
    """A write to the page of xAPIC in x2APIC mode, which the user was asked about."""
    m = rig()
    m.vcpus[0].apic.apicbase |= 0x400
    m.log.note(
        Answered(
            0, "answer", "write", what="mmio", address=0xFEE0_0300, bytes=4,
            data=0xC_4500,
        )
    )  # fmt: skip
    return m


def forgotten(m: Machine) -> Machine:
    m.log.restore((), m.log.next_seq)
    return m


def read_from_elsewhere() -> Machine:
    """Where it ran before something may have been sent that nobody knows of."""
    m = rig()
    m.plan = replace(m.plan, entry=SavedEntry(cast("MachineState", None)))
    return m


def set_by_hand() -> Machine:
    m = sends(IDS[1] | 0x4500)
    m.set_run_state(1, 0)
    return m


def off() -> Machine:
    m = rig()
    m.vcpus[1].apic.apicbase &= ~0x800
    m.send_ipi(0, IDS[1] | 0x4500)
    return m


def unplugged() -> Machine:
    """A vCPU that was never made active, and an INIT to it by its id."""
    m = rig()
    m.vcpus[1].active = False
    m.send_ipi(0, IDS[1] | 0x4500)
    return m


def excluded() -> Machine:
    m = halted(no_if(rig()))
    m.send_ipi(0, 0xC_4400)
    return m


class Row(NamedTuple):
    """A rule among the reasons of a vCPU, what it says, and whether it is the first."""

    rule: str
    text: str
    vcpu: int
    first: bool
    make: Callable[[], Machine]


ROWS = tuple(Row(*row) for row in (
    ("never-sent", "no INIT has been sent to it", 1, True, rig),
    ("never-sent", "no INIT has been sent to it (from event #", 1, True,
     lambda: forgotten(sends(0x4500))),
    ("never-sent", "no INIT has been sent to it (from when the machine was read on)",
     1, True, read_from_elsewhere),
    ("no-init", "SIPI 0x08 at 0 ns from the user was ignored: no INIT came before it",
     1, True, lambda: sent(IDS[1] | 0x4608)),
    ("no-sipi", "INIT at 0 ns from the user was taken at ", 1, True,
     lambda: sends(IDS[1] | 0x4500)),
    ("sipi-early", "no SIPI came to it after INIT; SIPI 0x08 at 0 ns", 1, True,
     lambda: sends(IDS[1] | 0x4608, IDS[1] | 0x4500)),
    ("init-again", "from the user stopped it while it ran, and no SIPI was", 1, True,
     lambda: sends(IDS[1] | 0x4500, IDS[1] | 0x4608, 0xC_4500)),
    ("init-deassert", "was dropped: INIT de-assert is ignored (ICR 0x1000000", 1, True,
     lambda: sends(IDS[1] | NOT_INIT)),
    ("init-level-bit", "was dropped: INIT with the level bit clear is ignored", 1, True,
     lambda: sends(IDS[1] | 0x500, profile="illumos")),
    ("destination", "went to APIC id 0x3, which no APIC has (vCPU 0 has 0x0, vCPU 1",
     1, True, lambda: sends(IDS[3] | 0x4500)),
    ("destination", "(the ids are 0x0 to 0x5); vCPU 4 has 0x4", 4, True,
     lambda: sends(0x09 << 56 | 0x4500, cpus=6)),
    ("elsewhere", "no INIT has come to it; INIT at 0 ns from vCPU 0 went to APIC id",
     2, True, lambda: sends(IDS[1] | 0x4500, cpus=3)),
    ("elsewhere", "was for vCPU 1, and was dropped: INIT de-assert", 2, True,
     lambda: sends(IDS[1] | NOT_INIT, cpus=3)),
    ("to-sender", "went to APIC id 0x0, which is its sender", 1, True,
     lambda: sends(0x4500)),
    ("mode-shorthand", "was dropped: init cannot have the shorthand self", 1, True,
     lambda: sends(0x4_4500)),
    ("excludes-self", "was for all excluding self, and this vCPU sent it itself", 0,
     False, excluded),
    ("apic-off", "was not heard: the APIC of vCPU 1 is switched off", 1, True, off),
    ("inactive", "INIT at 12.3 us from vCPU 0 went to an inactive vCPU", 1, True,
     broken_bring_up),
    ("inactive", "did not come to vCPU 1, which is not active", 1, True, unplugged),
    ("shorthand", "names it by a shorthand, which is not looked at", 1, True,
     lambda: sends(0xC_4500, profile="freebsd-13.1-compat")),
    ("shorthand", "named vCPU 1 by a shorthand, which illumos-pre-13275 does", 1, True,
     lambda: sends(0xC_4500, profile="illumos-pre-13275")),
    ("interfered", "was dropped by a rule of yours (INIT from the user", 1, True,
     lambda: interfered("drop", 0xC_4500)),
    ("interfered", "is held back by a rule of yours (INIT from the user", 1, True,
     lambda: interfered("delay", 0xC_4500)),
    ("unreached", "the INIT of vCPU 0 (ICR 0xc4500) went to an inactive vCPU", 1, True,
     lambda: forgotten(broken_bring_up())),
    ("set-by-hand", "and its run-state was set by hand since", 1, True, set_by_hand),
    ("icr", "the last command of vCPU 0 was a SIPI", 1, True,
     lambda: pending(rig(icr=IDS[3] | 0x4608), 1, run_state.INIT)),
    ("no-x2apic", "to the MSR 0x830, and the APIC of vCPU 0 is in xAPIC mode", 1, True,
     no_x2apic),
    ("no-xapic", "to the page of xAPIC, and the APIC of vCPU 0 is in x2APIC mode", 1,
     True, no_xapic),
    # The page of a SIPI.
    ("zero-page", "SIPI 0x08 at ", 1, True, lambda: started(bytes(64))),
    ("no-code", "where there is nothing but bytes 0xaf, and no code", 1, True,
     lambda: started(b"\xaf" * 4096)),
    ("no-code", "(a SIPI can name no page above 1 MiB), and no code", 1, True,
     lambda: started(CODE, vector=0)),
    ("trampoline-changed", "the code at 0x8000 has changed since SIPI 0x08 was sent at",
     1, True, lambda: started(CODE, after=bytes.fromhex("fbebfe"))),
    ("runs-away", "it runs away: at 0x", 0, True, lambda: spinning("00" * 64)),
    # HLT.
    ("halted-if0", "it is halted at 0x10000 with IF=0 (RFLAGS is 0x2)", 0, True,
     lambda: halted(no_if(rig()))),
    ("if", "vector 0x31 is in its IRR, and waits for IF", 0, False, vector_waits),
    ("nmi-blocking", "an NMI is pending, and waits for the IRET", 0, False, masked_nmi),
    ("no-source", "none is pending, and no timer is armed", 0, True,
     lambda: halted(rig())),
    ("halted", "waits for an interrupt: the APIC timer at 900 ns, in 900 ns", 0, True,
     lambda: halted(rig(timer_deadline=900, lvt_timer=0x40))),
    ("fired-in-vain", "the APIC timer fired in vain at 900 ns, as LVT timer was", 0,
     True, masked_timer_fired),
    ("timer-shut", "waits for an interrupt: not the APIC timer at 900 ns, in 900 ns", 0,
     True, lambda: halted(rig(timer_deadline=900, lvt_timer=0x1_0040))),
    ("timer-shut", "its vector 0x40 would wait or be refused", 0, True,
     lambda: halted(rig(timer_deadline=900, lvt_timer=0x40, tpr=0x50))),
    ("pending-request", "it waits for an answer to its mmio read", 0, True, asking),
    # Loops: jmp $; the flag at 0x500 (cmp byte [0x500], 0); the lock there (lock bts).
    ("endless", "looks at nothing: with IF=0 only NMI or INIT ends it", 0, True,
     lambda: spinning("ebfe", masked=True)),
    ("endless", "with IF=1 only an interrupt, NMI or INIT ends it", 0, True,
     lambda: spinning("f390ebfc")),
    # sti; nop; cli; jmp, and without the nop; IF is 0 where they are looked at.
    ("endless", "it lets interrupts in, and only an interrupt, NMI or INIT ends it", 0,
     True, lambda: spinning("fb90faebfb", masked=True)),
    ("endless", "CLI is in the shadow of the STI at 0x10000, so that no interrupt", 0,
     True, lambda: spinning("fbfaebfc", masked=True)),
    ("endless", "with IF=0 only NMI or INIT ends it", 0, True,
     lambda: spinning("faebfd", masked=True)),
    ("spins", "the byte at 0x500, which is 0x0, to change", 0, True,
     lambda: spinning("31c08ed8803e00050074f9")),
    ("spins-lock", "it waits for the lock at 0x500, which is 0x1", 0, True,
     lambda: spinning("31c08ed8c606000501f00fba2e00050072f7")),
    ("polls", "and polls port 0x40", 0, True, lambda: spinning("e440a88074fa")),
    ("writers", "what could write it: vCPU 1", 0, False,
     lambda: with_other(spinning("31c08ed8803e00050074f9", cpus=2))),
    ("last-writer", "`watch 0x500 1`, and then `reverse-continue`", 0, False,
     lambda: spinning("31c08ed8803e00050074f9")),
    ("nobody-writes", "(vCPU 1: it spins at 0x8000 and looks at nothing: with IF=0", 0,
     False, lambda: with_spinner(spinning("31c08ed8803e00050074f9", cpus=2))),
    ("nobody-writes", "(vCPU 1: no INIT has been sent to it)", 0, False,
     lambda: spinning("31c08ed8803e00050074f9", cpus=2)),
))  # fmt: skip


def with_other(m: Machine, code: str = "fec0ebfc") -> Machine:
    """vCPU 1 runs as well, somewhere else: inc al, for ever."""
    m.vm.memory.write(PAGE, bytes.fromhex(code))
    m.send_ipi(0, 0xC_4500)
    get_on(m)
    m.send_ipi(0, 0xC_4608)
    get_on(m)
    return m


def with_spinner(m: Machine) -> Machine:
    """vCPU 1 is in `jmp $`."""
    return with_other(m, "ebfe")


def reasons(m: Machine, number: int) -> tuple[Reason, ...]:
    return why_vcpu.vcpu(m, number).reasons


@pytest.mark.parametrize("it", ROWS, ids=lambda it: f"{it.rule}: {it.text[:40]}")
def test_a_cause_is_named_first(it: Row) -> None:
    m = it.make()
    answer = why_vcpu.vcpu(m, it.vcpu)
    told = [(reason.rule, reason.text) for reason in answer.reasons]
    found = [
        n for n, (rule, text) in enumerate(told) if rule == it.rule and it.text in text
    ]
    assert len(found) == 1, told
    assert (found == [0]) is it.first, told
    assert answer.text.endswith(f": {told[0][1]}")
    assert not answer.text.endswith(".")


def test_every_rule_that_the_code_names_is_in_the_table() -> None:
    named = rules_of(ROOT / "engine" / "lapis_engine" / "why" / "causes")
    assert named - {it.rule for it in ROWS} == {"runs", "triple-fault"} & named


@pytest.mark.parametrize("icr", [0x4608, 0x4500, 0x4400, 0x44_31])
def test_what_did_as_it_should_is_not_held_against_it(icr: int) -> None:
    """A vCPU that runs in `jmp $` is told of that, and of no IPI."""
    m = sends(IDS[1] | 0x4500, IDS[1] | 0x4608, icr)
    assert [reason.rule for reason in reasons(m, 1)] == ["endless"]


def test_a_second_sipi_for_the_same_page_is_no_cause() -> None:
    m = started(bytes.fromhex("faf4"))
    m.send_ipi(0, IDS[1] | 0x4608)
    assert [reason.rule for reason in reasons(m, 1)] == ["halted-if0"]
    m.send_ipi(0, IDS[1] | 0x4642)
    first, *_ = reasons(m, 1)
    assert (first.rule, first.values["start"]) == ("runs", PAGE)
    assert "SIPI 0x42" in first.text
    assert "since SIPI 0x08 started it at 0x8000" in first.text


@pytest.mark.parametrize("after", [CODE + bytes(30) + b"\x01", CODE])
def test_what_changes_beside_the_code_is_no_cause(after: bytes) -> None:
    m = started(CODE + bytes(64), after=after)
    assert [reason.rule for reason in reasons(m, 1)] == ["endless"]


def test_of_a_sipi_that_was_not_seen_nothing_is_claimed() -> None:
    """A checkpoint of another time brings other events, and no pages with them."""
    m = started(CODE, after=bytes.fromhex("fbebfe"))
    there = capture.take(m)
    m.starts = type(m.starts)(m.vm)
    capture.put(m, there)
    assert [reason.rule for reason in reasons(m, 1)] == ["endless"]


def test_every_way_to_end_is_told_with_what_it_names() -> None:
    values = {"until": "1.0 us", "why": "no INIT came before it", "start": 0x8000}
    for name, words in ENDS.items():
        told = words.format(**values)
        assert "{" not in told, name
        assert ("no INIT" in told) is ("{why}" in words)


def test_an_nmi_that_comes_while_one_is_pending_is_merged() -> None:
    m = nmi(rig())
    m.log.restore((), 0)
    m.vcpus[0].nmi_pending = False
    m.send_ipi(1, 0x4400)
    m.send_ipi(1, 0x4400)
    found = fates(m, m.vcpus[0]).came["nmi"]
    assert found.fate == "merged"
    assert found.text.endswith("came while another was pending: they are one")


# Loops.


@pytest.mark.parametrize(
    "code",
    [
        "49 75fd",  # dec cx; jnz: counts down
        "e2fe",  # loop $
        "8b04 3d0000 75f9 46".replace("46", ""),  # mov ax,[si]; cmp; jnz, and si stays
        "ac 84c0 75fb",  # lodsb; test; jnz: walks on
        "8b1f 85db 75fa",  # mov bx,[bx]; test; jnz: a list
        "8d7f01 ebfb",  # lea di,[bx+1]: and it writes nothing new, but see below
        "ff060005 ebfa",  # inc word [0x500]
        "e80000 ebfb",  # call
        "f4 ebfd",  # hlt: waits, and does not spin
        "aa ebfd",  # stosb
        "0f31 ebfc",  # rdtsc: time passes
    ],
)
def test_a_loop_that_brings_something_new_is_none(code: str) -> None:
    data = bytes.fromhex(code.replace(" ", ""))
    found = spin(data, 0x1000, 0x1000, 16)
    is_still = code.startswith(("8b04", "8d7f"))
    assert (found is not None) is is_still


@pytest.mark.parametrize("at", range(4))
def test_a_loop_is_found_from_each_of_its_instructions(at: int) -> None:
    """pause; mov al, [0x500]; test al, al; jz back."""
    data = bytes.fromhex("f390a0000584c074f7")
    offsets = (0, 2, 5, 7)
    found = spin(data, 0x1000, 0x1000 + offsets[at], 16)
    assert found is not None
    assert (found.first, found.last) == (0x1000, 0x1007)
    (watched,) = found.watched
    assert (watched.displacement, watched.size, watched.is_lock) == (0x500, 1, False)
    assert spin(data, 0x1000, 0x1001, 16) is None


def test_the_address_is_that_of_the_registers_and_the_segment() -> None:
    """mov ds, ax = 0x100; bx = 0x20; cmp dword [bx+4], 0; je."""
    m = spinning("b800018ed8bb200066837f040074f9")
    first, *_ = reasons(m, 0)
    assert first.rule == "spins"
    assert (first.values["address"], first.values["bytes"]) == (0x1024, 4)
    m.vm.memory.write(0x1024, bytes.fromhex("efbeadde"))
    assert reasons(m, 0)[0].values["value"] == 0xDEAD_BEEF


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0 ns"), (999, "999 ns"), (1000, "1.0 us"), (28_767, "28.7 us"),
     (999_999, "999.9 us"), (1_000_000, "1.0 ms"), (59_999_999_999, "59.9 s")],
)  # fmt: skip
def test_a_moment_has_one_digit_and_is_cut(ns: int, text: str) -> None:
    assert moment(ns) == text
