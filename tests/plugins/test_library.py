"""The public face: what it names is there. `tests/docs` runs what its page shows."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import lapis
from lapis import html


def test_every_name_is_there_and_no_other() -> None:
    assert {"open", "replay", "Session", "CommandError"} <= set(lapis.__all__)
    assert sorted(lapis.__all__) == lapis.__all__
    for name in set(lapis.__all__) - {"__version__"}:
        assert getattr(lapis, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        _ = lapis.opne
    assert dir(lapis) == sorted(lapis.__all__)


@pytest.mark.parametrize(
    ("code", "loaded", "absent"),
    [
        ("import lapis", "lapis", "lapis_engine"),
        ("import lapis; lapis.CommandError", "lapis_sessions.errors", "unicorn"),
        ("import lapis; lapis.open", "lapis_engine.machine.machine", "textual"),
    ],
)
def test_only_what_is_asked_for_is_loaded(code: str, loaded: str, absent: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = set(done.stdout.split())
    assert loaded in found
    assert absent not in found
    assert not found & {"textual", "rich", "prompt_toolkit"}


def test_a_closed_session_can_be_looked_at_and_not_moved(tmp_path: Path) -> None:
    path = tmp_path / "x.lapis"
    with lapis.open(cpus=1, memory="2M", record=path) as session:
        session.run(100)
    session.close()
    assert path.is_file()
    assert session.vcpus[0].retired == 100
    assert [event.kind for event in session.events()] == ["mode"]
    for verb in (session.run, session.answer, session.discard):
        with pytest.raises(lapis.LapisError, match="the session is closed"):
            verb()
    with pytest.raises(lapis.LapisError, match="the session is closed"):
        session.do("run 1")


def test_each_mistake_has_a_class_and_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(lapis.GuestError, match="no-such"):
        lapis.open("no-such")
    with pytest.raises(lapis.ConfigError, match="99 vCPUs"):
        lapis.open(cpus=99, profile="illumos")
    with pytest.raises(lapis.RecordingError, match="cannot be read"):
        lapis.replay(tmp_path / "no.lapis")
    session = lapis.open(cpus=1, memory="2M")
    with pytest.raises(lapis.EntryError, match="vCPU 0 has no pending request"):
        session.answer(1)
    with pytest.raises(lapis.CommandError, match="there is no command"):
        session.do("rnu")
    with pytest.raises(AttributeError, match="no register 'rxx'"):
        _ = session.vcpus[0].regs.rxx


def test_step_moves_one_vcpu_and_selects_it() -> None:
    session = lapis.open(cpus=2, memory="2M")
    session.run(28_000)
    before = [vcpu.retired for vcpu in session.vcpus]
    stop = session.step(3, vcpu=0)
    assert (stop.reason, stop.retired) == ("budget", 3)
    assert [vcpu.retired for vcpu in session.vcpus] == [before[0] + 3, before[1]]
    assert session.do("vcpus")[0]["retired"] == before[0] + 3


class Cells(HTMLParser):
    """Collects the text of cells, and the tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def cells(source: str) -> Cells:
    parser = Cells()
    parser.feed(source)
    return parser


def test_a_notebook_shows_session_vcpu_and_apic() -> None:
    session = lapis.open(cpus=2)
    session.run(5_000_000)
    found = cells(session._repr_html_())
    assert "vCPU 0" in found.texts
    assert "read of 4 bytes at 0xd0000000" in found.texts
    session.do("ipi fixed 0x41 --to 1")
    assert "0x41" in cells(session.vcpus[1].apic._repr_html_()).texts
    rip = f"{session.vcpus[0].regs.rip:#x}"
    assert rip in cells(session.vcpus[0]._repr_html_()).texts
    assert session.vcpus[0].regs["cs.base"] == 0


def test_text_of_a_guest_is_no_markup() -> None:
    evil = "<script>alert(1)</script>"
    found = cells(html.table(evil, [(evil, evil)]) + html.grid(evil, [evil], [[evil]]))
    assert "script" not in found.tags
    assert found.texts.count(evil) == 6


def test_a_plug_in_comes_from_a_file_and_one_that_fails_is_a_notice(
    tmp_path: Path,
) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(
        "from lapis_plugins.spec import hookimpl\n"
        "from lapis_sessions.registry import Command\n"
        "@hookimpl\n"
        "def lapis_commands():\n"
        "    look = lambda session, bound: session.machine.now\n"
        "    return [Command('moment', 'say when', 'read-only', look, str)]\n"
    )
    bad.write_text("raise RuntimeError('no luck')\n")
    session = lapis.open(cpus=1, memory="2M", plugins=[good, bad])
    session.run(7)
    assert session.do("moment") == 7
    assert session.notices() == [
        "plug-in 'bad' is disabled: its load failed: RuntimeError: no luck"
    ]
    assert session.notices() == []


@pytest.mark.parametrize("checks", ["off", "usual", "all"])
def test_a_machine_is_recorded_with_its_checks(tmp_path: Path, checks: str) -> None:
    """Replay says nothing of checks: the header does."""
    guest, path = tmp_path / "limits.bin", tmp_path / "checks.lapis"
    guest.write_bytes(bytes.fromhex("fa a1ffff ebfe"))  # mov ax, [0xffff]
    with lapis.open(guest, cpus=1, memory="2M", checks=checks, record=path) as session:
        session.run(2)
        kinds = [event.kind for event in session.events()]
    assert ("exception" in kinds) == (checks != "off")
    with lapis.replay(path) as again:
        again.goto("end")
        assert [event.kind for event in again.events()] == kinds


def test_checks_that_are_none_are_refused() -> None:
    with pytest.raises(lapis.LapisError, match="off or usual or all is expected"):
        lapis.open(cpus=1, memory="2M", checks="some")


def test_a_strict_machine_is_recorded_as_one(tmp_path: Path) -> None:
    guest, path = tmp_path / "limits.bin", tmp_path / "strict.lapis"
    # mov bx, 0xffff; mov ax, [bx]: beyond the limit of DS, and #GP has no handler but
    # itself. A constant would be usual.
    guest.write_bytes(bytes.fromhex("fa bbffff 8b07 ebfe"))
    for strict in (False, True):
        with lapis.open(guest, cpus=1, memory="2M", strict=strict) as session:
            session.run(3)
            kinds = {event.kind for event in session.events()}
        assert ("exception" in kinds) == strict
    with lapis.open(guest, cpus=1, memory="2M", strict=True, record=path) as session:
        session.run(3)
        texts = [event.text for event in session.events()]
    assert "2 bytes at DS:0xffff are beyond the limit, 0xffff" in texts[0]
    with lapis.replay(path) as again:
        again.goto("end")
        assert [event.text for event in again.events()] == texts
