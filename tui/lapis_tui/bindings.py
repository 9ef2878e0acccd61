"""Every key in one table, with a stable id for keymaps; F1 shows this table.

Letters act while no input has the focus: the focus decides, as in pudb. Function keys
are aliases only, for many terminals keep them to themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True, slots=True)
class Key:
    """One action and the keys that do it."""

    keys: str
    """As Textual names them, separated by commas."""
    action: str
    id: str
    """Stable name, for users' keymaps."""
    hint: str
    """One or two words for the row of keys; empty to leave it out."""
    help: str
    shown: str = ""
    """How the keys are written for people."""


KEYS = (
    Key("s,f11", "step", "step", "step",
        "step the selected vCPU one instruction, all others frozen; in the past along "
        "what was done", "s F11"),
    Key("c,f5", "continue", "continue", "continue",
        "run until something stops the machine; in the past along what was done, to "
        "its end", "c F5"),
    Key("S,shift+f11", "reverse_step", "reverse-step", "",
        "take back the last instruction of the selected vCPU", "S"),
    Key("C,shift+f5", "reverse_continue", "reverse-continue", "",
        "go back to the last breakpoint or catch, or to the beginning", "C"),
    Key("ctrl+c", "interrupt", "break", "",
        "copy what is selected, or else break into the running guest, or into a long "
        "way back", "Ctrl-C"),
    Key("n,right", "turn(1)", "next-vcpu", "", "select the next vCPU", "n"),
    Key("p,left", "turn(-1)", "previous-vcpu", "vCPU", "select the previous vCPU", "p"),
    Key("b,f9", "breakpoint", "breakpoint", "break",
        "set or remove a breakpoint at the cursor, or at RIP", "b F9"),
    Key("i", "inject", "inject", "inject", "build and send an IPI, INIT or SIPI", "i"),
    Key("a", "answer", "answer", "answer", "answer the pending request", "a"),
    Key("d", "discard", "discard", "",
        "discard the pending request: the instruction runs again", "d"),
    Key("colon,slash", "command", "command", "command", "type a command", ": /"),
    Key("tab", "app.focus_next", "next-pane", "", "go to the next pane", "Tab"),
    Key("shift+tab", "app.focus_previous", "previous-pane", "",
        "go to the previous pane", "Shift-Tab"),
    Key("1", "pane('vcpus')", "pane-vcpus", "", "go to the vCPUs", "1"),
    Key("2", "pane('apics')", "pane-apics", "", "go to the local APICs", "2"),
    Key("3", "pane('events')", "pane-events", "", "go to the events", "3"),
    Key("4", "pane('console')", "pane-console", "", "go to the guest's console", "4"),
    Key("5", "pane('results')", "pane-results", "", "go to the commands' results", "5"),
    Key("6", "plugged", "pane-plugged", "", "go to the panes of plug-ins, in turn",
        "6"),
    Key("7", "pane('terminal')", "pane-terminal", "",
        "go to the terminal on COM1: keys go to the guest, until Ctrl-]", "7"),
    Key("8", "pane('vga')", "pane-vga", "", "go to the screen of a pc", "8"),
    Key("z", "zoom", "zoom", "", "give the whole screen to this pane, or back", "z"),
    Key("escape", "leave", "leave", "",
        "leave a field; break off what is being done; back to the vCPUs", "Esc"),
    Key("ctrl+p", "app.command_palette", "palette", "", "every command, by name",
        "Ctrl-P"),
    Key("f1,question_mark", "help", "help", "help", "this help", "F1 ?"),
    Key("q", "quit", "quit", "quit",
        "quit; asks when something is in no recording (:q! does not)", "q Ctrl-Q"),
)  # fmt: skip
"""In the order in which help lists them."""

INSIDE = (
    ("k j ↑ ↓", "scroll; among the vCPUs, move the cursor in the disassembly"),
    ("PgUp PgDn g G", "a page up or down; the first line, the last"),
    ("Enter", "in a field: send what it says"),
    ("↑ ↓", "on the command line: older and newer commands"),
    ("Tab", "on the command line: complete"),
    ("Ctrl-]", "in the terminal: leave it; every other key goes to the guest"),
    ("mouse", "click a vCPU to select it; drag to select text; the wheel scrolls"),
)
"""Keys that belong to a pane or a field."""


def bindings() -> list[Binding]:
    """Return the table as Textual takes it."""
    return [
        Binding(
            key.keys,
            key.action,
            key.help,
            show=False,
            id=key.id,
            priority=key.id == "break",
        )
        for key in KEYS
    ]
