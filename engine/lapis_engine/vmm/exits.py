"""Exit records: why `vm_run` came back (bhyve `struct vm_exit`, `vm_exitcode`)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Final

from lapis_engine.frozen import record


@dataclass(frozen=True, slots=True)
class Bogus:
    """Nothing for the user to do: the budget is used up, or a bail-out was asked."""

    code: ClassVar[str] = "BOGUS"
    text: ClassVar[str] = "budget used up"


@record
class Inout:
    """A port access that nobody serves: answer with FULFILL_INOUT."""

    code: ClassVar[str] = "INOUT"
    port: int
    bytes: int
    read: bool
    eax: int
    """What OUT writes; 0 for IN."""

    @property
    def text(self) -> str:
        """The access in words."""
        if self.read:
            return f"IN {self.bytes} from port {self.port:#x}"
        return f"OUT {self.bytes} to port {self.port:#x} = {self.eax:#x}"


@record
class Mmio:
    """A memory access that nobody serves: answer with FULFILL_MMIO."""

    code: ClassVar[str] = "MMIO"
    gpa: int
    bytes: int
    read: bool
    data: int
    """What is written; 0 for a read."""

    @property
    def text(self) -> str:
        """The access in words."""
        if self.read:
            return f"read {self.bytes} bytes at {self.gpa:#x}"
        return f"write {self.bytes} bytes at {self.gpa:#x} = {self.data:#x}"


@dataclass(frozen=True, slots=True)
class InstEmul:
    """An instruction for the user's side to emulate; `inst` may be empty."""

    code: ClassVar[str] = "INST_EMUL"
    inst: bytes
    gpa: int
    by_user: bool = False
    """It is not that the engine cannot: under this profile userspace always does."""

    @property
    def text(self) -> str:
        """The instruction's bytes."""
        what = self.inst.hex(" ") or "not fetched"
        verb = "userspace emulates" if self.by_user else "cannot emulate"
        return f"{verb} [{what}] on {self.gpa:#x}"


@dataclass(frozen=True, slots=True)
class Hlt:
    """The vCPU sleeps in HLT (kept inside the kernel by bhyve)."""

    code: ClassVar[str] = "HLT"
    interrupts: bool

    @property
    def text(self) -> str:
        """What could wake it."""
        return f"halted with IF={int(self.interrupts)}"


@dataclass(frozen=True, slots=True)
class RunState:
    """The vCPU has not been started (kept inside the kernel by bhyve)."""

    code: ClassVar[str] = "RUN_STATE"
    state: int

    @property
    def text(self) -> str:
        """What it waits for."""
        return "waits for SIPI" if self.state & 1 else "waits for INIT and SIPI"


@dataclass(frozen=True, slots=True)
class Paging:
    """An instruction fetch from where there is no memory."""

    code: ClassVar[str] = "PAGING"
    gpa: int
    fault_type: int
    """PROT_EXEC of the host's mmap: 4."""

    @property
    def text(self) -> str:
        """Where the fetch went."""
        return f"fetch from {self.gpa:#x}, where there is no memory"


@dataclass(frozen=True, slots=True)
class TaskSwitch:
    """A task switch for userspace. The engine makes none: it switches by itself."""

    code: ClassVar[str] = "TASK_SWITCH"
    tsssel: int

    @property
    def text(self) -> str:
        """The selector of the task."""
        return f"task switch to selector {self.tsssel:#x}"


@dataclass(frozen=True, slots=True)
class SuspendedExit:
    """The whole machine has stopped for good."""

    code: ClassVar[str] = "SUSPENDED"
    how: str
    """reset, poweroff, halt or triple-fault."""
    source: int
    """vCPU that caused it, or -1."""
    when: int
    """ns of virtual time."""
    status: int
    """Status that the guest gave to a power-off device; 0 otherwise."""
    why: str

    @property
    def text(self) -> str:
        """How and why."""
        return f"{self.how}: {self.why}"


