"""The memory pane: a hex dump with a cursor, which goes along with a register.

What it shows is in the picture because it asked for it (`want`); where the cursor is,
it knows by itself, so that keys need not wait for a picture.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_engine.why.pages import PageAccess
from lapis_sessions.text.numerals import shown
from lapis_sessions.views.memory_picture import MemoryPlace, top
from lapis_tui.blocks import addresses, hexdump
from lapis_tui.blocks.hexdump import WIDTHS
from lapis_tui.blocks.memory_window import Window, base, render, typed
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.keys import KeyHint

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType

    from lapis_sessions.views.memory_picture import MemoryPicture
    from lapis_sessions.views.snapshot import Snapshot
    from lapis_sessions.views.wanted import Wanted
    from lapis_tui.view import View


class MemoryPane(LinePane):
    """The hex dump."""

    TITLE = "memory"
    ABOUT = (
        "Memory as the selected vCPU sees it, or by physical address. `*` stands "
        "before what differs from the stop before, `>` before what a register or a "
        "table points to; below is what is under the cursor. Devices are named and "
        "not read. What is typed for e is hex: bytes as in 90 90 c3, or one number "
        "as wide as a cell; a text between quotes is written as it is. It is an act "
        "of the recording, and going back undoes it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "the cell before", show=False),
        Binding("right,l", "move(1)", "the next cell", show=False),
        Binding("up,k", "row(-1)", "a row up", show=False),
        Binding("down,j", "row(1)", "a row down", show=False),
        Binding("ctrl+u,pageup", "page(-1)", "a page up", show=False),
        Binding("ctrl+d,pagedown", "page(1)", "a page down", show=False),
        Binding("home", "end(0)", "the first cell of the row", show=False),
        Binding("end", "end(1)", "the last cell of the row", show=False),
        Binding("g", "go", "go to an address, symbol or register", show=False),
        Binding("r", "along", "go along with a register, or no more", show=False),
        Binding("v", "space", "linear or physical addresses", show=False),
        Binding("w", "width", "bytes of a cell: 1, 2, 4, 8", show=False),
        Binding("e", "edit", "write what is under the cursor", show=False),
        Binding("u", "back", "go back to who wrote this last", show=False),
        Binding("enter", "explain", "what is under the cursor", show=False),
    ]
    hints = (
        KeyHint("e", "e", "edit"), KeyHint("g", "g", "go to"),
        KeyHint("r", "r", "along"), KeyHint("v", "v", "physical"),
        KeyHint("enter", "Enter", "explain"),
    )  # fmt: skip

    def __init__(self) -> None:
        """Begin at the stack, which moves."""
        super().__init__(self.TITLE, id="memory")
        self._view: View | None = None
        self.window = Window(register="rsp")
        self._walked: int | None = None
        """The linear address that the cursor was on last."""
        self._picture: MemoryPicture | None = None
        """The one that was shown last."""
        self._old: MemoryPicture | None = None
        """What is otherwise than in this is marked."""
        self._before: Snapshot | None = None
        """The stop that it is of, or that was followed by what the user wrote."""

    # What is shown.

    def want(self, so_far: Wanted) -> Wanted:
        """Ask for the memory that is in view, and a walk of the cursor's address."""
        return replace(so_far, memory=self.place)

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        now, last = view.now.memory, self._picture
        if view.before is not self._before:
            self._before, self._old = view.before, view.before.memory or last
        elif not view.running and now is not None and last is not None:
            there = replace(_stretch(last.place), cursor=now.place.cursor)
            if there == _stretch(now.place) and now.extents != last.extents:
                self._old = last  # the user wrote there
        self._picture = now
        self._show()

    def on_resize(self) -> None:
        """Show as much as there is room for now."""
        super().on_resize()
        self._show()

    @property
    def place(self) -> MemoryPlace:
        """What is to be in the picture."""
        window = self.window
        size = self._per_row * max(self.extent[1] - 1, 1)
        cursor = window.cursor - window.first
        vcpu = 0 if self._view is None else self._view.selected
        return MemoryPlace(
            vcpu, window.register, window.first, size, window.physical, cursor,
            self._walked if window.physical else None,
        )  # fmt: skip

    @property
    def cursor(self) -> int:
        """The address that the cursor is on."""
        if self._view is None:
            return 0
        vcpu = self._view.vcpu
        last = top(vcpu.regs, physical=self.window.physical)
        return base(self.window, vcpu) + self.window.cursor & last

    @property
    def _per_row(self) -> int:
        first = self.cursor - self.window.cursor + self.window.first
        size = hexdump.PER_ROW * self.extent[1]
        return hexdump.per_row(self.extent[0], hexdump.digits_of(max(first, 0), size))

    def _show(self) -> None:
        view = self._view
        if view is None:
            return
        window = self.window
        space = "physical" if window.physical else f"linear, vCPU {view.selected}"
        along = "" if window.register is None else f", along {window.register}"
        self.call(f"{self.TITLE}  {space}{along}")
        self.draw(partial(render, view, window, self._old))
        picture = view.now.memory
        if picture is None or _stretch(picture.place) != _stretch(self.place):
            self.post_message(self.Turned())

    def _turn(self, window: Window) -> None:
        """Look at another place."""
        if window.physical and not self.window.physical:
            self._walked = self.cursor
        self.window = window
        self._show()

    # Keys.

    def _by(self, cells: int) -> None:
        window = self.window
        cursor = window.cursor - window.cursor % window.width
        if window.register is not None:
            cursor = window.cursor
        self._turn(window.to(cursor + cells, self._per_row, self.extent[1] - 1))

    def action_move(self, by: int) -> None:
        """Go to the next cell, or the one before."""
        self._by(by * self.window.width)

    def action_row(self, by: int) -> None:
        """Go a row up or down."""
        self._by(by * self._per_row)

    def action_page(self, by: int) -> None:
        """Go a page up or down."""
        self._by(by * self._per_row * max(self.extent[1] - 1, 1))

    def action_end(self, which: int) -> None:
        """Go to the first or the last cell of the row."""
        window = self.window
        within = (window.cursor - window.first) % self._per_row
        last = (self._per_row - window.width) * which
        self._by(last - within)

    def action_space(self) -> None:
        """Go on by physical addresses, where the cursor is, or by linear ones."""
        window, picture = self.window, self._view.now.memory if self._view else None
        at = self.cursor
        if not window.physical and picture is not None:
            extent = hexdump.extent_at(picture, at)
            if extent is None or extent.gpa is None:
                self.post_message(self.Hint(f"! {at:#x} comes to no physical address"))
                return
            at += extent.gpa - extent.at
        turned = Window(physical=not window.physical, width=window.width)
        self._turn(turned.at(at, self._per_row))

    def action_width(self) -> None:
        """Make the cells wider, or as narrow as they were."""
        width = WIDTHS[(WIDTHS.index(self.window.width) + 1) % len(WIDTHS)]
        self._turn(replace(self.window, width=width))

    def action_go(self) -> None:
        """Have an address typed."""
        self.post_message(self.Asked("go to: ", "", self._go))

    def _go(self, text: str) -> str | None:
        view = self._view
        if view is None or not text:
            return None
        found = addresses.entered(text, view.vcpu, view.now.symbols)
        if isinstance(found, str):
            return found
        physical = self.window.physical if found.physical is None else found.physical
        last = top(view.vcpu.regs, physical=physical)
        if not 0 <= found.value <= last:
            return f"{found.value:#x} is no address: {last:#x} is the last"
        self.go_to(found.value, physical=physical)
        return None

    def go_to(self, address: int, *, physical: bool) -> None:
        """Put the cursor at an address."""
        window = Window(physical=physical, width=self.window.width)
        self._turn(window.at(address, self._per_row))

    def action_along(self) -> None:
        """Have a register typed; nothing stays where it is."""
        if self.window.register is not None:
            self.go_to(self.cursor, physical=self.window.physical)
            return
        self.post_message(self.Asked("along: ", "rsp", self._along))

    def _along(self, text: str) -> str | None:
        word = text.strip().lower()
        if self._view is None or not word:
            return None
        if addresses.register(word, self._view.vcpu) is None:
            return f"{shown(text)} is no register: rsp, rip, rbx, gdtr ..."
        self._turn(Window(word, physical=word == "cr3", width=self.window.width))
        return None

    def action_edit(self) -> None:
        """Have bytes typed, which are written where the cursor is."""
        self.post_message(self.Asked("hex: ", "", self._edit))

    def _edit(self, text: str) -> str | None:
        if not text:
            return None
        data = typed(text, self.window.width)
        if isinstance(data, str):
            return data
        space = " --physical" if self.window.physical else ""
        line = f"write-memory {self.cursor:#x} {data.hex()}{space}"
        # Later: a message that is made while the screen handles one stops there.
        self.call_later(partial(self._write, line, len(data)))
        return None

    def _write(self, line: str, size: int) -> None:
        self.post_message(self.Wish(line))
        self._by(size)

    def action_back(self) -> None:
        """Go back to the last write to what is under the cursor."""
        if self.window.physical:
            self.post_message(self.Hint("! u wants a linear address: v"))
            return
        self.post_message(self.Wish(f"last-write {self.cursor:#x} {self.window.width}"))

    def action_explain(self) -> None:
        """Tell what is under the cursor."""
        space = " --physical" if self.window.physical else ""
        self.post_message(self.Sheet(f"what {self.cursor:#x}{space}"))

    def on_mouse_scroll_up(self) -> None:
        """Go up by the wheel."""
        self.action_row(-1)

    def on_mouse_scroll_down(self) -> None:
        """Go down by the wheel."""
        self.action_row(1)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse points."""
        view, per_row = self._view, self._per_row
        picture = view.now.memory if view is not None else None
        row = self.row_under(event) + self.scroll_offset.y
        if picture is None or not 0 <= row < self.extent[1] - 1:
            return
        digits = hexdump.digits_of(picture.first, picture.place.size)
        cell = hexdump.cell_at(event.x, digits, self.window.width, per_row)
        if cell is not None:
            cursor = self.window.first + row * per_row + cell
            self._turn(replace(self.window, cursor=cursor))


def _stretch(place: MemoryPlace) -> MemoryPlace:
    """Return a place without what another pane has to say of it."""
    return replace(place, access=PageAccess())
