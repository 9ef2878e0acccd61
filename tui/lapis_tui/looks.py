"""The application's looks: its theme, and what keeps the terminal whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from lapis_tui.filter import IN_ASCII, VISIBLE
from lapis_tui.theme import DEFAULT, TERMINAL, THEMES
from lapis_tui.travels import TravelsApp
from lapis_tui.worn import Worn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.filter import LineFilter

    from lapis_sessions.session import Session
    from lapis_tui.ending import Ending
    from lapis_tui.kept import Kept


class LooksApp(TravelsApp):
    """An application with themes."""

    def __init__(
        self,
        session: Session,
        ending: Ending | None = None,
        kept: Kept | None = None,
        worn: Worn | None = None,
    ) -> None:
        """Put on what is `worn`, or the theme that was kept; `session` is shown."""
        super().__init__(session, ending, kept)
        worn = worn if worn is not None else Worn()
        self._is_ascii = worn.is_ascii
        for name in (*self.available_themes, *THEMES):
            if name in THEMES:
                self.register_theme(THEMES[name])
            else:
                self.unregister_theme(name)
        self.set_reactive(
            App.theme, self._fit(worn.theme or self.kept.theme or worn.otherwise)
        )
        self.stylesheet.set_variables(self.get_css_variables())
        self._refresh_truecolor_filter(self.ansi_theme)  # as a theme's change does

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
        ours = [VISIBLE, IN_ASCII] if self._is_ascii else [VISIBLE]
        return [*super().get_line_filters(), *ours]
