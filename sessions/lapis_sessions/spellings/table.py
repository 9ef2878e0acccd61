"""Every spelling, by the program that it comes from, as data.

Numbers are ours everywhere: decimal, 0x10 or 10h, also where WinDbg takes hexadecimal.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_sessions.spellings.spelling import Own, Spelling, over

if TYPE_CHECKING:
    from collections.abc import Mapping

Table = tuple[Spelling | Own, ...]

LETTERS: Final = (("b", "b", 128), ("w", "h", 64), ("d", "w", 32), ("q", "g", 16))
"""Of WinDbg: its unit, gdb's letter for it, and how many are shown."""

GDB: Final[Table] = (
    Own("info registers", "regs"),
    Own("i r", "regs"),
    over("info registers {name}", "print {name}", "info registers rip"),
    over("i r {name}", "print {name}", "i r rsp"),
    Spelling("info all-registers", "regs", "info all-registers"),
    Own("p $rax", "print $rax"),
    Spelling("p/x {expression}", "print --format hex {expression}", "p/x $rsp + 8"),
    Spelling("p/d {expression}", "print --format dec {expression}", "p/d $rip"),
    Spelling("p/t {expression}", "print --format bin {expression}", "p/t 5"),
    Spelling("p/o {expression}", "print --format oct {expression}", "p/o 8"),
    Spelling("p/c {expression}", "print --format char {expression}", "p/c 65"),
    Spelling("p/a {expression}", "print --format addr {expression}", "p/a $pc"),
    Spelling("output {expression}", "print {expression}", "output rax"),
    Own("x/20i $pc", "x/20i $pc"),
    Own("x/4xw 0x7c00", "x/4xw 0x7c00"),
    Own("x/s 0x7c00", "x/s 0x7c00"),
    Own("disassemble $pc", "disas $pc"),
    Own("b *0x1234", "break *0x1234"),
    Spelling("hbreak {expression}", "break {expression}", "hbreak *0x1234"),
    Spelling("thbreak {expression}", "tbreak {expression}", "thbreak *0x1234"),
    Own("info breakpoints", "stops"),
    Spelling("info break", "stops", "info break"),
    Spelling("info watchpoints", "stops", "info watchpoints"),
    over("watch *{word}", "watch {word}", "watch *0x500"),
    over("rwatch *{word}", "rwatch {word}", "rwatch *0x500"),
    over("awatch *{word}", "awatch {word}", "awatch *0x500"),
    Spelling("clear {address}", "delete {address}", "clear *0x1234"),
    over(
        "condition {n} {condition}", "condition {n} if {condition}",
        "condition 1 rax == 5",
    ),
    Own("stepi 2", "step 2"),
    Own("continue", "run"),
    Own("nexti", "next"),
    Own("bt", "backtrace"),
    Own("until bsp_main", "until bsp_main"),
    Own("reverse-stepi", "reverse-step"),
    Own("reverse-continue", "reverse-continue"),
    over(
        "set {{int}}{address} = {expression}", "set u32({address}) = {expression}",
        "set {int}0x500 = 7",
    ),
    over(
        "set {{char}}{address} = {expression}", "set u8({address}) = {expression}",
        "set {char}0x500 = 7",
    ),
    Own("set var $rax = 5", "set $rax = 5"),
    Own("info threads", "vcpus"),
    Own("thread 1", "vcpu 1"),
    Spelling("info symbol {address}", "what {address}", "info symbol $pc"),
    Spelling("info address {name}", "print {name}", "info address rip"),
    Spelling("info functions {word}", "symbols find {word}", "info functions st"),
    Spelling("info files", "map", "info files"),
    Spelling("info program", "where", "info program"),
    Spelling("info checkpoints", "checkpoints", "info checkpoints"),
    Spelling("info record", "record", "info record"),
    Spelling("symbol-file {word}", "symbols load {word}", "symbol-file vmlinux"),
    Spelling("monitor {expression}", "{expression}", "monitor where"),
)  # fmt: skip

