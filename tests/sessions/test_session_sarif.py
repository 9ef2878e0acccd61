"""What the lints found as SARIF, held against models made from its schema."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema
from rigs.session_files import DEVICES, GUESTS, recorded

from lapis_sessions.guests import Image
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.export.sarif import document, places
from lapis_sessions.symbols.book import Source
from lapis_sessions.symbols.lines import Lines, Run
from lapis_sessions.symbols.table import Symbol, Table
from lapis_sessions.views import lints
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from lapis_sessions.session import Session

    Captured = pytest.CaptureFixture[str]

FINDS = str(GUESTS / "lints.bin")
"""A guest that does what several lints look for; its code begins at 0x10000."""
ELF = GUESTS.parent / "fixtures" / "symbols" / "small64-5.elf"
RUN = ["run 1000000"]
# What GitHub's "SARIF support for code scanning" calls required, and its limits.
MOST_TEXT = 1024
MOST_TAGS = 20
MOST_RESULTS = 25_000


@pytest.fixture(scope="module")
def session() -> Session:
    session = open_session(SessionOptions(FINDS, memory="16M"), DEVICES)
    for line in RUN:
        session.execute(line)
    return session


def log(session: Session, artifact: str = "a.lapis") -> dict[str, Any]:
    """Return the log, once the models of the schema have taken it."""
    found = json.loads(document.log(session, artifact))
    StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate(found)
    assert isinstance(found, dict)
    return found


def results(session: Session, artifact: str = "a.lapis") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = log(session, artifact)["runs"][0]["results"]
    return found


def test_the_models_take_no_log_that_is_wrong(session: Session) -> None:
    for name, value in (
        ("level", "fatal"), ("lines", 1), ("ruleIndex", -2), ("occurrenceCount", 0),
        ("locations", [{"physicalLocation": {"region": {"startLine": 0}}}]),
    ):  # fmt: skip
        found = json.loads(document.log(session, "a.lapis"))
        found["runs"][0]["results"][0][name] = value
        with pytest.raises(ValidationError):
            StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate(found)


def test_each_lint_is_a_rule_with_its_page(session: Session) -> None:
    found = log(session)
    assert found["version"] == "2.1.0"
    (run,) = found["runs"]
    driver = run["tool"]["driver"]
    rules = {rule["id"]: rule for rule in driver["rules"]}
    assert list(rules) == list(session.machine.lints.lints)
    for name, lint in session.machine.lints.lints.items():
        rule, page = rules[name], lint.page
        assert page is not None
        assert rule["defaultConfiguration"] == {"level": lint.severity}
        assert rule["shortDescription"]["text"] == lint.text
        assert rule["fullDescription"]["text"] == page.what
        assert rule["properties"]["manual"] == page.why
        for words in (page.what, page.why, page.where, page.fix):
            assert words in rule["help"]["text"]
            assert words in rule["help"]["markdown"]
        assert max(len(rule["shortDescription"]["text"]), len(page.what)) <= MOST_TEXT
        assert len(rule["properties"]["tags"]) <= MOST_TAGS
    assert driver["name"] == "Lapis"
    assert run["automationDetails"]["id"].startswith("lapis/")


def test_each_finding_is_a_result_the_gravest_first(session: Session) -> None:
    found = log(session)["runs"][0]
    rows = lints.found(session.machine)
    told = {
        (row.name, row.finding.text, row.finding.times, row.finding.seq) for row in rows
    }
    assert told == {
        (each["ruleId"], each["message"]["text"], each["occurrenceCount"],
         each["properties"]["event"])
        for each in found["results"]
    }  # fmt: skip
    assert len(told) == len(rows) >= 8
    levels = [each["level"] for each in found["results"]]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    rules = found["tool"]["driver"]["rules"]
    for each in found["results"]:
        rule = rules[each["ruleIndex"]]
        assert each["ruleId"] == rule["id"]
        assert each["level"] == rule["defaultConfiguration"]["level"]


def test_without_sources_a_finding_is_in_the_recording(session: Session) -> None:
    (it,) = [each for each in results(session) if each["ruleId"] == "ipi-absent"]
    (where,) = it["locations"]
    physical = where["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "a.lapis"
    assert physical["region"]["startLine"] == 1  # code scanning insists on a line
    # The guest's code begins at 0x10000; `lint` says the same.
    assert it["message"]["text"].endswith(f"by RIP {it['properties']['rip']}")
    assert physical["address"] == {"kind": "instruction"}  # RIP is an offset in CS
    assert [each["name"] for each in where["logicalLocations"]] == ["vCPU 0"]
    assert it["properties"]["timeNs"] == 46
    assert set(it["partialFingerprints"]) == {places.OURS, places.OF_LINES}


def with_lines(session: Session, file: str, shift: int = 0) -> Session:
    """Return a session that knows one function and its lines, 16 bytes each."""
    known = Lines()
    known.files.append(file)
    starts = range(0x10000, 0x10200, 16)
    known.addresses.extend(starts)
    known.file_of.extend(1 for _ in starts)
    known.line_of.extend((at - 0x10000) // 16 + 100 + shift for at in starts)
    known.runs.append(Run(0x10000, 0x10200, 0, len(starts)))
    known.sort()
    table = Table([Symbol("send", 0x10000 - shift, 0x200 + shift)])
    session.symbols = session.symbols.joined(Source("k", "ELF", table, known))
    return session


def test_with_sources_it_is_in_its_line(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = session.symbols
    try:
        for file, uri, base in (
            ("smp/boot cpu.c", "smp/boot%20cpu.c", "%SRCROOT%"),
            (str(tmp_path / "smp/boot.c"), "smp/boot.c", "%SRCROOT%"),
            ("/usr/src/boot.c", "file:///usr/src/boot.c", None),
        ):
            session.symbols = before
            found = results(with_lines(session, file))
            (it,) = [each for each in found if each["ruleId"] == "ipi-absent"]
            (where,) = it["locations"]
            physical = where["physicalLocation"]
            assert physical["artifactLocation"]["uri"] == uri
            assert physical["artifactLocation"].get("uriBaseId") == base
            rip = int(it["properties"]["rip"], 16)
            assert physical["region"]["startLine"] == (rip - 0x10000) // 16 + 100
            name, vcpu = where["logicalLocations"]
            assert (name["name"], name["kind"]) == ("send", "function")
            assert name["fullyQualifiedName"] == f"send+{rip - 0x10000:#x}"
            assert vcpu["name"] == "vCPU 0"
            assert set(it["partialFingerprints"]) == {places.OURS}
    finally:
        session.symbols = before


def test_a_fingerprint_stays_when_the_code_moves_within_its_function(
    session: Session,
) -> None:
    def marks(shift: int) -> set[tuple[str, str]]:
        session.symbols = before
        return {
            (each["ruleId"], each["partialFingerprints"][places.OURS])
            for each in results(with_lines(session, "boot.c", shift))
        }

    before = session.symbols
    try:
        one, moved = marks(0), marks(8)
    finally:
        session.symbols = before
    assert one == moved
    assert len({mark for _, mark in one}) == len(one)  # each of another lint


def test_the_lines_of_an_image_are_known_without_being_loaded(session: Session) -> None:
    origin = session.origin
    assert origin is not None
    image = Image("k.elf", ELF.read_bytes(), is_flat=False)
    session.origin = replace(origin, image=image)
    try:
        found = places.places_of(session)
    finally:
        session.origin = origin
    # As readelf says of the fixture (tests/sessions/test_symbols.py).
    assert found.source(0x10_0006) == ("small.c", 14)
    assert found.near(0x10_0002) == "twice+0x2"
    assert places.places_of(session).source(0x10_0006) is None


def test_what_is_too_much_is_cut_and_said(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert document.MOST <= MOST_RESULTS
    whole = results(session)
    monkeypatch.setattr(document, "MOST", 3)
    run = log(session)["runs"][0]
    assert run["results"] == whole[:3]
    (said,) = run["invocations"][0]["toolExecutionNotifications"]
    assert said["message"]["text"].startswith(f"{len(whole) - 3} findings more")


def test_a_lint_that_is_off_is_said_to_be(session: Session) -> None:
    session.execute("lint off cli-hlt")
    try:
        (over,) = log(session)["runs"][0]["invocations"][0][
            "ruleConfigurationOverrides"
        ]
    finally:
        session.execute("lint on cli-hlt")
    assert over["descriptor"]["id"] == "cli-hlt"
    assert over["configuration"] == {"enabled": False}


def test_a_high_address_and_odd_names_are_text(session: Session) -> None:
    rows = lints.found(session.machine)
    row = replace(rows[1], finding=replace(rows[1].finding, rip=0xFFFF_FFFF_8100_0000))
    where = places.location(row, session.symbols.places, "odd\udcff \n.lapis")
    physical = where["physicalLocation"]
    assert physical["address"] == {"kind": "instruction"}
    assert physical["artifactLocation"]["uri"] == "odd%FF%20%0A.lapis"


def test_exec_and_export_write_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    line = ["exec", FINDS, "--memory", "16M", "--record", "a.lapis"]
    line += [*(word for each in RUN for word in ("-c", each)), "--sarif", "a.sarif"]
    assert main([*line, "-c", "bogus"]) == 1  # it is written all the same
    line = ["session", "export", "a.lapis", "--form", "sarif", "-o", "b.sarif"]
    assert main(line) == 0
    one, two = Path("a.sarif").read_bytes(), Path("b.sarif").read_bytes()
    assert one == two
    assert json.loads(one)["runs"][0]["results"]
    recorded(tmp_path / "none.lapis", ["run 10"], "ipi-ping", memory="16M")
    assert main(["session", "export", "none.lapis", "sarif", "-o", "c.sarif"]) == 0
    none = json.loads(Path("c.sarif").read_bytes())
    StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate(none)
    assert none["runs"][0]["results"] == []  # 3.14.23: empty, not absent

    assert main(["exec", FINDS, "-c", "step", "--sarif", "a.sarif"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["exec", FINDS, "-c", "step", "--sarif", "a.sarif", "--force"]) == 0
