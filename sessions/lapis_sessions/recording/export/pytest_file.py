"""A recording as a file of tests, which pass where Lapis does what it did.

The file holds the recording itself, or the way to it.
"""

from __future__ import annotations

import base64
import pprint
from dataclasses import fields
from typing import TYPE_CHECKING

from lapis_sessions.errors import RecordingError

if TYPE_CHECKING:
    from lapis_sessions.recording.export.facts import Facts

MOST = 1 << 20
"""Bytes of a recording that goes into a test."""
LETTERS = 76
"""Letters of a line of it."""

TEMPLATE = '''\
"""What a recording did, as tests. Made by: lapis session export FILE pytest."""

import base64
import json
from pathlib import Path

import pytest

from lapis_plugins.host import discover
from lapis_sessions.recording.export import facts
from lapis_sessions.recording.export.facts import Facts
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import named, replaying
from lapis_sessions.recording.play.player import Player

BRANCH = {branch}
FACTS = {facts}
{recording}


@pytest.fixture(scope="module")
def recording({argument}) -> reader.Recording:
{fixture}


@pytest.fixture(scope="module")
def found(recording: reader.Recording) -> Facts:
    branch = named.branch_of(recording, BRANCH)
    return facts.gather(Player(named.Named(recording, branch), discover().extensions))


def test_every_hash_on_the_way_is_equal(recording: reader.Recording) -> None:
    session = replaying.session_of(recording, discover().extensions)
    assert replaying.verify(session, recording).divergence is None


@pytest.mark.parametrize("name", FACTS)
def test_the_replay_comes_to_the_same(found: Facts, name: str) -> None:
    assert json.loads(json.dumps(getattr(found, name))) == FACTS[name]
'''

WITHIN = """\
    path = tmp_path_factory.mktemp("recording") / "recording.lapis"
    path.write_bytes(base64.b64decode(RECORDING))
    return reader.read(str(path))"""
BESIDE = """\
    return reader.read(str(Path(__file__).parent / RECORDING))"""


def within(branch: str, facts: Facts, packed: bytes) -> str:
    """Return the text of a test that holds the recording.

    Raises `RecordingError` when that is too large.
    """
    if len(packed) > MOST:
        raise RecordingError(
            f"the recording has {len(packed)} bytes and a test holds at most {MOST}; "
            f"--by-reference names it instead"
        )
    letters = base64.b64encode(packed).decode("ascii")
    lines = [letters[at : at + LETTERS] for at in range(0, len(letters), LETTERS)]
    recording = "\n".join(['RECORDING = """', *lines, '"""'])
    argument = "tmp_path_factory: pytest.TempPathFactory"
    return _text(branch, facts, recording, argument, WITHIN)


def beside(branch: str, facts: Facts, path: str) -> str:
    """Return the text of a test that reads the recording at `path`.

    `path` is as seen from the folder of the test.
    """
    return _text(branch, facts, f"RECORDING = {path!r}", "", BESIDE)


def _text(
    branch: str, facts: Facts, recording: str, argument: str, fixture: str
) -> str:
    values = {field.name: _plain(getattr(facts, field.name)) for field in fields(facts)}
    text = TEMPLATE.format(
        branch=repr(branch),
        facts=pprint.pformat(values, width=LETTERS, sort_dicts=False),
        recording=recording,
        argument=argument,
        fixture=fixture,
    )
    unused = "from pathlib import Path\n" if argument else "import base64\n"
    return text.replace(unused, "", 1)


def _plain(value: object) -> object:
    """Return a value with lists for tuples, as JSON has them."""
    if isinstance(value, list):
        return [list(row) if isinstance(row, tuple) else row for row in value]
    return value
