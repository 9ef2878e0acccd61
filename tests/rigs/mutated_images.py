"""Images of kernels with bytes changed and ends cut off, and what must come of them."""

import itertools

from hypothesis import strategies as st

from lapis_engine.boot import detect
from lapis_engine.boot.request import BootRequest, Module
from lapis_engine.errors import ImageError

Change = tuple[int, bytes]
MODULES = st.lists(st.integers(0, 1 << 21), max_size=3)
"""Sizes."""


def changes(last: int) -> st.SearchStrategy[list[Change]]:
    """(offset, bytes) of a few changes up to offset `last`."""
    bytewise = st.binary(min_size=1, max_size=1)
    words = st.sampled_from((0, 1, 0x10_0000, 0x7FFF_FFFF, 0xFFFF_FFFF)).map(
        lambda word: word.to_bytes(4, "little")
    )
    change = st.tuples(st.integers(0, last), st.one_of(bytewise, words))
    return st.lists(change, max_size=6)


def cuts(last: int) -> st.SearchStrategy[int | None]:
    """Where it ends, or nowhere before its end."""
    return st.one_of(st.none(), st.integers(0, last))


def check(
    seed: bytes, made: list[Change], cut: int | None, sizes: list[int], memory: int
) -> None:
    """It is refused, or all of it lies in memory and no piece over another."""
    data = bytearray(seed)
    for at, value in made:
        data[at : at + len(value)] = value
    modules = tuple(Module(bytes(size)) for size in sizes)
    try:
        plan = detect.detect(bytes(data[:cut]), BootRequest(memory, modules=modules))
    except ImageError:
        return
    blobs = sorted(plan.blobs, key=lambda blob: blob.gpa)
    assert all(blob.end <= memory for blob in blobs)
    assert all(a.end <= b.gpa for a, b in itertools.pairwise(blobs))
