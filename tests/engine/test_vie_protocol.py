"""Entry commands and answers at random: no request is lost, none is applied twice.

The model knows what the guest asks next and what each answer must come to; it takes
nothing from the engine. A loop of a load, a store, a read-modify-write, a move from
device to device, IN, OUT, REP INSB and RDMSR, all on what nobody serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from conformance.rig import CODE, HANDLERS, Rig
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from lapis_engine.cpu.registers import RBX, RDI, RDX
from lapis_engine.errors import EntryError
from lapis_engine.vmm import exits
from lapis_engine.vmm.entry import (
    Default,
    DiscardInstr,
    Entry,
    FulfillInout,
    FulfillMmio,
    FulfillMsr,
    InjectFault,
)
from lapis_engine.vmm.run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

DEVICE, PORT, MSR, BUFFER = 0xD000_0000, 0x2F0, 0x7FF, 0x4_0000
R14 = 14
FIRST_ELEMENT, ELEMENTS = 6, 3
"""Of the REP INSB, among the steps of the model."""
LOOP = bytes.fromhex(
    "8b03"  # mov eax, [rbx]
    "4901c6"  # add r14, rax
    "884308"  # mov [rbx+8], al
    "834b0441"  # or dword [rbx+4], 0x41
    "488db300010000"  # lea rsi, [rbx+0x100]
    "488dbb00020000"  # lea rdi, [rbx+0x200]
    "a5"  # movsd
    "ba f0020000".replace(" ", "")  # mov edx, 0x2f0
    + "ec"  # in al, dx
    "4901c6"  # add r14, rax
    "ef"  # out dx, eax
    "bf00000400"  # mov edi, 0x40000
    "b903000000"  # mov ecx, 3
    "f36c"  # rep insb
    "b9ff070000"  # mov ecx, 0x7ff
    "0f32"  # rdmsr
    "4901d6"  # add r14, rdx
)
LOOP += b"\xeb" + (-len(LOOP) - 2 & 0xFF).to_bytes(1, "little")
UD, GP = 6, 13
RESUME = {UD: "48cf", GP: "4883c40848cf"}
"""iretq, with the error code taken off where there is one: the instruction again."""


class Ask(NamedTuple):
    """A request, as the guest's code means it."""

    kind: str
    read: bool
    address: int
    bytes: int
    data: int = 0


class Model:
    """What the loop does, in Python."""

    def __init__(self) -> None:
        self.rax = self.r14 = 0
        self.buffer = bytearray(3)
        self.at = 0
        self.done = 0
        """Instructions with a request that are over."""
        self.steps: list[Callable[[], Generator[Ask, int, None]]] = [
            self.load, self.store, self.modify, self.move, self.port_in,
            self.port_out, *(self.element(n) for n in range(3)), self.rdmsr,
        ]  # fmt: skip
        self.restart()

    def restart(self) -> None:
        self.now = self.steps[self.at]()
        self.ask = next(self.now)

    def answer(self, value: int) -> None:
        try:
            self.ask = self.now.send(value & ((1 << (8 * self.ask.bytes)) - 1))
        except StopIteration:
            self.at, self.done = (self.at + 1) % len(self.steps), self.done + 1
            self.restart()

    def load(self) -> Generator[Ask, int, None]:
        self.rax = yield Ask("mmio", True, DEVICE, 4)
        self.r14 += self.rax

    def store(self) -> Generator[Ask, int, None]:
        yield Ask("mmio", False, DEVICE + 8, 1, self.rax & 0xFF)

    def modify(self) -> Generator[Ask, int, None]:
        old = yield Ask("mmio", True, DEVICE + 4, 4)
        yield Ask("mmio", False, DEVICE + 4, 4, old | 0x41)

    def move(self) -> Generator[Ask, int, None]:
        value = yield Ask("mmio", True, DEVICE + 0x100, 4)
        yield Ask("mmio", False, DEVICE + 0x200, 4, value)

    def port_in(self) -> Generator[Ask, int, None]:
        value = yield Ask("inout", True, PORT, 1)
        self.rax = self.rax & ~0xFF | value
        self.r14 += self.rax

    def port_out(self) -> Generator[Ask, int, None]:
        yield Ask("inout", False, PORT, 4, self.rax & 0xFFFF_FFFF)

    def element(self, index: int) -> Callable[[], Generator[Ask, int, None]]:
        def insb() -> Generator[Ask, int, None]:
            self.buffer[index] = yield Ask("inout", True, PORT, 1)

        return insb

    def rdmsr(self) -> Generator[Ask, int, None]:
        value = yield Ask("msr", True, MSR, 8)
        self.rax, rdx = value & 0xFFFF_FFFF, value >> 32
        self.r14 += rdx


BITS_64 = st.integers(0, (1 << 64) - 1)


def fulfilment(ask: Ask, value: int, *, flag: bool) -> Entry:
    where = ask.address, ask.bytes, ask.read, value, flag
    match ask.kind:
        case "mmio":
            return FulfillMmio(*where)
        case "inout":
            return FulfillInout(*where)
        case _:
            return FulfillMsr(ask.address, ask.read, value, flag)


