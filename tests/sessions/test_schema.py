"""What is written into recordings has a version, and survives change.

The golden lists are what files out there rest on. Adding a line is harmless where a
field has its reset value; any other change of one needs a new number of the schema.
"""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lapis_engine.errors import ConfigError
from lapis_engine.lints.catalog import LINTS
from lapis_engine.machine import act_schemas
from lapis_engine.machine.acts import VERBS
from lapis_engine.machine.machine import Machine
from lapis_engine.profiles import recorded as recorded_profile
from lapis_engine.profiles.catalog import PROFILES
from lapis_engine.profiles.switches import Profile
from lapis_engine.replay import capture, digest, kinds, schema
from lapis_engine.replay.parts import RAW, parts
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import chunks, reader
from lapis_sessions.recording.format import schema as rows
from lapis_sessions.recording.play import replaying
from lapis_tui import built
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
FIXTURES = ROOT / "tests" / "fixtures" / "recordings"


def opened(**options: Any) -> Session:
    return open_session(SessionOptions("ap-bringup", **options), discover().extensions)


# The golden lists.


def state_listing() -> list[str]:
    """Part, field, type and reset value of all state, sorted, with its schema."""
    machine = opened(cpus=1).machine
    found = set()
    for part in parts(machine):
        holder = type(part.holder)
        types = (
            {each.name: each.type for each in fields(holder)}
            if is_dataclass(holder)
            else {}
        )
        resets = digest.reset_values(holder)
        for name in part.fields:
            kind = types.get(name, type(getattr(part.holder, name)).__name__)
            reset = f" = {resets[name]!r}" if name in resets else ""
            found.add(f"{part.name.replace('vcpu0', 'vcpu')}.{name}: {kind}{reset}")
    for record, kind in kinds.KINDS.items():
        resets = digest.reset_values(record)
        for each in fields(record):
            reset = f" = {resets[each.name]!r}" if each.name in resets else ""
            found.add(f"({kind}).{each.name}: {each.type}{reset}")
    return [f"schema {schema.STATE_SCHEMA}", *sorted(found)]


def lint_listing() -> list[str]:
    """Every lint of ours: recordings name those whose findings are among the events.

    One whose findings change needs a new name, as an older recording's would differ.
    """
    return sorted(LINTS)


def switch_listing() -> list[str]:
    """Every switch with its type, and what recordings without it are taken to have."""
    return sorted(
        f"{each.name}: {each.type}, since {each.metadata['since']}, "
        f"before {each.metadata['before']!r}"
        for each in fields(Profile)
        if each.metadata
    )


IS_BUILT = built.build() != "python"
LISTS: dict[str, Callable[[], list[str]]] = {
    "state": state_listing,
    "acts": act_schemas.listing,
    "switches": switch_listing,
    "lints": lint_listing,
    "rows": lambda: rows.schema_text().splitlines(),
}


@pytest.mark.skipif(IS_BUILT, reason="what is compiled keeps no annotations")
@pytest.mark.parametrize("name", LISTS)
def test_what_is_persisted_is_what_was_agreed_on(name: str) -> None:
    path, now = GOLDEN / f"{name}.txt", LISTS[name]()
    before = path.read_text().splitlines()
    gone = [line for line in before if line not in now]
    assert not gone, (
        f"recordings rest on these lines of {path.name}: {gone}. Raise STATE_SCHEMA, "
        f"say in SCHEMAS what older recordings get, and write the list anew with: "
        f"python tests/golden/write.py"
    )
    new = [line for line in now if line not in before]
    assert not new, (
        f"{new} are new. If older recordings do as before without them (a field at its "
        f"reset value, an optional parameter, a switch with `before`), write the list "
        f"anew with: python tests/golden/write.py"
    )


def test_acts_take_what_their_schemas_say() -> None:
    """The table is written by hand; the verbs are the second opinion."""
    assert act_schemas.ACTS.keys() == VERBS.keys()
    for verb, schema_of in act_schemas.ACTS.items():
        method = inspect.unwrap(getattr(Machine, verb))
        parameters = list(inspect.signature(method).parameters.values())[1:]
        assert [each.name for each in parameters] == list(schema_of), verb
        for each in parameters:
            it = schema_of[each.name]
            assert it.required == (each.default is inspect.Parameter.empty), each
            words = str(each.annotation).replace(" | ", " or ")
            wanted = "a mapping" if words.startswith("Mapping") else words
            assert it.words == wanted, (verb, each)


