"""What a file says of itself is never said again raw: each refusal is one line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rigs import framing
from rigs.framing import BEGIN, chunk, nmi, written
from rigs.hostile import EVIL, is_fit

from lapis_engine.errors import LapisError
from lapis_plugins.host import discover
from lapis_sessions import draft, regular
from lapis_sessions.recording import view
from lapis_sessions.recording.edit import merge
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.format.schema import HashRow
from lapis_sessions.recording.play import named, place, replaying

if TYPE_CHECKING:
    from collections.abc import Callable

BAD = EVIL[:190]
"""As long as a name may be; the line that it would forge is at its beginning."""
LONG = 700
"""Letters of a refusal at most, beside the name of the file."""
FORK = chunk(b"FORK", [BAD, "main", []])
RUN = ["run", {}, 5, 0, 5, "budget"]


@pytest.fixture(scope="module")
def head() -> list[Any]:
    return framing.header()


def act(verb: str = "inject_nmi", args: Any = None, reason: str = "") -> bytes:
    row = [verb, {"number": 0} if args is None else args, 0, 0, 0, reason]
    return chunk(b"ACTS", [row])


REFUSED: dict[str, list[bytes]] = {
    "a fork of what is not there": [FORK, chunk(b"FORK", ["b", f"{EVIL}?", []])],
    "a fork that is there": [FORK, FORK],
    "a fork without a name": [chunk(b"FORK", ["", "main", []])],
    "a fork with a long name": [chunk(b"FORK", [EVIL * 9, "main", []])],
    "a turn": [FORK, chunk(b"TURN", [f"{EVIL}?"])],
    "a hash": [FORK, chunk(b"hash", [3, 0, "00"])],
    "a checkpoint": [FORK, chunk(b"CKPT", [3, 0, BAD, {BAD: BAD}])],
    "a note": [FORK, chunk(b"note", [3, 0, EVIL])],
    "a long digest": [chunk(b"hash", [0, 0, EVIL * 9])],
    "a verb": [act(EVIL)],
    "an argument": [act(args={EVIL: 1})],
    "a value": [act(args={"number": EVIL})],
    "a reason": [act(reason=EVIL)],
    "a long reason": [act(EVIL, reason=EVIL * 9)],
    "a long argument": [act(EVIL, args={"a": EVIL * 999})],
    "a run with a limit": [act("run", {"limit": 5, EVIL: EVIL}, "budget")],
    "an act before it began": [FORK, chunk(b"ACTS", [RUN, nmi()])],
    "a kind of chunk": [chunk(b"A\x1b[J", 0)],
    "bytes that are no text": [chunk(b"TURN", b"\x91\xa3\x1b\xff\n")],
}


def told(path: str) -> str:
    """Return what is said of a file that is refused, without its name."""
    with pytest.raises(LapisError) as caught:
        reader.read(path)
    return str(caught.value).replace(repr(path), "FILE")


def assert_told(text: str) -> None:
    assert is_fit(text), text
    assert "\n" not in text
    assert "\t" not in text
    assert len(text) < LONG


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_shows_what_it_names(
    what: str, head: list[Any], tmp_path: Path
) -> None:
    assert_told(told(written(tmp_path / "x.lapis", head, *REFUSED[what])))


def test_a_file_that_begins_with_no_header_shows_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "x.lapis"
    path.write_bytes(BEGIN + chunk(b"a\x1b[J", 0))
    assert_told(told(str(path)))


def bent(head: list[Any], at: int, value: Any) -> list[Any]:
    return [*head[:at], value, *head[at + 1 :]]


HEADERS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "memory": lambda head: bent(head, 3, BAD),
    "profile and a switch": lambda head: bent(bent(head, 4, BAD), 5, {BAD: True}),
    "the value of a switch": lambda head: bent(head, 5, head[5] | {"max_vcpus": EVIL}),
    "ports": lambda head: bent(head, 7, BAD),
    "firmware": lambda head: bent(head, 9, True),
    "an image by reference": lambda head: bent(
        head, 10, [EVIL, BAD, True, [], None]
    ),
    "a long image": lambda head: bent(
        head, 10, ["x" * 60000, BAD, True, [], None]
    ),
    "an image": lambda head: bent(head, 10, [EVIL, BAD, False, [], b"x"]),
    "a device": lambda head: bent(head, 11, [*head[11], BAD]),
    "devices": lambda head: bent(head, 11, [BAD + str(n) for n in range(99)]),
    "a lint": lambda head: bent(head, 16, [*head[16], BAD]),
    "the lint of a plug-in": lambda head: bent(
        bent(head, 16, [*head[16], BAD]), 17, {f"lint {BAD}": EVIL}
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HEADERS)
def test_a_machine_that_cannot_be_built_shows_what_it_names(
    what: str, head: list[Any], tmp_path: Path
) -> None:
    path = written(tmp_path / "x.lapis", HEADERS[what](head))
    with pytest.raises(LapisError) as caught:
        replaying.session_of(reader.read(path), discover().extensions)
    assert_told(str(caught.value).replace(repr(path), "FILE"))


def test_a_header_of_names_that_are_too_long_shows_their_beginning(
    head: list[Any], tmp_path: Path
) -> None:
    for at, value in ((5, {EVIL * 9: 1}), (11, [EVIL * 9]), (17, {EVIL * 9: "x"})):
        path = written(tmp_path / "x.lapis", bent(head, at, value))
        assert_told(told(path))


def test_what_is_done_with_a_branch_shows_its_name(
    head: list[Any], tmp_path: Path
) -> None:
    path = written(tmp_path / "x.lapis", head, FORK, act())
    recording = reader.read(path)
    branch = recording.branches[1]
    session = replaying.session_of(recording, discover().extensions)
    refused: list[Callable[[], Any]] = [
        lambda: named.branch_of(recording, f"{EVIL}?"),
        lambda: place.check(branch, "99", "cut"),
        lambda: place.check(branch, "#99", "annotate"),
        lambda: place.check(branch, "act99", "annotate"),
        lambda: session.timeline.named_branch(f"{EVIL}?"),
    ]
    for each in refused:
        with pytest.raises(LapisError) as caught:
            each()
        assert_told(str(caught.value).replace(repr(path), "FILE"))
    branch.hashes.append(HashRow(9, 0, "00"))
    for wrong in (
        lambda: merge.merged(branch),
        lambda: replaying.verify(session, recording),
    ):
        with pytest.raises(LapisError) as caught:
            wrong()
        assert_told(str(caught.value))


def test_a_divergence_shows_what_was_recorded(head: list[Any], tmp_path: Path) -> None:
    for mark in (
        chunk(b"hash", [1, 0, BAD]),
        chunk(b"CKPT", [1, 0, BAD, {BAD: EVIL * 9, EVIL * 9: "x"}]),
    ):
        path = written(tmp_path / "x.lapis", head, FORK, act(), mark)
        recording = reader.read(path)
        session = replaying.session_of(recording, discover().extensions)
        found = replaying.verify(session, recording)
        assert found.divergence is not None
        assert_told(found.divergence.text)
        assert is_fit(view.verdict_text(view.verdict(recording, found)))


def test_long_names_of_files_lose_their_middle(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d" * 200] * 4)
    deep.mkdir(parents=True)
    path = str(deep / f"{'f' * 100}.lapis")
    texts = []
    for refuse in (
        lambda: regular.read(path, 10, "image"),
        lambda: regular.read(str(deep), 10, "image"),
        lambda: draft.look(str(deep), force=True),
        lambda: reader.read(path),
    ):
        with pytest.raises(LapisError) as caught:
            refuse()
        texts.append(str(caught.value))
    Path(path).write_bytes(b"x")
    for again in (
        lambda: draft.look(path, force=False),
        lambda: reader.read(path),
        lambda: regular.read(path, 0, "image"),
    ):
        with pytest.raises(LapisError) as caught:
            again()
        texts.append(str(caught.value))
    for text in texts:
        assert len(text) < 300, text
        assert "ddd...ddd" in text or "ddd...fff" in text
    assert sum(".lapis'" in text for text in texts) == 5
