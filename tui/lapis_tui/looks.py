"""The application's looks: its theme, and what keeps the terminal whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from lapis_tui.filter import VISIBLE
from lapis_tui.theme import DEFAULT, TERMINAL, THEMES
from lapis_tui.travels import TravelsApp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.filter import LineFilter

    from lapis_sessions.session import Session
    from lapis_tui.ending import Ending
    from lapis_tui.kept import Kept


class LooksApp(TravelsApp):
    """An application with themes."""

    def __init__(
        self, session: Session, ending: Ending | None = None, kept: Kept | None = None
    ) -> None:
        """Put on the theme that was kept; without colour there is but one."""
        super().__init__(session, ending, kept)
        for name in (*self.available_themes, *THEMES):
            if name in THEMES:
                self.register_theme(THEMES[name])
            else:
                self.unregister_theme(name)
        self.set_reactive(App.theme, self._fit(self.kept.theme or DEFAULT))
        self.stylesheet.set_variables(self.get_css_variables())

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Know our own names for colours before there is a theme."""
        return THEMES[DEFAULT].variables

    def _fit(self, theme: str) -> str:
        theme = theme if theme in THEMES else DEFAULT
        return TERMINAL if self.no_color else theme

    def wear(self, theme: str) -> str:
        """Put on a theme and keep it; return what is to be said of it."""
        self.kept.wear(theme)
        self.theme = self._fit(theme)
        if self.no_color:
            return f"theme {theme} is kept; NO_COLOR is set, so that nothing has colour"
        return f"theme {theme}"

    def worn(self) -> str:
        """Return which theme is on, and which there are."""
        others = ", ".join(name for name in THEMES if name != self.theme)
        return f"theme {self.theme}; there are {others} as well"

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Let nothing to the terminal that it would obey."""
        return [*super().get_line_filters(), VISIBLE]
