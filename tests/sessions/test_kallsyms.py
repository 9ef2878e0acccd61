"""Linux's own table of symbols, found in memories that are written here.

The writer follows the layout of the kernel's scripts/kallsyms.c, and knows nothing of
the reader: it is given names and places, and makes all tables of each kernel's order.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_plugins.host import discover
from lapis_sessions.errors import SymbolsError
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.symbols import kallsyms

if TYPE_CHECKING:
    from lapis_sessions.symbols.kallsyms import Read

BASE = 0xFFFF_FFFF_9E20_0000
"""Where a kernel may have been put at random."""
Row = tuple[str, str, int]
"""Kind, name, and the address."""


@dataclass(frozen=True)
class Layout:
    """How a kernel of some version was built."""

    word: int = 8
    percpu: bool = True
    """CONFIG_KALLSYMS_ABSOLUTE_PERCPU."""
    sequence: bool = False
    """kallsyms_seqs_of_names stands between markers and tokens (6.2)."""
    offsets_last: bool = False
    """Addresses stand behind the tokens (6.4)."""


LAYOUTS = (
    Layout(), Layout(sequence=True), Layout(percpu=False), Layout(offsets_last=True),
    Layout(word=4, percpu=False), Layout(word=4, percpu=False, offsets_last=True),
)  # fmt: skip
PAIRS = ("st", "ar", "_", "er", "in", "tic", "sys", "get")
"""What becomes a token; the codes of letters that no name has stand for them."""
FREE = [code for code in range(256) if not chr(code).isalnum() and code != ord("_")]


def encoded(rows: list[Row], layout: Layout) -> bytes:
    """Return the tables of `rows`, which ascend by address, one after the other."""
    texts = {code: chr(code) for code in range(48, 123) if chr(code).isalnum()}
    texts[ord("_")] = "_"
    texts |= dict(zip(FREE, PAIRS, strict=False))
    tokens = [texts.get(code, "").encode() for code in range(256)]
    code_of = {text: code for code, text in texts.items()}

    def aligned(data: bytes) -> bytes:
        return data + bytes(-len(data) % layout.word)

    names, markers = b"", b""
    for number, (kind, name, _) in enumerate(rows):
        if number % 256 == 0:
            markers += struct.pack("<I", len(names))
        packed = _packed(kind + name, code_of)
        size = len(packed)
        names += bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
        names += packed
    places = (
        aligned(b"".join(_offset(at, layout.percpu) for _, _, at in rows)),
        BASE.to_bytes(8, "little")
        if layout.word == 8
        else struct.pack("<I", low(BASE)),
    )
    count = aligned(struct.pack("<I", len(rows)))
    order = sorted(range(len(rows)), key=lambda i: rows[i][1])
    sequence = b"".join(i.to_bytes(3, "big") for i in order) if layout.sequence else b""
    table = b"".join(token + b"\0" for token in tokens)
    index, at = b"", 0
    for token in tokens:
        index += struct.pack("<H", at)
        at += len(token) + 1
    middle = [count, aligned(names), aligned(markers), aligned(sequence)]
    parts = [*middle, aligned(table), aligned(index)]
    parts = [*parts, *places] if layout.offsets_last else [*places, *parts]
    return b"".join(parts)


def _packed(text: str, code_of: dict[str, int]) -> bytes:
    """Compress a name by the longest token that fits, from the left."""
    out = bytearray()
    while text:
        token = next(text[:size] for size in (3, 2, 1) if text[:size] in code_of)
        out.append(code_of[token])
        text = text[len(token) :]
    return bytes(out)


def _offset(at: int, percpu: bool) -> bytes:
    """Return a row of kallsyms_offsets; what is below 2^31 has no place."""
    if not percpu:
        return struct.pack("<I", at - BASE)
    return struct.pack("<i", at if at < 1 << 31 else BASE - 1 - at)


def low(at: int) -> int:
    return at & 0xFFFF_FFFF


def kernel(count: int, layout: Layout, seed: int = 0) -> list[Row]:
    """Return names and places, some of which have none where the layout has that."""
    rng = Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz_0123456789"
    rows: list[Row] = []
    if layout.percpu:
        rows += [("D", f"percpu_{i}", 16 * i) for i in range(count // 10)]
    at = BASE
    while len(rows) < count:
        name = "".join(
            rng.choices(letters, k=rng.choice((3, 9, 9, 20, 20, 20, 20, 200)))
        )
        rows.append((rng.choice("TtDdbB"), f"f{name}", at))
        at += rng.choice((0, 16, 0x230))
    return rows


def memory(data: bytes, at: int, size: int = 1 << 21) -> Read:
    """Return what reads a memory of noise with `data` in it."""
    held = bytearray(Random(1).randbytes(size))
    held[at : at + len(data)] = data
    whole = bytes(held)
    return lambda gpa, some: whole[gpa : gpa + some]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("count", [257, 1024])
def test_every_name_is_found_at_its_place(layout: Layout, count: int) -> None:
    rows = kernel(count, layout)
    read = memory(encoded(rows, layout), 0xFF38)
    table = kallsyms.find(read, [(0, 1 << 21)])
    mask = (1 << 64) - 1 if layout.word == 8 else 0xFFFF_FFFF
    places = [(name, at & mask) for _, name, at in rows if at >= BASE]
    numbers = [(name, at) for _, name, at in rows if at < BASE]
    assert sorted((s.name, s.at) for s in table.symbols) == sorted(places)
    assert sorted((s.name, s.at) for s in table.apart) == sorted(numbers)


def test_the_digits_may_lie_across_pieces_that_are_searched() -> None:
    rows = kernel(300, LAYOUTS[0])
    data = encoded(rows, LAYOUTS[0])
    digits = data.index(b"0\x001\x002\x00")
    for ahead in (1, 7, 19, 20):
        at = kallsyms.PIECE - digits - ahead
        found = kallsyms.find(memory(data, at - at % 8), [(0, 1 << 21)])
        assert len(found) == 300


def test_digits_alone_are_no_table() -> None:
    decoy = b"\0".join(b"%d" % digit for digit in range(10)) + b"\0"
    with pytest.raises(SymbolsError, match="no kallsyms table was found"):
        kallsyms.find(memory(decoy * 50, 0x1000), [(0, 1 << 21)])


@pytest.mark.parametrize("data", [b"", bytes(1 << 16)])
def test_a_memory_without_anything_has_none(data: bytes) -> None:
    with pytest.raises(SymbolsError):
        kallsyms.find(lambda gpa, some: data[gpa : gpa + some], [(0, len(data))])


SMALL = {layout: encoded(kernel(400, layout, 3), layout) for layout in LAYOUTS}


@given(
    st.sampled_from(LAYOUTS),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=6),
    st.integers(0, 64),
)
def test_no_damage_does_harm(
    layout: Layout, changes: list[tuple[int, int]], cut: int
) -> None:
    """What is found in spite of it has as many names as there were, and bounds."""
    data = bytearray(SMALL[layout])
    for where, value in changes:
        data[where % len(data)] = value
    held = bytes(0x100) + bytes(data[: len(data) - cut])
    try:
        found = kallsyms.find(lambda at, n: held[at : at + n], [(0, len(held))])
    except SymbolsError:
        return
    assert len(found) <= 400
    for symbol in found.symbols:
        assert 0 <= symbol.at < 1 << 64


def test_a_kernel_that_is_not_moved_yet_is_refused() -> None:
    """In real mode nothing is at the addresses of its table."""
    session = open_session(SessionOptions("ap-bringup"), discover().extensions)
    session.machine.vm.memory.write(0x10_0000, SMALL[LAYOUTS[0]])
    outcome = session.execute("symbols kallsyms")
    assert not outcome.ok
    assert "not yet moved to where it will run" in outcome.error
    assert [source.kind for source in session.symbols.sources] == ["guest"]
