"""The page that a session is exported as: what is on it, and what cannot get there."""

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import msgspec
import pytest
from rigs.hostile import EVIL, is_fit
from rigs.session_files import ANSWERED, DEVICES, GUESTS, Taped

from lapis_engine.events import Exited, InitReceived, Logged, VectorDelivered
from lapis_sessions.recording.export import export
from lapis_sessions.recording.export.report import gathered, markup, staircase
from lapis_sessions.recording.format.schema import Annotation
from lapis_sessions.recording.play.named import Named
from lapis_sessions.recording.play.player import Player
from lapis_sessions.text.visible import visible
from lapis_sessions.views import vectors

VOID = {"meta", "!doctype"}
KNOWN = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "nav", "p", "a",
    "div", "table", "thead", "tbody", "tr", "th", "td", "pre", "svg", "line", "text",
    "rect", "path",
}  # fmt: skip
ATTACK = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"' & $end"


class Page(HTMLParser):
    """A page taken apart; each element that begins must end."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.blocks: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
        elif tag == "pre":
            self.blocks.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._open and self._open[-1] in {"td", "th"}:
            self.rows[-1][-1] += data
        elif self._open and self._open[-1] == "pre":
            self.blocks[-1] += data

    def count(self, tag: str, **attributes: str) -> int:
        wanted = {name.rstrip("_"): each for name, each in attributes.items()}
        return sum(
            name == tag and wanted.items() <= found.items() for name, found in self.tags
        )

    def facts(self) -> dict[str, str]:
        return {row[0]: row[1] for row in self.rows if len(row) == 2}


def made(one: Named) -> Page:
    return Page(b"".join(export.export(one, "html", DEVICES)).decode("utf-8"))


def test_a_page_tells_what_is_asked_of_a_session(taped: Taped) -> None:
    one = taped(["run 5000000", 'annotate "it asks"', *ANSWERED[2:]], cpus=4, seed=77)
    page = made(one)
    facts = page.facts()
    assert facts["profile"] == "sdm"
    assert facts["seed"] == "77"
    assert facts["versions"].startswith(f"Lapis {one.recording.header.lapis}, Unicorn")
    assert page.texts.count("ap-bringup") == 1
    answers = [text for text in page.blocks if text.startswith("vCPU ")]
    assert [text[:19] for text in answers] == [
        f"vCPU {n} does not run"[:19] for n in range(4)
    ]
    assert [row[-1] for row in page.rows].count("it asks") == 1
    asked = [row for row in page.rows if len(row) == 4 and "0xd0000000" in row[2]]
    assert [row[3] for row in asked] == ["user: 0x1234"]
    assert any("device says 0x1234" in text for text in page.blocks)


def test_the_boot_has_a_lane_for_each_processor(taped: Taped) -> None:
    page = made(taped(["run 5000000"], cpus=3))
    (heads,) = [row for row in page.rows if row[-1:] == ["why not"]]
    assert heads[3:6] == ["vCPU 0", "vCPU 1", "vCPU 2"]
    rows = [row for row in page.rows if len(row) == 7 and row is not heads]
    assert ["ICR c4500: vCPU 0 to 1, 2", "INIT", "PEND_INIT", "PEND_INIT"] in [
        row[2:6] for row in rows
    ]
    assert "start 0x8000" in [row[4] for row in rows]
    assert page.count("td", class_="waits") > 0
    assert page.count("td", class_="halted") > 0


def test_what_lints_found_stands_beside_their_pages(taped: Taped) -> None:
    page = made(taped(["run 1000000"], guest=str(GUESTS / "fabric-nesting.bin")))
    assert [row[:2] for row in page.rows if row[0] == "warning"] == [
        ["warning", "icr-busy"]
    ]
    (text,) = [text for text in page.blocks if text.startswith("icr-busy (warning)")]
    assert "How to fix it" in text


def test_every_event_is_on_the_page_while_there_are_few(taped: Taped) -> None:
    one = taped(ANSWERED)
    wanted = [(f"#{e.seq}", e.event.kind) for e in Player(one, DEVICES).events()]
    rows = [row for row in made(one).rows if len(row) == 5 and row[0].startswith("#")]
    assert [(row[0], row[3]) for row in rows] == wanted


# Nothing from elsewhere, and nothing of anybody's.


def test_a_page_fetches_and_runs_nothing(taped: Taped) -> None:
    page = made(taped(ANSWERED))
    assert {tag for tag, _ in page.tags} <= KNOWN
    for _, attributes in page.tags:
        assert not {"src", "srcset", "style", "action"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in page.html
    assert "@import" not in page.html
    (style,) = re.findall(r"<style>(.*?)</style>", page.html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [
        found["content"]
        for tag, found in page.tags
        if tag == "meta" and found.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        f"form-action 'none'"
    )
    names = {found["id"] for _, found in page.tags if "id" in found}
    links = {found["href"] for tag, found in page.tags if tag == "a"}
    assert links == {f"#{name}" for name in names}


@pytest.mark.parametrize("text", [ATTACK, EVIL, "\x1b]0;a\x07\u202e\x00", "]]>-->"])
def test_a_text_of_anybodys_is_text(taped: Taped, text: str) -> None:
    one = taped(["run 5000000"], cpus=2)
    head = one.recording.header
    image = msgspec.structs.replace(head.image, name=text)
    symbols = msgspec.structs.replace(image, symbols=[(text, 0x10000)])
    one.recording.header = msgspec.structs.replace(head, image=symbols, append="")
    one.branch.notes.append(Annotation(1, 5, text, text, text))
    page = made(one)
    assert {tag for tag, _ in page.tags} <= KNOWN
    assert is_fit(page.html)
    shown = visible(text)
    assert f"{shown} - {shown} ({shown})" in [row[-1] for row in page.rows if row]


def test_what_a_guest_prints_is_text(taped: Taped) -> None:
    one = taped(["run 200000"], guest=str(GUESTS / "evil-text.bin"))
    page = made(one)
    assert {tag for tag, _ in page.tags} <= KNOWN
    assert is_fit(page.html)


# Bounds, each with what was left out.


def test_a_long_text_is_cut_and_says_by_how_much() -> None:
    text = markup.words("x" * (markup.LONGEST + 1234))
    assert text == "x" * markup.LONGEST + " [1,234 letters more are left out]"
    assert markup.words("<" * markup.LONGEST) == "&lt;" * markup.LONGEST


def test_of_many_notes_the_first_are_shown(taped: Taped) -> None:
    one = taped(["run 10"])
    one.branch.notes.extend(Annotation(1, 10, f"note {n}") for n in range(777))
    page = made(one)
    assert sum(row[-1].startswith("note ") for row in page.rows if row) == 500
    assert "The first 500 of 777; the others are left out." in page.texts


def test_of_many_events_the_last_are_shown(taped: Taped) -> None:
    one = taped(["run 100000"], guest=str(GUESTS / "fabric-tpr.bin"))
    page = made(one)
    total = len(list(Player(one, DEVICES).events()))
    assert total > gathered.STEPS
    steps = re.findall(r"The last 300 of (\d+) of its events", " ".join(page.texts))
    assert steps, page.texts
    assert len(page.html) < 400_000


def stream(count: int) -> Iterator[Logged]:
    for n in range(count):
        yield Logged(n, n, InitReceived(1, "vCPU 0"))


def test_a_stream_of_any_length_is_kept_short() -> None:
    told = gathered.Gathered(64)
    for logged in stream(20_000):
        told.take(logged)
    assert (told.total, len(told.last)) == (20_000, gathered.EVENTS)
    first, last, is_cut = told.moments()
    assert (len(first), len(last), is_cut) == (200, 200, True)
    assert (first[0].seq, last[-1].seq) == (0, 19_999)
    assert (len(told.steps), told.steps_total[1]) == (16, 20_000)


@pytest.mark.parametrize("count", [0, 1, 200, 201, 400, 401])
def test_no_moment_is_lost_or_told_twice(count: int) -> None:
    told = gathered.Gathered(2)
    for logged in stream(count):
        told.take(logged)
    first, last, is_cut = told.moments()
    found = [row.seq for row in [*first, *last]]
    assert found == [n for n in range(count) if count <= 400 or n != 200]
    assert is_cut == (count > 400)


def test_exits_of_one_vcpu_in_a_row_are_one_moment() -> None:
    told = gathered.Gathered(1)
    for n in range(1000):
        told.take(Logged(n, n, Exited(0, "MMIO", "read", 0)))
    assert [row.seq for row in told.moments()[0]] == [999]


def test_a_staircase_has_a_bar_where_a_vector_waits_and_one_where_it_is_served() -> (
    None
):
    """One vector that came before the stretch: it is delivered in its first event."""
    steps = [Logged(0, 0, VectorDelivered(0, 0x31, 0x30))]
    course = vectors.course(steps, (), 0, None)
    page = Page("".join(staircase.picture(course)))
    (bar,) = [found for tag, found in page.tags if tag == "rect"]
    assert bar["class"] == "served"
    assert "vector 0x31: arrived before, in service #0, ended not yet" in page.texts