@dataclass(frozen=True, slots=True)
class Debug:
    """A breakpoint of the user's, before the instruction."""

    code: ClassVar[str] = "DEBUG"
    linear: int

    @property
    def text(self) -> str:
        """Where."""
        return f"breakpoint at {self.linear:#x}"


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor underneath gave up; the machine can be looked at."""

    code: ClassVar[str] = "SVM"
    why: str

    @property
    def text(self) -> str:
        """Its own words."""
        return f"the processor gave up: {self.why}"


@dataclass(frozen=True, slots=True)
class Livelock:
    """Exceptions without end and without progress: not one of bhyve's exits."""

    code: ClassVar[str] = "LIVELOCK"
    vector: int
    rip: int
    count: int

    @property
    def text(self) -> str:
        """What goes round."""
        return (
            f"{self.count} exceptions without an instruction retired, the last "
            f"vector {self.vector} at RIP {self.rip:#x}"
        )


@dataclass(frozen=True, slots=True)
class SpinupAp:
    """Userspace is to start an AP (until illumos 13275, and for old FreeBSD)."""

    code: ClassVar[str] = "SPINUP_AP"
    vcpu: int
    rip: int
    """Where it starts: SIPI vector << 12."""

    @property
    def text(self) -> str:
        """Who starts where."""
        return f"start vCPU {self.vcpu} at {self.rip:#x}"


@dataclass(frozen=True, slots=True)
class IpiExit:
    """INIT or SIPI for userspace to carry out (FreeBSD `VM_EXITCODE_IPI`)."""

    code: ClassVar[str] = "IPI"
    mode: str
    """init or sipi."""
    vector: int
    cpuset: tuple[int, ...]
    """Targets, ascending."""

    @property
    def text(self) -> str:
        """What goes to whom."""
        what = "INIT" if self.mode == "init" else f"STARTUP {self.vector:#04x}"
        return f"{what} for vCPU {', '.join(map(str, self.cpuset))}"


@dataclass(frozen=True, slots=True)
class DebugCpu:
    """The vCPU is held by `vm_suspend_cpu`."""

    code: ClassVar[str] = "DEBUG"
    text: ClassVar[str] = "held by vm_suspend_cpu"


@dataclass(frozen=True, slots=True)
class Rdmsr:
    """A RDMSR that waits for the user: answer with FULFILL_MSR."""

    code: ClassVar[str] = "RDMSR"
    msr: int

    @property
    def text(self) -> str:
        """The number."""
        return f"RDMSR {self.msr:#x}"


@dataclass(frozen=True, slots=True)
class Wrmsr:
    """A WRMSR that userspace is to carry out; RIP is already past it."""

    code: ClassVar[str] = "WRMSR"
    msr: int
    value: int
    waits: bool = False
    """RIP is on it, and it waits for the user: answer with FULFILL_MSR."""

    @property
    def text(self) -> str:
        """Number and value."""
        return f"WRMSR {self.msr:#x} = {self.value:#x}"


@dataclass(frozen=True, slots=True)
class Errno:
    """`vm_run` failed: an errno and no exit record."""

    code: ClassVar[str] = "ERRNO"
    errno: str
    why: str

    @property
    def text(self) -> str:
        """The errno and its cause."""
        return f"vm_run failed with {self.errno}: {self.why}"


@dataclass(frozen=True, slots=True)
class EngineFaultExit:
    """What was a panic of the host; the machine can still be looked at."""

    code: ClassVar[str] = "PANIC"
    text: str
    """The panic's text."""


Exit = (
    Bogus | Inout | Mmio | InstEmul | Hlt | RunState | Paging | TaskSwitch
    | SuspendedExit | Debug | Processor | Livelock | SpinupAp | IpiExit | DebugCpu
    | Rdmsr | Wrmsr | Errno | EngineFaultExit
)  # fmt: skip
"""The closed union of exits."""

BOGUS: Final = Bogus()


def to_dict(record: Exit) -> dict[str, object]:
    """Return the record as plain data, with its code and its text."""
    fields: dict[str, object] = {"code": record.code}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        fields[field.name] = value.hex() if isinstance(value, bytes) else value
    fields["text"] = record.text
    return fields
