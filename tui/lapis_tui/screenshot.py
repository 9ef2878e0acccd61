"""Pictures of the screen and of its panes, as SVG or as text, into a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Region

from lapis_sessions import files
from lapis_sessions.errors import CommandError
from lapis_tui.svg import svg

if TYPE_CHECKING:
    from textual.app import App
    from textual.strip import Strip
    from textual.widget import Widget


def of_screen(app: App[None]) -> list[Strip]:
    """Return the rows of the screen as they are painted now."""
    return app.screen._compositor.render_strips()  # noqa: SLF001 - nothing public does


def of_widget(widget: Widget) -> list[Strip]:
    """Return the rows of a widget, its border included, as they are painted now."""
    return widget.render_lines(Region(0, 0, *widget.region.size))


def drawn(app: App[None], rows: list[Strip], title: str) -> str:
    """Return rows as SVG, in the colours that `app` has on."""
    return svg(rows, _ground(app), app.ansi_theme, title)


def _ground(app: App[None]) -> str:
    ground = app.screen.background_colors[1]
    if ground.ansi is not None or ground.is_transparent:
        return app.ansi_theme.background_color.hex
    return ground.hex.lower()


def plain(rows: list[Strip]) -> str:
    """Return rows as text, without the blanks at their ends."""
    return "".join(f"{row.text.rstrip()}\n" for row in rows)


def write(
    app: App[None], rows: list[Strip], path: str, title: str, *, force: bool
) -> str:
    """Write rows to `path`, by its suffix as SVG or as text; return what to say.

    Raises `CommandError` for another suffix, and `RecordingError` when the file cannot
    be written, or is there already and not to be replaced.
    """
    if path.endswith(".svg"):
        text = drawn(app, rows, title)
    elif path.endswith(".txt"):
        text = plain(rows)
    else:
        raise CommandError(f"{path!r} ends neither in .svg nor in .txt")
    files.write(path, [text.encode()], force=force)
    width = max((row.cell_length for row in rows), default=0)
    return f"{title}, {width}x{len(rows)}: {path}"
