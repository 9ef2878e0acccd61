"""Scenarios: acts of guest and user, and what is seen after each (`script`)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from conformance.rig import Rig
from conformance.script import Script

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.toml"))


def _cases() -> list[pytest.param]:
    found = []
    for path in FILES:
        for case in tomllib.loads(path.read_text())["case"]:
            assert case["cite"], case["id"]
            for profile in case["profiles"]:
                name = f"{path.stem}-{case['id']}-{profile}"
                found.append(pytest.param(case, profile, id=name))
    return found


@pytest.mark.parametrize(("case", "profile"), _cases())
def test_scenario(case: dict[str, object], profile: str) -> None:
    rig = Rig(case.get("cpus", 1), profile, wide=case.get("bits", 64) == 64)
    Script(rig).run(case["script"])
