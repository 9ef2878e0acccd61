"""The mutants of the APIC that were tried are still mutants, and still die.

The list is made by `mutate.py`, which runs the tests on each. Those that the oracle
finds alone are compared with it again here, which is quick.
"""

import pytest
from rigs.apic_mutants import Mutant, disagreement, listed, load, mutated, source

pytestmark = pytest.mark.patches
MUTANTS = listed()
FILES = ("priority.py", "icr.py", "icr_rules.py", "destination.py")


@pytest.mark.parametrize("file", FILES)
def test_the_oracle_agrees_with_the_source_as_it_is(file: str) -> None:
    assert disagreement(file, load(file, source(file))) == ""


@pytest.mark.parametrize(
    "mutant",
    [each for each in MUTANTS if each.oracle],
    ids=lambda mutant: f"{mutant.file}: {mutant.after}",
)
def test_the_oracle_finds_a_change_of_one_token(mutant: Mutant) -> None:
    changed = mutated(mutant, source(mutant.file))
    assert disagreement(mutant.file, load(mutant.file, changed))


@pytest.mark.parametrize("file", FILES)
def test_each_line_of_the_list_is_still_in_the_source(file: str) -> None:
    text = source(file)
    mine = [each for each in MUTANTS if each.file == file]
    assert len(mine) >= 15
    assert sum(each.oracle for each in mine) >= 15
    for mutant in mine:
        assert mutated(mutant, text) != text


def test_every_mutant_is_killed_or_has_a_reason() -> None:
    assert [
        each for each in MUTANTS if bool(each.killed) is bool(each.equivalent)
    ] == []


def test_a_line_that_is_gone_is_told() -> None:
    gone = Mutant("icr.py", "vector = 5", "vector = 6")
    with pytest.raises(ValueError, match="has no line 'vector = 5' any more"):
        mutated(gone, "vector = 4\n")
