"""A slice of each generator, and the frame that keeps them alive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from campaign import __main__ as campaign
from campaign import encodings, forked, frame
from campaign.frame import GENERATORS, Budget, Generator

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", GENERATORS)
def test_a_slice_finds_nothing(name: str) -> None:
    result = frame.run(name, 1, Budget(count=GENERATORS[name].slice))
    assert result["findings"] == []
    assert result["count"] >= GENERATORS[name].slice


@pytest.mark.parametrize("mode", encodings.MODES)
@pytest.mark.parametrize("code", ["f00fa3c3", "f00fabc3", "f00fb3e2", "f00fbae601"])
def test_lock_bt_of_a_register_still_kills(
    mode: tuple[int, str], code: str, tmp_path: Path
) -> None:
    """Where this fails the fault is cured: `encodings.KNOWN` loses it, and this."""
    trial = encodings.Trial(*mode, bytes.fromhex(code))
    encodings.worlds()
    assert list(forked.each([trial], encodings.attempt, tmp_path)) == [
        (trial, "SIGABRT")
    ]
    assert encodings.kind_of(trial, "SIGABRT") == encodings.LOCK_BT


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Generator("campaign.mock", "deaths", slice=1, share=1, patience=1.0)
    monkeypatch.setattr(frame, "GENERATORS", {"mock": row})
    monkeypatch.setattr(campaign, "GENERATORS", {"mock": row})


@pytest.mark.usefixtures("mocked")
def test_a_death_is_a_finding_and_not_the_end() -> None:
    result = frame.run("mock", 5, Budget(count=11))
    found = {row["kind"]: row for row in result["findings"]}
    assert {kind: row["number"] for kind, row in found.items()} == {
        "even": 1,
        "died of SIGABRT": 5,
        "exception": 6,
        "ended with 9": 7,
        "hung": 8,
    }
    assert "ValueError: six" in found["exception"]["text"]
    assert "case 5" in found["died of SIGABRT"]["text"]
    assert result["known"]["odd"]["count"] == 1
    assert (result["cases"], result["figures"]) == (11, {"good": 5})


@pytest.mark.usefixtures("mocked")
def test_a_finding_is_rebuilt_by_its_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = frame.run("mock", 5, Budget(count=1, first=1))
    assert again["findings"] == frame.run("mock", 5, Budget(count=3))["findings"]
    file = tmp_path / "result.json"
    sys_argv = ["mock", "--seed", "5", "--only", "1", "--result", str(file)]
    assert campaign.main(sys_argv) == 1
    assert json.loads(file.read_text())["findings"] == again["findings"]
    assert "1 findings" in capsys.readouterr().out
