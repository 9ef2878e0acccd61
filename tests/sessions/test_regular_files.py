"""Files that are read are regular, bounded and never waited for, whoever reads them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rigs.odd_files import ODD, made

from lapis_engine.errors import LapisError
from lapis_plugins.host import discover
from lapis_sessions import guests, regular
from lapis_sessions.apic_files import reading
from lapis_sessions.exploring.exploration import Shelf
from lapis_sessions.gallery import catalog
from lapis_sessions.gallery.catalog import ScenarioError
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import named
from lapis_sessions.rules import syntax
from lapis_tui import scripts

READERS: dict[str, Callable[[str], Any]] = {
    "guest": guests.find,
    "firmware": guests.firmware,
    "APIC file": lambda path: reading.read(path, reading.FORMATS),
    "recording": reader.read,
    "branch of a recording": named.find,
    "script": scripts.script,
    "rule": lambda path: syntax.parse(f"port 0xd000 in = file {path}", 1),
    "scenario": lambda path: catalog.read(Path(path)),
}


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("what", READERS)
def test_a_file_that_is_none_is_refused_at_once_and_named(what: str, kind: str) -> None:
    name = ODD[kind]
    with pytest.raises(LapisError) as caught:
        READERS[what](name)
    said = str(caught.value)
    # Of a long name both ends are told.
    assert repr(name)[-50:-1] in said or Path(name).stem[-50:] in said
    assert "\n" not in said


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("kind", ODD)
def test_a_folder_that_cannot_be_is_refused_and_named(kind: str) -> None:
    name = ODD[kind]
    try:
        Shelf(name, force=False)
    except LapisError as error:
        said = str(error)
    else:
        said = repr(name) * Path(name).is_dir()
    assert repr(name) in said


@pytest.mark.parametrize("kind", ODD)
def test_a_plug_in_that_is_no_file_is_disabled(odd: Path, kind: str) -> None:
    name = ODD[kind]
    if name.isalpha() and len(name) < 99:  # the same thing by a name that plug-ins have
        with_suffix = odd / f"{name}.py"
        if os.path.lexists(odd / name):
            with_suffix.symlink_to(odd / name)
        name = str(with_suffix)
    else:
        name += ".py"
    host = discover(files=[name], installed=False)
    (failure,) = host.failures
    assert failure.hook == "load"
    assert "Error: " in failure.why


def test_a_plug_in_whose_name_is_not_utf_8_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "odd\udcff.py"
    path.write_text(
        "from lapis_plugins.spec import hookimpl\n"
        "@hookimpl\ndef lapis_lints():\n    return []\n"
    )
    assert discover(files=[str(path)], installed=False).failures == []


def test_no_more_is_read_than_was_said(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    assert regular.read(str(path), 10, "file") == b"x" * 10
    with pytest.raises(regular.FileError, match="has 10 bytes; 9 is the most"):
        regular.read(str(path), 9, "file")


def test_what_takes_the_place_of_a_file_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "fifo")
    given = os.open
    # Between looking at it and opening it, it became a FIFO that nobody writes to.
    monkeypatch.setattr(
        os, "open", lambda _path, *rest: given(tmp_path / "fifo", *rest)
    )
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(regular.FileError, match="is not a regular file"):
        regular.opened(str(tmp_path / "file"), "file")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"title = {'9' * 5000}".encode(), "4300 digits"),
        (
            f"title = 0x{'f' * 5000}".encode(),
            "a number has 20,000 bits, 64 is the most",
        ),
        (f"title = {'[' * 20_000}{']' * 20_000}".encode(), "nested too deeply"),
        (b"title = '\xff'", "utf-8"),
        (b"title = '\0'", "scenario 'x': "),
    ],
)
def test_a_scenario_that_cannot_be_read_says_why(
    tmp_path: Path, text: bytes, why: str
) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(text)
    with pytest.raises(ScenarioError, match=why):
        catalog.read(path)
