"""Commands that only the console knows: files of lines, new commands, leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from lapis_sessions.registry import Argument, Command, Registry
from lapis_tui import scripts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_sessions.registry import Bound
    from lapis_tui.console.defined import Definitions


class Prompt(Protocol):
    """What such a command does something to: a `Shell`."""

    definitions: Definitions
    is_paged: bool
    editing: str
    follows: bool

    def do_all(self, lines: Iterable[str], what: str) -> bool:
        """Do lines in turn; return whether all went well."""
        ...

    def leave(self, *, ask: bool) -> None:
        """Want no more lines."""


def _quit(prompt: Prompt, _bound: Bound) -> str:
    prompt.leave(ask=True)
    return ""


def _quit_at_once(prompt: Prompt, _bound: Bound) -> str:
    prompt.leave(ask=False)
    return ""


def _source(prompt: Prompt, bound: Bound) -> str:
    path = bound.word("file")
    prompt.do_all(scripts.script(path), path)
    return ""


def _define(prompt: Prompt, bound: Bound) -> str:
    if "name" in bound:
        prompt.definitions.begin(bound.word("name"))
        return ""
    made = prompt.definitions.made
    texts = ["\n  ".join([f"define {name}", *lines]) for name, lines in made.items()]
    return "\n".join(f"{text}\nend" for text in texts) or "nothing is defined"


def _undefine(prompt: Prompt, bound: Bound) -> str:
    name = bound.word("name")
    gone = prompt.definitions.made.pop(name, None)
    return f"there was no {name}" if gone is None else f"{name} is defined no more"


def _pager(prompt: Prompt, bound: Bound) -> str:
    if "how" in bound:
        prompt.is_paged = bound.word("how") == "on"
    return f"long results are shown {'in a pager' if prompt.is_paged else 'at once'}"


def _editing(prompt: Prompt, bound: Bound) -> str:
    if "how" in bound:
        prompt.editing = bound.word("how")
    return f"lines are edited as in {prompt.editing}"


def _follow(prompt: Prompt, bound: Bound) -> str:
    if "how" in bound:
        prompt.follows = bound.word("how") == "on"
    return f"events are {'shown' if prompt.follows else 'not shown'} as they happen"


def _echo(_prompt: Prompt, bound: Bound) -> str:
    return bound.word("text")


NAME: Final = Argument("name", "word", required=True)
OWN: Final = Registry((
    Command(
        "source", "do the lines of FILE", "mutating", _source, str,
        (Argument("file", "word", required=True),),
    ),
    Command(
        "define", "make a command NAME of the lines that follow, up to `end`; in them "
        "$arg0 to $arg9 are its words, $argc is their number, $args all of them. "
        "Without a name, list those that were made",
        "read-only", _define, str, (Argument("name", "word"),),
    ),
    Command(
        "undefine", "forget a command that was made", "read-only", _undefine, str,
        (NAME,),
    ),
    Command(
        "pager", "show long results in a pager, or at once", "read-only", _pager, str,
        (Argument("how", "word", choices=("on", "off")),),
    ),
    Command(
        "editing", "edit lines as emacs does, or vi", "read-only", _editing, str,
        (Argument("how", "word", choices=("emacs", "vi")),),
    ),
    Command(
        "follow", "show events as they happen, above the prompt, or do not",
        "read-only", _follow, str, (Argument("how", "word", choices=("on", "off")),),
    ),
    Command(
        "echo", "say TEXT", "read-only", _echo, str,
        (Argument("text", "expression"),),
    ),
    Command(
        "quit", "leave; asks when something is in no recording", "read-only", _quit,
        str, aliases=("q", "exit"),
    ),
    Command(
        "quit!", "leave, whatever is lost", "read-only", _quit_at_once, str,
        aliases=("q!", "exit!"),
    ),
))  # fmt: skip
"""All of them. What `perform` takes is a `Prompt`."""
NAMES: Final = frozenset(OWN.names)


def knows(line: str) -> bool:
    """Tell whether a line is one of these, right or wrong in the rest of it."""
    words = line.split(maxsplit=1)
    return bool(words) and words[0] in NAMES


def listed() -> str:
    """Return a row for each, as `help` lists those of a session."""
    return "\n".join(f"{each.usage:<36} {each.help}" for each in OWN.commands)


def described(name: str) -> str:
    """Return what `help NAME` says of one of them."""
    command = OWN.named(name)
    names = f"\nalso: {', '.join(command.aliases)}" if command.aliases else ""
    return f"{command.usage}\n{command.help}{names}"
