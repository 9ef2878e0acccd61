"""The application's looks: its theme, pictures, and what keeps the terminal whole."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import App

from lapis_sessions.errors import CommandError
from lapis_tui import layouts, own, palette, screenshot
from lapis_tui.blocks.lines import ROLES
from lapis_tui.filter import IN_ASCII, VISIBLE
from lapis_tui.theme import DEFAULT, ROLE_CSS, TERMINAL, THEMES, recoloured
from lapis_tui.travels import TravelsApp
from lapis_tui.worn import Worn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.filter import LineFilter

    from lapis_sessions.session import Session
    from lapis_tui.ending import Ending
    from lapis_tui.kept import Kept

PAINT_SECONDS: Final = 1.0
"""How long a picture waits for the screen to be painted; it is taken then as it is."""


class LooksApp(TravelsApp):
    """An application with themes."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"line--{role}" for role in ROLES}
    DEFAULT_CSS = ROLE_CSS

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
        self._config = config = worn.config
        self.map_keys(config.keys)
        self.entries = palette.entries(session.registry, own.OWN, keys=config.keys)
        if config.layout is not None:
            self.main.layout_ = layouts.layout_of(config.layout)
        for name in (*self.available_themes, *THEMES):
            if name in THEMES:
                self.register_theme(recoloured(THEMES[name], config.colours))
            else:
                self.unregister_theme(name)
        self.set_reactive(
            App.theme,
            self._fit(worn.theme or config.theme or self.kept.theme or worn.otherwise),
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
        if self._config.theme not in {None, theme}:
            here = self._config.where("theme")
            return f"theme {theme}, this time: {here} says {self._config.theme}"
        return f"theme {theme}"

    def worn(self) -> str:
        """Return which theme is on, and which there are."""
        others = ", ".join(name for name in THEMES if name != self.theme)
        return f"theme {self.theme}; there are {others} as well"

    async def take(self, path: str, pane: str | None, *, force: bool) -> str:
        """Write a picture of the screen, or of a pane in view; "" is that in focus.

        Raises `CommandError` and `RecordingError`.
        """
        name = self.main.focused_name if pane == "" else pane
        if name is not None and name not in self.main.places.boxes:
            raise CommandError(f"export svg: {self._whereabouts(name)}")
        await self._painted()
        if name is None:
            rows, title = screenshot.of_screen(self), "lapis"
        else:
            widget = self.main.query_one(f"#{name}")
            rows, title = screenshot.of_widget(widget), f"lapis {name}"
        return screenshot.write(self, rows, path, title, force=force)

    def _whereabouts(self, pane: str) -> str:
        if not pane:
            return "no pane has the focus; name one"
        layout = layouts.holding(pane, self.main.layout_, *self.size)
        if layout is self.main.layout_:
            jump = self.key_of("jump")
            return f"{pane} is not in view; {jump} goes there, or the key of its layout"
        key = self.key_of(f"layout-{layout.name}")
        return f"{pane} is not in view; {key} shows it"

    async def _painted(self) -> None:
        """Wait until the screen is as it is to be, the field of this command gone."""
        painted = asyncio.Event()
        if self.main.call_after_refresh(painted.set):
            with suppress(TimeoutError):
                async with asyncio.timeout(PAINT_SECONDS):
                    await painted.wait()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Let nothing to the terminal that it would obey."""
        ours = [VISIBLE, IN_ASCII] if self._is_ascii else [VISIBLE]
        return [*super().get_line_filters(), *ours]
