"""Faults that the processor reports by an exception, or by its end.

SDM Vol. 3A "Protected-Mode Exceptions and NMI" and its "Exception and Interrupt
Reference", "Interrupt Descriptor Table (IDT)"; Vol. 1 "Canonical Addressing".
"""

from faults.placing import WAYS
from faults.scene import Fault, Scene

NAMES = {0: "#DE", 6: "#UD", 13: "#GP"}
FAULTING = {0: "xor ecx, ecx\n div ecx", 6: "ud2", 13: "mov ax, 0x98\n mov ds, ax"}


def handled(code: str, *vectors: int) -> str:
    """Return 32-bit code with a handler that stops, for these vectors."""
    installs = "\n".join(f"install {vector}, stopped" for vector in vectors)
    return f"""
        {installs}
{code}
        sleep
stopped:
        sleep
"""


def asked(guest: str, rule: str, *names: int | str, long: bool = False) -> Scene:
    return Scene(
        guest, "why fault", rule, names, 1, lines=("run 2000",), is_long=long
    )  # fmt: skip


ACCESSES = {
    "read": "mov rcx, [rax]", "write": "mov [rax], rcx",
    "atomic": "lock inc qword [rax]"
}  # fmt: skip


def non_canonical(*, sound: bool, address: int, by: str) -> Scene:
    where = 0x6000 if sound else address
    code = f"""
        gate 13, stopped
        lidt [idt_64]
        mov rax, {where:#x}
breaks: {ACCESSES[by]}
stopped:
        cli
        hlt
        jmp stopped
idt_64: dw 0xFFF
        dq IDT_64
"""
    return asked(code, "not-canonical", "#GP", address, "canonical", long=True)


def no_gates(*, sound: bool, exception: int, limit: int) -> Scene:
    code = f"""
        lidt [little]
breaks: {"nop" if sound else FAULTING[exception]}
        sleep
little:  dw {limit}
        dd IDT
"""
    return asked(code, "gate-limit", NAMES[exception], "IDT", limit, "shutdown")


def page_fault_in_delivery(*, sound: bool, exception: int, table: int) -> Scene:
    """Page 0 of 4 MiB is mapped, and the IDT is beyond."""
    base = "IDT" if sound else f"{table:#x}"
    code = f"""
        install {exception}, stopped
        mov dword [0x2000], 0xE7         ; a directory: 4 MiB, to itself
        mov eax, cr4
        or al, 0x10                     ; PSE
        mov cr4, eax
        mov eax, 0x2000
        mov cr3, eax
        mov dword [table + 2], {base}
        lidt [table]
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
breaks: {FAULTING[exception]}
        sleep
stopped:
        sleep
table:  dw 0x7FF
        dd 0
"""
    return asked(
        code, "page-absent", "#PF", table + exception * 8, NAMES[exception],
        "while",
    )  # fmt: skip


def not_mapped(*, sound: bool, address: int, write: bool) -> Scene:
    where = 0x6000 if sound else address
    code = handled(
        f"""
        mov dword [0x2000], 0xE7
        mov eax, cr4
        or al, 0x10
        mov cr4, eax
        mov eax, 0x2000
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
breaks: {"mov [" if write else "mov eax, ["}{where:#x}]{", eax" if write else ""}
""",
        14,
    )
    return asked(code, "page-absent", "#PF", address, "not present")


def null_stack(*, sound: bool, selector: int) -> Scene:
    value = "DATA" if sound else f"{selector}"
    code = handled(f"mov eax, {value}\nbreaks: mov ss, ax", 13)
    return asked(code, "null-ss", "#GP", "SS", "null")


def beyond_the_table(*, sound: bool, selector: int, register: str) -> Scene:
    value = "DATA" if sound else f"{selector:#x}"
    code = handled(f"mov eax, {value}\nbreaks: mov {register}, ax", 13)
    return asked(code, "descriptor-limit", "#GP", selector, "limit", 0x17)


def no_task(*, sound: bool, kind: int, index: int) -> Scene:
    """LTR of a descriptor that is no available TSS."""
    entry = 0x89 if sound else kind
    code = handled(
        f"""
        lgdt [wide]
        mov dword [0x3000 + {index * 8}], 0x60000067
        mov dword [0x3000 + {index * 8} + 4], {entry << 8:#x}
        mov dword [0x3008], 0x0000FFFF
        mov dword [0x300C], 0x00CF9B00
        mov eax, {index * 8}
breaks: ltr ax
        jmp over
wide:   dw 0xFF
        dd 0x3000
over:
""",
        13,
    )
    return asked(code, "descriptor-type", "#GP", index * 8, "TSS")


def task_limit(*, sound: bool, limit: int, index: int) -> Scene:
    """A far jump to a TSS that is too small."""
    code = handled(
        f"""
        lgdt [wide]
        mov esi, gdt
        mov edi, 0x3000
        mov ecx, 24
        rep movsb
        mov dword [0x3018], 0x60000067
        mov dword [0x301C], 0x8900
        mov dword [0x3000 + {index * 8}], {0x6800_0000 | (0x67 if sound else limit):#x}
        mov dword [0x3000 + {index * 8} + 4], 0x8900
        mov dword [0x6820], stopped
        mov dword [0x6824], 2
        mov dword [0x684C], CODE32
        mov dword [0x6850], DATA
        mov eax, 0x18
        ltr ax
breaks: jmp {index * 8}:0
wide:   dw 0xFF
        dd 0x3000
""",
        10, 13,
    )  # fmt: skip
    return asked(code, "task-limit", "#TS", index * 8, "limit", "TSS")


