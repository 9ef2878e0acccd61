"""Searching memory, against `bytes.find` over all of it, and comparing pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.session_files import digest

from lapis_plugins.host import discover
from lapis_sessions.commands import searching
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from lapis_sessions.session import Session

MEMORY = 4 << 20
FREE = 0x20_0000
"""From here on nothing is in memory."""


@pytest.fixture(scope="module")
def session() -> Session:
    options = SessionOptions("ap-bringup", cpus=1, memory="4M")
    return open_session(options, discover().extensions)


@pytest.fixture
def paged() -> Session:
    """In long mode, with two linear pages that follow each other mapped apart."""
    options = SessionOptions("ap-bringup", cpus=1, memory="4M")
    it = open_session(options, discover().extensions)
    done(it, "run 20000")
    assert done(it, "regs")["mode"] == "long"
    low = 0x30_0000  # PDPT, PD and PT for the upper half, page by page
    for at, value in (
        (0x7_0000 + 8 * 256, low | 3), (low, low + 0x1000 | 3),
        (low + 0x1000, low + 0x2000 | 3), (low + 0x2000, 0x31_0000 | 3),
        (low + 0x2008, 0x32_0000 | 3), (low + 0x2018, 0x33_0000 | 3),
    ):  # fmt: skip
        done(it, f"write-memory {at:#x} {value:#x} --width 8 --physical")
    return it


def done(session: Session, line: str) -> Any:
    outcome = session.execute(line)
    assert outcome.ok, outcome.error
    return outcome.result


def every(needle: bytes, data: bytes) -> list[int]:
    return [n for n in range(len(data)) if data.startswith(needle, n)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([0xA5, 0x5A, 0xC3]), min_size=1, max_size=80),
    st.lists(st.sampled_from([0xA5, 0x5A, 0xC3]), min_size=1, max_size=3),
    st.integers(1, 40),
)
def test_it_finds_what_is_there(
    session: Session, data: list[int], needle: list[int], piece: int
) -> None:
    text, wanted = bytes(data), bytes(needle)
    start = FREE + 0xFF0
    done(session, f"write-memory {FREE + 0xFC0:#x} {bytes(0xA0).hex()}")
    done(session, f"write-memory {start:#x} {text.hex()}")
    before, searching.SLICE = searching.SLICE, piece  # type: ignore[misc]
    try:
        view = done(
            session, f"search memory {wanted.hex()} {start - 9:#x} {len(text) + 9}"
        )
    finally:
        searching.SLICE = before  # type: ignore[misc]
    assert [each["address"] - start for each in view["found"]] == every(wanted, text)
    assert view["searched"] == len(text) + 9


def test_a_text_is_found_in_all_memory(session: Session) -> None:
    memory = session.machine.read_physical(0, MEMORY)
    for line in ("search memory 'Lapis'", 'search "Lapis" 0', "search 4c61706973"):
        view = done(session, line)
        assert [x["address"] for x in view["found"]] == every(b"Lapis", memory)
    done(session, f"write-memory {FREE + 0x5000:#x} 4c617069730a")
    (found,) = done(session, rf"search 'Lapis\n' {FREE:#x} --physical")["found"]
    assert found == {"address": FREE + 0x5000}


def test_linear_pages_are_searched_as_they_follow_each_other(paged: Session) -> None:
    upper = 0xFFFF_8000_0000_0000
    done(paged, "write-memory 0x310ffd aabbcc --physical")
    done(paged, "write-memory 0x320000 ddee --physical")
    view = done(paged, f"search aabbccddee {upper:#x}")
    assert [each["address"] for each in view["found"]] == [upper + 0xFFD]
    # There are three pages, and nothing where the third would be.
    assert view["searched"] == 3 * 0x1000
    done(paged, "write-memory 0x320ffe aabb --physical")
    done(paged, "write-memory 0x330000 ccddee --physical")
    view = done(paged, f"search aabbccddee {upper:#x}")
    assert [each["address"] for each in view["found"]] == [upper + 0xFFD]
    assert done(paged, "search aabbccddee --physical")["found"] == []


def test_it_can_be_broken_off_and_has_an_end(session: Session) -> None:
    asked = []

    def pace(left: int) -> int:
        asked.append(left)
        return len(asked) < 3

    outcome = session.execute("search 123456789a", pace=pace)
    assert outcome.ok
    assert outcome.result["ends"] == f"broken off at {2 * searching.SLICE:#x}"
    view = done(session, "search 00")
    assert (len(view["found"]), view["ends"]) == (1000, "1000 are the most")


def test_bytes_that_differ_are_shown_in_runs(session: Session) -> None:
    done(session, f"write-memory {FREE:#x} 0102030405060708")
    done(session, f"write-memory {FREE + 0x100:#x} 01ff03040a0b0708")
    view = done(session, f"compare {FREE:#x} {FREE + 0x100:#x} 8")
    assert view["runs"] == [
        {"offset": 1, "first": "02", "second": "ff"},
        {"offset": 4, "first": "0506", "second": "0a0b"},
    ]
    assert view["differing"] == 3
    assert session.execute(f"compare {FREE:#x} {FREE:#x} 64 --physical").text == (
        "64 bytes, all alike"
    )


def test_a_piece_is_compared_with_what_it_was() -> None:
    it = open_session(SessionOptions("ap-bringup", cpus=2), discover().extensions)
    done(it, "run 40")
    done(it, "checkpoint before")
    before = it.machine.read_physical(0x7_0000, 64)
    done(it, "run 8000")
    assert it.machine.read_physical(0x7_0020, 2) == before[0x20:0x22] == bytes(2)
    done(it, "write-memory 0x70020 0102 --physical")
    here = digest(it)
    for point in ("before", "40", "50%", "start"):
        view = done(it, f"compare 0x70000 64 --at {point} --physical")
        assert {"offset": 0x20, "first": "0102", "second": "0000"} in view["runs"]
        assert digest(it) == here
    assert [each["name"] for each in done(it, "branches")] == ["main"]
    assert "--at it is FIRST SIZE" in it.execute("compare 0 0 4 --at start").error
    assert "needs SIZE" in it.execute("compare 0 4").error
    assert not it.execute("compare 0 4 --at nowhere").ok
    assert digest(it) == here


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("search memory", "needs BYTES"),
        ("search memory 123", "two hex digits"),
        ("search memory ''", "0 bytes: 1 to 4096"),
        ("search memory 90 nowhere", "nowhere"),
        ("search memory 90 0 0", "size 0"),
        ("search memory 90 0 1 2", "'2' is too much"),
        ("compare 0 0x1000 0", "0 bytes"),
        ("compare 0 0x400000 16", "no RAM or ROM"),
    ],
)
def test_what_is_wrong_is_said(session: Session, line: str, said: str) -> None:
    outcome = session.execute(line)
    assert not outcome.ok
    assert said in outcome.error
