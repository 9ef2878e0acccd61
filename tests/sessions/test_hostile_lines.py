"""Every command, and every argument of it in turn, given what nobody means."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs.odd_arguments import EVERY
from rigs.odd_files import made

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.registry import Argument, Command
from lapis_sessions.session import Session

EXTENSIONS = discover(installed=False).extensions
WORDS = {"number": "1", "range": "0x80", "part": "apic", "which": "0", "profile": "sdm",
         "other": "illumos", "where": "start", "vector": "0x31", "rule": "any = 1",
         "what": "icr", "verb": "run", "text": "note", "file": "made"}  # fmt: skip
"""What a required argument is when another one is the hostile one."""
KINDS = {"count": "1", "value": "1", "address": "0x1000", "vcpu": "0"}


def meant(argument: Argument) -> str:
    if argument.kind != "word":
        return KINDS.get(argument.kind, "")
    return argument.choices[0] if argument.choices else WORDS.get(argument.name, "x")


def lines(command: Command) -> Iterator[str]:
    """Yield lines with one hostile argument each, and one too many."""
    required = [a for a in command.arguments if a.required]
    for text in EVERY.values():
        hostile = shlex.quote(text)
        usual = {a.name: meant(a) for a in required}
        for each in command.arguments:
            if each.kind == "flag":
                continue
            given = usual | ({} if each.option else {each.name: hostile})
            tail = [f"--{each.name}", hostile] if each.option else []
            yield " ".join([command.name, *given.values(), *tail])
        yield " ".join([command.name, *usual.values(), hostile, hostile, hostile])


def state(session: Session) -> object:
    timeline, machine = session.timeline, session.machine
    acts = {name: len(each.entries) for name, each in timeline.branches.items()}
    return (
        acts, timeline.branch.name, timeline.spot, session.selected,
        machine.log.next_seq, sorted(machine.breakpoints), str(machine.catches.items),
        [vcpu.retired for vcpu in machine.vcpus], session.rules.rules.copy(),
    )  # fmt: skip


@pytest.mark.parametrize("name", [each.name for each in EXTENSIONS.registry.commands])
def test_no_line_raises_and_what_is_refused_changes_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made(tmp_path))
    session = open_session(SessionOptions("ap-bringup", memory="1M"), EXTENSIONS)
    session.execute("run 100")
    command = session.registry.named(name)
    takes_file = any(each.name == "file" for each in command.arguments)
    for line in lines(command):
        before = state(session)
        outcome = session.execute(line, pace=short)
        assert json.dumps(outcome.to_dict())
        if outcome.ok:
            call = session.registry.parse(line, session)
            if call.effect == "read-only":
                assert state(session) == before, line[:200]
            continue
        assert state(session) == before, line[:200]
        assert outcome.error
        assert "\n" not in outcome.error, line[:200]
        assert len(outcome.error) < (25_000 if takes_file else 3_000), line[:200]
    session.close()


def short(left: int) -> int:
    """Do a little of a run, and let its end be the next slice."""
    return min(left, 10) if left > 10**6 else 0
