"""Completion of names, points, files and vectors: every front end asks it."""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING

import pytest

from lapis_plugins.host import discover
from lapis_sessions import completion
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.views import hint, standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lapis_sessions.session import Session


@pytest.fixture
def session() -> Iterator[Session]:
    it = open_session(SessionOptions("ap-bringup"), discover().extensions)
    it.limit = 20_000
    yield it
    it.release()


@pytest.mark.parametrize(
    ("line", "choice"),
    [
        ("print ra", "print rax"),
        ("p $rs", "p $rsp"),
        ("print rax+rb", "print rax+rbx"),
        ("print rax + u3", "print rax + u32("),
        ("print vcpu[1].ap", "print vcpu[1].apic"),
        ("print apic.lvt.ti", "print apic.lvt.timer"),
        ("print rflags.i", "print rflags.if"),
        ("print u32(bsp_m", "print u32(bsp_main"),
        ("print -bsp_m", "print -bsp_main"),
        ("print pi", "print pic"),
        ("set cr", "set cr0"),
        ("set rax = rb", "set rax = rbx"),
        ("break send_i", "break send_init.delay"),
        ("break start if r1", "break start if r10"),
        ("break start ", "break start if"),
        ("mem rs", "mem rsp"),
        ("goto st", "goto start"),
        ("goto be", "goto before"),
        ("disable ", "disable 1"),
        ("commands ", "commands 2"),
    ],
)
def test_a_word_is_completed(session: Session, line: str, choice: str) -> None:
    session.execute("checkpoint before")
    session.execute("break start")
    session.execute("watch 0x500")
    assert choice in completion.complete(session, line)


@pytest.mark.parametrize(
    "begun",
    ["a" * 5000 + "!", "a." * 3000 + "!", "a[1]" * 2000 + "{", "a" * 5000 + "]"],
)
def test_a_long_word_that_ends_in_no_name_is_read_once(
    session: Session, begun: str
) -> None:
    # In all the ways in which it can be cut into names it would be read for ever.
    line = f"print {begun}"
    assert all(each.startswith(line) for each in completion.complete(session, line))


def test_the_vectors_that_wait_are_offered(session: Session) -> None:
    session.execute("set apic[0].svr = 0x1ff")
    session.execute("ipi send fixed 0x41 --to 0")
    session.execute("ipi fixed 0x41 --to 0")
    assert completion.complete(session, "irq why ") == ["irq why 0x41"]


def test_files_are_offered_and_folders_end_with_a_slash(
    session: Session, tmp_path: Path
) -> None:
    (tmp_path / "vmlinux").touch()
    (tmp_path / "vm folder").mkdir()
    (tmp_path / "var").mkdir()
    (tmp_path / ".hidden").touch()
    (tmp_path / "v\x1b[2J").touch()
    found = completion.complete(session, f"symbols load {tmp_path}/")
    assert found == [f"symbols load {tmp_path}/{name}" for name in ("var/", "vmlinux")]
    assert completion.complete(session, f"record start {tmp_path}/no/such") == []
    assert completion.complete(session, "source ~nobody-of-that-name/") == []


def test_to_complete_changes_nothing_and_takes_no_time(session: Session) -> None:
    session.execute("run 5000")
    before = session.execute("digest").result
    for line in (
        "print ", "print vcpu[9].", "print apic[0].", "print pic.", "print msr[0x10].",
        "print " + "a." * 5000, "print " + "[" * 5000, "break " + "x" * 10_000,
        "print u32(0xfee00000).", "mem ioapic.", "print nothing.",
    ):  # fmt: skip
        begun = process_time()
        completion.complete(session, line)
        hint.of(session, line)
        assert process_time() - begun < 0.5, line
    assert session.execute("digest").result == before


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("print 40 + 2", "= 0x2a (42)"),
        ("p/x 42", "= 0x2a"),
        ("break start if 1 == 2", "1 == 2 is false"),
        ("set rax = 6 * 7", "6 * 7 is 0x2a"),
        ("dd rsp L4", "is x/4xw rsp"),
        ("step", "step [COUNT]"),
        ("print 40 +", "print EXPRESSION"),
        ("nonsense", None),
        ("", None),
    ],
)
def test_a_hint_says_what_a_line_is(
    session: Session, line: str, told: str | None
) -> None:
    found = hint.of(session, line)
    assert found is None if told is None else str(found).startswith(told)


def test_a_session_stands_where_it_is(session: Session) -> None:
    session.execute("run 4850")
    session.execute("goto 4607")
    view = standing.of(session)
    assert standing.history_text(view) == "4,607 / 4,850 on main"
    assert (view.vcpu, view.state, view.mode) == (0, "running", "protected")
    assert (view.pending, view.recording) == (0, None)
