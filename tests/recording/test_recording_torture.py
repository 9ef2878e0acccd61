"""Slices of the long scripts beside this file, and what Hypothesis thinks of."""

from __future__ import annotations

import struct
import zlib
from random import Random
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recording import fuzz_reader

if TYPE_CHECKING:
    from pathlib import Path

HEAD = b"\x89LAPIS\r\n\x01\0\x01\0"


def test_mutants_are_refused_or_are_what_they_say(tmp_path: Path) -> None:
    found = fuzz_reader.fuzz(1500, Random(7), tmp_path)
    assert found["refused"] > 100
    assert found["a beginning"] > 100
    assert found["replayed"] > 10


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    pieces=st.lists(
        st.tuples(
            st.sampled_from([b"HEAD", b"ACTS", b"FORK", b"TURN", b"CKPT", b"hash",
                             b"note", b"DONE", b"warp", b"\xff\0xx"]),
            st.sampled_from([0, 1, 2]),
            st.binary(max_size=60),
        ),
        max_size=5,
    ),
    tail=st.binary(max_size=20),
)  # fmt: skip
def test_chunks_of_anything_are_refused_in_a_sentence(
    tmp_path: Path, pieces: list[tuple[bytes, int, bytes]], tail: bytes
) -> None:
    data = HEAD
    for kind, codec, body in pieces:
        packed = zlib.compress(body) if codec == 1 else body
        front = struct.pack("<I4sB", len(packed), kind, codec) + packed
        data += front + struct.pack("<II", zlib.crc32(front), len(packed))
    found = fuzz_reader.judge(data + tail, None, tmp_path / "x.lapis")
    assert found == "refused"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_bytes_of_anything_are_refused_in_a_sentence(
    tmp_path: Path, data: bytes
) -> None:
    for whole in (data, HEAD + data):
        assert fuzz_reader.judge(whole, None, tmp_path / "x.lapis") == "refused"
