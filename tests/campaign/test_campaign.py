"""A slice of each generator, and the frame that keeps them alive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from campaign import __main__ as campaign
from campaign import encodings, forked, frame, guests, opcodes
from campaign.frame import GENERATORS, Budget, Generator
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", GENERATORS)
def test_a_slice_finds_nothing(name: str) -> None:
    result = frame.run(name, 1, Budget(count=GENERATORS[name].slice))
    assert result["findings"] == []
    assert result["count"] >= GENERATORS[name].slice


@pytest.mark.parametrize("mode", encodings.MODES)
@pytest.mark.parametrize("code", ["f00fa3c3", "f00fabc3", "f00fb3e2", "f00fbae6"])
def test_lock_bt_of_a_register_kills_nobody(
    mode: tuple[int, str], code: str, tmp_path: Path
) -> None:
    trial = encodings.Trial(*mode, bytes.fromhex(code) + opcodes.TAIL)
    encodings.worlds()
    assert list(forked.each([trial], encodings.attempt, tmp_path)) == []


RETURNS = bytes.fromhex("666802000100 660e 666810000000 66cf") + bytes(4000)
"""16-bit code: push 0x10002 (RF), cs and 16; iretd; and zeros, which add."""
SHUFFLES = bytes.fromhex("0f20e0 660d00060000 0f22e0 660f3800c1 f4")
"""16-bit code: CR4.OSFXSR; pshufb xmm0, xmm1; hlt."""


@pytest.mark.parametrize(("code", "many"), [(RETURNS, 133), (SHUFFLES, 100)])
def test_how_a_run_is_cut_does_not_show(code: bytes, many: int, tmp_path: Path) -> None:
    path = tmp_path / "guest.bin"
    path.write_bytes(code)
    options = SessionOptions(str(path), 1, guests.MEMORY)
    whole = guests.run_as(options, many, lambda left: left, None)
    cut = guests.run_as(options, many, lambda left: min(left, 60), None)
    assert guests.differences(whole, cut) == []
    assert whole.digest == cut.digest


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