def gate_not_present(*, sound: bool, vector: int) -> Scene:
    code = handled(
        f"""
        install {vector:#x}, stopped
        {'' if sound else f'and byte [IDT + {vector * 8 + 5}], 0x7F'}
breaks: int {vector:#x}
""",
        11, 13,
    )  # fmt: skip
    return asked(code, "gate-absent", "#NP", vector, "not present")


def beyond_the_idt(*, sound: bool, vector: int) -> Scene:
    code = handled(
        f"""
        {f"install {vector:#x}, stopped" if sound else "lidt [little]"}
breaks: int {vector:#x}
little:  dw 0x7F
        dd IDT
""",
        13,
    )
    return asked(code, "gate-limit", "#GP", vector, "IDT", 0x7F)


UNDEFINED = {
    "ud2": "ud2", "lock": "db 0xF0, 0x01, 0xC8", "cs": "db 0x8E, 0xC8",
}  # fmt: skip


def undefined(*, sound: bool, by: str, many: bool) -> Scene:
    code = handled(
        f"{'nop' if many else ''}\nbreaks: {'nop' if sound else UNDEFINED[by]}", 6
    )
    rules = {"ud2": "undefined", "lock": "lock-prefix", "cs": "segment-register"}
    return asked(code, rules[by], "#UD", by)


def x2apic_register(*, sound: bool, register: int, write: bool) -> Scene:
    on = "mov ecx, APIC_BASE\n rdmsr\n or eax, 0xC00\n wrmsr" if sound else ""
    code = handled(
        f"""
        {on}
        mov ecx, {register:#x}
        mov eax, 0
        xor edx, edx
breaks: {"wrmsr" if write else "rdmsr"}
""",
        13,
    )
    return asked(code, "x2apic-off", "#GP", register, "x2APIC", "xAPIC mode")


def control_register(*, sound: bool, bits: int) -> Scene:
    code = handled(
        f"""
        mov eax, cr4
        or eax, {0 if sound else bits:#x}
breaks: mov cr4, eax
""",
        13,
    )
    return asked(code, "cr4-reserved", "#GP", "CR4", "reserved", bits.bit_length() - 1)


def divided_by_zero(*, sound: bool, divisor: int, many: bool) -> Scene:
    ecx, edx = (1, 0) if sound else (divisor, 5)
    code = handled(
        f"mov eax, {8 + many}\nmov edx, {edx}\nmov ecx, {ecx}\nbreaks: div ecx", 0
    )
    return asked(code, "divide", "#DE", "divisor", "quotient")


FAULTS = (
    Fault(
        "non-canonical", "an address whose bits 63:47 differ is not canonical",
        non_canonical,
        {
            "address": (0x8000_0000_0000, 0x1234_0000_0000_0000, 1 << 63),
            "by": tuple(ACCESSES),
        },
    ),
    Fault(
        "idt-limit-0", "an exception finds no gate, nor do #GP and #DF: triple fault",
        no_gates, {"exception": tuple(FAULTING), "limit": (0, 6)},
    ),
    Fault(
        "page-fault-in-delivery", "the IDT is on a page that is not present",
        page_fault_in_delivery,
        {"exception": tuple(FAULTING), "table": (0x80_0000, 0xC0_1000)},
    ),
    Fault(
        "not-mapped", "the page directory entry is not present", not_mapped,
        {"address": (0x80_0000, 0x1234_5678, 0xC000_0000), "write": WAYS},
    ),
    Fault(
        "null-stack", "SS takes no null selector", null_stack,
        {"selector": (0, 1, 2, 3)},
    ),
    Fault(
        "beyond-the-table", "the selector is beyond the limit of the GDT",
        beyond_the_table,
        {"selector": (0x18, 0x98, 0x400), "register": ("ds", "es", "ss")},
    ),
    Fault(
        "no-task", "LTR of a descriptor that is no available TSS", no_task,
        {"kind": (0x8B, 0x93, 0x82), "index": (4, 7, 11)},
    ),
    Fault(
        "task-limit", "a TSS of 32 bits has 104 bytes at least", task_limit,
        {"limit": (0x10, 0x66), "index": (4, 7, 11)},
    ),
    Fault(
        "gate-not-present", "the gate of the vector is not present", gate_not_present,
        {"vector": (0x30, 0x41, 0x80)},
    ),
    Fault(
        "beyond-the-idt", "the vector is beyond the limit of the IDT", beyond_the_idt,
        {"vector": (0x10, 0x30, 0x80)},
    ),
    Fault(
        "undefined", "no such instruction, or not with that prefix or operand",
        undefined, {"by": tuple(UNDEFINED), "many": WAYS},
    ),
    Fault(
        "x2apic-register", "an x2APIC register in xAPIC mode", x2apic_register,
        {"register": (0x808, 0x80F, 0x830), "write": WAYS},
    ),
    Fault(
        "control-register", "a reserved bit of CR4", control_register,
        {"bits": (1 << 15, 1 << 28, 1 << 31)},
    ),
    Fault(
        "division", "a divisor of 0, or a quotient too large", divided_by_zero,
        {"divisor": (0, 2, 5), "many": WAYS},
    ),
)  # fmt: skip
