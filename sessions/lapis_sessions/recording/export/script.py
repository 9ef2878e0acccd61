"""A recording as the lines of `lapis exec --script` that do the same.

A run is told by its instructions. One that an exit or a halt ended gets one more than
it retired, so that it comes to the same end; one that a breakpoint or a catch ended
goes on to the last event before that by `run-to`.
"""

from __future__ import annotations

import re
import shlex
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from lapis_engine.machine.act_schemas import ACTS
from lapis_engine.replay.entries import AT_ONCE, HITS, TIME_MOVING
from lapis_engine.units import NS
from lapis_engine.vmm.interference import EVERY
from lapis_sessions.origin import BARE
from lapis_sessions.recording.edit.merge import joined
from lapis_sessions.text import costs
from lapis_sessions.text.visible import json_text, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lapis_sessions.recording.format.reader import RecordedBranch
    from lapis_sessions.recording.format.schema import ActRow, Header
    from lapis_sessions.recording.play.named import Named

    Args = dict[str, Any]


def lines(branch: RecordedBranch) -> list[str]:
    """Return one line after the other."""
    return [line for each in told(branch) for line in each.lines]


WORD = re.compile(r"[\w.:/-]+", re.ASCII)
"""A text that is one word of a command line without quotation marks."""
BY_HAND = {"answer": "user", "answer_fault": "user", "discard": "user"} | {
    "answer_by_device": "device"
}
"""Who settles a request when a command does it, and not a rule."""


class Told(NamedTuple):
    """An act, as lines, or an annotation as a comment."""

    lines: list[str]
    note: str = ""


def told(branch: RecordedBranch) -> Iterator[Told]:
    """Yield the acts and the annotations, in order."""
    notes = deque(sorted(branch.notes, key=lambda note: note.acts))
    selected, before = 0, 0  # vCPU, or -1 for one unknown; instructions retired
    for act in joined(branch.acts, {note.acts for note in notes}):
        while notes and notes[0].acts < act.number:
            yield Told([], notes.popleft().text)
        row, lines = act.row, []
        own = row.verb in {"step", "touch", "write_memory"}  # of the selected vCPU
        if own and row.args["number"] != selected:
            selected = row.args["number"]
            lines.append(f"vcpu {selected}")
        yield Told([*lines, *_lines(row, row.retired - before)])
        before = row.retired
        selected = -1 if row.verb == "run" else selected  # the one that it stopped on
    yield from (Told([], note.text) for note in notes)


def _lines(row: ActRow, retired: int) -> list[str]:
    if row.verb in TIME_MOVING:
        return list(_moving(row, retired))
    line, by = LINES.get(row.verb), BY_HAND.get(row.verb)
    is_whole = row.args.keys() >= ACTS[row.verb].keys()
    is_plain = all(map(_is_word, row.args.values()))
    if line is None or not is_whole or not is_plain or (by and row.args["by"] != by):
        return [f"act {row.verb} {shlex.quote(json_text(row.args))}"]
    return [line(row.args)]


def _is_word(value: object) -> bool:
    """Tell whether a value stands in a line as one word: a text of a file may not."""
    return not isinstance(value, str) or WORD.fullmatch(value) is not None


def _moving(row: ActRow, retired: int) -> Iterator[str]:
    """Yield the line of a run or a step, and one that goes on to its last event."""
    count = retired if row.reason in AT_ONCE else retired + 1
    if count:
        yield f"{row.verb} {count}"
    if row.reason in HITS and row.seq:
        yield f"run-to {row.seq - 1}{' --step' if row.verb == 'step' else ''}"


def text(named: Named, digest: str) -> str:
    """Return the whole script; `digest` is of the state in the end."""
    head = named.recording.header
    out = [
        f"# Made from {named.text} by lapis session export script.",
        f"# lapis exec {' '.join(options(head))} --script FILE",
        f"# Image {head.image.name!r}, SHA-256 {head.image.sha256}.",
        *(f"# {row.role} {row.name!r}, SHA-256 {row.sha256}." for row in head.attached),
        f"# State in the end: {digest}",
    ]
    for each in told(named.branch):
        out += [f"# {each.note}"] if each.note else each.lines
    return "\n".join([*map(visible, out), ""])  # a note's newline is no new line


def options(head: Header) -> list[str]:
    """Return the words after `lapis exec` that build the machine."""
    words = ["--firmware", head.image.name] if head.firmware else [head.image.name]
    words += ["--cpus", str(head.cpus), "--memory", head.memory]
    words += ["--profile", head.profile, "--quantum", str(head.quantum)]
    words += ["--append", head.append] if head.append else []
    words += (
        ["--machine", head.machine] if head.machine != BARE or head.firmware else []
    )
    words += ["--ports", head.ports] if head.ports else []
    words += ["--mmio", head.mmio] if head.mmio else []
    words += ["--cpu", head.cpu] if head.cpu != "lapis" else []
    words += ["--hypervisor", head.hypervisor] if head.hypervisor != "none" else []
    words += ["--cost", costs.written(head.cost)] if head.cost else []
    words += ["--tsc-hz", str(head.tsc_hz)] if head.tsc_hz != NS else []
    words += ["--on-reset", head.on_reset] if head.on_reset != "stop" else []
    words += ["--strict"] if head.strict else []
    words += [] if head.strict or head.usual else ["--checks", "off"]
    words += ["--seed", str(head.seed)] if head.seed else []
    for row in head.attached:
        words += [f"--{row.role}", " ".join(filter(None, (row.name, row.args)))]
    return [shlex.quote(word) for word in words]