def test_every_record_in_the_state_has_a_persisted_name() -> None:
    assert len(set(kinds.KINDS.values())) == len(kinds.KINDS)
    for path in sorted(FIXTURES.glob("schema-2/*.lapis")):
        session = replaying.session_of(reader.read(str(path)), discover().extensions)
        machine = session.machine

        def look(machine: Machine = machine) -> None:
            for part in parts(machine):
                for name in set(part.fields) - RAW:
                    unnamed = records(getattr(part.holder, name)) - kinds.KINDS.keys()
                    assert not unnamed, (part.name, name, unnamed)

        machine.vm.on_round = look
        session.timeline.go(session.timeline.branch.end)
        machine.vm.on_round = None
        look()


def records(value: Any) -> set[type]:
    if isinstance(value, dict):
        return set().union(*map(records, value.values()))
    if isinstance(value, (tuple, list)):
        return set().union(*map(records, value))
    if is_dataclass(value) and not isinstance(value, type):
        inner = (getattr(value, each.name) for each in fields(value))
        return {type(value)}.union(*map(records, inner))
    return set()


# Digests.


@dataclass
class One:
    """As it was first."""

    b: int = 3
    a: tuple[int, ...] = ()


@dataclass
class Renamed:
    """The same in another order, under another name, with a field more."""

    a: tuple[int, ...] = ()
    later: dict[str, int] = field(default_factory=dict)
    b: int = 3


def lines(value: Any, reset: Any = digest.NO_RESET) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    digest._add(out, "x", value, reset)
    return sorted(out)


def test_order_names_of_classes_and_later_fields_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kinds, "KINDS", {One: "one", Renamed: "one"})
    for b, a in ((3, ()), (4, (1, 2)), (0, (0,))):
        assert lines(One(b, a)) == lines(Renamed(a, {}, b))
        assert lines(One(b, a), One()) == lines(Renamed(a, {}, b), Renamed())
    assert lines(One(), One()) == []
    assert lines(Renamed(later={"k": 0}), Renamed()) == [("x.later['k']", "0x0")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0, False), (0, None), ("1", 1), ("None", None), ("True", True), ("0x1", 1),
        ("00", b"\0"), ("a\nx[1]=0x2", "a"), ((), None), ([], [[]]), ((0,), ()),
        ({}, None), ({"a": 0}, {}), ((0, 1), (1, 0)), (b"", ()),
        ([One()], []), ([One()], [One(4)]), ({"k": One()}, {}), (One(), None),
        ((1, (2,)), ((1,), 2)),
    ],
)  # fmt: skip
def test_what_differs_hashes_differently(one: Any, other: Any) -> None:
    assert lines(one) != lines(other)
    assert lines(one, other) != []
    assert lines(one, one) == lines(other, other) == []


@dataclass
class Holder:
    """Its record is reset to another than the record's own."""

    one: One = field(default_factory=lambda: One(7, (1,)))


def test_the_reset_value_of_a_field_counts_and_not_that_of_its_kind() -> None:
    assert lines(Holder(), Holder()) == []
    assert lines(Holder(One()), Holder()) == [("x.one.a", "empty"), ("x.one.b", "0x3")]
    assert lines(Holder(One(7)), Holder()) == [("x.one.a", "empty")]


def test_no_field_of_a_running_machine_is_left_out() -> None:
    """Each field of each part, changed by itself, changes the digest."""
    session = opened(cpus=2, memory="2M")
    session.execute("run 25000")
    machine = session.machine
    taken = capture.take(machine)
    before = dict(digest.state_fields(machine))
    tried = 0
    for part in parts(machine):
        for name in part.fields:
            value = getattr(part.holder, name)
            if name in RAW or type(value) not in {int, bool, str}:
                continue
            other = (not value) if type(value) is bool else value * 2 + type(value)(1)
            setattr(part.holder, name, other)
            after = dict(digest.state_fields(machine))
            assert after != before, (part.name, name)
            setattr(part.holder, name, value)
            tried += 1
    assert tried > 100
    capture.put(machine, taken)
    assert dict(digest.state_fields(machine)) == before


