"""The persisted names of records in the state: what a class is called may change.

Only where a field can hold records of several classes, or none, does a hash say which.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_engine.apic.icr import Ipi
from lapis_engine.cause import Cause
from lapis_engine.cpu.gates import Pending
from lapis_engine.devices.hpet.state import ComparatorState
from lapis_engine.devices.i8042.state import KeyboardState, MouseState
from lapis_engine.devices.ioapic.state import PinState
from lapis_engine.devices.pic.state import ChipState
from lapis_engine.devices.pit.state import ChannelState
from lapis_engine.devices.virtio.state import QueueState
from lapis_engine.lints.state import Spin
from lapis_engine.vie.instruction import (
    Instruction,
    MemoryOperand,
    PortInstruction,
    RegisterOperand,
)
from lapis_engine.vie.request import MsrRequest
from lapis_engine.vie.state import InoutSlot, MmioSlot
from lapis_engine.vmm import exits
from lapis_engine.vmm.interference import Held, Rule
from lapis_engine.vmm.traps import Trap
from lapis_engine.vmm.unreached import Unreached

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Final[Mapping[type, str]] = MappingProxyType(
    {
        Cause: "cause",
        ChannelState: "pit channel",
        ChipState: "8259",
        ComparatorState: "hpet timer",
        Held: "held IPI",
        InoutSlot: "inout slot",
        Instruction: "instruction",
        Ipi: "IPI",
        KeyboardState: "8042 keyboard",
        MemoryOperand: "memory operand",
        MmioSlot: "mmio slot",
        MouseState: "8042 mouse",
        MsrRequest: "msr request",
        Pending: "pending event",
        PinState: "ioapic pin",
        PortInstruction: "port instruction",
        RegisterOperand: "register operand",
        QueueState: "virtio queue",
        Rule: "interference rule",
        Spin: "spin",
        Trap: "trap",
        Unreached: "unreached IPI",
        exits.Bogus: "exit BOGUS",
        exits.Debug: "exit DEBUG",
        exits.DebugCpu: "exit DEBUG_CPU",
        exits.EngineFaultExit: "exit PANIC",
        exits.Errno: "exit ERRNO",
        exits.Hlt: "exit HLT",
        exits.Inout: "exit INOUT",
        exits.InstEmul: "exit INST_EMUL",
        exits.IpiExit: "exit IPI",
        exits.Livelock: "exit LIVELOCK",
        exits.Mmio: "exit MMIO",
        exits.Paging: "exit PAGING",
        exits.Processor: "exit PROCESSOR",
        exits.Rdmsr: "exit RDMSR",
        exits.RunState: "exit RUN_STATE",
        exits.SpinupAp: "exit SPINUP_AP",
        exits.SuspendedExit: "exit SUSPENDED",
        exits.TaskSwitch: "exit TASK_SWITCH",
        exits.Wrmsr: "exit WRMSR",
    }
)
"""Ours. These names are in the hashes of recordings: they stay."""


def kind_of(record: type) -> str:
    """Return the persisted name of a class of records.

    A device of a plug-in says it by an attribute `KIND`; its class's name is taken
    where it has none, and then renaming it makes its recordings diverge.
    """
    return KINDS.get(record) or getattr(record, "KIND", None) or record.__name__
