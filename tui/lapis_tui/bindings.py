"""Every key in one table, with a stable id for key maps; F1 shows this table.

It is data alone: who only wants to know what keys there are loads no terminal library.
Letters act while no input has the focus: the focus decides, as in pudb. Function keys
are aliases only, for many terminals keep them to themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_tui.layouts import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Iterable


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
    line: str | None = None
    """The command line that does exactly the same, where a command of its own does."""

    @property
    def twin(self) -> str:
        """A command line that does the same."""
        return self.line if self.line is not None else f"key {self.id}"


KEYS = (
    Key("s,f11", "step", "step", "step",
        "step the selected vCPU one instruction, all others frozen; in the past along "
        "what was done", "s F11", "step"),
    Key("c,f5", "continue", "continue", "continue",
        "run until something stops the machine; in the past along what was done, to "
        "its end", "c F5", "run"),
    Key("S,shift+f11", "reverse_step", "reverse-step", "",
        "take back the last instruction of the selected vCPU", "S", "reverse-step"),
    Key("C,shift+f5", "reverse_continue", "reverse-continue", "",
        "go back to the last breakpoint or catch, or to the beginning", "C",
        "reverse-continue"),
    Key("ctrl+c", "interrupt", "break", "",
        "copy what is selected, or else break into the running guest, or into a long "
        "way back", "Ctrl-C"),
    Key("space", "play", "play", "play",
        "play what was done from here on, event by event, or pause; , and . make it "
        "slower and faster", "Space"),
    Key("comma", "pace(0.5)", "slower", "", "play at half the speed", ","),
    Key("full_stop", "pace(2)", "faster", "", "play at twice the speed", "."),
    Key("left", "event(-1)", "event-back", "", "go to the event before", "←"),
    Key("right", "event(1)", "event-on", "", "go to the next event, as far as known",
        "→"),
    Key("shift+left", "act(-1)", "act-back", "", "go to the act before", "Shift-←"),
    Key("shift+right", "act(1)", "act-on", "", "do the next act again", "Shift-→"),
    Key("left_square_bracket", "alike(-1)", "alike-back", "",
        "go to the last event before this that is of the kind under the cursor", "["),
    Key("right_square_bracket", "alike(1)", "alike-on", "",
        "go on to the next event of the kind under the cursor", "]"),
    Key("home", "go('start')", "beginning", "", "go to the beginning", "Home",
        "goto start"),
    Key("end", "go('end')", "end", "", "go to the end of the branch", "End",
        "goto end"),
    Key("F", "fork", "fork", "fork",
        "fork here: what is done next goes onto a branch of its own", "F", "fork"),
    Key("m", "name", "name", "", "give this point a name, for goto", "m", "checkpoint"),
    Key("n", "turn(1)", "next-vcpu", "", "select the next vCPU", "n"),
    Key("p", "turn(-1)", "previous-vcpu", "vCPU", "select the previous vCPU", "p"),
    Key("b,f9", "breakpoint", "breakpoint", "break",
        "set or remove a breakpoint at the cursor, or at RIP", "b F9"),
    Key("i", "inject", "inject", "inject", "build and send an IPI, INIT or SIPI", "i"),
    Key("a", "answer", "answer", "answer", "answer the pending request", "a"),
    Key("d", "discard", "discard", "",
        "discard the pending request: the instruction runs again", "d", "discard"),
    Key("colon", "command", "command", "command", "type a command", ":"),
    Key("M", "message", "message", "", "read the last answer in full, on a sheet", "M"),
    Key("slash", "search", "search", "", "search in this pane, or type a command",
        "/"),
    Key("tab,ctrl+pagedown", "next_pane(1)", "next-pane", "",
        "go to the next pane of the layout, those behind a tab as well", "Tab"),
    Key("shift+tab,ctrl+pageup", "next_pane(-1)", "previous-pane", "",
        "go to the pane before", "Shift-Tab"),
    Key("ctrl+o,apostrophe", "jump", "jump", "",
        "put a letter on every pane; that letter goes there", "' Ctrl-O"),
    *(
        Key(layout.key, f"layout('{layout.name}')", f"layout-{layout.name}", "",
            f"layout {layout.name}: {layout.text}", layout.key,
            f"layout {layout.name}")
        for layout in LAYOUTS
    ),
    Key("z", "zoom", "zoom", "", "give the whole screen to this pane, or back", "z"),
    Key("plus,equals_sign", "resize('rows', 1)", "taller", "",
        "make this pane a row taller", "+"),
    Key("minus", "resize('rows', -1)", "lower", "", "make it a row lower", "-"),
    Key("greater_than_sign", "resize('columns', 4)", "wider", "", "make it wider",
        ">"),
    Key("less_than_sign", "resize('columns', -4)", "narrower", "",
        "make it narrower; dividers follow the mouse as well", "<"),
    Key("0", "reset_layout", "layout-reset", "", "let this layout be as it was drawn",
        "0"),
    Key("escape", "leave", "leave", "",
        "leave a field; break off what is being done; back to now", "Esc"),
    Key("ctrl+p", "app.command_palette", "palette", "", "every command, by name",
        "Ctrl-P"),
    Key("f2", "tour", "tour", "",
        "a tour of ap-bringup: begin it, or go on with its next step", "F2", "tour"),
    Key("f3", "leave_tour", "tour-leave", "", "leave the tour", "F3", "tour leave"),
    Key("f1,question_mark", "help", "help", "help", "this help", "F1 ?"),
    Key("q", "quit", "quit", "quit",
        "quit; asks when something is in no recording (:q! does not)", "q Ctrl-Q",
        "quit"),
)  # fmt: skip
"""In the order in which help lists them."""

INSIDE = (
    ("k j ↑ ↓", "scroll; among the vCPUs, move the cursor in the disassembly"),
    ("PgUp PgDn g G", "a page up or down; the first line, the last"),
    ("L H", "to the right, where rows are cut (…), with room for them, and back"),
    ("Enter", "in a field: send what it says"),
    ("↑ ↓", "on the command line: older and newer commands"),
    ("Tab", "on the command line: complete"),
    ("Ctrl-]", "in the terminal: leave it; every other key goes to the guest"),
    ("Ctrl-PgDn PgUp", "go on to the next pane, also from the terminal, and back"),
    (
        "mouse",
        (
            "click a vCPU, an event, a key, the seek bar; drag a divider, or over text "
            "to select it; the wheel scrolls"
        ),
    ),
)
"""Keys that belong to a pane or a field."""


NAMES = {
    "left_square_bracket": "[", "right_square_bracket": "]", "up": "↑", "down": "↓",
    "left": "←", "right": "→", "pageup": "PgUp", "pagedown": "PgDn", "escape": "Esc",
    "slash": "/", "question_mark": "?", "colon": ":", "comma": ",", "full_stop": ".",
    "plus": "+", "minus": "-", "less_than_sign": "<", "greater_than_sign": ">",
    "equals_sign": "=", "apostrophe": "'", "asterisk": "*", "number_sign": "#",
    "exclamation_mark": "!", "quotation_mark": '"', "dollar_sign": "$",
    "percent_sign": "%", "ampersand": "&", "left_parenthesis": "(",
    "right_parenthesis": ")", "semicolon": ";", "at": "@", "backslash": "\\",
    "circumflex_accent": "^", "underscore": "_", "grave_accent": "`",
    "left_curly_bracket": "{", "vertical_line": "|", "right_curly_bracket": "}",
    "tilde": "~",
}  # fmt: skip
"""How keys are written that Textual spells out."""


def key_of(table: Iterable[Key], action: str) -> str:
    """Return the first key of an action in a table, as it is written for people.

    >>> key_of(KEYS, "quit"), key_of(KEYS, "jump")
    ('q', "'")
    """
    return next(key.shown.split()[0] for key in table if key.id == action)


def written(keys: str) -> str:
    """Return keys, named as Textual does, as they are written for people.

    >>> written("left_square_bracket,ctrl+u,pageup,G,enter")
    '[ Ctrl-U PgUp G Enter'
    """
    return " ".join(_key(key) for key in keys.split(","))


def _key(key: str) -> str:
    *held, last = key.split("+")
    name = NAMES.get(last, last.capitalize() if len(last) > 1 or held else last)
    return "-".join([*(each.capitalize() for each in held), name])