BOCHS: Final[Table] = (
    Spelling("reg", "regs", "reg"),
    Spelling("info cpu", "regs", "info cpu"),
    Spelling("sreg", "regs", "sreg"),
    Spelling("creg", "regs", "creg"),
    Spelling("info eflags", "print rflags", "info eflags"),
    Own("calc rsp + 8", "print rsp + 8"),
    Spelling("{register} = {expression}", "set {register} = {expression}", "rbx = 7"),
    over("x /{format}[ {expression}]", "x/{format}[ {expression}]", "x /4xb 0x7c00"),
    Spelling("xp /{format} {expression}", "xp/{format} {expression}", "xp /4xw 0x7c00"),
    over("u /{n} {address}", "disas {address} {n}", "u /3 pc"),
    over("u /{n}", "disas pc {n}", "u /3"),
    Own("u", "disas"),
    Own("s 2", "step 2"),
    Own("bt", "backtrace"),
    over("p", "next", "p"),
    Own("c", "run"),
    Spelling("lb {address}", "break {address}", "lb 0x1234"),
    Spelling("vb 0x{hex}:0x{offset}", "break {hex}:{offset}", "vb 0x1000:0x1234"),
    Spelling("blist", "stops", "blist"),
    Own("bl", "stops"),
    Spelling("bpd {n}", "disable {n}", "bpd 1"),
    Spelling("bpe {n}", "enable {n}", "bpe 1"),
    Spelling("del {n}", "delete {n}", "del 1"),
    over("watch", "stops", "watch"),
    over("watch w {address}", "watch {address}", "watch w 0x500"),
    over("watch r {address}", "rwatch {address}", "watch r 0x500"),
    over("watch write {word}[ {n}]", "watch {word}[ {n}]", "watch write 5"),
    over("watch read {word}[ {n}]", "rwatch {word}[ {n}]", "watch read 5 4"),
    Spelling("unwatch {n}", "delete {n}", "unwatch 1"),
    Spelling("modebp", "catch mode", "modebp"),
    Spelling("vmexitbp", "catch exit", "vmexitbp"),
    Own("page 0x1000", "page 0x1000"),
    over("set $cpu=[ ]{n}", "vcpu {n}", "set $cpu=1"),
    over("set $cpu = {n}", "vcpu {n}", "set $cpu = 1"),
    Spelling("ptime", "where", "ptime"),
    Spelling(
        "setpmem {word} {n} {m}", "write-memory {word} {m} --width {n} --physical",
        "setpmem 0x500 4 0x12345678",
    ),
    Spelling("print-stack", "mem rsp 128", "print-stack"),
    Spelling("print-stack {n}", "mem rsp {n*8}", "print-stack 4"),
    Spelling("ldsym {word}[ {n}]", "symbols load {word}[ --offset {n}]", "ldsym a.elf"),
    Spelling("slist", "symbols find", "slist"),
    Spelling("slist {word}", "symbols find {word}", "slist st"),
    Own("info gdt", "info gdt"),
    Own("info idt", "info idt"),
    Own("info tss", "info tss"),
    Own("info tab", "info tlb"),
    Own("info ioapic", "ioapic"),
    Spelling('info device "ioapic"', "ioapic", 'info device "ioapic"'),
    Spelling('info device "pic"', "pic", 'info device "pic"'),
    Spelling('info device "pit"', "timers", 'info device "pit"'),
)  # fmt: skip

QEMU: Final[Table] = (
    Own("info registers", "regs"),
    over("info registers -a", "regs", "info registers -a"),
    Own("info cpus", "vcpus"),
    Own("cpu 1", "vcpu 1"),
    Own("info lapic", "apic"),
    Own("info lapic 1", "apic 1"),
    Own("info ioapic", "ioapic"),
    Own("info pic", "pic"),
    Own("info pit", "info pit"),
    Own("info mem", "info tlb"),
    Own("info tlb", "info tlb"),
    Own("info mtree", "map"),
    over("info mtree -f", "map", "info mtree -f"),
    Spelling("info roms", "map", "info roms"),
    Spelling("info status", "where", "info status"),
    Spelling("info replay", "where", "info replay"),
    Spelling("info snapshots", "checkpoints", "info snapshots"),
    Spelling("savevm {word}", "checkpoint {word}", "savevm before"),
    Spelling("loadvm {word}", "goto {word}", "loadvm start"),
    Spelling("replay_seek {n}", "goto {n}", "replay_seek 0"),
    over("x /{format}[ {expression}]", "x/{format}[ {expression}]", "x /3i $pc"),
    Spelling("xp /{format} {expression}", "xp/{format} {expression}", "xp /3i 0x7c00"),
    Own("print $rsp + 8", "print $rsp + 8"),
    Own("p $rip", "print $rip"),
    Spelling("gva2gpa {address}", "page {address}", "gva2gpa 0x1000"),
    Spelling("gpa2hva {address}", "what {address} --physical", "gpa2hva 0x1000"),
    Own("nmi", "nmi"),
    Own("system_reset", "machine reset"),
    Own("system_powerdown", "machine power-button"),
    Own("cont", "run"),
)

