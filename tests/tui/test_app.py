"""The whole application, driven by keys."""

from __future__ import annotations

from time import monotonic

import pytest
from rigs.screens import Driver, bringup, drive, spin
from textual.widgets import Input

from lapis_tui.panes.command import CommandInput
from lapis_tui.panes.pending import AnswerField
from lapis_tui.screens.sheet import SheetScreen

SIZES = [(80, 24), (80, 25), (100, 30), (120, 40), (200, 60)]


def test_s_steps_the_selected_vcpu_and_marks_what_changed() -> None:
    async def play(it: Driver) -> None:
        await it.press("s", "s", "s")  # cli; cld; mov ax, cs
        before = it.view.vcpu.rip
        await it.press("s")  # mov ds, ax
        assert it.view.vcpu.rip == before + 2 == 6
        assert "eip*00000006" in it.text
        assert "ds *1000" in it.text
        assert "eax 00001000" in it.text
        assert it.view.now.vcpus[1].retired == 0

    drive(bringup(), play)


def test_a_vcpu_that_cannot_run_answers_with_the_reason_and_nothing_moves() -> None:
    async def play(it: Driver) -> None:
        before = it.view.now
        await it.press("n", "s")
        assert "vCPU 1 cannot be stepped: it was never started" in it.rows[-2]
        assert it.rows[-2].startswith(" ! ")
        assert it.view.selected == 1
        assert it.view.now.now == before.now
        assert it.view.now.vcpus[0].rip == before.vcpus[0].rip

    drive(bringup(), play)


def test_c_runs_to_the_pending_read_and_a_answers_it() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        assert [r.address for r in it.view.now.pending] == [0xD000_0000]
        assert "reads dword at 0xd0000000" in it.text
        assert "exit on vCPU 0: read 4 bytes at 0xd0000000" in it.rows[-2]
        await it.press("a")
        assert isinstance(it.app.focused, AnswerField)
        await it.type("0x1234")
        await it.press("enter")
        assert it.view.now.pending == ()
        assert it.app.focused is not None
        assert it.app.focused.id == "vcpus"
        await it.press("c")
        assert {v.state for v in it.view.now.vcpus} == {"halted"}
        assert "device says 0x1234" in it.text

    drive(bringup(), play)


def test_an_answer_that_does_not_fit_says_so_and_the_request_stays() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.press("a")
        await it.type("0x123456789")
        await it.press("enter")
        assert "0x123456789 is too wide: 4 bytes, 0xffffffff at most" in it.rows[-1]
        assert len(it.view.now.pending) == 1
        field = it.app.focused
        assert isinstance(field, AnswerField)
        assert field.value == "0x123456789"

    drive(bringup(), play)


def test_a_and_d_without_a_request_say_that_nothing_is_pending() -> None:
    async def play(it: Driver) -> None:
        for key in "ad":
            await it.press(key)
            assert "nothing is pending" in it.rows[-2]

    drive(bringup(), play)


def test_a_goes_to_the_vcpu_that_waits() -> None:
    async def play(it: Driver) -> None:
        await it.press("c", "n", "a")
        assert it.view.selected == 0
        assert isinstance(it.app.focused, AnswerField)

    drive(bringup(), play)


def test_d_discards_and_the_instruction_asks_again() -> None:
    async def play(it: Driver) -> None:
        await it.press("c", "d")
        assert it.view.now.pending == ()
        await it.press("c")
        assert len(it.view.now.pending) == 1

    drive(bringup(), play)


def test_i_builds_an_ipi_shows_it_decoded_and_sends_it() -> None:
    async def play(it: Driver) -> None:
        await it.press("c", "n", "i")
        assert "ipi fixed 0x31 --to 1 --from 0" in it.text
        await it.press("right", "right", "right", "right", "right")
        assert "[sipi]" in it.text
        assert "STARTUP vector 0x08 (start 0x8000)" in it.text
        await it.press("left", "left", "left", "left", "left")
        await it.press("tab", *"0x41")
        assert "FIXED vector 0x41" in it.text
        await it.press("enter")
        assert it.view.now.vcpus[1].apic.irr == (0x41,)
        assert "*41" in it.text
        assert "ipi fixed 0x41 --to 1 --from 0" in it.text

    drive(bringup(), play)