# A line for each act.


def _lint(args: Args) -> str:
    return " ".join(["irq lint", str(args["lint"]), *_given(args["number"])])


def _given(value: int | None) -> list[str]:
    return [] if value is None else [str(value)]


def _irq(args: Args, number: str, flag: str) -> str:
    verb = "raise" if args["asserted"] else "lower"
    return f"irq {verb} {args[number]}{flag}"


def _run_state(args: Args) -> str:
    vector = f"--vector {args['sipi_vector']:#x}"
    return f"run-state {args['state']:#x} {vector} --vcpu {args['number']}"


def _interfere(args: Args) -> str:
    names = (("mode", "mode"), ("to", "to"), ("sender", "from"), ("vector", "vector"))
    words = [f"--{word} {args[name]}" for name, word in names if args[name] is not None]
    words.append("--every" if args["nth"] == EVERY else f"--nth {args['nth']}")
    words += [f"--by {args['by']}"] if args["action"] == "delay" else []
    return " ".join([f"ipi {args['action']}", *words])


def _fault(args: Args) -> str:
    words = [f"answer fault {args['name']}"]
    words += [] if args["error"] is None else [f"{args['error']:#x}"]
    if args["address"] is not None:
        words.append(f"--address {args['address']:#x}")
    return " ".join([*words, f"--vcpu {args['number']}"])


def _touch(args: Args) -> str:
    """`mem` reads as the selected vCPU."""
    flag = " --physical" if args["physical"] else ""
    return f"mem {args['address']:#x} {args['size']} --touch{flag}"


def _write(args: Args) -> str:
    """`write-memory` writes as the selected vCPU does."""
    flag = " --physical" if args["physical"] else ""
    return f"write-memory {args['address']:#x} {args['data']}{flag}"


def _schedule(args: Args) -> str:
    return " ".join([f"sched {args['policy']}", *_given(args["only"])])


def _switch(on: Any) -> str:
    return "on" if on else "off"


def _apic(args: Args) -> str:
    register, number, value = str(args["register"]), args["number"], args["value"]
    if register == "eoi":
        return f"eoi {number}"
    if register == "tpr":
        return f"tpr {value:#x} {number}"
    group, _, rest = register.partition("_")
    name = f"{group}.{rest}" if group in {"lvt", "timer"} else register
    return f"set apic[{number}].{name} = {value:#x}"


def _register(args: Args) -> str:
    raw = " --raw" if args["raw"] else ""
    return f"set vcpu[{args['number']}].{args['name']} = {args['value']:#x}{raw}"


LINES: dict[str, Callable[[Args], str]] = {
    "answer": lambda a: f"answer {a['value']:#x} {a['number']}",
    "answer_fault": _fault,
    "answer_by_device": lambda a: f"answer device {a['number']}",
    "trap": lambda a: f"trap {a['space']} {a['first']:#x}/{a['size']:#x}",
    "untrap": lambda a: f"untrap {'all' if a['number'] is None else a['number']}",
    "touch": _touch,
    "write_memory": _write,
    "discard": lambda a: f"discard {a['number']}",
    "send_ipi": lambda a: f"ipi raw {a['icr']:#x} --from {a['sender']}",
    "kernemu_write": lambda a: (
        f"kernemu write {a['gpa']:#x} {a['size']} {a['value']:#x} --vcpu {a['number']}"
    ),
    "kernemu_read": lambda a: (
        f"kernemu read {a['gpa']:#x} {a['size']} --vcpu {a['number']}"
    ),
    "write_apic": _apic,
    "write_msr": lambda a: (
        f"set vcpu[{a['number']}].msr[{a['msr']:#x}] = {a['value']:#x}"
    ),
    "write_register": _register,
    "set_pin": lambda a: _irq(a, "pin", ""),
    "set_line": lambda a: _irq(a, "irq", " --isa"),
    "send_msi": lambda a: f"msi {a['address']:#x} {a['data']:#x}",
    "inject_nmi": lambda a: f"nmi {a['number']}",
    "pulse_lint": _lint,
    "set_run_state": _run_state,
    "interfere": _interfere,
    "clear_interference": lambda a: " ".join(["ipi clear", *_given(a["number"])]),
    "set_lint": lambda a: f"lint {_switch(a['on'])} {a['name']}",
    "set_isrvec": lambda a: f"set isrvec {_switch(a['on'])}",
    "set_quantum": lambda a: f"quantum {a['quantum']}",
    "set_schedule": _schedule,
}
"""The command line of acts that have one of their own."""
