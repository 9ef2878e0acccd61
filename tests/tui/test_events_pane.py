"""The events pane: cursor, search, filter, and what is ahead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.screens import GUESTS, Driver, bringup, drive, look

from lapis_engine.events import (
    Halted,
    InitReceived,
    Logged,
    SipiReceived,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
)
from lapis_engine.explain.events import describe
from lapis_engine.machine.log import KEPT
from lapis_plugins.host import discover
from lapis_sessions.errors import CommandError
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.views import snapshot
from lapis_tui.blocks.event_filter import compiled
from lapis_tui.panes import event_rows
from lapis_tui.panes import events as pane
from lapis_tui.panes.command import CommandInput
from lapis_tui.panes.events import EventsPane
from lapis_tui.past import SPARE, Past
from lapis_tui.view import after


def test_the_cursor_moves_and_enter_goes_there_and_the_future_is_dim() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        last = it.view.now.events_total - 1
        await it.go("events")
        await it.press("up", "up", "up")
        assert it.view.at == last - 3
        assert it.view.now.events_total == last + 1, "the machine did not move"
        await it.press("enter")
        assert it.view.now.events_total == last - 2
        assert [each.seq for each in it.view.ahead] == [last - 2, last - 1, last]
        assert "(has not happened yet)" in it.text
        await it.press("end")
        assert "(has not happened yet)" not in it.text

    drive(bringup(), play, (200, 60))


def test_after_going_on_another_way_nothing_stale_is_shown() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.command("goto #9")
        assert it.view.ahead
        await it.press("F", "s")
        assert not it.view.ahead
        assert "not happened yet" not in it.text
        assert it.view.now.branch == "branch-1"

    drive(bringup(), play, (200, 60))


def test_after_a_fork_the_pane_follows_what_happens_again() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.command("goto 50%")
        await it.press("F", "c")
        assert it.view.now.branch == "branch-1"
        assert "exit MMIO: read 4 bytes at 0xd0000000" in it.text

    drive(bringup(), play, (80, 25))


def test_a_filter_shows_some_and_a_bad_one_stays_with_its_reason() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.go("events")
        await it.press("f")
        await it.type("vcpu:x")
        await it.press("enter")
        assert "'x' is not a number" in it.rows[-1]
        for _ in range(len("vcpu:x")):
            await it.press("backspace")
        await it.type("vcpu:1 deliver,eoi")
        await it.press("enter")
        shown = it.app.query_one(EventsPane)
        assert [each.event.kind for each in shown._rows.everything] == [
            "deliver",
            "eoi",
        ]
        assert "2 of 26: vcpu:1 deliver,eoi" in it.text
        assert it.app.focused is shown
        await it.press("f", "ctrl+u", "enter")
        assert " of 26" not in it.text

    drive(bringup(), play)


def test_a_search_goes_from_hit_to_hit() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.go("events")
        await it.press("slash")
        await it.type("mode")
        await it.press("enter")
        first = it.view.at
        assert it.view.event is not None
        assert it.view.event.event.kind == "mode"
        await it.press("n")
        assert it.view.at != first
        await it.press("N")
        assert it.view.at == first
        await it.press("slash", "ctrl+u")
        await it.type("nonsense")
        await it.press("enter")
        assert "no event has 'nonsense'" in it.text

    drive(bringup(), play)


@pytest.mark.parametrize("size", [(60, 25), (80, 25), (200, 60)])
def test_an_event_longer_than_its_row_is_there_in_full(size: tuple[int, int]) -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.press("7")
        await it.go("events")
        shown = it.app.query_one(EventsPane)
        cut = 0
        for _ in range(it.view.now.events_total - 1):
            logged = it.view.event
            assert logged is not None
            said = " ".join(pane.words(logged).plain.split())
            told = [word for line in shown._told for word in line.plain.split()]
            index = shown._rows.index(shown._cursor)
            line = shown.line_at(index)
            assert line is not None
            if "…" in line.plain:
                cut += 1
                assert told
                assert said.endswith(" ".join(told))
                assert told[0] in line.plain, "from the first word on"
                assert all(line.plain.rstrip() in it.text for line in shown._told)
            else:
                assert not told
            row = index - round(shown.scroll_y)
            assert 0 <= row < shown.size.height - len(shown._told)
            await it.press("up")
        assert cut or size[0] > 80
        assert it.view.event is not None

    drive(bringup(), play, size)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("vcpu:", "filter: vcpu"), ("kind:nope", "no event is 'nope'"),
        ("colour:red", "there is no 'colour:'"), ("!", "stands before a word"),
        ("vector:zz", "filter: vector"),
    ],
)  # fmt: skip
def test_what_no_filter_can_be_is_said(text: str, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        compiled(text)


EVENTS = st.one_of(
    st.builds(VectorAccepted, st.integers(0, 3), st.integers(16, 20), st.booleans(),
              st.sampled_from(["ipi of vCPU 0", "the timer"])),
    st.builds(VectorDelivered, st.integers(0, 3), st.integers(16, 20), st.just(0)),
    st.builds(VectorEnded, st.integers(0, 3), st.integers(16, 20), st.booleans(),
              st.just(0)),
    st.builds(InitReceived, st.integers(0, 3), st.just("vCPU 0")),
    st.builds(SipiReceived, st.integers(0, 3), st.integers(16, 20), st.just("vCPU 0"),
              st.none()),
    st.builds(Halted, st.integers(-1, 3), st.booleans()),
)  # fmt: skip
TERMS = st.sampled_from(
    ["vcpu:1", "!vcpu:2", "vcpu:0,3", "kind:deliver,eoi", "deliver", "!halt", "INIT",
     "vector:0x10", "vector:17,18", "!vector:0x12", "edge", "!vcpu"]
)  # fmt: skip


def slowly(term: str, event: object) -> bool:
    """Tell whether a term holds, by its words alone."""
    if term.startswith("!"):
        return not slowly(term[1:], event)
    kind = {
        VectorAccepted: "accept", VectorDelivered: "deliver", VectorEnded: "eoi",
        InitReceived: "init", SipiReceived: "sipi", Halted: "halt",
    }[type(event)]  # fmt: skip
    name, _, value = term.partition(":")
    if name == "vcpu" and value:
        return str(event.vcpu) in value.split(",")  # type: ignore[attr-defined]
    if name == "vector" and value:
        mine = getattr(event, "vector", None)
        return mine in {int(each, 0) for each in value.split(",")}
    if name == "kind" and value:
        return kind in value.split(",")
    if term in {"deliver", "halt"}:
        return kind == term
    return term.lower() in f"{kind} {describe(event)}".lower()  # type: ignore[arg-type]


@given(
    events=st.lists(EVENTS, max_size=30),
    terms=st.lists(TERMS, max_size=3),
)
def test_a_filter_is_what_its_terms_say(events: list[object], terms: list[str]) -> None:
    wanted = compiled(" ".join(terms))
    for seq, event in enumerate(events):
        logged = Logged(seq, seq, event)  # type: ignore[arg-type]
        expected = all(slowly(term, event) for term in terms)
        assert wanted(logged) is expected, (terms, event)


def test_a_flood_is_sifted_a_part_at_a_time() -> None:
    """A frame looks at no more events than it may, and the end is reached."""
    count = 60_000
    flood = [
        Logged(n, n, VectorDelivered(n % 2, 0x31 + n % 3, 0)) for n in range(count)
    ]
    it = EventsPane()
    assert it._show_only("vcpu:1 vector:0x31") is None
    view = replace(look(bringup()), events=Past(flood))
    frames, is_more = 0, True
    while is_more:
        is_more = it._rows.sift(view)
        frames += 1
        assert it._rows._looked <= frames * event_rows.SIFTED
    assert frames == count // event_rows.SIFTED
    assert len(it._rows) == count // 6


@pytest.mark.parametrize("text", ["[/]", "[/x]", "[@click=app.quit]a"])
def test_what_looks_like_markup_is_searched_for_as_it_is(text: str) -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.go("events")
        await it.press("f")
        it.app.main.query_one(CommandInput).value = text
        await it.press("enter")
        assert f"0 of 26: {text}" in it.text
        await it.press("slash")
        it.app.main.query_one(CommandInput).value = text
        await it.press("enter")
        assert f"no event has {text!r}" in it.text

    drive(bringup(), play)


def test_a_search_looks_at_no_more_in_a_frame_than_a_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = 5 * pane.AT_ONCE
    flood = [Logged(n, n, VectorDelivered(0, 0x31, 0)) for n in range(count)]
    there = 2 * pane.AT_ONCE + 17
    flood[there] = Logged(there, there, Halted(0, interrupts=True))
    it = EventsPane()
    it._view = replace(look(bringup()), at=count - 1, events=Past(flood))
    it._rows.sift(it._view)
    asked: list[tuple[object, ...]] = []
    told: list[object] = []
    monkeypatch.setattr(it, "call_later", lambda *what: asked.append(what))
    monkeypatch.setattr(it, "post_message", told.append)
    it._search("halt")
    frames = 0
    while asked:
        (do, *given_to), *rest = asked
        asked[:] = rest
        do(*given_to)  # type: ignore[operator]
        frames += 1
    assert [message.seq for message in told] == [there]  # type: ignore[attr-defined]
    assert frames == 3


def test_the_cursor_stays_while_the_guest_runs_and_comes_back_at_the_stop() -> None:
    session = bringup()
    first = look(session, "run 12400")
    pointed = replace(first, at=3)
    session.execute("run 12400")
    now = snapshot.take(session)
    assert after(pointed, now, running=True).at == 3
    assert after(pointed, now, running=False).at is None


def test_a_filter_keeps_no_more_than_there_are_events() -> None:
    """However long the guest runs: what the past forgets, the filter does too."""
    it, past = EventsPane(), Past()
    view = replace(look(bringup()), events=past, ahead=())
    assert it._show_only("deliver") is None
    many, seq = 10 * event_rows.SIFTED, 0
    past.generation = it._rows._generation
    for _ in range(10):
        past.add(
            Logged(n, n, VectorDelivered(0, 0x31, 0)) for n in range(seq, seq + many)
        )
        seq += many
        while it._rows.sift(view):
            pass
        assert it._rows.everything[-1].seq == seq - 1
    assert len(it._rows) <= KEPT + SPARE < seq


def test_w_on_an_exception_tells_the_rule_and_the_chain() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.go("events")
        kinds = [logged.event.kind for logged in it.view.events]
        back = len(kinds) - kinds.index("exception") - 1
        await it.press("w")
        assert "the cursor is on no exception" in it.text
        await it.press(*["up"] * back, "w")
        assert "the IDT limit is 0x0" in it.text
        assert "so a shutdown" in it.text
        assert 'SDM Vol. 3A "IDT Descriptors"' in it.text

    options = SessionOptions(guest=str(GUESTS / "triple-fault.bin"), cpus=1)
    drive(open_session(options, discover().extensions), play, (200, 60))
