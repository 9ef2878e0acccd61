"""A plug-in that fails is named, disabled and reported once; the program goes on."""

import json
from pathlib import Path

import pytest
from rigs.plugin_files import plugin

from lapis_plugins import kinds
from lapis_plugins.devices import state_of
from lapis_plugins.host import discover
from lapis_sessions.guests import Image
from lapis_sessions.opening import build
from lapis_sessions.origin import Origin, SessionOptions
from lapis_sessions.views import asked as requests
from lapis_tui.cli.main import main

Captured = pytest.CaptureFixture[str]
EXEC = ["exec", "ipi-ping", "--memory", "2M"]
AP = ["exec", "ap-bringup", "--memory", "2M"]
READS = bytes.fromhex("ba a0 05 ec eb fd")
"""mov dx, 0x5A0; in al, dx; jmp $-1"""


def ran(capsys: Captured, *words: str) -> tuple[int, str, str]:
    status = main(list(words))
    out, err = capsys.readouterr()
    return status, out, err


def failed(part: str, why: str = "RuntimeError: no luck") -> str:
    return f"plug-in 'bad' is disabled: its {part} failed: {why}"


HOOKS = [
    "commands", "lints", "exporters", "panes", "explainers", "profiles", "loaders",
    "apic_formats", "functions", "scenarios", "devices",
]  # fmt: skip


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("raising('lapis_{0}')", "RuntimeError: no luck"),
        ("offer('lapis_{0}', ['nonsense'])", "TypeError: 'nonsense' is no "),
        ("offer('lapis_{0}', 7)", "TypeError: 'int' object is not iterable"),
    ],
)  # fmt: skip
def test_a_hook_that_raises_or_returns_nonsense(
    tmp_path: Path, capsys: Captured, hook: str, body: str, why: str
) -> None:
    file = plugin(tmp_path, body.format(hook))
    status, out, err = ran(capsys, *EXEC, "--plugin", file, "-c", "vcpus")
    assert status == 0
    assert out.startswith("vCPU ")
    assert err.count("lapis: ") == 1
    assert f"lapis: {failed(f'lapis_{hook}', why)}" in err


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
        ("import no_such_module", "ModuleNotFoundError: No module named"),
        ("x = ", "SyntaxError: invalid syntax"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("pass", "TypeError: it implements no hook"),
        ("@hookimpl\ndef lapis_comands(): return []", "PluginValidationError: "),
    ],
)
def test_a_plugin_that_cannot_be_loaded(
    tmp_path: Path, capsys: Captured, body: str, why: str
) -> None:
    file = plugin(tmp_path, body)
    status, out, err = ran(capsys, *EXEC, "--plugin", file, "-c", "vcpus")
    assert (status, err.count("lapis: ")) == (0, 1)
    assert f"lapis: {failed('load', why)}" in err
    assert out.startswith("vCPU ")
    status, out, _ = ran(capsys, "plugins", "--json", "--plugin", file)
    rows = {row["name"]: row for row in json.loads(out)}
    assert status == 1
    assert rows["bad"]["state"] == "disabled"
    assert rows["bad"]["why"].startswith(f"its load failed: {why}")
    assert rows["pc"]["state"] == "active"
    _, _, err = ran(capsys, *EXEC, "--plugin", "/nowhere/x.py", "-c", "vcpus")
    assert "plug-in 'x' is disabled: its load failed: FileNotFoundError" in err


WORKING = [
    ("command(boom)", "foo", "command 'foo'", "RuntimeError: no luck"),
    ("command(lambda s, b: {1, 2})", "foo", "command 'foo'",
     "TypeError: Object of type set is not JSON"),
    ("command(lambda s, b: 1, lambda n: n)", "foo", "command 'foo'",
     "TypeError: 1 is no str"),
    ("offer('lapis_panes', [Pane('foo', 't', (), boom)])",
     "pane foo", "pane 'foo'", "RuntimeError: no luck"),
    ("offer('lapis_panes', [Pane('foo', 't', ('a', 'b'), lambda s, z: [[('x', '')]])])",
     "pane foo", "pane 'foo'", "ValueError: a row of 1 cells under 2 heads"),
    ("offer('lapis_panes', [Pane('foo', 't', (), lambda s, z: [[('x', 'loud')]])])",
     "pane foo", "pane 'foo'", "ValueError: 'loud' is no role"),
    ("offer('lapis_explainers', [Explainer('foo', boom)])",
     "explain foo 1", "explainer 'foo'", "RuntimeError: no luck"),
    ("offer('lapis_explainers', [Explainer('foo', str)])",
     "explain foo 1", "explainer 'foo'", "TypeError: '1' is no Explanation"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "line", "part", "why"), WORKING)
