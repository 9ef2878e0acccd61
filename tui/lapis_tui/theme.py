"""The looks of Lapis: four themes, and what each role looks like in them.

The colours of a theme are whole ones: nothing is blended, so that what stands on what
can be reckoned. In those with colours of their own every text has a contrast of 4.5 to
1 at least (WCAG 2.2 "Contrast (Minimum)") to whatever it may stand on, and every rule
3 to 1; also where the terminal has 256 colours only. The fourth takes the terminal's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from textual.theme import BUILTIN_THEMES, Theme

from lapis_tui.config.fields import ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT: Final = "dark"
TERMINAL: Final = "terminal"
"""The theme for terminals of 16 colours or none."""


OWN: Final = ("dim", "held", "rule", "cursor", "here")
"""What we name beside Textual's tokens: `$lapis-dim` and so on."""


def _fixed(name: str, *, dark: bool, **colours: str) -> Theme:
    """Return a theme of fixed colours: those of Textual's tokens, and our own."""
    own = {key: colours.pop(key) for key in OWN}
    ground, text = colours["background"], colours["foreground"]
    rest: dict[str, Any] = colours
    return Theme(
        name=name,
        dark=dark,
        surface=ground,
        accent=colours["warning"],
        variables={
            **{f"lapis-{key}": value for key, value in own.items()},
            "lapis-reverse": "none",
            "lapis-dim-style": "none",
            "text": text,
            "text-muted": own["held"],
            "text-disabled": own["dim"],
            "foreground-muted": own["held"],
            "foreground-disabled": own["dim"],
            "scrollbar": own["rule"],
            "scrollbar-hover": colours["secondary"],
            "scrollbar-active": colours["primary"],
            "scrollbar-background": ground,
            "scrollbar-background-hover": ground,
            "scrollbar-background-active": ground,
            "screen-selection-background": text,
            "screen-selection-foreground": ground,
            "input-selection-background": text,
            "input-selection-foreground": ground,
            "input-cursor-background": text,
            "input-cursor-foreground": ground,
            "block-cursor-background": own["cursor"],
            "block-cursor-foreground": text,
            "block-cursor-blurred-background": own["cursor"],
            "block-cursor-blurred-foreground": text,
            "block-hover-background": own["here"],
        },
        **rest,
    )  # fmt: skip


def recoloured(theme: Theme, given: Mapping[str, Any]) -> Theme:
    """Return a theme with other colours, by role; the terminal's has none to change."""
    if not given or theme.ansi:
        return theme
    own = {role: theme.variables[f"lapis-{role}"] for role in OWN}
    others = {role: getattr(theme, role) for role in ROLES if role not in OWN}
    return _fixed(theme.name, dark=theme.dark, **{**own, **others, **given})


DARK: Final = _fixed(
    "dark", dark=True,
    background="#11141c", panel="#1a1f2b", cursor="#262d3d", here="#1a2a44",
    foreground="#d3d9e6", secondary="#9aa5bd", primary="#7fabf5",
    dim="#8f99ad", held="#b0b8c8", rule="#6f7b94",
    warning="#e8b86d", success="#98c987", error="#ff8c9e",
)  # fmt: skip
"""Night blue, one warm accent for what has just changed."""

LIGHT: Final = _fixed(
    "light", dark=False,
    background="#fbfaf7", panel="#eceae4", cursor="#e2e6ec", here="#dbe8fb",
    foreground="#1f2430", secondary="#465064", primary="#1a4a9c",
    dim="#4a5262", held="#3b4352", rule="#727a88",
    warning="#6d3c00", success="#195a23", error="#a01a30",
)  # fmt: skip
"""Paper and ink."""

CONTRAST: Final = _fixed(
    "high-contrast", dark=True,
    background="#000000", panel="#000000", cursor="#002a52", here="#003000",
    foreground="#ffffff", secondary="#ffffff", primary="#a5dcff",
    dim="#dcdcdc", held="#eeeeee", rule="#b0b0b0",
    warning="#ffe14d", success="#7dff7d", error="#ffc0c0",
)  # fmt: skip
"""Black and white, and few colours: 7 to 1 for all text where there are enough."""

OF_TERMINAL: Final = Theme(
    name=TERMINAL, ansi=True,
    background="ansi_default", surface="ansi_default", panel="ansi_default",
    foreground="ansi_default", primary="ansi_cyan", secondary="ansi_default",
    warning="ansi_yellow", accent="ansi_yellow", success="ansi_green",
    error="ansi_red",
    variables=BUILTIN_THEMES["ansi-dark"].variables
    | {f"lapis-{key}": "ansi_default" for key in OWN}
    | {
        "lapis-reverse": "reverse",
        "lapis-dim-style": "dim",
        "text-muted": "ansi_default",
        "text-disabled": "ansi_default",
        "foreground-muted": "ansi_default",
        "screen-selection-background": "ansi_cyan",
        "screen-selection-foreground": "ansi_black",
        "input-selection-background": "ansi_cyan",
        "input-selection-foreground": "ansi_black",
        "block-cursor-background": "ansi_cyan",
        "block-cursor-foreground": "ansi_black",
    },
)  # fmt: skip
"""The sixteen colours as the terminal has them, on its own ground."""

THEMES: Final[Mapping[str, Theme]] = {
    theme.name: theme for theme in (DARK, LIGHT, CONTRAST, OF_TERMINAL)
}

ROLE_CSS = """
LooksApp > .line--dim { color: $lapis-dim; text-style: $lapis-dim-style; }
LooksApp > .line--label { color: $secondary; }
LooksApp > .line--title { color: $primary; text-style: bold; }
LooksApp > .line--strong { text-style: bold; }
LooksApp > .line--changed { color: $accent; text-style: bold; }
LooksApp > .line--address { color: $secondary; }
LooksApp > .line--symbol { color: $primary; }
LooksApp > .line--mnemonic { text-style: bold; }
LooksApp > .line--here { background: $lapis-here; }
LooksApp > .line--cursor { background: $lapis-cursor; text-style: $lapis-reverse; }
LooksApp > .line--caret { text-style: reverse; }
LooksApp > .line--rule { color: $lapis-rule; text-style: $lapis-dim-style; }
LooksApp > .line--good { color: $success; }
LooksApp > .line--warn { color: $warning; }
LooksApp > .line--bad { color: $error; text-style: bold; }
LooksApp > .line--held { color: $lapis-held; }
"""
"""One component class a role, of the application: Textual works those of a widget out
again whenever the focus comes or goes, and all panes have the same."""
