"""A slice of the fuzzing: `run.py` does the long run."""

from __future__ import annotations

from collections import Counter

import pytest

from fuzz import generate
from fuzz.judge import Judge

SLICES = 5
CASES = 1000
"""In each."""


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


@pytest.mark.parametrize("seed", range(100, 100 + SLICES))
def test_the_request_path_does_what_the_processor_does_on_memory(
    judge: Judge, seed: int
) -> None:
    kinds: Counter[str] = Counter()
    asked = 0
    for number in range(CASES):
        case = generate.cases(seed, number)
        verdict = judge.judge(case)
        assert verdict.kind != "different", f"#{number} {case}\n{verdict.text}"
        kinds[verdict.kind] += 1
        asked += verdict.requests
    # The slice must not have become empty of what it is for.
    assert kinds["same"] > CASES * 9 // 10
    assert asked > CASES


def test_every_group_of_instructions_asks_for_something(judge: Judge) -> None:
    asked: Counter[str] = Counter()
    for number in range(1500):
        case = generate.cases(99, number)
        asked[case.group] += judge.judge(case).requests
    # VEX without AVX is #UD, before any access.
    assert {group for group in generate.WEIGHTS if not asked[group]} == {"avx"}


def test_a_difference_is_found(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer one bit wrong, and the judge must say so."""
    right = judge._answer

    def wrong(request):  # type: ignore[no-untyped-def]
        answer = right(request)
        return type(answer)(answer.gpa, answer.bytes, answer.read, answer.data ^ 1)

    monkeypatch.setattr(judge, "_answer", wrong)
    kinds = Counter(
        judge.judge(generate.cases(98, number)).kind for number in range(300)
    )
    assert kinds["different"] > 100
