"""`lapis bench gdb`: what is measured, compared and told; not how long it takes."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from lapis_tui.bench import gdb, gdb_steps
from lapis_tui.bench.gdb_steps import KINDS, Kind, Lost, Target, TargetError
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

Captured = pytest.CaptureFixture[str]
KEYS = [
    "name", "unit", "steps", "p50", "p95", "problem", "peer", "peer_steps", "peer_p50",
    "peer_p95", "peer_problem", "ratio", "ratio_p95", "goal", "met", "interpreter",
    "core", "build",
]  # fmt: skip
Found = list[float] | Lost


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[Found, Found], None]:
    """Return what has steps take so long on Lapis and on QEMU."""
    monkeypatch.setattr(shutil, "which", lambda program: program)

    def take(ours: Found, theirs: Found) -> None:
        def measured(target: Target, _kind: Kind) -> Found:
            return ours if target.name == "Lapis" else theirs

        monkeypatch.setattr(gdb, "measured", measured)

    return take


def test_steps_are_compared_by_their_median_and_their_slowest_of_twenty(
    fake: Callable[[Found, Found], None], capsys: Captured
) -> None:
    fake([0.001] * 90 + [0.002] * 10, [0.02] * 90 + [0.08] * 10)
    assert main(["bench", "gdb", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all([*row] == KEYS for row in rows)
    assert [row["name"] for row in rows] == [kind.name for kind in KINDS]
    row = rows[0]
    assert (row["p50"], row["p95"]) == (pytest.approx(1), pytest.approx(2))
    assert (row["peer_p50"], row["peer_p95"]) == (pytest.approx(20), pytest.approx(80))
    assert (row["ratio"], row["ratio_p95"]) == (pytest.approx(20), pytest.approx(40))
    assert (row["steps"], row["peer_steps"], row["met"]) == (300, 300, True)


@pytest.mark.parametrize(
    ("ours", "theirs"), [([0.006] * 9, [0.1] * 9), ([0.001] * 9, [0.009] * 9)]
)
def test_a_target_is_missed_by_what_is_slow_and_by_what_is_no_faster(
    ours: list[float],
    theirs: list[float],
    fake: Callable[[Found, Found], None],
    capsys: Captured,
) -> None:
    fake(ours, theirs)
    assert main(["bench", "gdb"]) == 1
    assert capsys.readouterr().out.count("MISSED") == len(KINDS)


def test_a_step_that_does_not_return_is_told_and_took_so_long_at_least(
    fake: Callable[[Found, Found], None], capsys: Captured
) -> None:
    fake([0.001] * 9, Lost("did not return in 10 s", 10.0))
    assert main(["bench", "gdb"]) == 0
    _, *rows = capsys.readouterr().out.splitlines()
    assert all("QEMU: did not return in 10 s; 10,000.0 times" in row for row in rows)


def test_what_is_not_installed_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _program: None)
    assert main(["bench", "gdb"]) == 0
    _, *rows = capsys.readouterr().out.splitlines()
    assert all("gdb is not installed" in row for row in rows)


@pytest.mark.skipif(shutil.which("gdb") is None, reason="there is no gdb")
def test_gdb_steps_on_lapis_and_what_does_not_return_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = Kind("few", 2, 3)
    found = gdb_steps.measured(gdb_steps.lapis(), few)
    assert isinstance(found, list)
    assert len(found) == 3
    assert all(each > 0 for each in found)
    monkeypatch.setattr(gdb_steps, "LIMIT", 0.5)
    endless = Kind("endless", 1, 1)
    monkeypatch.setattr(
        gdb_steps, "SCRIPT", "open(TAKEN, 'w').write('here\\n')\nwhile True: pass\n"
    )
    lost = gdb_steps.measured(Target("none", ("true",)), endless)
    assert lost == Lost("did not return in 0.5 s", 0.5)
    monkeypatch.setattr(gdb_steps, "SCRIPT", "raise ValueError('no such thing')\n")
    with pytest.raises(TargetError, match=r"gdb did not come to it: .* no such thing"):
        gdb_steps.measured(Target("none", ("true",)), few)
