"""One case run both ways, and what came out different.

The processor runs it on RAM. On the hole the engine's own handlers run it, and every
request is answered from a copy of what the RAM held. Events are looked at, and not
delivered.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from fuzz import ports
from fuzz.layout import HOLE, PAGE
from fuzz.worlds import World
from lapis_engine.cpu.intercepts import Budget, Faulted
from lapis_engine.vmm import emulation, exits, handlers, intercepted
from lapis_engine.vmm.entry import FulfillInout, FulfillMmio

if TYPE_CHECKING:
    from fuzz.layout import Case
    from fuzz.worlds import Snapshot
    from lapis_engine.cpu.intercepts import HwExit

DEBUG = 1
NOT_CANONICAL, STACK_FAULT = (13, 0, 0), (12, 0, 0)
MOST = 400
"""Steps of one case, at most."""
HAS_ERROR_CODE = frozenset({8, 10, 11, 12, 13, 14, 17})


@dataclass(slots=True)
class Verdict:
    """What became of a case."""

    kind: str
    """same, different, inexact: the processor left traces of a fault on RAM, or
    skipped: the processor alone gives no reference."""
    requests: int = 0
    """Accesses that were answered."""
    text: str = ""


class Judge:
    """Holds the two machines."""

    def __init__(self) -> None:
        self.plain = World(hole=False)
        self._asking, self._served = World(hole=True), World(hole=True, served=True)
        self.device = self._asking
        self.wire: ports.Wire = []

    def judge(self, case: Case) -> Verdict:
        """Run `case` both ways."""
        verdict = self._judge(case)
        if verdict.kind != "same" or self.plain.has_gone_astray():
            # Not all three of them have written there.
            for world in (self.plain, self._asking, self._served):
                world.clear_the_rest()
        return verdict

    def _judge(self, case: Case) -> Verdict:
        wire: ports.Wire = []
        steps = 0
        if case.answers:
            wire, fault = ports.reference(self.plain, case)
        else:
            steps, fault = self._reference(case, MOST)
        if isinstance(fault, str):
            return Verdict("skipped", 0, fault)
        plain = self.plain.snapshot()
        self.device = self._served if case.served else self._asking
        self.device.load(case)
        requests, seen = self._requests(case)
        device = self.device.snapshot()
        plain["wire"], device["wire"] = tuple(wire), tuple(self.wire)
        if (fault, seen) == (NOT_CANONICAL, STACK_FAULT) and case.bits == 64:
            # The processor underneath has #GP for the stack as well.
            fault = STACK_FAULT
        text = _differences(fault, seen, plain, device)
        if text and fault is not None and fault == seen and not case.answers:
            # Faults are restartable (SDM Vol. 3A "Exception Classifications"), so the
            # state is that before the step; the processor underneath is not so exact.
            self._reference(case, steps)
            exact = self.plain.snapshot()
            exact["tables"], exact["wire"] = plain["tables"], plain["wire"]
            if not _differences(fault, seen, exact, device):
                return Verdict("inexact", requests, text)
        return Verdict("different" if text else "same", requests, text)

    def _reference(self, case: Case, most: int) -> tuple[int, Fault | str | None]:
        """Run on RAM for at most so many steps.

        Returns how many were complete, and a fault, None for a clean end, or why there
        is no reference.
        """
        world = self.plain
        world.load(case)
        regs, core = world.vcpu.regs, world.vm.core
        for step in range(most):
            hw = core.run(regs, 1)
            if _is_next(hw, regs.rip, case):
                return step, None
            if isinstance(hw, Faulted):
                return step, _fault(world, hw)
            if not isinstance(hw, Budget):
                return step, type(hw).__name__
            if regs.rip != case.rip:
                return step, None
        return most, "no end"

    def _requests(self, case: Case) -> tuple[int, Fault | str | None]:
        """Run on the hole; return how many requests there were, and the end."""
        world, count = self.device, 0
        self.wire = []
        answer: FulfillMmio | FulfillInout
        vcpu, vm = world.vcpu, world.vm
        for _ in range(MOST):
            hw = vm.core.run(vcpu.regs, 1)
            if _is_next(hw, vcpu.regs.rip, case):
                return count, None
            out = handlers.handle(world.run, hw)
            while isinstance(out, (exits.Mmio, exits.Inout)):
                count += 1
                if isinstance(out, exits.Mmio):
                    answer = self._answer(out)
                else:
                    answer = self._answer_port(case, out)
                out = emulation.enter(world.run, answer, "user")
            if vcpu.event is not None:
                event = vcpu.event
                return count, (event.vector, event.error, event.cr2)
            if out is not None:
                return count, f"{out.code} {out.text}"
            if vcpu.regs.rip != case.rip:
                return count, None
        return count, "no end"

    def _answer(self, request: exits.Mmio) -> FulfillMmio:
        """Serve a request from the content of the hole."""
        at, size, device = request.gpa - HOLE, request.bytes, self.device.device
        data = 0
        if not 0 <= at <= 2 * PAGE - size:
            raise AssertionError(f"request outside the hole: {request}")
        if request.read:
            data = int.from_bytes(device[at : at + size], "little")
        else:
            device[at : at + size] = request.data.to_bytes(size, "little")
        return FulfillMmio(request.gpa, size, request.read, data)

    def _answer_port(self, case: Case, request: exits.Inout) -> FulfillInout:
        """Serve a port from the case's list, and write down what it saw."""
        size, mask = request.bytes, (1 << 8 * request.bytes) - 1
        eax = case.answers[len(self.wire) % len(case.answers)]
        value = (eax if request.read else request.eax) & mask
        self.wire.append((request.port, size, request.read, value))
        return FulfillInout(request.port, size, request.read, eax)


Fault = tuple[int, int | None, int]
"""Vector, error code, CR2."""


def _is_next(hw: HwExit, rip: int, case: Case) -> bool:
    """Tell whether the report is of fetching the next instruction."""
    trap = isinstance(hw, Faulted) and hw.vector == DEBUG
    return not isinstance(hw, Budget) and not trap and rip != case.rip


def _fault(world: World, hw: Faulted) -> Fault:
    if hw.vector not in HAS_ERROR_CODE:
        return hw.vector, None, hw.cr2
    error = intercepted.exact_error(world.vm, world.vcpu, hw.vector, hw.error, hw.cr2)
    return hw.vector, error, hw.cr2


def _differences(
    fault: Fault | None, seen: Fault | str | None, plain: Snapshot, device: Snapshot
) -> str:
    """Say what differs, or nothing."""
    out = [] if fault == seen else [f"end: {fault} and {seen}"]
    for key, value in plain.items():
        other = device[key]
        if value == other:
            continue
        if isinstance(value, bytes) and isinstance(other, bytes):
            at = [n for n in range(len(value)) if value[n] != other[n]]
            out.append(f"{key} at {', '.join(hex(n) for n in at[:8])}")
        elif isinstance(value, tuple) and isinstance(other, tuple):
            pairs = enumerate(zip_longest(value, other))
            out += [f"{key}[{n}]: {a} and {b}" for n, (a, b) in pairs if a != b]
        else:
            out.append(f"{key}: {value} and {other}")
    return "; ".join(out)
