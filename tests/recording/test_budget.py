"""What a file may hold in all: at each limit it opens, one over it is refused.

The files are made here by the book; the limits are given, so that they are small.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from rigs import framing
from rigs.framing import chunk, nmi, written

from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format import budget, reader
from lapis_sessions.recording.format.budget import Budget
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def head() -> list[Any]:
    return framing.header()


def refusal(path: str, limits: Budget = budget.DEFAULT) -> str:
    """Return in what words it is refused, which both ways to read it agree on."""
    found = []
    for read in (reader.read, reader.outline):
        with pytest.raises(RecordingError) as caught:
            read(path, limits)
        found.append(str(caught.value))
    assert found[0] == found[1]
    assert path in found[0]
    assert "\n" not in found[0]
    return found[0]


CASES: dict[str, tuple[Callable[[int], list[bytes]], int, str, str]] = {
    "acts": (
        lambda n: [chunk(b"ACTS", [nmi() for _ in range(n - 1)]),
                   chunk(b"FORK", ["b", "main", [nmi()]])],
        7, "chunk FORK at byte", "there are 8 acts in the file; 7 is the most",
    ),
    "unlike": (
        lambda n: [chunk(b"ACTS", [
            ["touch", {"number": 0, "address": i // 3, "size": 8}, 0, 0, 0, ""]
            for i in range(3 * n)
        ])],
        6, "chunk ACTS at byte", "7 acts unlike others in the file; 6 is the most",
    ),
    "branches": (
        lambda n: [chunk(b"FORK", [f"b{i}", "main", []]) for i in range(n - 1)],
        5, "chunk FORK at byte", "6 branches in the file; 5 is the most",
    ),
    "chunks": (
        lambda n: [chunk(b"TURN", ["main"])] * (n - 1),
        6, "chunk TURN at byte", "7 chunks in the file; 6 is the most",
    ),
    "notes": (
        lambda n: [chunk(b"note", [0, 0, "x"])] * n,
        4, "chunk note at byte", "5 annotations in the file; 4 is the most",
    ),
    "hashes": (
        lambda n: [chunk(b"hash", [0, 0, "00"])] * (n - 1)
        + [chunk(b"CKPT", [0, 0, "00", {}])],
        4, "chunk CKPT at byte", "5 hashes and checkpoints in the file; 4 is the most",
    ),
    "name": (
        lambda n: [chunk(b"FORK", ["b" * n, "main", []])],
        100, "the name of a branch has 101 letters", "100 is the most",
    ),
    "text": (
        lambda n: [chunk(b"note", [0, 0, "", "", "x" * n])],
        300, "chunk note at byte", "a text has 301 letters; 300 is the most",
    ),
    "depth": (
        lambda n: [chunk(b"ACTS", [["import_apic", {
            "number": 0, "source": "", "lenient": True, "saved": nested(n - 1),
        }, 0, 0, 0, ""]])],
        5, "chunk ACTS at byte", "lists and maps lie 6 deep; 5 is the most",
    ),
}  # fmt: skip


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth - 1):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize("limit", CASES)
def test_at_the_limit_it_opens_and_one_over_is_refused(
    limit: str, head: list[Any], tmp_path: Path
) -> None:
    make, most, part, words = CASES[limit]
    # The header of a real profile has longer names and texts than some limits here.
    bare = [*head]
    bare[5] = {}
    limits = replace(Budget(), **{limit: most})
    for count in (1, most):
        path = written(tmp_path / f"{count}.lapis", bare, *make(count))
        assert reader.read(path, limits).state == "cut off"
        assert reader.outline(path, limits).state == "cut off"
    text = refusal(written(tmp_path / "over.lapis", bare, *make(most + 1)), limits)
    assert part in text
    assert words in text


def test_the_file_and_its_bodies_have_a_size(head: list[Any], tmp_path: Path) -> None:
    path = written(tmp_path / "x.lapis", head, chunk(b"note", [0, 0, "x" * 999]))
    size = Path(path).stat().st_size
    body = len(msgspec.msgpack.encode(head)) + len(
        msgspec.msgpack.encode([0, 0, "x" * 999])
    )
    reader.read(path, replace(Budget(), file=size))
    text = refusal(path, replace(Budget(), file=size - 1))
    assert f"has {size:,} bytes; {size - 1:,} is the most" in text
    reader.read(path, replace(Budget(), expanded=body))
    text = refusal(path, replace(Budget(), expanded=body - 1))
    assert "chunk note at byte" in text


def test_fields_of_checkpoints_and_values_of_arguments_are_counted(
    head: list[Any], tmp_path: Path
) -> None:
    fields = {f"f{n}": "x" for n in range(50)}
    saved = {"number": 0, "source": "", "lenient": True, "saved": {"a": [0] * 50}}
    each = [chunk(b"ACTS", [["import_apic", saved | {"number": n}, 0, 0, 0, ""]])
            for n in range(11)]  # fmt: skip
    for limit, part, made in (
        ("fields", "chunk CKPT", [chunk(b"CKPT", [0, 0, "00", fields])] * 11),
        ("values", "chunk ACTS", each),
    ):
        limits = replace(Budget(), **{limit: 500})
        reader.read(written(tmp_path / "x.lapis", head, *made[:7]), limits)
        text = refusal(written(tmp_path / "y.lapis", head, *made), limits)
        assert part in text
        assert "in the file; 500 is the most" in text


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (2, 0, "cpus is 0"), (2, -5, "cpus is -5"), (6, 0, "quantum is 0"),
        (3, "9" * 201, "memory has 201 letters"), (14, 0, "state_schema is 0"),
        (8, "x" * 65_537, "append has 65,537 letters; 65,536 is the most"),
        (11, ["x" * 201], "has 201 letters; 200 is the most"),
    ],
)  # fmt: skip
def test_headers_that_cannot_be_are_refused(
    at: int, value: Any, words: str, head: list[Any], tmp_path: Path
) -> None:
    bent = [*head]
    bent[at] = value
    text = refusal(written(tmp_path / "x.lapis", bent))
    assert words in text
    assert "chunk HEAD at byte 12" in text


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [(2, 10**6, "1000000 vCPUs"), (3, "1024G", "1099511627776"), (6, 1 << 62, "")],
)
def test_machines_that_are_too_large_are_not_built(
    at: int, value: Any, words: str, head: list[Any], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    bent = [*head]
    bent[at] = value
    path = written(tmp_path / "x.lapis", bent)
    status = main(["session", "verify", path])
    assert status == (2 if words else 3)
    assert words in capsys.readouterr().err


def test_over_budget_each_command_says_so_with_status_2(
    head: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "x.lapis", head, chunk(b"FORK", ["b" * 201, "main", []]))
    out = str(tmp_path / "out")
    for words in (
        ["session", "info", path], ["session", "verify", path],
        ["session", "dump", path], ["session", "diff", path, path],
        ["session", "cut", path, "0:1", "-o", out],
        ["session", "pack", path, "-o", out],
        ["session", "annotate", path, "x", "--at", "0", "-o", out],
        ["session", "export", path, "script", "-o", out],
        ["replay", path, "--headless"], ["replay", path, "-c", "where"],
    ):  # fmt: skip
        assert main(words) == 2, words
        told = capsys.readouterr().err
        assert "name of a branch has 201 letters; 200 is the most" in told, words
    assert not Path(out).exists()


CODE = """
import sys
from pathlib import Path
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format import reader
for read in (reader.outline, reader.read):
    try:
        read(sys.argv[1])
    except RecordingError as error:
        assert len(str(error)) < 600, len(str(error))
