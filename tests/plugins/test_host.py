"""Plug-ins come in by entry point, and one that fails harms nobody else."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lapis_engine.devices import post_code
from lapis_engine.devices.device import Device
from lapis_engine.machine.config import MachineConfig
from lapis_plugins.host import Host, discover
from lapis_plugins.spec import hookimpl
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from lapis_plugins.plugin import Report

CONFIG = MachineConfig()


class Good:
    @hookimpl
    def lapis_devices(self) -> Sequence[Device]:
        return [post_code.device()]


class Bad:
    calls = 0

    @hookimpl
    def lapis_devices(self, config: MachineConfig) -> Sequence[Device]:
        Bad.calls += 1
        raise RuntimeError(f"no luck with {config.cpus} vCPUs")


class Wrong:
    @hookimpl
    def lapis_devices(self) -> Sequence[object]:
        return ["com1"]


def names(host: Host) -> list[str]:
    return [device.name for device in host.devices(CONFIG)]


def test_the_pc_comes_with_lapis() -> None:
    assert names(discover()) == [
        "fw-cfg", "cmos", "pit", "pic", "ioapic", "pmtimer", "com1", "debugcon",
        "isa-debug-exit", "pci", "ps2", "post-code",
    ]  # fmt: skip


def test_the_pc_is_loaded_once_whether_installed_or_not() -> None:
    assert [p.name for p in discover().plugins if p.builtin] == [
        "bare", "dump", "engine", "panes", "pc", "sessions",
    ]  # fmt: skip


def test_a_plugin_that_raises_is_reported_once_and_disabled() -> None:
    told: list[Report] = []
    host = Host(told.append)
    host.register(Bad(), "bad")
    host.register(Good(), "good")
    assert names(host) == ["post-code"]
    assert names(host) == ["post-code"]
    assert Bad.calls == 1
    assert [failure.plugin for failure in told] == ["bad"]
    assert told[0].text == (
        "plug-in 'bad' is disabled: its lapis_devices failed: "
        "RuntimeError: no luck with 2 vCPUs"
    )
    assert [(p.name, p.why is None) for p in host.plugins] == [
        ("bad", False), ("good", True),
    ]  # fmt: skip


def test_a_plugin_that_returns_no_devices_is_disabled_whole() -> None:
    host = Host()
    host.register(Wrong(), "wrong")
    assert names(host) == []
    assert "'com1' is no Device" in host.failures[0].why


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a plug-in that works and one that cannot be imported."""
    info = tmp_path / "thirdparty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: thirdparty\nVersion: 1\n"
    )
    (info / "entry_points.txt").write_text(
        "[lapis.plugins]\nbroken = no_such_module_at_all\nthird = third_party_lapis\n"
    )
    (tmp_path / "third_party_lapis.py").write_text(
        "from lapis_plugins.spec import hookimpl\n"
        "from lapis_engine.devices import uart\n"
        "@hookimpl\n"
        "def lapis_devices():\n"
        "    return [uart.device('com2', 0x2F8, 3)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("installed")
def test_installed_plugins_are_found_and_a_broken_one_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LAPIS_PLUGINS", raising=False)
    host = discover()
    assert "com2" in names(host)
    assert [(f.plugin, f.hook) for f in host.failures] == [("broken", "load")]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("value", "found"),
    [("", False), ("third", True), ("-third", False), ("-broken", True)],
)
def test_the_environment_chooses_the_installed_plugins(
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    found: bool,
) -> None:
    monkeypatch.setenv("LAPIS_PLUGINS", value)
    host = discover()
    assert ("com2" in names(host)) is found
    assert "com1" in names(host)
    assert ("broken" in [f.plugin for f in host.failures]) is (value == "-third")


@pytest.mark.usefixtures("installed")
def test_a_name_of_no_plugin_in_the_environment_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAPIS_PLUGINS", "third, fourth")
    told: list[Report] = []
    host = discover(told.append)
    assert [report.text for report in told] == [
        "LAPIS_PLUGINS names 'fourth', and no plug-in of that name is here"
    ]
    assert {plugin.name: plugin.why for plugin in host.plugins} == {
        "bare": None, "dump": None, "engine": None, "panes": None, "pc": None,
        "sessions": None, "third": None,
        "broken": "LAPIS_PLUGINS leaves it out",
    }  # fmt: skip


# Our own pane comes in by the hook.


def test_the_pane_of_priorities_says_what_is_next_and_what_is_held() -> None:
    session = open_session(SessionOptions(cpus=2), discover().extensions)
    for line in (
        "run 5000000", "ipi fixed 0x41 --to 1", "ipi fixed 0x35 --to 1",
        "ipi fixed 0x41 --to 0", "kernemu write 0xfee00080 4 0x40",
    ):  # fmt: skip
        assert session.execute(line).ok
    text = session.execute("pane priority").text.splitlines()
    rows = [re.split(r"\s{2,}", line.strip()) for line in text[2:]]
    assert rows == [
        ["0", "0x40", "0x40", "-", "41", "41 held by PPR"],
        ["1", "0x00", "0x00", "-", "41 35", "41"],
    ]