# Change.

CHANGES = {
    "an unread switch": (
        "engine/lapis_engine/profiles/switches.py",
        "    # The machine.\n",
        ("    # The machine.\n    never_read: bool = _switch(\n        default=True,\n"
        '        doc="nothing", source="nobody", since=3, before=False,\n    )\n'),
    ),
    "an unwritten field": (
        "engine/lapis_engine/apic/state.py",
        "    tpr: int = 0\n",
        "    never_written: tuple[int, ...] = (1, 2)\n    tpr: int = 0\n",
    ),
    "two fields swapped": (
        "engine/lapis_engine/lints/state.py",
        "    linear: int = 0\n",
        "",
    ),
    "a class renamed": (
        "engine/lapis_engine/devices/pit/state.py", "ChannelState", "CounterOfThePit",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages with all of `CHANGES`, and a module renamed."""
    folder = tmp_path_factory.mktemp("changed")
    for root in ("engine", "sessions", "plugins", "tui"):
        shutil.copytree(
            ROOT / root, folder / root, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name, (path, old, new) in CHANGES.items():
        file = folder / path
        text = file.read_text()
        assert old in text, name
        file.write_text(text.replace(old, new))
    swapped = folder / CHANGES["two fields swapped"][0]
    text = swapped.read_text()
    assert "    count: int = 0\n" in text
    later = "    count: int = 0\n    linear: int = 0\n"
    swapped.write_text(text.replace("    count: int = 0\n", later))
    state = folder / "engine/lapis_engine/devices/pit"
    (state / "state.py").rename(state / "counters.py")
    for file in folder.rglob("*.py"):
        text = file.read_text()
        text = text.replace("devices.pit.state", "devices.pit.counters")
        text = text.replace("ChannelState", "CounterOfThePit")
        file.write_text(text)
    return folder


@pytest.mark.skipif(IS_BUILT, reason="it changes sources, which do not run")
@pytest.mark.parametrize(
    "path",
    sorted(FIXTURES.glob("*/*.lapis")),
    ids=lambda p: f"{p.parent.name}-{p.stem}",
)
def test_recordings_survive_change(path: Path, changed: Path) -> None:
    code = (
        "import sys; from lapis_engine.profiles.catalog import SDM;"
        "from lapis_engine.apic.state import ApicState;"
        "from lapis_engine.devices.pit.counters import CounterOfThePit;"
        "assert SDM.never_read and ApicState(0, 0).never_written == (1, 2);"
        "from lapis_tui.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    sources = ":".join(
        str(changed / r) for r in ("engine", "sessions", "plugins", "tui")
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "session", "verify", str(path), "--json"],
        env={"PYTHONPATH": sources},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    view = json.loads(done.stdout)
    assert view["stops"] == view["acts"]
    assert (view["hashes"] > 0) == (path.parent.name == "schema-2")


# Older and newer ones.


def test_an_older_schema_is_said_before_anything_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = FIXTURES / "schema-1" / "branches.lapis"
    assert main(["session", "verify", str(path)]) == 0
    told = capsys.readouterr()
    assert (
        "recorded under state schema 1, this is 2: hashes are not comparable, acts are "
        "done again and the stops compared" in told.err
    )
    assert "13 stops and 0 hashes are equal" in told.out


def bent(path: Path, change: Callable[[list[Any]], None]) -> bytes:
    """The file with another header."""
    data = path.read_bytes()
    start = len(chunks.MAGIC) + chunks.VERSIONS.size
    length = int.from_bytes(data[start : start + 4], "little")
    end = start + chunks.LEADER.size + length + chunks.TRAILER.size
    body = data[start + chunks.LEADER.size : end - chunks.TRAILER.size]
    head = msgspec.msgpack.decode(chunks.Chunk("HEAD", data[start + 8], body, 0).body())
    change(head)
    again = chunks.encode("HEAD", msgspec.msgpack.encode(head))
    return data[:start] + again + data[end:]


HEAD = [each.encode_name for each in msgspec.structs.fields(rows.Header)]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("state_schema", 9, "under state schema 9 and this is 2: a newer Lapis"),
        ("engine", 99, "under engine behaviour 99 and this is"),
        ("devices", ["toy"], "with the device 'toy', which no plug-in here has"),
        ("lints", ["fussy"], "with the lint 'fussy', which no plug-in here has"),
    ],
)
def test_what_a_newer_lapis_or_a_plug_in_made_is_refused_in_a_sentence(
    name: str, value: Any, sentence: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def change(head: list[Any]) -> None:
        head[HEAD.index(name)] = value

    path = tmp_path / "x.lapis"
    path.write_bytes(bent(FIXTURES / "schema-2" / "answers.lapis", change))
    assert main(["session", "verify", str(path)]) == 2
    assert sentence in capsys.readouterr().err


def test_switches_that_are_not_known_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(head: list[Any]) -> None:
        head[HEAD.index("switches")]["warp_drive"] = True

    path = tmp_path / "x.lapis"
    path.write_bytes(bent(FIXTURES / "schema-2" / "answers.lapis", change))
    assert main(["session", "verify", str(path)]) == 2
    assert "switches that are not known here" in (err := capsys.readouterr().err)
    assert "warp_drive" in err


def test_the_switches_that_were_recorded_win(tmp_path: Path) -> None:
    def change(head: list[Any]) -> None:
        head[HEAD.index("switches")]["max_vcpus"] = 7

    path = tmp_path / "x.lapis"
    path.write_bytes(bent(FIXTURES / "schema-2" / "answers.lapis", change))
    session = replaying.session_of(reader.read(str(path)), discover().extensions)
    assert session.machine.config.profile.max_vcpus == 7
    what = "switch max_vcpus was 7 and is 255"
    assert (
        f"profile sdm has changed since: {what}; it is what was recorded"
        in session.notices
    )


def test_a_profile_that_is_gone_is_made_of_its_switches(tmp_path: Path) -> None:
    def change(head: list[Any]) -> None:
        head[HEAD.index("profile")] = "vax"

    path = tmp_path / "x.lapis"
    path.write_bytes(bent(FIXTURES / "schema-2" / "answers.lapis", change))
    recording = reader.read(str(path))
    session = replaying.session_of(recording, discover().extensions)
    assert session.notices == [
        "profile 'vax' is not known here; it is what was recorded"
    ]
    assert replaying.verify(session, recording).divergence is None


def test_that_a_profile_has_changed_is_said_by_every_way_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(head: list[Any]) -> None:
        head[HEAD.index("switches")]["max_vcpus"] = 7

    path = tmp_path / "x.lapis"
    path.write_bytes(bent(FIXTURES / "schema-2" / "answers.lapis", change))
    for line in ("session verify", "replay --verify", "replay -c where"):
        words = line.split()
        assert main([words[0], str(path), *words[1:]] if words[0] == "replay"
                    else [*words, str(path)]) == 0  # fmt: skip
        assert capsys.readouterr().err.count("switch max_vcpus was 7 and is 255") == 1


def test_an_absent_switch_has_its_value_of_before() -> None:
    for profile in PROFILES.values():
        switches = {
            each.name: getattr(profile, each.name)
            for each in fields(Profile)
            if each.metadata
        }
        assert recorded_profile.recorded(profile.name, switches) == replace(
            profile, summary="as recorded"
        )
    assert recorded_profile.recorded("sdm", {}).max_vcpus == 255
    with pytest.raises(ConfigError, match="switch vie_table is 'x' and must be one of"):
        recorded_profile.recorded("sdm", {"vie_table": "x"})
    with pytest.raises(
        ConfigError, match="switch max_vcpus is True and must be of type"
    ):
        recorded_profile.recorded("sdm", {"max_vcpus": True})


def test_a_divergence_names_what_was_repaired_since(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "REPAIRS", {1: "a", 2: "SYSCALL works", 3: "A bits"})
    path = FIXTURES / "schema-1" / "illumos-13253-before.lapis"
    assert main(["replay", str(path), "--verify", "--profile", "sdm"]) == 1
    out = capsys.readouterr().out
    assert "repaired in the engine since it was recorded: SYSCALL works, A bits" in out