def test_a_part_that_fails_in_a_command(
    tmp_path: Path, capsys: Captured, body: str, line: str, part: str, why: str
) -> None:
    file = plugin(tmp_path, body)
    status, out, err = ran(
        capsys, *EXEC, "--plugin", file, "-c", line, "-c", line, "-c", "vcpus"
    )
    first, again = [row for row in err.splitlines() if row.startswith("error: ")]
    assert first.startswith(f"error: {failed(part, why)}")
    assert again == first
    assert "lapis: " not in err
    assert (status, out[:5]) == (1, "vCPU ")


def test_a_refusal_of_a_command_is_no_failure(tmp_path: Path, capsys: Captured) -> None:
    body = (
        "def no(s, b):\n    raise CommandError('not today')\n"
        "offer('lapis_commands', [Command('foo', 'h', 'read-only', no, str)])"
    )
    file = plugin(tmp_path, body)
    _, _, err = ran(capsys, *EXEC, "--plugin", file, "-c", "foo", "-c", "foo")
    assert err.count("error: not today") == 2
    assert "disabled" not in err


def test_a_pane_that_hangs_is_given_up(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "PANE_SECONDS", 0.05)
    file = plugin(tmp_path, "offer('lapis_panes', [Pane('foo', 't', (), hang)])")
    _, out, err = ran(capsys, *EXEC, "--plugin", file, "-c", "pane foo", "-c", "vcpus")
    assert failed("pane 'foo'", "TimeoutError: it took longer than 0.05 s") in err
    assert out.startswith("vCPU ")


def test_a_lint_that_raises_is_switched_off_with_its_memory_as_it_was(
    tmp_path: Path, capsys: Captured
) -> None:
    body = (
        "def look(vm, memory, event):\n"
        "    memory['n'] = memory.get('n', 0) + 1\n"
        "    if memory['n'] == 2: raise RuntimeError('no luck')\n"
        "offer('lapis_lints', [Lint('foo', 'finds', {IpiSent: look})])"
    )
    file, tape = plugin(tmp_path, body), str(tmp_path / "x.lapis")
    status, out, err = ran(
        capsys, *AP, "--plugin", file, "--record", tape, "--json", "-c", "run",
        "-c", "lint", "-c", "events", "-c", "goto start", "-c", "goto end",
    )  # fmt: skip
    assert status == 0
    assert [row for row in err.splitlines() if row.startswith("lapis: ")] == [
        "lapis: " + failed("lint 'foo'")
    ]
    rows = [json.loads(line)["result"] for line in out.splitlines()]
    lints = {row["name"]: row for row in rows[1]}
    assert lints["foo"]["on"] is False
    assert "it failed (RuntimeError) and is switched off" in out
    status, out, err = ran(
        capsys, "session", "verify", tape, "--json", "--plugin", file
    )
    assert (status, err.count("is disabled")) == (0, 1)
    status, _, err = ran(capsys, "session", "verify", tape)
    assert status == 2
    assert "with the lint 'foo', which plug-in 'bad' has, and that is not here" in err


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ("['x']", "TypeError: 'x' is no Finding"),
        ("Finding('bar', 0, '', '')", "ValueError: lint 'foo' reports for 'bar'"),
        (
            "Finding('foo', 0, '', '', (('a', 'x'),))",
            "TypeError: value 'a' of a finding is 'x'",
        ),
        ("memory.update(a={1, 2})", "TypeError: its memory holds {1, 2}"),
        ("memory.update({1: 1, 'a': 2})", "TypeError: its memory has keys of more"),
    ],
)
def test_a_lint_that_returns_nonsense(
    tmp_path: Path, capsys: Captured, found: str, why: str
) -> None:
    body = (
        f"offer('lapis_lints', [Lint('foo', 'finds', "
        f"{{IpiSent: lambda vm, memory, event: {found}}})])"
    )
    file = plugin(tmp_path, body)
    status, _, err = ran(capsys, *AP, "--plugin", file, "-c", "run", "-c", "lint")
    assert (status, err.count("lapis: ")) == (0, 1)
    assert "lapis: " + failed("lint 'foo'", why) in err