def test_letters_are_not_commands_while_a_form_is_open() -> None:
    async def play(it: Driver) -> None:
        await it.press("i", "s", "c", "n")
        assert it.view.now.now == 0
        assert it.view.selected == 0
        await it.press("escape", "f1", "s", "c")
        assert it.view.now.now == 0

    drive(bringup(), play)


def test_text_selected_by_the_mouse_is_copied() -> None:
    async def play(it: Driver) -> None:
        await it.pilot.mouse_down("#vcpus", offset=(1, 1))
        await it.pilot.hover("#vcpus", offset=(12, 1))
        await it.pilot.mouse_up("#vcpus", offset=(12, 1))
        await it.press("ctrl+c")
        assert it.app.clipboard == "eax 00000000"
        assert it.rows[-2] == " copied"

    drive(bringup(), play)


def test_a_long_result_is_shown_from_its_first_row() -> None:
    async def play(it: Driver) -> None:
        await it.command("help")
        assert isinstance(it.app.screen, SheetScreen)
        assert it.rows[0].strip(" ━") == "help"
        assert it.rows[1].startswith(" run [COUNT]")
        await it.press("G")
        assert "run [COUNT]" not in it.text
        await it.press("slash", *"quantum", "enter")
        assert "quantum [COUNT]" in it.text
        await it.press("escape")
        assert " : help" in it.text

    drive(bringup(), play)


def test_the_newest_event_is_in_view_again_when_something_happens() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        assert "exit MMIO" in it.text
        await it.go("events")
        await it.press("g")
        assert "     0        0.007" in it.text or "real -> protected" in it.text
        assert "exit MMIO" not in it.text
        await it.press("d")
        assert "DISCARD_INSTR" in it.text

    drive(bringup(), play)


def test_the_form_for_an_ipi_says_what_is_wrong_and_escape_sends_nothing() -> None:
    async def play(it: Driver) -> None:
        await it.press("i", "tab", "x")
        assert "vector 'x' is not a number" in it.text
        await it.press("escape")
        assert it.view.now.events_total == 0
        assert "ipi" not in it.rows[-2]

    drive(bringup(), play)


def test_ctrl_c_breaks_an_endless_guest_soon() -> None:
    async def play(it: Driver) -> None:
        it.key("c")
        await it.until(lambda: it.view.running and it.view.now.now > 1_000_000)
        await it.until(lambda: "running" in it.rows[0] and "Ctrl-C" in it.rows[-1])
        start = monotonic()
        it.key("ctrl+c")
        await it.until(lambda: it.app.idle)
        assert monotonic() - start < 0.5  # 50 ms, on a machine that may be busy
        await it.pilot.pause()
        assert not it.view.running
        assert "broken off" in it.rows[-2]
        at = it.view.now.now
        await it.press("s")
        assert it.view.now.now == at + 1

    drive(spin(), play)


def test_ctrl_c_at_once_after_c_breaks_too() -> None:
    async def play(it: Driver) -> None:
        it.key("c")
        it.key("ctrl+c")
        await it.until(lambda: it.app.idle)
        assert not it.view.running

    drive(spin(), play)


def test_what_is_asked_of_a_running_guest_is_refused_with_the_remedy() -> None:
    async def play(it: Driver) -> None:
        it.key("c")
        await it.until(lambda: it.view.running)
        it.key("s")
        await it.until(lambda: "Ctrl-C breaks in first" in it.rows[-2])

    drive(spin(), play)


