"""Symbols by name and by address: files of them, held against binutils and a slow scan.

The ELF files are in `tests/fixtures/symbols`, with their source and how they were made.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_engine.errors import LapisError
from lapis_plugins.host import discover
from lapis_sessions import completion, offered
from lapis_sessions.errors import SymbolsError
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.session import Session
from lapis_sessions.symbols import limits, reading
from lapis_sessions.symbols.book import Places, Source, Symbols
from lapis_sessions.symbols.table import Symbol, Table

if TYPE_CHECKING:
    from lapis_sessions.session import Session

FOLDER = Path(__file__).parents[1] / "fixtures" / "symbols"
FILES = sorted(FOLDER.glob("*.elf"))
TEXT = 0x10_0000
"""Where the code of each of them begins."""


def ids(path: Path) -> str:
    return path.stem


def tool(*words: str | Path) -> str:
    """Return what a tool of binutils says; skip the test where there is none."""
    if shutil.which(str(words[0])) is None:
        pytest.skip(f"there is no {words[0]}")
    return subprocess.run(
        [str(word) for word in words], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def session() -> Session:
    return open_session(SessionOptions("ap-bringup"), discover().extensions)


# Files.


def test_what_nm_said_of_a_fixture_when_it_was_made() -> None:
    found = reading.load(str(FOLDER / "small64-4.elf"))
    assert set(found.table.symbols) == {
        ("twice", 0x10_0000, 4), ("_start", 0x10_0004, 0x2D),
        ("counted", 0x10_0040, 4), ("empty", 0x10_0050, 16),
        ("__bss_start", 0x10_0044, 0), ("_edata", 0x10_0044, 0), ("_end", 0x10_0060, 0),
    }  # fmt: skip
    lines = [found.lines.find(at) for at in (TEXT, TEXT + 6, TEXT + 12, TEXT + 18)]
    assert lines == ["small.h:3", "small.c:14", "small.c:15", "small.c:9"]


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_the_symbols_of_an_elf_file_are_those_of_nm(path: Path) -> None:
    said = set()
    for row in tool("nm", "-S", path).splitlines():
        at, *size, _, name = row.split()
        said.add((name, int(at, 16), int(size[0], 16) if size else 0))
    assert set(reading.load(str(path)).table.symbols) == said


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_every_byte_of_code_has_the_line_that_readelf_says(path: Path) -> None:
    """Of several rows at one address the last one counts, up to the next address."""
    rows: dict[int, str | None] = {}
    for row in tool("readelf", "--debug-dump=decodedline", path).splitlines():
        words = row.split()
        if len(words) > 2 and words[2].startswith("0x"):
            name, line, where = words[:3]
            rows[int(where, 16)] = None if line in {"-", "0"} else f"{name}:{line}"
    found = reading.load(str(path)).lines
    assert min(rows) == TEXT
    wanted: str | None = None
    for at in range(TEXT - 1, max(rows) + 2):
        wanted = rows.get(at, wanted)
        assert found.find(at) == wanted, hex(at)
    assert wanted is None


@pytest.mark.parametrize("options", [[], ["-S"], ["-n"], ["-S", "-n"]])
def test_a_list_of_nm_gives_what_its_file_gives(options: list[str]) -> None:
    path = FOLDER / "small64-5.elf"
    listing = tool("nm", *options, path).encode()
    found = reading.read("map", listing)
    assert found.kind == "nm"
    assert dict(found.table.by_name) == dict(reading.load(str(path)).table.by_name)


@pytest.mark.parametrize("by", [0x1234_0000, (1 << 64) - 0x10_0000])
def test_an_offset_moves_names_and_lines(by: int) -> None:
    found = reading.load(str(FOLDER / "small64-5.elf"), by)
    at = (TEXT + by) % (1 << 64)
    assert found.table.by_name["twice"] == at
    assert found.table.find(at + 3) == ("twice", at)
    assert found.lines.find(at) == "small.h:3"


MAP = b"""\
0000000000000000 D __per_cpu_start
0000000000000010 D current_task
0000000000002000 D __per_cpu_end
00000000deadbeef A crc
ffffffff81000000 T _text
ffffffff81000000 T startup_64
ffffffff81061ad0 t start_secondary
ffffffff81061c00 T next_one
ffffffffc0000000 t of_a_module\t[virtio_net]
"""


def test_a_system_map_names_places_and_numbers() -> None:
    table = reading.read("System.map", MAP).table
    assert table.by_name["start_secondary"] == 0xFFFF_FFFF_8106_1AD0
    assert table.find(0xFFFF_FFFF_8106_1AD0 + 0x12F) == (
        "start_secondary", 0xFFFF_FFFF_8106_1AD0,
    )  # fmt: skip
    assert table.exact(0xFFFF_FFFF_8100_0000) == "startup_64"  # fewer underscores
    assert table.exact(0xFFFF_FFFF_C000_0000) == "of_a_module"
    # Offsets from GS and numbers have a value, and no address has their names.
    assert table.by_name["current_task"] == 0x10
    assert table.by_name["crc"] == 0xDEAD_BEEF
    assert table.find(0x10) is table.find(0x1000) is table.find(0xDEAD_BEEF) is None


def test_an_offset_leaves_what_is_no_place() -> None:
    table = reading.read("System.map", MAP, 0x100_0000).table
    assert table.by_name["start_secondary"] == 0xFFFF_FFFF_8206_1AD0
    assert table.by_name["current_task"] == 0x10


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "neither an ELF file nor a list"),
        (b"MZ" + bytes(100), "neither an ELF file nor a list"),
        (MAP + b"ffffffff8100000g T odd\n", "line 10 is none of nm's"),
        (MAP + b"\0\xff\n", "line 10 is none of nm's"),
        (b"0000000000000000 T a\n0000000000000000 T b\n", "kptr_restrict"),
        (b"\x7fELF", "neither 32 nor 64 bits"),
    ],
)
def test_what_is_damaged_is_told_in_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(SymbolsError, match=words):
        reading.read("it", data)


@pytest.mark.parametrize("keep", range(0, 3000, 97))
def test_an_elf_file_that_ends_early_is_refused(keep: int) -> None:
    data = (FOLDER / "small64-5.elf").read_bytes()
    with pytest.raises(SymbolsError):
        reading.read("it", data[:keep])


def test_a_relocatable_file_is_refused() -> None:
    data = bytearray((FOLDER / "small64-5.elf").read_bytes())
    data[16] = 1
    with pytest.raises(SymbolsError, match="only what is linked has addresses"):
        reading.read("it", bytes(data))


@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=12),
    st.integers(0, (1 << 64) - 1),
)
def test_no_byte_of_an_elf_file_does_harm(
    path: Path, changes: list[tuple[int, int]], at: int
) -> None:
    data = bytearray(path.read_bytes())
    for where, value in changes:
        data[where % len(data)] = value
    with suppress(SymbolsError):
        found = reading.read("it", bytes(data), at)
        _ask(Symbols([found]), at)


@given(st.integers(0x400, 0xC00), st.binary(min_size=1, max_size=64))
def test_no_row_of_a_table_does_harm(where: int, piece: bytes) -> None:
    data = bytearray((FOLDER / "small64-5.elf").read_bytes())
    data[where : where + len(piece)] = piece
    with suppress(SymbolsError):
        _ask(Symbols([reading.read("it", bytes(data))]), TEXT)


@given(st.binary(max_size=200))
def test_no_list_does_harm(tail: bytes) -> None:
    with suppress(SymbolsError):
        _ask(Symbols([reading.read("it", MAP + tail)]), 0x1000)


def _ask(symbols: Symbols, at: int) -> None:
    for each in symbols.values():
        symbols.places.near(each)
        symbols.places.line(each)
    symbols.places.near(at)
    symbols.places.line(at)
    assert len(symbols.starting("", 5)) <= 5


# Tables.

SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)),
    max_size=12,
    unique_by=lambda s: s[0],
)


@given(SPANS, st.integers(0, 80))
def test_a_place_is_found_as_by_a_scan(spans: list[tuple[int, int]], at: int) -> None:
    """Of the symbols that hold an address the one that begins last gives the name."""
    table = Table([Symbol(f"s{start}", start, size) for start, size in spans], reach=9)
    starts = sorted(start for start, _ in spans)
    holding = []
    for start, size in spans:
        after = [other for other in starts if other > start]
        end = start + size
        if not size:  # the last one has nobody after it, and has a page
            end = min(start + 9, after[0]) if after else start + 0x1000
        if start <= at < end:
            holding.append(start)
    wanted = (f"s{max(holding)}", max(holding)) if holding else None
    assert table.find(at) == wanted
    assert table.exact(at) == (f"s{at}" if at in starts else None)


@given(st.lists(st.text("ab_", min_size=1, max_size=4)), st.text("ab_", max_size=2))
def test_names_begin_as_by_a_scan(names: list[str], prefix: str) -> None:
    one = Table(Symbol(name, i) for i, name in enumerate(names[::2]))
    two = Table(Symbol(name, i) for i, name in enumerate(names[1::2]))
    found = Symbols([Source("1", "nm", one), Source("2", "nm", two)])
    wanted = sorted({name for name in names if name.startswith(prefix)})
    assert found.starting(prefix, 3) == wanted[:3]
    assert set(found) == set(names)
    assert len(found) == len(set(names))


def test_what_was_loaded_last_goes_first_and_the_nearest_name_wins() -> None:
    one = Source("1", "nm", Table([Symbol("both", 0x100), Symbol("far", 0x1000)]))
    two = Source("2", "nm", Table([Symbol("both", 0x200), Symbol("near", 0x1010)]))
    found = Symbols([one, two])
    assert found["both"] == 0x200
    assert found.places.near(0x1018) == "near+0x8"
    assert found.places.near(0x1008) == "far+0x8"
    assert dict(found.places) == {
        0x100: "both", 0x200: "both", 0x1000: "far", 0x1010: "near",
    }  # fmt: skip
    assert Symbols().places.near(0) == ""


def test_a_kernels_worth_is_asked_by_halves() -> None:
    """A scan of 150,000 would take minutes for as many questions."""
    table = Table(Symbol(f"s{i}", i * 64) for i in range(150_000))
    places = Places((Source("it", "nm", table),))
    for at in range(0, 150_000 * 64, 96):
        assert places.near(at).startswith(f"s{at // 64}")


# Commands.


def test_what_is_loaded_is_known_wherever_an_address_is(session: Session) -> None:
    path = FOLDER / "small64-5.elf"
    (row,) = session.execute(f"symbols load {path} --offset 0x100000").result
    assert (row["kind"], row["symbols"], row["first"]) == ("ELF", 7, 0x20_0000)
    assert session.execute("break twice+0x2").result == [0x20_0002]
    rows = session.execute("disas 0x200001 3").result
    assert rows[0]["symbol"] == "twice+0x1"
    assert rows[0]["source"] == "small.h:3"
    shown = session.execute("disas twice 20").text
    assert shown.startswith("twice:\n; small.h:3\n")
    assert "break twice" in completion.complete(session, "break twi")
    assert [row["kind"] for row in session.execute("symbols").result] == [
        "guest",
        "ELF",
    ]
    found = session.execute("symbols find twi").result
    assert found == [
        {"name": "twice", "address": 0x20_0000, "size": 4, "source": "small.h:3"}
    ]
    session.execute("symbols clear")
    assert not session.execute("break twice").ok
    assert session.execute("break ap_start").ok


def test_what_says_where_a_vcpu_is_names_the_place(session: Session) -> None:
    session.execute("step 2")
    path = FOLDER / "small64-5.elf"
    rip = session.machine.vcpu(0).regs.linear_rip
    session.execute("symbols clear")
    session.execute(f"symbols load {path} --offset {(rip - 1 - TEXT) % (1 << 64):#x}")
    assert session.execute("vcpus").result[0]["symbol"] == "twice+0x1"
    assert session.execute("vcpu 0").text.endswith("  twice+0x1")
    assert session.execute("where").text.endswith(", twice+0x1")


def test_a_file_loaded_again_takes_its_own_place(session: Session) -> None:
    path = FOLDER / "small64-5.elf"
    session.execute(f"symbols load {path}")
    session.execute(f"symbols load {path} --offset 16")
    assert len(session.symbols.sources) == 2
    assert session.symbols["twice"] == TEXT + 16


def test_sources_are_bounded(session: Session, tmp_path: Path) -> None:
    for i in range(limits.MOST_SOURCES):
        (tmp_path / f"{i}").write_bytes(MAP)
        outcome = session.execute(f"symbols load {tmp_path / str(i)}")
    assert not outcome.ok
    assert "symbols clear" in outcome.error


@pytest.mark.parametrize(
    "line", ["symbols load", "symbols load /nowhere", "symbols no"]
)
def test_what_cannot_be_loaded_is_told(session: Session, line: str) -> None:
    before = session.symbols
    outcome = session.execute(line)
    assert not outcome.ok
    assert "\n" not in outcome.error
    assert session.symbols is before


def test_symbols_are_no_state_of_the_machine(session: Session) -> None:
    before = session.timeline.made
    session.execute(f"symbols load {FOLDER / 'small64-5.elf'}")
    assert session.timeline.made == before


def test_a_completion_of_many_names_is_bounded(session: Session) -> None:
    many = Table(Symbol(f"name{i:05}", i) for i in range(50_000))
    session.symbols = session.symbols.joined(Source("it", "nm", many))
    found = completion.complete(session, "break name1")
    assert found[0] == "break name10000"
    assert len(found) == offered.MOST


def test_a_guest_that_is_no_linux_has_no_kallsyms(session: Session) -> None:
    outcome = session.execute("symbols kallsyms")
    assert not outcome.ok
    assert outcome.error.startswith("no kallsyms table was found")
    assert isinstance(SymbolsError(""), LapisError)
