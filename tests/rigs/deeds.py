"""Lines that a user may type at a session, chosen at random: one function per kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.lints.catalog import LINTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from lapis_sessions.session import Session

    Deed = Callable[[Session, Random], str]

COUNTS = (1, 2, 3, 10, 40, 150, 700)
EVENTS = (
    "ipi", "accept", "deliver", "eoi", "boot", "timer", "exit", "msr", "mode",
    "exception", "fault", "lint", "interfere",
)  # fmt: skip
NAMES = ("here", "there", "half", "lost")


def _vcpu(session: Session, rng: Random) -> int:
    """A vCPU, and now and then one that is not there."""
    return rng.randrange(len(session.machine.vcpus) + (rng.random() < 0.03))


def _vector(rng: Random) -> str:
    return f"{rng.choice((0x31, 0x40, 0x41, 0xF0, rng.randrange(0x100))):#x}"


def run(_session: Session, rng: Random) -> str:
    return f"run {rng.choice(COUNTS)}"


def step(_session: Session, rng: Random) -> str:
    return rng.choice(("step", "step", f"step {rng.choice(COUNTS[:5])}"))


def run_to(session: Session, rng: Random) -> str:
    tail = rng.choice(("", " --step"))
    if tail:
        return f"run-to {session.machine.log.next_seq + rng.randrange(3)}{tail}"
    return f"run {rng.choice(COUNTS)}"


def select(session: Session, rng: Random) -> str:
    return f"vcpu {_vcpu(session, rng)}"


def follow(session: Session, _rng: Random) -> str:
    """Do in the past what was done then."""
    timeline = session.timeline
    if timeline.at_end:
        return "where"
    entry = timeline.branch.entries[timeline.spot.done]
    left = entry.end.retired - timeline.spot.at.retired
    match entry.act.verb:
        case "run":
            return f"run {max(left, 1)}"
        case "step" if entry.act.args["number"] == session.selected:
            return f"step {max(left, 1)}"
        case "step":
            return f"vcpu {entry.act.args['number']}"
        case "answer":
            args = entry.act.args
            return f"answer {args['value']} {args['number']}"
        case "inject_nmi":
            return f"nmi {entry.act.args['number']}"
        case "set_quantum":
            return f"quantum {entry.act.args['quantum']}"
        case _:
            return "where"


def breakpoint_(session: Session, rng: Random) -> str:
    machine = session.machine
    if machine.breakpoints and rng.random() < 0.6:
        return f"delete {rng.choice(machine.breakpoints):#x}"
    if session.symbols and rng.random() < 0.4:
        return f"break {rng.choice(sorted(session.symbols))}"
    return f"break {rng.choice(machine.vcpus).regs.linear_rip:#x}"


def catch(session: Session, rng: Random) -> str:
    items = session.machine.catches.items
    if items and rng.random() < 0.6:
        return f"uncatch {rng.choice(items).number + (rng.random() < 0.05)}"
    once = rng.choice(("", " --once"))
    vcpu = rng.choice(("", "", f" --vcpu {_vcpu(session, rng)}"))
    return f"catch {rng.choice(EVENTS)}{vcpu}{once}"


def interfere(session: Session, rng: Random) -> str:
    if rng.random() < 0.3:
        return rng.choice(("ipi clear", "ipi clear 1"))
    what = rng.choice(("drop", "delay", "duplicate"))
    by = f" --by {rng.randrange(1, 500)}" if what == "delay" else ""
    nth = rng.choice(("", " --every", " --nth 2"))
    return f"ipi {what} --to {_vcpu(session, rng)}{nth}{by}"


def answer(session: Session, rng: Random) -> str:
    waiting = [request.vcpu for request in session.machine.pending()]
    who = rng.choice(waiting or [session.selected])
    return rng.choice(
        (
            f"answer {rng.choice((0, 1, 0x55, 300))} {who}",
            f"answer {rng.randrange(256)} {who}",
            f"answer device {who}",
            f"answer fault {rng.choice(('gp', 'ud', 'pf'))} --vcpu {who}",
        )
    )


def discard(session: Session, rng: Random) -> str:
    waiting = [request.vcpu for request in session.machine.pending()]
    return f"discard {rng.choice(waiting or [session.selected])}"


def trap(_session: Session, rng: Random) -> str:
    return rng.choice(
        (
            "untrap 1",
            "untrap 2",
            "trap mmio 0xfee00000/0x1000",
            "trap mmio 0xfee000b0/4",
            "trap port 0x3f8/8",
            "trap port 0x40/4",
            "trap msr 0x1b",
            "mem 0xfec00000 4 --physical --touch",
        )
    )


def rule(session: Session, rng: Random) -> str:
    if session.rules.rules and rng.random() < 0.5:
        return "rule delete"
    return rng.choice(
        (
            'rule add "any read = 0x5a"',
            'rule add "any = device"',
            'rule add "mmio 0x100000/0x1000 = 1"',
            'rule add "any = once 7"',
        )
    )


def ipi(session: Session, rng: Random) -> str:
    to = rng.choice(("all", "others", "self", f"{_vcpu(session, rng)}"))
    what = rng.choice(
        ("fixed", "fixed", "lowest", "nmi", "init", "init", "sipi", "smi")
    )
    vector = "" if what in {"nmi", "init", "smi"} else f" {_vector(rng)}"
    if what == "sipi" and rng.random() < 0.7:
        vector = " 0x8"
    return f"ipi {what}{vector} --to {to} --from {_vcpu(session, rng)}"


def nmi(session: Session, rng: Random) -> str:
    return f"nmi {_vcpu(session, rng)}"


def line(session: Session, rng: Random) -> str:
    how = rng.choice(("raise", "lower", "pulse"))
    return rng.choice(
        (
            f"irq {how} {rng.randrange(25)}",
            f"irq {how} {rng.randrange(16)} --isa",
            f"irq lint {rng.randrange(2)} {_vcpu(session, rng)}",
            f"msi {0xFEE0_0000 | _vcpu(session, rng) << 12:#x} {_vector(rng)}",
        )
    )


def kernemu(session: Session, rng: Random) -> str:
    register = rng.choice((0x20, 0x80, 0xB0, 0xF0, 0x280, 0x300, 0x380, 0x390))
    where = f"{0xFEE0_0000 + register:#x} 4"
    tail = f"--vcpu {_vcpu(session, rng)}"
    if rng.random() < 0.4:
        return f"kernemu read {where} {tail}"
    return f"kernemu write {where} {rng.randrange(0x200)} {tail}"


def write(session: Session, rng: Random) -> str:
    """Data, code, stacks, tables, and what is none of them."""
    regs = rng.choice(session.machine.vcpus).regs
    near = (regs.linear_rip, regs.gpr[4] & 0xFFFFFFFF, regs.cr3 & ~0xFFF, 0x9000, 0x500)
    named = sorted(session.symbols.values())
    at = rng.choice((*near, rng.choice(named or near), 0xFEE0_0080, 1 << 47, 0xFFFFF))
    flag = rng.choice(("", "", " --physical"))
    if rng.random() < 0.5:
        return f"write-memory {at:#x} {rng.choice(('90', 'f4', '40 90', '23'))}{flag}"
    width = rng.choice((1, 2, 4, 8))
    return f"write-memory {at:#x} {rng.randrange(1 << 8 * width)} --width {width}{flag}"


def schedule(session: Session, rng: Random) -> str:
    return rng.choice(
        (
            f"quantum {rng.choice((0, 1, 3, 100, 1000))}",
            "sched round-robin",
            "sched lockstep",
            f"sched only {_vcpu(session, rng)}",
        )
    )


def state(session: Session, rng: Random) -> str:
    return rng.choice(
        (
            f"run-state {rng.randrange(5)} --vcpu {_vcpu(session, rng)}",
            f"set isrvec {rng.choice(('on', 'off'))}",
            f"lint {rng.choice(('on', 'off'))} {rng.choice(sorted(LINTS))}",
        )
    )


def look(session: Session, rng: Random) -> str:
    """What changes nothing."""
    return rng.choice(
        (
            "regs",
            "apic",
            "pending",
            "events 5",
            "branches",
            "where",
            "why vcpu",
            "vcpus",
            "disas",
            "vie",
            "checkpoints",
            "no-such-command",
            "run 1 2 3",
            f"irq why 0x31 {_vcpu(session, rng)}",
            "mem 0x10000 16",
            "ipi dry-run fixed 0x31 --to 0",
        )
    )


# Back and forth.


def reverse_step(_session: Session, rng: Random) -> str:
    return rng.choice(("reverse-step", "reverse-step", "reverse-step 7"))


def reverse_continue(_session: Session, _rng: Random) -> str:
    return "reverse-continue"


def last_write(session: Session, rng: Random) -> str:
    where = rng.choice((0x9000, 0x1_0000, *sorted(session.symbols.values())))
    stack = rng.choice(session.machine.vcpus).regs.gpr[4]
    return f"last-write {rng.choice((where, stack & 0xFFFFFFFF)):#x} 8"


def last_change(session: Session, rng: Random) -> str:
    field = rng.choice(("isr", "irr", "ppr", "tpr", "icr", "esr", "no_such"))
    return rng.choice(
        (
            f"last-change apic {_vcpu(session, rng)} {field}",
            f"last-change vcpu {_vcpu(session, rng)} run_state",
            f"last-change vcpu {_vcpu(session, rng)} halted",
        )
    )


def goto(session: Session, rng: Random) -> str:
    end = session.timeline.branch.end.at
    return rng.choice(
        (
            "goto start",
            "goto end",
            f"goto {rng.choice(NAMES)}",
            f"goto {rng.randrange(end.retired + 2)}",
            f"goto {rng.randrange(end.retired + 2)}",
            f"goto #{rng.randrange(end.seq + 1)}",
            f"goto {rng.randrange(end.now + 2)}ns",
            f"goto act {rng.randrange(len(session.timeline.branch.entries) + 2)}",
        )
    )


def previous_event(session: Session, rng: Random) -> str:
    return f"previous-event {_event(session, rng)}"


def learn(_session: Session, _rng: Random) -> str:
    return "events learn"


def _event(session: Session, rng: Random) -> str:
    vcpu = rng.choice(("", "", f" --vcpu {_vcpu(session, rng)}"))
    return f"{rng.choice((*EVENTS, 'halt', 'init', 'pin', 'console'))}{vcpu}"


# Along.


def play(_session: Session, rng: Random) -> str:
    return rng.choice(("play", "play 1", "play 2", f"play {rng.randrange(9)}"))


def next_event(session: Session, rng: Random) -> str:
    return f"next-event {_event(session, rng)}"


def fork(session: Session, rng: Random) -> str:
    names = *session.timeline.branches, f"tree-{rng.randrange(100)}"
    return rng.choice(("fork", f"fork {rng.choice(names)}"))


def name(_session: Session, rng: Random) -> str:
    return f"checkpoint {rng.choice(NAMES)}"


def branch(session: Session, rng: Random) -> str:
    known = [*session.timeline.branches, "tree"]
    return f"branch {rng.choice(known)}"


DEEDS: dict[str, Deed] = {
    "run": run, "step": step, "run_to": run_to, "select": select, "follow": follow,
    "break": breakpoint_, "catch": catch, "interfere": interfere, "answer": answer,
    "discard": discard, "trap": trap, "rule": rule, "ipi": ipi, "nmi": nmi,
    "line": line, "kernemu": kernemu, "write": write, "schedule": schedule,
    "state": state,
    "look": look, "reverse_step": reverse_step, "reverse_continue": reverse_continue,
    "last_write": last_write, "last_change": last_change, "goto": goto, "name": name,
    "branch": branch, "previous_event": previous_event, "learn": learn, "play": play,
    "next_event": next_event, "fork": fork,
}  # fmt: skip
OFTEN = {"run": 6, "step": 4, "answer": 4, "goto": 3, "follow": 4, "ipi": 2}
"""What is done more often than the rest."""
BACK = frozenset(
    {"reverse_step", "reverse_continue", "last_write", "last_change", "goto", "branch",
     "previous_event", "learn"}
)  # fmt: skip
"""They move the machine and do nothing to it."""