WINDBG: Final[Table] = (
    over("r {register}", "print {register}", "r rax"),
    over(
        "r {register}={expression}", "set {register} = {expression}", "r rax=5",
    ),
    Own("t", "step"),
    Own("t 2", "step 2"),
    Own("g", "run"),
    Spelling("t-", "reverse-step", "t-"),
    Spelling("t- {n}", "reverse-step {n}", "t- 2"),
    Spelling("g-", "reverse-continue", "g-"),
    Spelling("!tt {n}", "goto {n}%", "!tt 50"),
    Spelling("!positions", "where", "!positions"),
    Own("bp 0x1234", "break 0x1234"),
    over("p", "next", "p"),
    over("bp /1 {address}", "tbreak {address}", "bp /1 0x1234"),
    Own("bl", "stops"),
    Own("bc 1", "delete 1"),
    over("bc *", "delete", "bc *"),
    Spelling("bd {n}", "disable {n}", "bd 1"),
    Own("be 1", "enable 1"),
    *(
        Spelling(f"ba {how}{size} {{word}}", f"{ours} {{word}} {size}",
                 f"ba {how}{size} 0x500")
        for how, ours in (("w", "watch"), ("r", "awatch")) for size in (1, 2, 4, 8)
    ),
    *(
        Spelling(f"ba i{size} {{word}}", f"awatch port {{word}} {size}",
                 f"ba i{size} 0x3f8")
        for size in (1, 2, 4)
    ),
    Spelling("ba e1 {address}", "break {address}", "ba e1 0x1234"),
    *(
        Spelling(f"d{unit} {{expression}}[ L{{n}}]",
                 f"x/{{n*1|{least}}}x{ours} {{expression}}", f"d{unit} 0x7c00 L4")
        for unit, ours, least in LETTERS
    ),
    *(
        Spelling(f"!d{unit} {{expression}}[ L{{n}}]",
                 f"xp/{{n*1|{least}}}x{ours} {{expression}}", f"!d{unit} 0x500 L4")
        for unit, ours, least in LETTERS
    ),
    *(
        Spelling(f"e{unit} {{word}} {{m}}",
                 f"write-memory {{word}} {{m}} --width {size}",
                 f"e{unit} 0x500 0x12")
        for unit, size in (("b", 1), ("w", 2), ("d", 4), ("q", 8))
    ),
    Own("u", "disas"),
    over("u {address} L{n}", "disas {address} {n}", "u pc L3"),
    Spelling("ln {address}", "what {address}", "ln pc"),
    over("x *!{word}", "symbols find {word}", "x *!start"),
    Spelling("lm", "symbols", "lm"),
    Own("k", "backtrace"),
    Own("~", "vcpus"),
    Spelling("~*", "vcpus", "~*"),
    Spelling("~{n}[s]", "vcpu {n}", "~1"),
    Spelling("~{n} s", "vcpu {n}", "~1 s"),
    Spelling("!apic", "apic", "!apic"),
    Spelling("!idt", "info idt", "!idt"),
    Spelling("!ioapic", "ioapic", "!ioapic"),
    Spelling("!pic", "pic", "!pic"),
    Spelling("!timer", "timers", "!timer"),
    Spelling("!cpuid", "cpuid", "!cpuid"),
    Spelling("!cpuinfo", "vcpus", "!cpuinfo"),
    Spelling("!running", "vcpus", "!running"),
    Spelling("!pte {address}", "page {address}", "!pte 0x1000"),
    Spelling("!address", "map", "!address"),
    Spelling("!address {address}", "what {address}", "!address pc"),
    Spelling("rdmsr {n}", "print msr[[{n}]]", "rdmsr 0x1b"),
    Spelling("wrmsr {n} {m}", "set msr[[{n}]] = {m}", "wrmsr 0xc0000102 0x1000"),
    Spelling(".formats {expression}", "print {expression}", ".formats 0x41"),
    Spelling("?? {expression}", "print {expression}", "?? rip + 1"),
    over("? {sum}", "print {sum}", "? rip + 1"),
    Spelling(".lastevent", "events 1", ".lastevent"),
    Spelling(".time", "where", ".time"),
    Spelling(".reboot", "machine reset", ".reboot"),
)  # fmt: skip

TABLES: Final[Mapping[str, Table]] = MappingProxyType(
    {"gdb": GDB, "Bochs": BOCHS, "QEMU's monitor": QEMU, "WinDbg": WINDBG}
)
"""All of them; of two that a line fits, the first one counts."""
SPELLINGS: Final[tuple[Spelling, ...]] = tuple(
    each for table in TABLES.values() for each in table if isinstance(each, Spelling)
)
