"""What every command returns: JSON byte for byte, and the same in words.

`golden/commands.toml` says what is done, `golden/commands.txt` what came of it. The
JSON is a contract: its names, their order and its values. What is long is shown by its
beginning and a hash of all. After a change that is meant to be seen, write the file
anew: `python tests/sessions/test_golden_commands.py`.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

GOLDEN = Path(__file__).parent / "golden"
GUESTS = Path(__file__).parents[1] / "guests"
CASES: list[dict[str, Any]] = tomllib.loads(
    (GOLDEN / "commands.toml").read_text("utf-8")
)["case"]
LIMIT = 20_000
"""Instructions of a run that names no limit: some guests never end."""
SHOWN = 120
"""Letters of an output that are shown; after a longer one stands a hash of all."""


def transcript(case: dict[str, Any]) -> str:
    """Do a case in the working folder; return what comes of each line."""
    machine = dict(case.get("machine", {}))
    guest = case["guest"]
    path = GUESTS / guest
    session = open_session(
        SessionOptions(str(path) if path.exists() else guest, **machine),
        discover().extensions,
    )
    session.limit = LIMIT
    out = [f"== {case['name']}"]
    for line in case["lines"]:
        outcome = session.execute(line)
        told = outcome.to_dict()
        del told["command"]
        out += [f"> {line}", _short(json.dumps(told))]
        if outcome.ok:
            out.append(_short(outcome.text))
    session.close()
    return "\n".join(out) + "\n"


def _short(text: str) -> str:
    shown = json.dumps(text) if "\n" in text else text
    if len(shown) <= SHOWN:
        return shown
    digest = blake2b(text.encode(), digest_size=6).hexdigest()
    return f"{shown[:SHOWN]} ... {len(text)} letters, {digest}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_commands_return_what_they_always_did(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = (GOLDEN / "commands.txt").read_text("utf-8")
    wanted = {
        part.partition("\n")[0]: part
        for part in re.split(r"^== ", told, flags=re.MULTILINE)[1:]
    }
    assert transcript(case) == f"== {wanted[case['name']]}"


def write() -> None:
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        told = "".join(map(transcript, CASES))
    (GOLDEN / "commands.txt").write_text(told, "utf-8")


if __name__ == "__main__":
    write()
