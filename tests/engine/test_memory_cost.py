"""RAM costs the host what the guest touched, and no state depends on what it costs."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from random import Random

import pytest
from rigs import machines

from lapis_engine.boot import flat
from lapis_engine.errors import ProcessorError
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.memory.backing import Backing
from lapis_engine.memory.physical import PhysicalMemory
from lapis_engine.profiles.catalog import profile_named
from lapis_engine.replay import capture, pages
from lapis_engine.replay.digest import Digester
from lapis_engine.units import PAGE

LARGE = 3072 << 20
SPAN = 64 * PAGE
linux = pytest.mark.skipif(sys.platform != "linux", reason="counts pages by /proc")


def _resident() -> int:
    """Bytes of this process that cost memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def _large() -> Machine:
    config = MachineConfig(cpus=2, memory=LARGE, profile=profile_named("sdm"))
    return Machine(
        config,
        flat.load(machines.AP_BRINGUP.read_bytes(), memory_bytes=LARGE),
        [],
    )


@linux
def test_a_large_machine_costs_what_its_guest_touches() -> None:
    before = _resident()
    m = _large()
    kept = capture.take(m)
    digester = Digester(m)
    digest = digester.digest()
    m.vm.memory.write(LARGE - 1, b"x")
    m.run(1_000)
    assert digester.digest() != digest
    assert "memory 0xbffff000" in digester.fields()
    capture.put(m, kept)
    assert digester.digest() == digest
    assert _resident() - before < 64 << 20


@linux
def test_a_block_that_goes_back_to_nothing_costs_nothing() -> None:
    m = _large()
    kept = capture.take(m)
    before = _resident()
    m.vm.memory.write(1 << 30, b"x" * (128 << 20))
    assert _resident() - before > 120 << 20
    capture.put(m, kept)
    assert _resident() - before < 16 << 20
    assert m.read_physical((1 << 30) + PAGE, 2 * PAGE) == bytes(2 * PAGE)


def _writes(memory: PhysicalMemory, model: bytearray, seed: Random) -> None:
    """Write pages here and there, whole blocks, and zeros over both."""
    for _ in range(seed.randrange(1, 12)):
        size = seed.choice([1, 16, PAGE, 3 * PAGE, SPAN, 2 * SPAN])
        at = seed.randrange(0, len(model) - size)
        at = seed.choice([at, at - at % PAGE, at - at % SPAN])
        data = seed.choice([bytes(size), bytes([seed.randrange(256)]) * size])
        memory.write(at, data)
        model[at : at + size] = data


@pytest.mark.parametrize("told", [True, False], ids=["residency told", "not told"])
@pytest.mark.parametrize("number", range(12))
def test_checkpoints_hold_what_a_plain_array_holds(
    number: int, monkeypatch: pytest.MonkeyPatch, *, told: bool
) -> None:
    if not told:
        monkeypatch.setattr(Backing, "_in_file", lambda _: None)
    seed = Random(number)
    memory, size = PhysicalMemory(), 8 * SPAN + 5 * PAGE
    memory.add(0, size, "RAM")
    model, taken, last = bytearray(size), [], None
    for _ in range(12):
        _writes(memory, model, seed)
        if seed.random() < 0.3:  # to look is not to change
            memory.read(seed.randrange(0, size - SPAN), SPAN)
        last = pages.take(memory, last)
        taken.append((last, bytes(model)))
        back, was = seed.choice(taken)
        pages.put(memory, back)
        model[:] = was
        assert memory.read(0, size) == was
    for kept, was in taken:
        held = b"".join(page for block in kept.regions[0] for page in block)
        assert held == was


def test_a_digest_is_the_same_however_memory_is_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def digests() -> list[str]:
        m = machines.ap_bringup(2)
        digester, found = Digester(m), []
        for _ in range(3):
            m.run(2_000)
            m.vm.memory.write(0x80_0000, bytes(SPAN))  # touched, and zero all the same
            found += [digester.digest(), str(digester.fields())]
        return found

    told = digests()
    monkeypatch.setattr(Backing, "_in_file", lambda _: None)
    assert digests() == told


@linux
def test_machines_that_are_closed_leave_nothing_for_the_garbage_collector() -> None:
    def taken() -> tuple[int, int]:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8")
        return len(os.listdir("/proc/self/fd")), maps.count("guest memory")  # noqa: PTH208 - only counted

    gc.collect()
    gc.disable()
    try:
        before = taken()
        for number in range(20):
            machine = machines.ap_bringup(1)
            machine.run(100)
            if number == 0:
                assert taken() > before, "a machine takes a descriptor"
            machine.close()
            machine.close()
            assert taken() == before
        with pytest.raises(ProcessorError, match="the machine is closed"):
            machine.run(100)
        with pytest.raises(ProcessorError, match="the machine is closed"):
            machine.break_only_at([0x1000])
    finally:
        gc.enable()