def test_a_lint_brings_its_severity_and_its_page(
    tmp_path: Path, capsys: Captured
) -> None:
    body = (
        "from lapis_engine.lints.lint import Page\n"
        "offer('lapis_lints', [Lint('foo', 'finds', {IpiSent: "
        "lambda v, m, e: Finding('foo', 0, 'here', 'x', (('icr', e.icr),))}, "
        "severity='note', page=Page('What.', 'Why.', 'Where.', 'Fix.'))])"
    )
    file = plugin(tmp_path, body)
    commands = ("-c", "run", "-c", "lint foo", "-c", "lint --explain foo")
    status, out, _ = ran(capsys, *AP, "--plugin", file, "--json", *commands)
    assert status == 0
    (found,), page = [json.loads(line)["result"] for line in out.splitlines()][1:]
    assert (found["severity"], found["plugin"]) == ("note", "bad")
    assert found["places"][0]["values"].keys() == {"icr"}
    assert page == {
        "name": "foo", "severity": "note", "text": "finds", "plugin": "bad",
        "what": "What.", "why": "Why.", "where": "Where.", "fix": "Fix.",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("severity='grave'", "ValueError: lint 'foo' is of severity 'grave', which"),
        ("page='read'", "TypeError: page of 'foo': 'read' is no Page"),
    ],
)
def test_a_lint_of_no_severity_or_page_is_left_out(
    tmp_path: Path, capsys: Captured, more: str, why: str
) -> None:
    file = plugin(
        tmp_path, f"offer('lapis_lints', [Lint('foo', 'finds', {{}}, {more})])"
    )
    status, out, err = ran(capsys, *EXEC, "--plugin", file, "-c", "lint")
    assert status == 0
    assert why in err
    assert " foo " not in out


def test_a_device_that_raises_refuses_the_access_and_keeps_its_state(
    tmp_path: Path, capsys: Captured
) -> None:
    body = (
        "offer('lapis_devices', "
        "[Device('foo', State(), Access(), ports=(Range(0x5A0, 1),))])"
    )
    guest = tmp_path / "reads.bin"
    guest.write_bytes(READS)
    file, tape = plugin(tmp_path, body), str(tmp_path / "x.lapis")
    machine = ["exec", str(guest), "--cpus", "1", "--memory", "2M", "--plugin", file]
    status, out, err = ran(
        capsys, *machine, "--record", tape, "--json", "-c", "run 100", "-c", "vcpus",
        "-c", "goto start", "-c", "run 100",
    )  # fmt: skip
    assert status == 0
    assert err.count("lapis: " + failed("device 'foo'")) == 1
    assert err.count("is disabled") == 1
    first, vcpus, _, again = [json.loads(row)["result"] for row in out.splitlines()]
    assert (first["stop"], first["retired"]) == ("exit", again["retired"])
    assert vcpus[0]["retired"] == 5
    status, _, err = ran(capsys, "session", "verify", tape, "--plugin", file)
    assert (status, err.count("is disabled")) == (0, 1)
    status, _, err = ran(capsys, "session", "verify", tape)
    assert status == 2
    assert "the device 'foo', which plug-in 'bad' has, and that is not here" in err


LETTER = "registers=(RegisterName({}, 1, {}, 'text'),)"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("registers=('x',)", "TypeError: 'x' is no RegisterName"),
        (LETTER.format("0x5A1", "'foo'"), "ValueError: register 'foo' at port 0x5a1"),
        (LETTER.format("0x5A0", "'\x1b[2J'"), "is no name"),
        ("registers=(RegisterName(0x5A0, 1, 'A', 't', access=None),)", "access of 'A'"),
        ("registers=(RegisterName(0x5A0, 1, 'A', 't', 'msr'),)", "space of 'A': 'msr'"),
        ("registers=(RegisterName('0', 1, 'A', 't'),)", "first of 'A': '0' is no int"),
        ("registers=[]", "registers of 'foo': [] is no tuple"),
    ],
)
def test_a_device_with_a_register_that_is_none_is_left_out(
    tmp_path: Path, capsys: Captured, more: str, why: str
) -> None:
    body = (
        "offer('lapis_devices', "
        f"[Device('foo', State(), Access(), ports=(Range(0x5A0, 1),), {more})])"
    )
    status, _, err = ran(
        capsys, *EXEC, "--plugin", plugin(tmp_path, body), "-c", "vcpus"
    )
    assert (status, err.count("is disabled")) == (0, 1)
    assert why in err
    assert "\x1b" not in err