def test_ctrl_c_copies_what_is_selected_before_it_breaks() -> None:
    async def play(it: Driver) -> None:
        await it.pilot.press(":")
        await it.type("regs")
        it.app.query_one(CommandInput).select_all()
        await it.press("ctrl+c")
        assert it.app.clipboard == "regs"
        await it.press("escape", "ctrl+c")
        assert "the guest does not run; q quits" in it.rows[-2]

    drive(bringup(), play)


def test_quitting_stops_a_running_guest() -> None:
    async def play(it: Driver) -> None:
        it.key("c")
        await it.until(lambda: it.view.running)
        it.key("q")

    drive(spin(), play)


def test_q_on_the_command_line_quits_too() -> None:
    async def play(it: Driver) -> None:
        await it.pilot.press(":", "q", "enter")
        await it.until(lambda: it.app._exit)

    drive(bringup(), play)


def test_b_sets_a_breakpoint_at_the_cursor_and_takes_it_away() -> None:
    async def play(it: Driver) -> None:
        await it.press("down", "down", "b")
        assert it.view.now.breakpoints == (0x10002,)
        assert "breakpoints: 0x10002" in it.rows[-2]
        await it.press("c")
        assert it.view.vcpu.rip == 2
        assert ">*00010002" in it.text
        await it.press("b")
        assert not it.view.now.breakpoints

    drive(bringup(), play)


def test_the_command_line_does_commands_and_remembers_them() -> None:
    async def play(it: Driver) -> None:
        await it.command("step 3")
        assert it.view.vcpu.retired == 3
        await it.command("explain icr 0xC4500")
        assert "INIT, physical, assert, edge, all excluding self" in it.text
        await it.press("escape")  # the sheet
        await it.pilot.press(":", "up", "up")
        assert it.app.query_one(CommandInput).value == "step 3"
        await it.pilot.press("down", "down")
        assert it.app.query_one(CommandInput).value == ""
        await it.press("escape")
        assert not isinstance(it.app.focused, Input)

    drive(bringup(), play)


def test_an_unknown_command_is_refused_with_the_nearest_one() -> None:
    async def play(it: Driver) -> None:
        await it.command("stpe")
        assert "did you mean step?" in it.rows[-1]
        assert it.view.now.now == 0

    drive(bringup(), play)


def test_tab_completes_commands_and_arguments() -> None:
    async def play(it: Driver) -> None:
        field = it.app.query_one(CommandInput)
        await it.pilot.press(":", *"expl", "tab")
        assert field.value == "explain "
        await it.pilot.press(*"ic", "tab")
        assert field.value == "explain icr "
        field.value = "vc"
        await it.pilot.press("tab")
        await it.pilot.pause()
        assert field.value == "vcpu"
        assert "vcpus" in it.rows[-1]
        await it.press("escape")

    drive(bringup(), play)


def test_n_and_p_turn_round_and_a_click_selects() -> None:
    async def play(it: Driver) -> None:
        await it.press("n")
        assert it.view.selected == 1
        await it.press("n")
        assert it.view.selected == 0
        await it.press("p")
        assert it.view.selected == 1
        await it.pilot.click("#vcpus", offset=(5, 3))
        await it.pilot.pause()
        assert it.view.selected == 0

    drive(bringup(), play)


@pytest.mark.parametrize("key", ["f1", "question_mark"])
def test_help_lists_every_key_and_every_command(key: str) -> None:
    async def play(it: Driver) -> None:
        await it.press(key)
        seen = ""
        for _ in range(24):
            seen += it.text
            await it.press("pagedown")
        assert "build and send an IPI, INIT or SIPI" in seen
        for command in it.app.session_topics:
            assert command[0][:40] in seen
        await it.press("escape")
        assert "local APICs" in it.text

    drive(bringup(), play)


def test_help_stays_open_while_the_guest_runs() -> None:
    async def play(it: Driver) -> None:
        it.key("c")
        await it.until(lambda: it.view.running)
        it.key("f1")
        at = it.view.now.now
        await it.until(lambda: it.view.now.now > at)
        it.key("ctrl+c")
        await it.until(lambda: it.app.idle)
        assert "─ help ─" in it.text

    drive(spin(), play)


