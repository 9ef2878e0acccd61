"""The lints as rules of SARIF (`reportingDescriptor`, 3.49)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lapis_sessions.plain import Data
    from lapis_sessions.views.lints import LintPage

PROBLEM: Final = {"error": "error", "warning": "warning", "note": "recommendation"}
"""What code scanning calls the severities."""
HEADS: Final = {
    "what": "What it finds",
    "why": "Why it matters",
    "where": "Where it bites",
    "fix": "How to fix it",
}
TAGS: Final = ("lapis", "interrupts")


def rule(page: LintPage) -> Data:
    """Return the rule of a lint."""
    parts = {
        head: words
        for name, head in HEADS.items()
        if (words := getattr(page, name)) is not None
    }
    what = page.what or page.text
    plain = "\n\n".join(f"{head}\n{words}" for head, words in parts.items())
    marked = "\n\n".join(f"**{head}.** {words}" for head, words in parts.items())
    manual = {} if page.why is None else {"manual": page.why}
    plugin = {} if page.plugin is None else {"plugin": page.plugin}
    return {
        "id": page.name,
        "shortDescription": {"text": page.text},
        "fullDescription": {"text": what},
        "help": {"text": plain or page.text, "markdown": marked or page.text},
        "defaultConfiguration": {"level": page.severity},
        "properties": {
            "tags": list(TAGS),
            "precision": "high",
            "problem.severity": PROBLEM[page.severity],
            **manual,
            **plugin,
        },
    }