@pytest.mark.parametrize(
    ("more", "own", "register", "reports"),
    [
        ("peek=lambda s, *_: 7", 7, None, 0),
        ("peek=boom", None, None, 1),
        ("peek=lambda s, *_: 256", None, None, 1),
        ("peek=lambda s, *_: '7'", None, None, 1),
        ("registers_now=boom", None, None, 1),
        ("registers_now=lambda s: 'ab'", None, None, 1),
        (("registers_now=lambda s: [RegisterName(0x5A0, 1, 'B', 't')], "
         "registers=(RegisterName(0x5A0, 1, 'A', 't'),)"), None, "B", 0),
        ("registers=(RegisterName(0x5A0, 1, 'A', 't'),)", None, "A", 0),
    ],
)  # fmt: skip
def test_to_look_at_a_request_runs_no_read_of_a_plugin(
    tmp_path: Path, more: str, own: int | None, register: str | None, reports: int
) -> None:
    body = (
        "offer('lapis_devices', "
        f"[Device('foo', State(), Access(), ports=(Range(0x5A0, 1),), {more})])"
    )
    host = discover(files=[plugin(tmp_path, body)], installed=False)
    guest = Image("reads.bin", READS, is_flat=True)
    options = SessionOptions("", 1, "2M")
    session = build(Origin(options, guest), host.extensions)
    session.execute("trap port 0x5a0")
    session.execute("run 100")
    for _ in range(3):
        (asked,) = requests.take(session).asked
    assert (asked.own, asked.place.device, asked.place.register) == (
        own, "foo", register,
    )  # fmt: skip
    assert state_of(session.machine, "foo").reads == 0
    assert len(host.reports) == reports


def test_what_was_recorded_without_a_plugin_replays_with_it(
    tmp_path: Path, capsys: Captured
) -> None:
    body = (
        "offer('lapis_devices', "
        "[Device('foo', State(), Access(), ports=(Range(0x5A0, 1),))])\n"
        "offer('lapis_lints', [Lint('foo', 'finds', {IpiSent: "
        "lambda v, m, e: Finding('foo', 0, '', 'x')})])"
    )
    file, tape = plugin(tmp_path, body), str(tmp_path / "x.lapis")
    assert ran(capsys, *AP, "--record", tape, "-c", "run")[0] == 0
    assert ran(capsys, "session", "verify", tape, "--plugin", file)[0] == 0


def test_an_exporter_that_raises_leaves_no_file(
    tmp_path: Path, capsys: Captured
) -> None:
    body = (
        "def write(*_):\n    yield b'begun'\n    boom()\n"
        "offer('lapis_exporters', [Exporter('foo', 'text', write)])"
    )
    file, tape = plugin(tmp_path, body), str(tmp_path / "x.lapis")
    out_file = tmp_path / "out"
    assert ran(capsys, *EXEC, "--record", tape, "-c", "run 10")[0] == 0
    status, _, err = ran(
        capsys, "session", "export", tape, "--form", "foo", "-o", str(out_file),
        "--plugin", file,
    )  # fmt: skip
    what = "exporter 'foo'"
    assert (status, err) == (2, f"lapis: {failed(what)}\n")
    assert not out_file.exists()
    _, out, _ = ran(capsys, "session", "export", tape, "--plugin", file)
    assert [row.split()[0] for row in out.splitlines()] == [
        "perfetto", "asciicast", "script", "pytest", "vcd", "html", "sarif", "foo",
    ]  # fmt: skip


def test_a_loader_that_raises(tmp_path: Path, capsys: Captured) -> None:
    guest = tmp_path / "x.bin"
    guest.write_bytes(b"\xf4")
    asked = plugin(
        tmp_path, "offer('lapis_loaders', [Loader('foo', boom, boom)])", "bad"
    )
    status, _, err = ran(capsys, "exec", str(guest), "--plugin", asked, "-c", "run 1")
    what = "loader 'foo'"
    assert (status, err.count(failed(what))) == (0, 1)
    body = "offer('lapis_loaders', [Loader('foo', lambda data: True, boom)])"
    status, _, err = ran(
        capsys, "exec", str(guest), "--plugin", plugin(tmp_path, body), "-c", "run 1"
    )
    assert (status, err) == (2, f"lapis: {failed(what)}\n")


