"""Results of commands in words, for people. Pure: data in, text out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.explain.events import run_state_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_sessions.views.machine import Json

GPR_ROWS = (
    ("rax", "rbx", "rcx", "rdx"), ("rsi", "rdi", "rbp", "rsp"),
    ("r8", "r9", "r10", "r11"), ("r12", "r13", "r14", "r15"),
    ("rip", "rflags", "efer", "cr0"), ("cr2", "cr3", "cr4", "dr7"),
)  # fmt: skip
SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs", "tr", "ldtr")


def stop(view: Json) -> str:
    """Say why it stopped."""
    reason = view["stop"]
    where = "" if reason == "halted" else f" on vCPU {view['vcpu']}"
    known = {"", f"{view['retired']} instructions"}
    text = "" if view["text"] in known else f": {view['text']}"
    return f"stopped ({reason}){where}{text}\n{view['retired']:,} instructions retired"


def vcpus(rows: Sequence[Json]) -> str:
    """Return the table of vCPUs."""
    out = [
        "vCPU  state          mode       rip                      retired  run-state"
    ]
    out += [
        f"{r['id']:>4}  {r['state']:<13}  {r['mode']:<9}  {r['rip']:#018x}"
        f"  {r['retired']:>13,}  {run_state_text(r['run_state'])}"
        for r in rows
    ]
    return "\n".join(out)


def selected(row: Json) -> str:
    """Say which vCPU is selected now."""
    return (
        f"vCPU {row['id']} selected: {row['state']}, {row['mode']} mode, "
        f"RIP {row['rip']:#x}"
    )


def registers(view: Json) -> str:
    """Return the registers of one vCPU."""
    out = [f"vCPU {view['vcpu']}, {view['mode']} mode, CPL {view['cpl']}"]
    out += [
        "  ".join(f"{name:<6} {view[name]:016x}" for name in names)
        for names in GPR_ROWS
    ]
    for name in SEGMENTS:
        base, limit = view[f"{name}.base"], view[f"{name}.limit"]
        flags = view[f"{name}.flags"]
        out.append(
            f"{name:<6} {view[name]:04x}  base {base:016x}  limit {limit:08x}"
            f"  flags {flags:08x}"
        )
    for name in ("gdtr", "idtr"):
        base, limit = view[f"{name}.base"], view[f"{name}.limit"]
        out.append(f"{name:<6}       base {base:016x}  limit {limit:08x}")
    return "\n".join(out)


def apic(view: Json) -> str:
    """Return one local APIC."""
    head = (
        f"vCPU {view['vcpu']}: local APIC {view['id']:#x}, {view['mode']}, "
        f"APICBASE {view['apicbase']:#x}"
    )
    numbers = (
        f"TPR {view['tpr']:#04x}  PPR {view['ppr']:#04x}  SVR {view['svr']:#x}  "
        f"ESR {view['esr']:#x}  LDR {view['ldr']:#x}  DFR {view['dfr']:#x}"
    )
    out = [head, numbers]
    for name in ("irr", "isr", "tmr"):
        found = " ".join(f"{vector:#04x}" for vector in view[name])
        out.append(f"{name.upper()} {found or 'empty'}")
    out.append(f"ICR {view['icr']['raw']:#x} ({view['icr']['text']})")
    for name, entry in view["lvt"].items():
        out.append(f"LVT {name:<8} {entry['raw']:#07x} ({entry['text']})")
    timer = view["timer"]
    when = timer["deadline"]
    fires = "stopped" if when is None else f"fires at {when:,} ns"
    out.append(f"timer {fires}, initial count {timer['initial']:#x}")
    return "\n".join(out)


def request(view: Json) -> str:
    """Say what one pending request asks for."""
    if view["kind"] == "inst-emul":
        what = f"instruction without emulation on {view['gpa']:#x}: discard it"
    elif view["kind"] == "inout":
        verb = "IN" if view["read"] else "OUT"
        what = f"{verb} {view['bytes']} at port {view['port']:#x}"
    elif view["kind"] == "msr":
        what = f"{'RDMSR' if view['read'] else 'WRMSR'} {view['msr']:#x}"
    else:
        verb = "read" if view["read"] else "write"
        what = f"{verb} {view['bytes']} bytes at {view['gpa']:#x}"
    is_write = not view["read"] and view["kind"] != "inst-emul"
    tail = f" = {view['data']:#x}" if is_write else ""
    return f"vCPU {view['vcpu']}: {what}{tail}"


def pending(rows: Sequence[Json]) -> str:
    """Return the requests, or say that there are none."""
    return "\n".join(map(request, rows)) or "nothing is pending"


def answered(view: Json) -> str:
    """Say what was answered."""
    return f"answered {view['value']:#x} to {request(view)}"


def discarded(view: Json) -> str:
    """Say what was discarded."""
    return f"discarded {request(view)}"


def ipi(view: Json) -> str:
    """Say what was sent and whom it reached."""
    fate = "reaches " + ", ".join(f"vCPU {number}" for number in view["targets"])
    if view["dropped"]:
        fate = f"dropped: {view['dropped']}"
    return f"ICR {view['icr']:#x} from vCPU {view['from']}: {view['text']}; {fate}"


def events(rows: Sequence[Json]) -> str:
    """Return events, oldest first."""
    out = []
    for row in rows:
        who = "-" if row["vcpu"] < 0 else row["vcpu"]
        times = f"  ({row['times']} times)" if row["times"] > 1 else ""
        out.append(
            f"{row['seq']:>7} {row['at']:>15,} ns  {who:>3}  {row['kind']:<11} "
            f"{row['text']}{times}"
        )
    return "\n".join(out) or "nothing has happened"


def disassembly(rows: Sequence[Json]) -> str:
    """Return instructions, `>` at RIP."""
    out = []
    for row in rows:
        if "symbol" in row:
            out.append(f"{row['symbol']}:")
        mark = ">" if row["current"] else " "
        line = f"{mark} {row['linear']:>10x}  {row['bytes']:<20}  {row['mnemonic']}"
        out.append(f"{line} {row['operands']}".rstrip())
    return "\n".join(out)


def memory(view: Json) -> str:
    """Return a hex dump with text beside it."""
    data = bytes.fromhex(view["bytes"])
    out = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        out.append(f"{view['address'] + at:>10x}  {row.hex(' '):<47}  {text}")
    return "\n".join(out)


def memory_map(rows: Sequence[Json]) -> str:
    """Return who serves what."""
    return "\n".join(
        f"{row['space']:<6} {row['first']:>10x} - {row['last']:>10x}  {row['name']}"
        for row in rows
    )


def addresses(found: Sequence[int]) -> str:
    """Return breakpoints."""
    return "\n".join(f"{at:#x}" for at in found) or "there are no breakpoints"


def schedule(view: Json) -> str:
    """Say how turns are given."""
    only = f" vCPU {view['only']}" if view["schedule"] == "only" else ""
    return f"{view['schedule']}{only}, quantum {view['quantum']} instructions"


def explanation(view: Json) -> str:
    """Return a value in words and in fields."""
    out = [f"{view['what']} {view['raw']:#x}: {view['text']}"]
    for field in view["fields"]:
        meaning = f"  {field['meaning']}" if field["meaning"] else ""
        bits = f"[{field['bits']}]"
        out.append(f"  {bits:<8} {field['name']:<22} {field['value']:#x}{meaning}")
    return "\n".join(out)


def commands(rows: Sequence[Json]) -> str:
    """Return help: a line a command, or all of one command."""
    if len(rows) == 1:
        row = rows[0]
        other = f"\nalso: {', '.join(row['aliases'])}" if row["aliases"] else ""
        return f"{row['usage']}\n{row['help']} ({row['effect']}){other}"
    return "\n".join(f"{row['usage']:<36} {row['help']}" for row in rows)


def profiles(rows: Sequence[Json]) -> str:
    """Return the profiles."""
    return "\n".join(f"{row['name']:<24} {row['summary']}" for row in rows)


def differences(view: Json) -> str:
    """Return the switches in which two profiles differ, each with its source."""
    first, second = view["first"], view["second"]
    rows = [
        f"{row['name']}: {first} {row['first']}, {second} {row['second']}\n"
        f"  {row['doc']}\n  source: {row['source']}"
        for row in view["differences"]
    ]
    return "\n".join(rows) or f"{first} and {second} do not differ"


def symbols(found: Mapping[str, int]) -> str:
    """Return symbols by address."""
    return "\n".join(f"{at:>10x} {name}" for name, at in found.items()) or "no symbols"


def console(printed: str) -> str:
    """Return what the guest printed without what a terminal would obey."""
    rows = printed.replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c in "\n\t" else "." for c in rows)