def test_the_palette_does_a_command() -> None:
    async def play(it: Driver) -> None:
        await it.pilot.press("ctrl+p", *"profiles")
        await it.until(lambda: "list the profiles" in it.text)
        await it.press("enter")
        await it.until(lambda: isinstance(it.app.screen, SheetScreen))
        assert "sdm" in "".join(it.rows[:12])

    drive(bringup(), play)


def test_a_pane_goes_from_whole_screen_to_whole_screen() -> None:
    async def play(it: Driver) -> None:
        await it.go("apics")
        await it.press("z")
        await it.go("console")
        assert "class 0123456789abcdef" not in it.text
        assert "guest console" in it.text
        await it.press(":")
        await it.type("step")
        await it.press("enter")
        assert it.app.focused is not None
        assert it.app.focused.id == "console"
        await it.press("escape")
        assert "class 0123456789abcdef" in it.text

    drive(bringup(), play)


def test_a_resize_shares_the_screen_out_anew() -> None:
    async def play(it: Driver) -> None:
        await it.pilot.resize_terminal(80, 25)
        await it.pilot.pause()
        assert len(it.rows) == 25
        assert "[0 ● running]" in it.rows[2]
        await it.pilot.resize_terminal(200, 60)
        await it.pilot.pause()
        assert "vCPU 1" in it.rows[2]

    drive(bringup(), play)


def test_z_gives_a_pane_the_whole_screen_and_back() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.go("events")
        await it.press("z")
        assert "local APICs" not in it.text
        assert "protected -> compat mode" in it.text
        await it.press("z")
        assert "local APICs" in it.text

    drive(bringup(), play)


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_everything_has_its_place_at_every_size(size: tuple[int, int]) -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        rows = it.rows
        assert len(rows) == size[1]
        assert all(len(row) <= size[0] for row in rows)
        assert "vCPU 0" in it.text
        assert "rip*0000000000010185" in it.text
        assert "> 00010185" in it.text or "> 010185" in it.text
        assert "PPR " in it.text
        assert "reads dword at 0xd0000000" in it.text
        assert "exit MMIO: read 4 bytes" in it.text
        assert "pending 1" in rows[0]
        assert "sdm" in rows[0]
        assert "s step" in rows[-1]

    drive(bringup(), play, size)


def test_a_narrow_screen_shows_one_vcpu_and_names_all() -> None:
    async def play(it: Driver) -> None:
        assert "[0 ● running] 1 . never-started" in it.rows[2]
        await it.press("n")
        assert "0 ● running [1 . never-started]" in it.rows[2]
        assert "vCPU 1" in it.rows[3]
        await it.go("results")
        assert "─commands" in it.text.replace("━", "─")
        assert "─events" not in it.text.replace("━", "─")

    drive(bringup(), play, (80, 25))


def test_two_hundred_columns_show_four_vcpus() -> None:
    async def play(it: Driver) -> None:
        assert all(f"vCPU {n}" in it.rows[2] for n in range(4))

    drive(bringup(cpus=4), play, (200, 60))


def test_without_colour_the_same_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def play(it: Driver) -> None:
        await it.press("s")
        assert "eip*00000001" in it.text
        assert ">vCPU 0" in it.text
        strips = it.app.screen._compositor.render_strips()
        filters = it.app._filters
        assert any(type(each).__name__ == "NoColor" for each in filters)
        assert strips

    drive(bringup(), play)


def test_a_worker_that_fails_says_so_and_the_screen_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = bringup()

    async def play(it: Driver) -> None:
        def fail(*_args: object, **_more: object) -> None:
            raise RuntimeError("out of luck")

        monkeypatch.setattr(session, "execute", fail)
        await it.pilot.press("s")
        await it.until(lambda: "out of luck" in it.rows[-2])
        assert "the session failed: RuntimeError: out of luck" in it.rows[-2]

    drive(session, play)
