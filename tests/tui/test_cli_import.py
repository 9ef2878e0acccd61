"""`lapis import`: what is asked of the user, and how the debugger begins."""

from pathlib import Path
from typing import Any

import pytest
from rigs import fake_qmp
from rigs.fake_qmp import serving

from lapis_sessions.session import Session
from lapis_tui.cli import screen
from lapis_tui.cli.main import main


def test_without_a_terminal_nobody_is_asked_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path / "qmp", fake_qmp.load("stuck-tpr")) as fake:
        assert main(["import", "qemu", "--qmp", fake.path]) == 2
        assert fake.asked == []
    assert "without one give -c CMD, --script FILE or --json" in capsys.readouterr().err


def test_the_debugger_opens_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Session] = []

    def show(session: Session, *_more: Any, **_named: Any) -> int:
        shown.append(session)
        return 0

    monkeypatch.setattr(screen, "need", lambda _otherwise: None)
    monkeypatch.setattr(screen, "show", show)
    with serving(tmp_path / "qmp", fake_qmp.load("stuck-tpr")) as fake:
        assert main(["import", "qemu", "--qmp", fake.path, "--quantum", "50"]) == 0
    (session,) = shown
    assert "things could not be read and are as after reset" in session.notices[-1]
    assert session.machine.config.quantum == 50
    assert [session.machine.vcpu_state(n) for n in (0, 1)] == ["running", "halted"]
    session.release()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--timeout", "0"], "--timeout 0: 1 to 3600 seconds"),
        (["--timeout", "99999"], "--timeout 99999: 1 to 3600 seconds"),
        (["--force"], "--force goes with --record FILE"),
        (["--profile", "nobody"], "nobody"),
        (["--cpu", "486"], "486"),
        (["--quantum", "0"], "quantum 0"),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_is_asked(
    more: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path / "qmp", fake_qmp.load("stuck-tpr")) as fake:
        assert main(["import", "qemu", "--qmp", fake.path, "--json", *more]) == 2
        assert fake.asked == []
    assert words in capsys.readouterr().err


def test_a_recording_that_is_there_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.lapis"
    file.write_bytes(b"mine")
    with serving(tmp_path / "qmp", fake_qmp.load("stuck-tpr")) as fake:
        line = ["import", "qemu", "--qmp", fake.path, "--record", str(file), "--json"]
        assert main(line) == 2
    assert file.read_bytes() == b"mine"
    told = capsys.readouterr()
    assert told.out == ""
    assert "--force" in told.err
