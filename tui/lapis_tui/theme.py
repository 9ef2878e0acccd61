"""The look of Lapis: one theme, and the colours of the roles.

Any theme of Textual's can be chosen instead (Ctrl-P, "theme"): the roles refer to its
tokens only.
"""

from __future__ import annotations

from textual.theme import Theme

LAPIS = Theme(
    name="lapis",
    primary="#6f9ceb",
    secondary="#8a93a6",
    accent="#e0af68",
    warning="#e0af68",
    error="#f7768e",
    success="#8fbf7f",
    foreground="#c3cad9",
    background="#11141c",
    surface="#11141c",
    panel="#1a1f2b",
    dark=True,
)
"""Night blue, one warm accent for what has just changed."""

ROLE_CSS = """
LinePane > .line--dim { color: $foreground 38%; }
LinePane > .line--label { color: $secondary; }
LinePane > .line--title { color: $primary; text-style: bold; }
LinePane > .line--strong { text-style: bold; }
LinePane > .line--changed { color: $accent; text-style: bold; }
LinePane > .line--address { color: $secondary; }
LinePane > .line--symbol { color: $primary; }
LinePane > .line--mnemonic { text-style: bold; }
LinePane > .line--here { background: $primary 20%; }
LinePane > .line--cursor { background: $foreground 12%; }
LinePane > .line--rule { color: $foreground 20%; }
LinePane > .line--good { color: $success; }
LinePane > .line--warn { color: $warning; }
LinePane > .line--bad { color: $error; text-style: bold; }
LinePane > .line--held { color: $foreground 60%; }
"""
"""One component class a role."""