def test_an_apic_format_that_raises(tmp_path: Path, capsys: Captured) -> None:
    saved = tmp_path / "apic"
    saved.write_text("mine")
    body = (
        "offer('lapis_apic_formats', [ApicFormat('foo', 'mine', lambda d: {}, boom)])"
    )
    what = "APIC format 'foo'"
    file = plugin(tmp_path, body.format("True"))
    status, _, err = ran(capsys, "apic", "import", str(saved), "--plugin", file)
    assert (status, err) == (2, f"lapis: {failed(what)}\n")
    file = plugin(tmp_path, body.format("boom()"))
    status, _, err = ran(capsys, "apic", "import", str(saved), "--plugin", file)
    assert status == 2
    first, second = err.splitlines()
    assert first == f"lapis: {failed(what)}"
    assert second.endswith("propolis, nor mine")


def test_a_function_that_raises_ends_the_exploration(
    tmp_path: Path, capsys: Captured
) -> None:
    body = "offer('lapis_functions', [Function('foo', 'text', boom)])"
    file = plugin(tmp_path, body)
    status, _, err = ran(
        capsys, "explore", "ap-bringup", "--schedules", "2", "--until", "foo() == 1",
        "--out", str(tmp_path / "out"), "--plugin", file,
    )  # fmt: skip
    what = "function 'foo'"
    assert (status, err) == (2, f"lapis: {failed(what)}\n")


@pytest.mark.parametrize(
    ("body", "what", "other"),
    [
        ("offer('lapis_commands', [Command('vcpus', 'h', 'read-only', boom, str)])",
         "command 'vcpus'", "sessions"),
        ("offer('lapis_profiles', [replace(SDM, summary='x')])",
         "profile 'sdm'", "engine"),
        ("offer('lapis_lints', [Lint('isrvec', 't', {})])",
         "lint 'isrvec'", "engine"),
        ("offer('lapis_devices', [Device('com1', State(), Access())])",
         "device 'com1'", "bare"),
    ],
)  # fmt: skip
def test_of_two_of_one_name_ours_is_taken(
    tmp_path: Path, capsys: Captured, body: str, what: str, other: str
) -> None:
    file = plugin(tmp_path, body, "second")
    status, out, err = ran(capsys, *EXEC, "--plugin", file, "-c", "vcpus")
    assert (status, out[:5]) == (0, "vCPU ")
    sentence = f"{what} of plug-in 'second' is left out: plug-in '{other}' has one of"
    assert err.count(sentence) == 1


def test_of_two_panes_of_one_name_the_first_is_taken(
    tmp_path: Path, capsys: Captured
) -> None:
    body = "offer('lapis_panes', [Pane('foo', '{}', (), lambda s, z: [])])"
    one = plugin(tmp_path, body.format("one"), "one")
    two = plugin(tmp_path, body.format("two"), "two")
    _, out, err = ran(capsys, *EXEC, "--plugin", one, "--plugin", two, "-c", "pane foo")
    assert out == "one\n"
    assert "pane 'foo' of plug-in 'two' is left out: plug-in 'one' has one" in err
    again = tmp_path / "more"
    again.mkdir()
    other = plugin(again, body.format("three"), "one")
    _, out, err = ran(
        capsys, *EXEC, "--plugin", one, "--plugin", other, "-c", "pane foo"
    )
    assert (out, err.count("has this name")) == ("one\n", 1)


def test_two_devices_at_one_address(tmp_path: Path, capsys: Captured) -> None:
    body = (
        "offer('lapis_devices', "
        "[Device('foo', State(), Access(), ports=(Range(0x3FF, 2),))])"
    )
    file = plugin(tmp_path, body)
    status, _, err = ran(capsys, *EXEC, "--plugin", file, "-c", "vcpus")
    assert status == 0
    assert (
        "device 'foo' of plug-in 'bad' is left out: plug-in 'bare' has 'com1' at the "
        "same addresses" in err
    )
