"""`lapis scenarios` and `lapis scenario` as users meet them."""

from __future__ import annotations

import io
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from lapis_sessions.gallery import catalog
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    Captured = pytest.CaptureFixture[str]


def rows(capsys: Captured) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_list_names_them_with_a_sentence_each(capsys: Captured) -> None:
    assert main(["scenarios"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ap-bringup ")
    assert len(lines) == 13 + 2
    assert max(map(len, lines)) <= 80
    assert main(["scenarios", "--json"]) == 0
    found = rows(capsys)
    assert [row["name"] for row in found][:2] == ["ap-bringup", "freebsd-13.1"]
    seed = next(row for row in found if row["name"] == "illumos-13253")
    profiles = [tape["profile"] for tape in seed["recordings"]]
    assert profiles == ["illumos-pre-13253", "illumos-pre-13275", "illumos"]


def test_a_walk_tells_every_point_and_asks_nothing(capsys: Captured) -> None:
    assert main(["scenario", "illumos-13645"]) == 0
    out, err = capsys.readouterr()
    assert "run-state INIT|PEND_SIPI -> RUN|INIT: SIPI 0x09 taken" in out
    assert "vCPU 1 waits for a SIPI." in out
    assert "?" not in out
    assert err == ""


def test_a_walk_as_json_has_an_object_a_point(capsys: Captured) -> None:
    assert main(["scenario", "three-answers", "--json"]) == 0
    head, *points = rows(capsys)
    assert head["title"] == "One question, three answers"
    assert [p["branch"] for p in points] == ["main", "main", "branch-1", "branch-2"]
    assert [p["point"] for p in points] == [1, 2, 3, 4]
    pending = points[0]["shown"][0]
    assert (pending["command"], pending["ok"]) == ("pending", True)
    assert pending["result"][0]["gpa"] == 0xD000_0000


def test_a_lesson_compares_the_answers(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("36864\nwaiting\n"))
    assert main(["scenario", "illumos-13645", "--lesson"]) == 0
    out = capsys.readouterr().out
    asked = out.index("? INIT comes next.")
    told = out.index("Right: 0x9000.")
    happened = out.index("Nobody sent a SIPI after that INIT")
    assert asked < told < happened
    assert "You said 'waiting'. It is 0x1." in out
    assert out.endswith("1 of 2 predicted\n")


def test_a_lesson_goes_on_where_no_more_answers_come(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("0x9000\n"))
    assert main(["scenario", "illumos-13645", "--lesson", "--json"]) == 0
    out, err = capsys.readouterr()
    found = [json.loads(line) for line in out.splitlines()]
    given = [(row["given"], row["right"]) for row in found if "given" in row]
    assert given == [("0x9000", True), (None, False)]
    assert found[-1] == {"right": 1, "asked": 2}
    assert "? INIT comes next." in err


def test_a_lesson_without_standard_input_asks_all_the_same(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["scenario", "lost-sipi", "--lesson"]) == 0
    assert capsys.readouterr().out.endswith("0 of 2 predicted\n")


def test_an_answer_that_is_no_text_is_told(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["scenario", "lost-sipi", "--lesson"]) == 2
    told = "lapis: standard input is not text in UTF-8\n"
    assert capsys.readouterr().err == told


def test_a_check_is_0_when_all_holds(capsys: Captured) -> None:
    assert main(["scenario", "lost-sipi", "--check"]) == 0
    assert capsys.readouterr().out.startswith("lost-sipi           ok: ")
    assert main(["scenarios", "--check", "--json"]) == 0
    found = rows(capsys)
    assert [row["ok"] for row in found] == [True] * 13


def test_a_check_is_1_and_says_what_does_not_hold(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in catalog.home().glob("lost-sipi*"):
        shutil.copy(path, tmp_path)
    toml = tmp_path / "lost-sipi.toml"
    toml.write_text(toml.read_text().replace("value = 0xC4608", "value = 0xC4609"))
    monkeypatch.setattr(catalog, "home", lambda: tmp_path)
    assert main(["scenarios", "--check"]) == 1
    out = capsys.readouterr().out
    assert "1 things are wrong" not in out
    assert "lost-sipi           1 thing is wrong" in out
    assert "sdm, point 1: apic 0: result.icr.raw is 804360 and not 804361" in out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["nosuch"], "there is no scenario 'nosuch'; there are ap-bringup"),
        (["lost-sip"], "did you mean lost-sipi?"),
        (["lost-sipi", "--lesson", "--check"], "exclude each other"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    words: list[str], why: str, capsys: Captured
) -> None:
    assert main(["scenario", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert why in err
    assert len(err.splitlines()) == 1
