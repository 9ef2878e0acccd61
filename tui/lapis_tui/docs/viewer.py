"""The pages on a terminal: the text, its table of contents, and links that work."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.drivers.linux_driver import LinuxDriver
from textual.widgets import Footer, Markdown, MarkdownViewer
from textual.widgets.markdown import MarkdownBlock, MarkdownTableOfContents

from lapis_sessions.text.visible import visible
from lapis_tui.docs import shelf
from lapis_tui.docs.table_widget import OneTable
from lapis_tui.ending import HANG_UP
from lapis_tui.terminal import Terminal, restorer
from lapis_tui.theme import DEFAULT, TERMINAL, THEMES, recoloured

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path, PurePath

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.driver import Driver
    from textual.screen import Screen

    from lapis_tui.ending import Ending
    from lapis_tui.worn import Worn

WIDE = 100
"""Columns from which on the contents are shown beside the page from the start."""
LOOK_SECONDS = 0.25
"""Between two looks whether somebody wants an end."""


class Text(Markdown):
    """The text of a page, with tables that are drawn at once."""

    BLOCKS: dict[str, type[MarkdownBlock]] = {  # noqa: RUF012 - as its base has it
        **Markdown.BLOCKS, "table_open": OneTable,
    }  # fmt: skip


class Leaves(MarkdownViewer):
    """A page; its links lead to other pages of the shelf, and nowhere else."""

    def compose(self) -> ComposeResult:
        """Show a page beside its contents."""
        text = Text(open_links=False)
        text.can_focus = True
        yield text
        yield MarkdownTableOfContents(text)

    async def go(self, location: str | PurePath) -> None:
        """Go to a page, or to a heading of this one; say where all else would lead."""
        there, _, anchor = str(location).partition("#")
        if not there:
            self.document.goto_anchor(anchor)
            return
        path = (self.navigator.location.parent / there).resolve()
        is_page = path.suffix == ".md" and path.is_relative_to(shelf.folder().resolve())
        if is_page and path.is_file():
            await super().go(f"{path}#{anchor}" if anchor else path)
            if not anchor:
                self.scroll_home(animate=False)
        else:
            place = path if path.is_file() else there
            self.app.notify(visible(f"{place}"), title="not a page")


class Reader(App[None]):
    """Shows the pages until the user leaves."""

    TITLE = "lapis docs"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        ("q", "quit", "leave"),
        ("b", "back", "back"),
        ("f", "forward", "forward"),
        ("t", "contents", "contents"),
        ("g", "command_palette", "go to a page"),
    ]
    CSS = """
    Leaves > MarkdownTableOfContents { width: 34; max-width: 30%; }
    Leaves > Markdown { max-width: 100; }
    """

    def __init__(
        self, page: shelf.DocumentedPage, worn: Worn, ending: Ending | None = None
    ) -> None:
        """Begin with a page; look as `worn` says; leave when `ending` is asked for."""
        super().__init__()
        self._first, self._ending = page, ending
        for name in (*self.available_themes, *THEMES):
            if name in THEMES:
                self.register_theme(recoloured(THEMES[name], worn.config.colours))
            else:
                self.unregister_theme(name)
        wanted = worn.theme or worn.config.theme or worn.otherwise
        known = wanted if wanted in THEMES else DEFAULT
        self.set_reactive(App.theme, TERMINAL if self.no_color else known)
        self.stylesheet.set_variables(self.get_css_variables())
        self._refresh_truecolor_filter(self.ansi_theme)  # as a theme's change does

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Know our own names for colours before there is a theme."""
        return THEMES[DEFAULT].variables

    def get_driver_class(self) -> type[Driver]:
        """Use a terminal that can be closed without harm, where Textual's is used."""
        found = super().get_driver_class()
        return Terminal if found is LinuxDriver else found

    def compose(self) -> ComposeResult:
        """Show a page, and the keys."""
        yield Leaves(open_links=False)
        yield Footer()

    @property
    def leaves(self) -> Leaves:
        """The page that is shown."""
        return self.query_one(Leaves)

    async def on_mount(self) -> None:
        """Show the first page, and begin to look whether somebody wants an end."""
        if self._ending is not None:
            self.set_interval(LOOK_SECONDS, self._look)
        self.leaves.show_table_of_contents = self.size.width >= WIDE
        await self.leaves.go(self._first.path)
        self.leaves.document.focus()

    def _look(self) -> None:
        if self._ending is None:
            return
        if isinstance(self._driver, Terminal) and self._driver.is_gone:
            self._ending.ask(HANG_UP)
        if self._ending.asked:
            self.exit()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002 - Textual's signature
        """Yield every page, for who types its name."""
        for page in shelf.pages():
            yield SystemCommand(page.title, page.name, self._goer(page.path))

    def _goer(self, path: Path) -> Callable[[], Awaitable[None]]:
        async def go() -> None:
            await self.leaves.go(path)

        return go

    async def action_back(self) -> None:
        """Go to the page before."""
        await self.leaves.back()

    async def action_forward(self) -> None:
        """Go to the page after that again."""
        await self.leaves.forward()

    def action_contents(self) -> None:
        """Show the table of contents, or hide it."""
        self.leaves.show_table_of_contents = not self.leaves.show_table_of_contents


def read(page: shelf.DocumentedPage, worn: Worn, ending: Ending) -> int:
    """Show the pages on this terminal; return the exit status."""
    app = Reader(page, worn, ending)
    ending.last = restorer()
    app.run()
    return ending.status if ending.asked else int(bool(app.return_code))
