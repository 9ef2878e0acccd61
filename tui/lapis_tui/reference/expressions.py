"""The page of what expressions can speak of."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final, get_args

from lapis_engine.events import Event
from lapis_sessions.exploring import goals
from lapis_sessions.scope import registers
from lapis_sessions.scope.memory import FUNCTIONS
from lapis_sessions.scope.scope import OFFERED
from lapis_sessions.text.operators import FUNCTIONS as OF_VALUES
from lapis_tui.reference.markdown import code, joined, prose, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lapis_sessions.extensions import Explainer

HEAD: Final = """\
# Expressions: names and functions

[Expressions](../expressions.md) says how they are written and where. This lists what
there is to speak of.
"""


def page(explainers: Mapping[str, Explainer]) -> str:
    """Return the page."""
    offered = [(code(name), prose(text)) for name, text in OFFERED.items()]
    functions = [(code(f"{each.name}(...)"), prose(each.text)) for each in FUNCTIONS]
    goal = [(code(name), prose(text)) for name, text in goals.NAMES.items()]
    return joined(
        [
            HEAD,
            "## By examples\n",
            table(("written", "is"), offered),
            "## Functions\n",
            table(("function", "is"), functions),
            f"And of numbers and lists: {', '.join(map(code, OF_VALUES))}.\n",
            "## Registers\n",
            f"{', '.join(map(code, registers.MAKERS))}.\n",
            f"Parts and other names: {', '.join(map(code, registers.ALIASES))}.\n",
            "## Their fields\n",
            table(("register", "fields"), _parts(explainers)),
            "## Of events\n",
            (
                "Behind `catch KIND if`: `event.` and the name of a field; [each "
                "kind](events.md) has its own.\n"
            ),
            f"{', '.join(map(code, _fields()))}.\n",
            "## In conditions of explore and shrink\n",
            table(("name", "is"), goal),
        ]
    )


def _parts(explainers: Mapping[str, Explainer]) -> Iterator[tuple[str, str]]:
    """Yield what `explain` knows of a value, as it is typed."""
    for name, it in explainers.items():
        parts = dict.fromkeys(
            registers.typed(each.name) for each in it.explain(0).fields
        )
        if parts:
            yield code(name), ", ".join(map(code, parts))


def _fields() -> list[str]:
    return sorted({each.name for kind in get_args(Event) for each in fields(kind)})