class Protocol(RuleBasedStateMachine):
    """A vCPU in the loop, and its user."""

    steps = entered = 0

    @initialize()
    def begin(self) -> None:
        self.rig = Rig()
        self.machine, self.vm = self.rig.machine, self.rig.vm
        self.vcpu, self.model = self.rig.vcpu(0), Model()
        self.machine.trap("msr", MSR)
        self.vm.memory.write(CODE, LOOP)
        for vector, code in RESUME.items():
            self.vm.memory.write(HANDLERS + 16 * vector, bytes.fromhex(code))
        regs = self.vcpu.regs
        regs.rip, regs.gpr[RBX] = CODE, DEVICE
        self.reach()

    def enter(self, entry: Entry, budget: int = 0) -> exits.Exit:
        Protocol.entered += 1
        return run(self.vm, self.vcpu, entry, budget).exit

    def reach(self) -> None:
        """Run on to the next request, which must be the one that is due."""
        for _ in range(40):
            if not isinstance(self.enter(Default(), 1), exits.Bogus):
                break
        self.is_due()

    def is_due(self) -> None:
        (request,) = self.machine.pending()
        found = request.kind, request.read, request.address, request.bytes, request.data
        assert found == self.model.ask

    def state(self) -> object:
        return self.vcpu.regs.context.state_bytes(), repr(self.vcpu.vie)

    @rule(budget=st.sampled_from([0, 1, 1000]), flag=st.booleans())
    def just_run(self, budget: int, flag: bool) -> None:
        before = self.state()
        out = self.enter(Default(flag), budget)
        assert isinstance(out, (exits.Mmio, exits.Inout, exits.Rdmsr))
        assert self.state() == before
        self.is_due()

    @rule(value=BITS_64, flag=st.booleans(), budget=st.sampled_from([0, 1, 1000]))
    def right(self, value: int, flag: bool, budget: int) -> None:
        """As often as the rest together, so that the guest gets on."""
        ask, before = self.model.ask, self.vcpu.retired
        out = self.enter(fulfilment(ask, value, flag=flag), budget)
        self.model.answer(value)
        if flag and isinstance(out, exits.Bogus):
            assert self.vcpu.retired - before <= 1
        self.reach()

    @rule(value=BITS_64)
    def by_verb(self, value: int) -> None:
        size = self.model.ask.bytes
        before = self.state()
        if value >= 1 << (8 * size):
            with pytest.raises(EntryError, match=r"EINVAL: .* does not fit"):
                self.machine.answer(0, value)
            assert self.state() == before
            return
        self.machine.answer(0, value)
        self.model.answer(value)
        self.reach()

    @rule(
        kind=st.sampled_from(["mmio", "inout", "msr"]),
        read=st.booleans(),
        shift=st.sampled_from([0, 0, 1, 4, -4, 0x1000]),
        size=st.sampled_from([0, 1, 2, 3, 4, 8]),
        value=BITS_64,
        flag=st.booleans(),
    )
    def wrong(
        self, kind: str, read: bool, shift: int, size: int, value: int, flag: bool
    ) -> None:
        ask, before = self.model.ask, self.state()
        answer = Ask(kind, read, ask.address + shift, size or ask.bytes)
        size_counts = kind != "msr"
        same = (kind, read, shift) == (ask.kind, ask.read, 0)
        if same and (not size_counts or answer.bytes == ask.bytes):
            return
        with pytest.raises(EntryError, match="EINVAL"):
            self.enter(fulfilment(answer, value, flag=flag), 1000)
        assert self.state() == before
        self.is_due()

    @rule(flag=st.booleans(), verb=st.booleans())
    def discard(self, flag: bool, verb: bool) -> None:
        if verb:
            self.machine.discard(0)
        else:
            self.enter(DiscardInstr(flag))
        self.model.restart()
        self.reach()

    @rule(name=st.sampled_from(["ud", "gp"]), verb=st.booleans())
    def fault(self, name: str, verb: bool) -> None:
        """The handler comes back to the instruction, which asks anew."""
        if verb:
            self.machine.answer_fault(0, name)
        else:
            vector, error = {"ud": (UD, None), "gp": (GP, 0)}[name]
            self.enter(InjectFault(vector, error))
        assert self.machine.pending() == []
        self.model.restart()
        self.reach()

    @rule(entry=st.sampled_from([
        FulfillMmio(DEVICE, 4, True, 1), FulfillInout(PORT, 1, True, 1),
        FulfillMsr(MSR, True, 1), InjectFault(UD),
    ]))  # fmt: skip
    def nothing_pending(self, entry: Entry) -> None:
        self.enter(DiscardInstr())
        before = self.state()
        with pytest.raises(EntryError, match="EINVAL"):
            self.enter(entry, 1000)
        assert self.state() == before
        self.model.restart()
        self.reach()

    @invariant()
    def applied_once(self) -> None:
        if not hasattr(self, "rig"):
            return
        Protocol.steps += 1
        gpr = self.vcpu.regs.gpr
        assert gpr[R14] == self.model.r14 & (1 << 64) - 1
        found = bytearray(self.machine.read_physical(BUFFER, 3))
        if self.is_insb:
            # The processor underneath clears an element before it asks the port.
            element = self.model.at - FIRST_ELEMENT
            found[element] = self.model.buffer[element]
            assert gpr[RDI] == BUFFER + element
        assert found == self.model.buffer
        if self.model.ask.kind == "inout":
            assert gpr[RDX] == PORT

    @property
    def is_insb(self) -> bool:
        return 0 <= self.model.at - FIRST_ELEMENT < ELEMENTS


def test_no_request_is_lost_and_none_applied_twice() -> None:
    checks: Any = list(HealthCheck)
    limits = settings(
        max_examples=230, stateful_step_count=50, derandomize=True, deadline=None,
        database=None, suppress_health_check=checks,
    )  # fmt: skip
    run_machine(Protocol, settings=limits)
    assert Protocol.steps >= 10_000
