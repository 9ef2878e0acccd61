"""The first sentence names the cause of every planted fault, and only where it is.

Three variants of each are chosen by chance; `python -m faults every` does them all.
"""

import secrets
from dataclasses import replace
from typing import Any

import pytest
from rigs.assembling import NASM

from faults import __main__ as command
from faults import asked
from faults.catalog import FAULTS, MODULES
from faults.scene import Scene, Value

VARIANTS = 3
needs_nasm = pytest.mark.skipif(NASM is None, reason="nasm is not installed")


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    chosen: int | None = request.config.getoption("--fault-seed")
    return secrets.randbelow(1 << 32) if chosen is None else chosen


@needs_nasm
@pytest.mark.parametrize("name", FAULTS)
def test_the_first_sentence_names_the_cause(name: str, seed: int) -> None:
    fault = FAULTS[name]
    chosen = fault.some(VARIANTS, seed)
    found = [line for variant in chosen for line in asked.wrong(fault, variant)]
    assert not found, "\n".join([f"chosen by --fault-seed {seed}", *found])


def test_there_are_forty_at_least_and_none_has_the_name_of_another() -> None:
    assert len(FAULTS) == sum(len(module.FAULTS) for module in MODULES)
    assert len(FAULTS) >= 40
    assert all(len(fault.variants()) >= VARIANTS for fault in FAULTS.values())


def test_a_seed_chooses_the_same_again_and_another_does_not() -> None:
    chosen = [
        [fault.some(VARIANTS, seed) for fault in FAULTS.values()] for seed in (1, 1, 2)
    ]
    assert chosen[0] == chosen[1] != chosen[2]


@needs_nasm
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"rule": "shadow"}, "if and not shadow is told"),
        ({"names": ("IF", 0x99)}, "0x99 is not named"),
        ({"names": ("ExtINT",)}, "ExtINT is not named"),
        ({}, "if is told without the fault"),
    ],
)
def test_the_judge_finds_what_is_not_told_and_what_is_always_told(
    change: dict[str, Any], found: str
) -> None:
    fault = FAULTS["if-spin"]

    def changed(**chosen: Value | bool) -> Scene:
        is_sound = bool(chosen.pop("sound")) and bool(change)
        return replace(fault.scene(sound=is_sound, **chosen), **change)

    variant = fault.variants()[0]
    assert list(asked.wrong(fault, variant)) == []
    (wrong,) = asked.wrong(replace(fault, scene=changed), variant)
    assert found in wrong


@needs_nasm
def test_the_table_has_a_row_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["table"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 + len(FAULTS)
    assert {row.count("|") for row in rows} == {7}
