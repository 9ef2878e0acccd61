"""Lints about starting processors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lapis_engine.cpu.registers import CS
from lapis_engine.lints import startup_code
from lapis_engine.lints.state import Finding
from lapis_engine.units import PAGE
from lapis_engine.vmm import run_state
from lapis_engine.vmm.startup import init_sipi, protocols, spinup_ap

if TYPE_CHECKING:
    from lapis_engine.events import IpiSent, Oddity, RunStateChanged, SipiReceived
    from lapis_engine.lints.state import LintState
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

UNTIMELY: Final = frozenset({init_sipi.RUNS.code, init_sipi.NO_INIT.code})
"""Of the causes of a SIPI that is not taken, those that a guest did not mean."""
SPIN_BYTES: Final = 256
"""Code within which a BSP counts as spinning."""
ZEROS: Final = 16
"""Bytes of zeros that are no code; a few may be data."""
SPIN_TICKS: Final = 16
"""Looks in a row that must find it there: more than the 10 ms of the SDM."""


def sipi(_vm: Vm, _state: LintState, event: SipiReceived) -> Finding | None:
    """Find a SIPI that comes to a running or never-INITed processor."""
    if event.latched is None or event.latched.code not in UNTIMELY:
        return None
    text = f"SIPI {event.vector:#04x} from {event.source}: {event.latched}"
    return Finding("sipi-ignored", event.vcpu, f"{event.source} {event.latched}", text)


def sipi_oddity(_vm: Vm, _state: LintState, event: Oddity) -> Finding | None:
    """Find the same before illumos 13275 (`spinup_ap.sipi`)."""
    if event.name != spinup_ap.SIPI_IGNORED:
        return None
    return Finding("sipi-ignored", event.vcpu, event.text, f"SIPI: {event.text}")


def watched(_vm: Vm, state: LintState, event: IpiSent) -> None:
    """Watch the BSP from INIT or SIPI on."""
    if event.mode in {"init", "sipi"} and "bsp-spins" not in state.off:
        state.spin.on, state.spin.count = True, 0


def sent(vm: Vm, _state: LintState, event: IpiSent) -> Finding | None:
    """Find the same as `sipi` in FreeBSD: SIPI counts for whom startup_cpus holds."""
    if not protocols.of(vm.profile).has_set or event.mode != "sipi":
        return None
    for target in event.targets:
        if not vm.startup_cpus >> target & 1:
            text = f"SIPI from vCPU {event.vcpu}: it is not in startup_cpus"
            return Finding("sipi-ignored", target, f"vCPU {event.vcpu}", text)
    return None


def started(vm: Vm, _state: LintState, event: RunStateChanged) -> Finding | None:
    """Find an AP whose first page of code is all zero."""
    base = _started_at(vm, event)
    if base is None or vm.memory.peek(base, PAGE).strip(b"\0"):
        return None
    text = f"started at {base:#x}, and the page there is all zero"
    values = (("page", base),)
    return Finding("empty-trampoline", event.vcpu, f"{base:#x}", text, values)


# A BSP that spins.


def waits(vcpu: Vcpu) -> bool:
    """Tell whether a vCPU has had INIT or SIPI, or was to have them, and never ran."""
    if not run_state.is_pending(vcpu.run_state):
        return False
    touched = run_state.INIT | run_state.PEND_INIT | run_state.PEND_SIPI
    return bool(vcpu.run_state & touched or vcpu.unreached is not None)


def spins(vm: Vm, state: LintState) -> Finding | None:
    """Look at the BSP once; find that it has been in one place for `SPIN_TICKS` looks.

    A BSP that has not run since the last look does not spin. After a finding, or when
    nobody waits, the watch ends until the next INIT or SIPI.
    """
    spin, bsp = state.spin, vm.vcpus[0]
    waiting = [vcpu.id for vcpu in vm.vcpus[1:] if waits(vcpu)]
    if not waiting:
        spin.on = False
        return None
    linear = bsp.regs.linear_rip
    ran = bsp.retired > spin.retired and not bsp.halted
    near = abs(linear - spin.linear) < SPIN_BYTES // 2
    spin.retired = bsp.retired
    if not (spin.count and ran and near):
        spin.linear, spin.count = linear, int(ran)
        return None
    spin.count += 1
    if spin.count < SPIN_TICKS:
        return None
    spin.on = False
    names = ", ".join(f"vCPU {number}" for number in waiting)
    text = f"the BSP spins about {spin.linear:#x} while {names} waits for SIPI"
    return Finding("bsp-spins", 0, f"{spin.linear:#x} {names}", text)


# What an AP starts with.


def sipi_sent(vm: Vm, memory: dict[str, Any], event: IpiSent) -> None:
    """Remember the page that a SIPI points at, for each target that waits."""
    if event.mode != "sipi" or event.dropped is not None:
        return
    vector = event.icr & 0xFF
    for target in event.targets:
        if run_state.is_pending(vm.vcpus[target].run_state):
            memory[str(target)] = (vector, vm.memory.peek(vector * PAGE, PAGE))


def sipi_taken(
    vm: Vm, memory: dict[str, Any], event: RunStateChanged
) -> Finding | None:
    """Find an AP whose code is not what it was when its SIPI was sent.

    What changes beside the code that can be followed is data, as a mailbox is.
    """
    base = _started_at(vm, event)
    if base is None:
        return None
    vector, before = memory.pop(str(event.vcpu), (None, b""))
    now = vm.memory.peek(base, PAGE)
    if vector != base // PAGE or now == before or len(now) != len(before):
        return None
    code = startup_code.reached(before, base)
    changed = [at for at in sorted(code) if now[at] != before[at]]
    if not changed:
        return None
    first = base + changed[0]
    text = (
        f"starts at {base:#x}, where {len(changed)} bytes of code from {first:#x} on "
        f"have changed since the SIPI was sent: {before[changed[0]]:#04x} there is "
        f"{now[changed[0]]:#04x}"
    )
    values = (("page", base), ("changed", len(changed)), ("first", first))
    return Finding("trampoline-changed", event.vcpu, f"{base:#x}", text, values)


def zeros_at_start(
    vm: Vm, _memory: dict[str, Any], event: RunStateChanged
) -> Finding | None:
    """Find an AP that starts in zeros, in a page that is not empty."""
    base = _started_at(vm, event)
    if base is None:
        return None
    page = vm.memory.peek(base, PAGE)
    ahead = len(page) - len(page.lstrip(b"\0"))
    if ahead < ZEROS or ahead == len(page):
        return None
    text = (
        f"starts at {base:#x} in {ahead} bytes of zeros, which run as "
        f"add [bx+si], al; what is in the page begins at {base + ahead:#x}"
    )
    values = (("page", base), ("zeros", ahead))
    return Finding("runs-zeros", event.vcpu, f"{base:#x}", text, values)


def _started_at(vm: Vm, event: RunStateChanged) -> int | None:
    """Return where a vCPU starts by a SIPI, if this is that."""
    if event.before & run_state.RUN or not event.after & run_state.RUN:
        return None
    regs = vm.vcpus[event.vcpu].regs
    code = regs.segment(CS)
    if regs.rip or code.base % PAGE or code.selector << 4 != code.base:
        return None
    return code.base
