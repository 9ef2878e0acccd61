"""`lapis replay` and `lapis session info` as users meet them."""

from __future__ import annotations

import json
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest
from rigs import recordings

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_tui.cli.main import main
from lapis_tui.messages import Noticed
from lapis_tui.worker import Order, Worker

if TYPE_CHECKING:
    Captured = pytest.CaptureFixture[str]

OLD = Path(__file__).parents[1] / "fixtures/recordings/schema-1/answers.lapis"


@pytest.fixture
def made(tmp_path: Path) -> str:
    recordings.record(tmp_path / "four.lapis")
    return str(tmp_path / "four.lapis")


def test_exec_records_and_replay_verifies(tmp_path: Path, capsys: Captured) -> None:
    path = str(tmp_path / "x.lapis")
    words = ("-c", "run", "-c", "answer 5", "-c", "run", "--record", path)
    assert main(["exec", "ap-bringup", *words]) == 0
    capsys.readouterr()
    for how in (["replay", path, "--verify"], ["replay", path, "--headless"],
                ["session", "verify", path]):  # fmt: skip
        assert main([*how, "--json"]) == 0
        view = json.loads(capsys.readouterr().out)
        assert (view["acts"], view["divergence"], view["warnings"]) == (3, None, [])
    assert main(["exec", "ap-bringup", *words]) == 2
    assert "is there already; --force replaces it" in capsys.readouterr().err


def test_replay_goes_to_an_event_or_a_count_first(made: str, capsys: Captured) -> None:
    assert main(["replay", made, "--to", "#5", "-c", "where", "--json"]) == 0
    rows = [json.loads(line)["result"] for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == rows[1]
    assert rows[0]["event"] > 5
    assert rows[0]["branch"] == "main"
    assert main(["replay", made, "--to", "15000", "-c", "step", "--json"]) == 0
    first, _ = capsys.readouterr().out.splitlines()
    assert json.loads(first)["result"]["retired"] == 15_000
    assert main(["replay", made, "--to", "#999999", "-c", "where"]) == 1
    assert "event 999999 has not happened" in capsys.readouterr().err


def test_what_a_replay_does_by_hand_can_be_recorded_again(
    made: str, tmp_path: Path, capsys: Captured
) -> None:
    path = str(tmp_path / "fork.lapis")
    words = [f"record start {path}", "goto 15000", "quantum 9", "step"]
    given = [word for line in words for word in ("-c", line)]
    assert main(["replay", made, *given]) == 0
    capsys.readouterr()
    assert main(["session", "info", path, "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert view["state"] == "whole"
    assert [(b["name"], b["parent"]) for b in view["branches"]] == [
        ("main", ""), ("branch-1", "main"),
    ]  # fmt: skip
    assert main(["session", "verify", path]) == 0


def test_info_names_the_processor(made: str, tmp_path: Path, capsys: Captured) -> None:
    """As it was made; and of a file that is older than models, the first one."""
    path = str(tmp_path / "kvm.lapis")
    words = ("--cpu", "base", "--hypervisor", "kvm", "-c", "step", "--record", path)
    assert main(["exec", "ap-bringup", *words]) == 0
    capsys.readouterr()
    for file, cpu, hypervisor in (
        (path, "base", "kvm"), (made, "lapis", "none"), (str(OLD), "first", "none"),
    ):  # fmt: skip
        assert main(["session", "info", file, "--json"]) == 0
        view = json.loads(capsys.readouterr().out)
        assert (view["cpu"], view["hypervisor"]) == (cpu, hypervisor)
        assert main(["session", "info", file]) == 0
        assert f"processor {cpu}, hypervisor {hypervisor}\n" in capsys.readouterr().out


def test_info_says_what_is_odd_about_a_torn_file(
    made: str, tmp_path: Path, capsys: Captured
) -> None:
    with open(made, "rb") as file:  # noqa: PTH123 - short
        data = file.read()
    torn = tmp_path / "torn.lapis"
    torn.write_bytes(data[:-100])
    assert main(["session", "info", str(torn), "--json"]) == 3
    view = json.loads(capsys.readouterr().out)
    assert view["state"] == "cut off"
    assert "up to its last whole chunk" in view["warnings"][0]
    assert main(["session", "info", str(tmp_path / "none.lapis")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_a_divergence_is_status_1_and_a_sentence(made: str, capsys: Captured) -> None:
    """illumos bug 13253: an INIT to all but self was a panic of the host."""
    words = ["replay", made, "--headless", "--profile", "illumos-pre-13253"]
    assert main(words) == 1
    out = capsys.readouterr().out
    assert "main diverges after act " in out
    assert "the event before it is 9 exit PANIC: bad pending MMIO state" in out
    assert main(["replay", made, "--headless", "--profile", "vax"]) == 2
    assert "vax" in capsys.readouterr().err


def test_what_no_command_asked_for_reaches_the_screen() -> None:
    session = open_session(
        SessionOptions("ap-bringup", memory="4M"), discover().extensions
    )
    session.notices.append("recording to 'x' stopped: No space left on device")
    posted: SimpleQueue[Any] = SimpleQueue()
    worker = Worker(session, posted.put)
    worker.start()
    worker.order(Order("quantum 5", 0))
    message = posted.get(timeout=20)
    while not isinstance(message, Noticed):
        message = posted.get(timeout=20)
    worker.close()
    assert "No space left" in message.text
    assert session.notices == []
