"""The form for an IPI: it stays until it is right, and says what would become of it."""

from __future__ import annotations

import pytest
from rigs.screens import Driver, bringup, drive, look
from textual.widgets import Input

from lapis_tui.blocks.lines import plain
from lapis_tui.panes.base import LinePane
from lapis_tui.screens import inject
from lapis_tui.screens.inject import Form, InjectScreen


def form(it: Driver) -> Form:
    screen = it.app.screen
    assert isinstance(screen, InjectScreen)
    return screen.form


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (Form("fixed", "lots", "1"), "vector"),
        (Form("fixed", "0x131", "1"), "vector"),
        (Form("fixed", "0x05", "1"), "vector"),
        (Form("fixed", "0x31", "x"), "to"),
        (Form("fixed", "0x31", "300"), "to"),
        (Form("fixed", "0x31", "7"), "to"),
        (Form("init", "", "all"), "to"),
        (Form("fixed", "0x31", "1", "9"), "from"),
        (Form("fixed", "0x31", "1", "x"), "from"),
        (Form("raw", "x", ""), "vector"),
        (Form("raw", "0x84500", ""), None),
        (Form("fixed", "0x31", "1"), None),
        (Form("nmi", "lots", "255"), None),
    ],
)
def test_what_is_wrong_is_told_of_the_field_that_is(
    given: Form, field: str | None
) -> None:
    session = bringup()
    found = inject.wrong(given, look(session).now)
    assert (None if found is None else found[0]) == field
    assert session.execute(given.command()).ok == (found is None)


def test_a_wrong_value_keeps_every_field_and_has_its_error_beside_it() -> None:
    async def play(it: Driver) -> None:
        await it.press("c", "i", "right", "tab", *"0", "tab", "end", "backspace", *"77")
        assert form(it) == Form("lowest", "0", "77", "1")
        await it.press("enter")
        assert form(it) == Form("lowest", "0", "77", "1")
        assert isinstance(it.app.focused, Input)
        assert it.app.focused.id == "inject-vector"
        assert "! vector 0x00 is illegal" in _row(it, "vector")
        await it.press(*"0x31", "enter")
        assert it.app.focused.id == "inject-to"
        assert "! no APIC has id 77" in _row(it, "to")
        await it.press("end", "backspace", "backspace", *"1", "enter")
        assert it.app.screen is it.app.main
        assert it.view.now.vcpus[1].apic.irr == (0x31,)

    drive(bringup(), play, (80, 25))


def test_a_dry_run_stands_on_the_form_and_follows_the_fields() -> None:
    async def play(it: Driver) -> None:
        await it.press("i", "right", "right", "right", "right", "right")
        assert form(it).mode == "sipi"
        await it.press("tab", "tab", "end", "backspace", "1")
        assert "the SIPI is ignored: no INIT came before it" in _flat(it)
        await it.press("escape", "c", "i", "tab", "tab", "end", "backspace", "1")
        assert form(it).to == "1"
        assert "vector 0x31 enters its IRR" in _flat(it)
        assert it.view.now.vcpus[1].apic.irr == ()
        await it.press("backspace", "x")
        assert "vector 0x31 enters its IRR" not in _flat(it)

    drive(bringup(), play, (80, 25))


def test_what_was_sent_last_is_there_again_and_a_chosen_vector_goes_before() -> None:
    async def play(it: Driver) -> None:
        await it.press("c", "i", "tab", "end", "backspace", *"7", "tab", "end")
        await it.press("backspace", *"self", "tab", "end", "backspace", "1", "enter")
        assert it.view.now.vcpus[1].apic.irr == (0x37,)
        await it.press("i")
        assert form(it) == Form("fixed", "0x37", "self", "1")
        await it.press("right", "right", "escape", "i")  # what is not sent is not kept
        assert form(it).mode == "fixed"

    drive(bringup(), play)


def _row(it: Driver, name: str) -> str:
    """The row of a field of the form."""
    rows = [row.partition("│")[2].rpartition("│")[0].strip() for row in it.rows]
    (found,) = (row for row in rows if row.split()[:1] == [name])
    return found


def _flat(it: Driver) -> str:
    """The preview, without its breaks."""
    preview = it.app.screen.query_one("#inject-preview", LinePane)
    return " ".join(plain(preview.lines).split())
