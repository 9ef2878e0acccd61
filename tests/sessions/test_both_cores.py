"""What was recorded while instructions were counted one way plays the other way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rigs.recordings import INJECTED, extensions, record, verify

from lapis_engine.cpu import blocks, selfcheck
from lapis_engine.replay.digest import Digester
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

SEABIOS = Path("/usr/share/seabios/bios.bin")
STEPS = 300_000
"""Instructions of SeaBIOS; a whole boot takes 8 million."""

WRITTEN = (
    "run 15000", "write-memory send_init.delay 90 90", "run 20",
    "poke 0x72000 0xe1 --width 8 --physical", "vcpu 0", "step 5",
    "poke 0x72000 0xe3 --width 8", "run 9000",
)  # fmt: skip
"""Code that runs is written, and the entry of the page that all of it is in."""

pytestmark = pytest.mark.skipif(
    isinstance(blocks.find(), str), reason=str(blocks.find())
)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = selfcheck._by_instruction
    yield
    selfcheck.count_by_instruction(on=before)


def _count(*, by_blocks: bool) -> None:
    selfcheck.count_by_instruction(on=not by_blocks)
    library = selfcheck.blocks_library()
    assert isinstance(library, str) is not by_blocks


@pytest.mark.parametrize("lines", [INJECTED, WRITTEN])
@pytest.mark.parametrize("first", [True, False])
def test_a_recording_of_one_core_plays_on_the_other(
    tmp_path: Path, lines: tuple[str, ...], *, first: bool
) -> None:
    _count(by_blocks=first)
    session = record(tmp_path / "r.lapis", lines)
    digest = Digester(session.machine).digest()
    _count(by_blocks=not first)
    verdict = verify(tmp_path / "r.lapis")
    assert (verdict.divergence, verdict.digest) == (None, digest)
    assert verdict.stops == verdict.acts
    assert verdict.hashes


@pytest.mark.skipif(not SEABIOS.exists(), reason=f"{SEABIOS} is not installed")
def test_seabios_comes_to_the_same_digest_on_both() -> None:
    found = []
    for by_blocks in (True, False):
        _count(by_blocks=by_blocks)
        options = SessionOptions(firmware=str(SEABIOS), cpus=4, memory="64M")
        session = open_session(options, extensions())
        machine = session.machine
        stop = machine.run(STEPS)
        retired = [vcpu.retired for vcpu in machine.vcpus]
        found.append((Digester(machine).digest(), retired, machine.now, stop))
        session.close()
    assert found[0] == found[1]
