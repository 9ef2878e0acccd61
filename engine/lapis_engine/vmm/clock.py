"""Virtual time: what is due when, and what a retired instruction moves.

An instruction takes a nanosecond, and an access what `costs` says. What time sets off
is carried on by `fabric`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import timer as apic_timer
from lapis_engine.units import NS
from lapis_engine.vmm import fabric, interference

if TYPE_CHECKING:
    from lapis_engine.vmm.vm import Run, Vm

MOST_FIRINGS: Final = 1000
"""Deadlines in one access, at most; of a timer that is faster, periods are missed."""


def tsc(vm: Vm) -> int:
    """Return the time-stamp counter of a vCPU without offset."""
    return vm.now * vm.tsc_hz // NS


def deadline(vm: Vm) -> int | None:
    """Return the ns at which a timer next needs attention, or None."""
    timers = vm.timers
    if timers.moved:
        times = [apic_timer.deadline(v.apic) for v in vm.vcpus]
        times += [d.timer.deadline(d.state) for d in vm.devices if d.timer]
        if vm.interference.held:
            times.append(interference.deadline(vm.interference))
        timers.next = min((at for at in times if at is not None), default=None)
        timers.moved = False
    return timers.next


def account(run: Run, retired: int) -> None:
    """Let `retired` instructions of the run's vCPU pass on the clock."""
    vm = run.vm
    if retired:
        vm._faults = 0  # noqa: SLF001 - a call would be 1 % of a step
        run.vcpu.retired += retired
        run.vcpu.in_ss_shadow = False
        run.ran += retired
        vm.now += retired
    timers, now = vm.timers, vm.now
    due, watch = timers.next, vm.watch_at
    is_due = due is not None and now >= due
    if is_due or timers.moved or (watch is not None and now >= watch):
        pass_time(vm, now)


def between(run: Run) -> bool:
    """Let an iteration of a REP be over; tell whether the loop must look around.

    The next one sees the time at which it begins; `account` is told of all of them
    behind the last one, and takes back what was gone ahead (`back`).
    """
    vm = run.vm
    timers = vm.timers
    run.ahead += 1
    vm.now += 1
    at = deadline(vm) if timers.moved else timers.next
    return run.is_interrupted() or (at is not None and at <= vm.now)


def back(run: Run) -> None:
    """Take back what iterations have gone ahead."""
    run.vm.now -= run.ahead
    run.ahead = 0


def charge(run: Run, ns: int) -> None:
    """Let `ns` pass for an access that the run's vCPU has made; it retires nothing.

    Comes after the `account` of its instruction. Each timer that comes due meanwhile
    fires at its own time. Whoever completes accesses between two `account`s, as a run
    of the processor may, adds up what they take and hands it over in one piece behind
    the `account`, and sees to it that the clock of no access but the last one goes
    past `left`, which is a time as well as a count: an access uses 1 and its cost up.
    """
    vm = run.vm
    end = vm.now + ns
    for _ in range(MOST_FIRINGS):
        at = deadline(vm)
        if at is None or at >= end:
            break
        pass_time(vm, max(at, vm.now))
    pass_time(vm, end)


def pass_time(vm: Vm, now: int) -> None:
    """Move the clock to `now` ns and fire what has become due."""
    vm.now = now
    if vm.watch_at is not None and now >= vm.watch_at and vm.on_watch:
        vm.on_watch()
    at = deadline(vm)
    if at is None or now < at:
        return
    for vcpu in vm.vcpus:
        due = apic_timer.deadline(vcpu.apic)
        if due is not None and due <= now:
            fabric.route(vm, apic_timer.expire(vcpu.apic, now, vm.profile))
    for device in vm.devices:
        if device.timer is not None:
            due = device.timer.deadline(device.state)
            if due is not None and due <= now:
                fabric.signal(vm, device.timer.advance(device.state, now), -1)
    if vm.interference.held:
        fabric.release(vm)
    vm.core.answers.forget()
    vm.timers.moved = vm.attention.kick = True


def due(vm: Vm) -> int | None:
    """Return the ns at which a timer or a watch next needs attention, or None."""
    at, watch = deadline(vm), vm.watch_at
    return at if watch is None else watch if at is None else min(at, watch)


def left(run: Run) -> int:
    """Return how many instructions may retire before the loop must look again."""
    vm = run.vm
    count = run.budget - run.ran
    if count > vm.longest:  # noqa: PLR1730 - `min` takes three times as long
        count = vm.longest
    timers, watch = vm.timers, vm.watch_at
    at = deadline(vm) if timers.moved else timers.next
    if at is not None and at - vm.now < count:
        count = at - vm.now
    if watch is not None and watch - vm.now < count:
        count = watch - vm.now
    return count if count > 0 else 1
