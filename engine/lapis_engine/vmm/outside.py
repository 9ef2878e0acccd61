"""What is done to a machine from outside its case: typing, and pressing its buttons.

A byte typed arrives when the line has brought it and the guest has room for it, so
where it is in a history follows from where it was typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic.regs import BASE_BSP
from lapis_engine.devices.i8042 import keyboard
from lapis_engine.devices.i8042.state import I8042State
from lapis_engine.devices.piix4_pm import events
from lapis_engine.devices.piix4_pm.state import Piix4PmState
from lapis_engine.devices.uart import receiver
from lapis_engine.devices.uart.state import UartState
from lapis_engine.errors import EngineError
from lapis_engine.vmm import fabric
from lapis_engine.vmm.startup import init_sipi, power_on

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

MOST_AT_ONCE: Final = 4096
"""Bytes that are typed at once."""
MOST_WAITING: Final = 1 << 20
"""Bytes that may wait for the guest."""


def ports(vm: Vm) -> dict[str, UartState]:
    """Return the serial ports by name."""
    states = (device.state for device in vm.devices)
    return {state.port: state for state in states if isinstance(state, UartState)}


def receive(vm: Vm, port: str, data: str) -> None:
    """Have the far end of a serial line send bytes, a character for each.

    Raises `EngineError` for a port that there is not, or data that it does not take.
    """
    found = ports(vm)
    if port not in found:
        known = ", ".join(found) or "none"
        raise EngineError(f"there is no serial port {port[:20]!r}; there are: {known}")
    if not 1 <= len(data) <= MOST_AT_ONCE:
        raise EngineError(f"{len(data)} bytes to type: 1 to {MOST_AT_ONCE} at once")
    odd = next((char for char in data if ord(char) > 0xFF), None)
    if odd is not None:
        raise EngineError(f"{odd!r} is no byte: a serial line carries 0 to 0xff")
    state = found[port]
    waiting = len(state.waiting)
    if waiting + len(data) > MOST_WAITING:
        raise EngineError(
            f"{waiting} bytes wait for the guest on {port}, {MOST_WAITING} is the most"
        )
    _carry(vm, receiver.queue(state, data.encode("latin-1"), vm.now))


def move_keys(vm: Vm, codes: str) -> None:
    """Press and release keys of the keyboard.

    `codes` are scan codes of set 1 in hex, two digits a byte. Raises `EngineError`.
    """
    states = (device.state for device in vm.devices)
    state = next((each for each in states if isinstance(each, I8042State)), None)
    if state is None:
        raise EngineError("this machine has no keyboard: a pc has one (--machine pc)")
    try:
        data = bytes.fromhex(codes)
    except ValueError:
        raise EngineError(f"{codes[:40]!r} are no scan codes: hex digits") from None
    if not 1 <= len(data) <= MOST_AT_ONCE:
        raise EngineError(f"{len(data)} scan codes: 1 to {MOST_AT_ONCE} at once")
    _carry(vm, keyboard.key(state, data))


def _carry(vm: Vm, signals: Signals) -> None:
    fabric.signal(vm, signals, -1)
    vm.timers.moved = vm.attention.kick = True


# Buttons.


def reset(vm: Vm) -> None:
    """Press the reset button; raise `EngineError` when the machine is off already.

    It starts again at once, or stops for good where it stops for resets.
    """
    if vm.suspended is not None:
        raise EngineError(f"the machine is suspended ({vm.suspended.text})")
    vm.suspend("reset", -1, "the reset button")
    if vm.power_on is not None:
        power_on.again(vm)


def press_power(vm: Vm) -> None:
    """Press the power button, which is an event for the guest's ACPI.

    Raises `EngineError` for a machine without one, or that is off.
    """
    if vm.suspended is not None:
        raise EngineError(f"the machine is suspended ({vm.suspended.text})")
    states = (device.state for device in vm.devices)
    state = next((each for each in states if isinstance(each, Piix4PmState)), None)
    if state is None:
        raise EngineError(
            "this machine has no power button: a pc has one (--machine pc)"
        )
    _carry(vm, events.press_power_button(state))


def unplug(vm: Vm, vcpu: Vcpu) -> None:
    """Take a processor away: INIT, after which it waits for SIPI as if it were new.

    # Not modelled: ACPI's side of it; the guest is not asked, and is not told.
    Raises `EngineError` for the BSP, which INIT would start.
    """
    if vcpu.apic.apicbase & BASE_BSP:
        raise EngineError(f"vCPU {vcpu.id} is the BSP, which cannot be unplugged")
    clears = vm.profile.init_clears_sipi
    vm.note(*init_sipi.inject_init(vcpu, "the user", clears_sipi=clears))
    vm.attention.kick = True