# Not what getrusage tells, which is inherited from a larger parent.
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def _forks() -> list[bytes]:
    return [chunk(b"FORK", [f"branch-{n}", "main", []]) for n in range(40_000)]


def _names() -> list[bytes]:
    return [chunk(b"FORK", ["A" * 4_000_000, "main", []], packed=True)] * 99


def _fields() -> list[bytes]:
    fields = {f"{n:x}": "" for n in range(1 << 16)}
    return [chunk(b"CKPT", [0, 0, "", fields], packed=True)] * 20


def _lists() -> list[bytes]:
    args = {"number": 0, "lenient": False, "source": "", "saved": {"a": [[]] * 60_000}}
    rows = [["import_apic", args | {"number": n}, 0, 0, 0, ""] for n in range(20)]
    return [chunk(b"ACTS", rows, packed=True)] * 20


def _wide() -> list[bytes]:
    text = "\U0001f600" + "x" * 65_000
    return [chunk(b"note", [0, 0, text, text, text], packed=True)] * 1500


def _tail() -> list[bytes]:
    return [b"\x01\0\0\0ACTS" + b"ACTS" * (1 << 20)]


@pytest.mark.parametrize("make", [_forks, _names, _fields, _lists, _wide, _tail])
def test_small_files_do_not_grow(make: Any, head: list[Any], tmp_path: Path) -> None:
    path = written(tmp_path / "x.lapis", head, *make())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", CODE, path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >> 10 < 512
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Both ways to read it and the start of the interpreter, on a slow core.
    assert after.ru_utime - before.ru_utime < 20
