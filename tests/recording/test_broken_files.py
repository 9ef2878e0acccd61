"""Whole, cut off, damaged and no recording are told apart, by status and in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from lapis_sessions.errors import SessionError
from lapis_sessions.recording.format import chunks, reader
from lapis_tui.cli.main import main
from recording import break_files

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = Path(__file__).parents[1] / "fixtures" / "recordings"
OLD = FOLDER / "schema-1" / "answers.lapis"
NEW = FOLDER / "schema-2" / "answers.lapis"
BOTH = pytest.mark.parametrize("made", [OLD, NEW], ids=["format 1", "format 2"])


def state_of(path: Path, data: bytes) -> int:
    path.write_bytes(data)
    try:
        state = reader.read(str(path)).state
    except SessionError:
        return break_files.UNREADABLE
    return {"whole": 0, "cut off": 3, "damaged": 4}[state]


def all_right(path: Path, files: Iterable[tuple[str, bytes, set[int]]]) -> None:
    wrong = [
        (what, found, right)
        for what, data, right in files
        if (found := state_of(path, data)) not in right
    ]
    assert not wrong, wrong[:9]


@BOTH
def test_a_file_cut_at_any_byte_is_cut_off(made: Path, tmp_path: Path) -> None:
    data = made.read_bytes()
    assert state_of(tmp_path / "x", data) == 0
    all_right(tmp_path / "x", break_files.cuts(data, range(len(data))))


@BOTH
def test_a_file_with_any_byte_changed_is_damaged(made: Path, tmp_path: Path) -> None:
    data = made.read_bytes()
    head = break_files.header_ends(data)
    each = (
        (f"byte {at}", data[:at] + bytes([data[at] ^ by]) + data[at + 1 :], right)
        for at in range(len(data))
        for by in (0x01, 0x80)
        for right in ({break_files.UNREADABLE if at < head else break_files.DAMAGED},)
    )
    all_right(tmp_path / "x", each)


def test_changes_anywhere_by_the_command_itself(tmp_path: Path) -> None:
    data = NEW.read_bytes()
    files = break_files.flips(data, seed=7, many=60)
    counts, wrong, _ = break_files.judge(files, tmp_path / "x")
    assert not wrong
    assert counts[4] > 20
    middle = range(break_files.header_ends(data), len(data), 97)
    counts, wrong, _ = break_files.judge(break_files.cuts(data, middle), tmp_path / "x")
    assert not wrong
    assert set(counts) == {3}


def pieces(data: bytes) -> list[tuple[str, int, int]]:
    """(type, begin, end) of each chunk."""
    found, at = [], len(chunks.MAGIC) + chunks.VERSIONS.size
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        end = at + chunks.LEADER.size + length + chunks.TRAILER.size
        found.append((data[at + 4 : at + 8].decode(), at, end))
        at = end
    return found


def test_the_damage_is_named_with_what_is_whole_behind_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = NEW.read_bytes()
    rows = pieces(data)
    number = next(n for n, row in enumerate(rows) if n and row[0] == "ACTS")
    _, begin, end = rows[number]
    behind = [kind for kind, _, _ in rows[number + 1 :]]
    assert behind, "there must be something behind the damage"
    path = tmp_path / "bad.lapis"
    path.write_bytes(data[: end - 9] + b"\x55" + data[end - 8 :])
    damage = reader.read(str(path)).damage
    assert damage is not None
    assert (damage.at, damage.kind) == (begin, "ACTS")
    assert dict(damage.after) == {kind: behind.count(kind) for kind in behind}
    for words in (["session", "verify"], ["session", "info"], ["replay", "--headless"]):
        assert main([words[0], *words[1:], str(path)]) == 4
        assert (
            f"damaged at byte {begin}: chunk ACTS fails its checksum; whole after"
            in capsys.readouterr().out
        )
    assert main(["replay", str(path), "-c", "where"]) == 0
    assert f"damaged at byte {begin}" in capsys.readouterr().err


def test_what_follows_the_end_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert state_of(path, NEW.read_bytes() + b"\0") == 4
    assert state_of(path, NEW.read_bytes() * 2) == 4


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"\x7fELF" + bytes(60), 2, "is not a recording of Lapis"),
        (b"", 2, "is empty"),
        (chunks.MAGIC + chunks.VERSIONS.pack(2, 2), 2, "ends before its header"),
    ],
)
def test_what_is_no_recording_says_so(
    data: bytes, status: int, words: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / "x.lapis"
    path.write_bytes(data)
    assert main(["session", "verify", str(path)]) == status
    assert words in capsys.readouterr().err


def test_a_whole_file_says_whole_and_an_other_history_diverged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["session", "verify", str(NEW), "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert (view["state"], view["divergence"]) == ("whole", None)
    assert view["hashes"] > 0
    rows = pieces(NEW.read_bytes())
    kept = [NEW.read_bytes()[: rows[0][1]]]
    for kind, begin, end in rows:
        piece = NEW.read_bytes()[begin:end]
        if kind == "CKPT":
            row = msgspec.msgpack.decode(chunks.Chunk(
                kind, piece[8], piece[9:-8], begin
            ).body())  # fmt: skip
            row[2] = "0" * 32
            piece = chunks.encode(kind, msgspec.msgpack.encode(row))
        kept.append(piece)
    path = tmp_path / "other.lapis"
    path.write_bytes(b"".join(kept))
    assert main(["session", "verify", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["state"] == "diverged"
