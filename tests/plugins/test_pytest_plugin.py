"""The pytest plug-in: pytest runs in pytest, on kernels that pass and that fail.

Everything that a nested pytest loads is loaded here first: it forgets the rest again.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import lapis
import lapis.kernel_tests.failing
from lapis import pytest_plugin
from lapis.kernel_tests.asked import KNOWN
from lapis.kernel_tests.failing import name_of
from lapis_tui.cli.main import main

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "pages" / "testing.md"
EXAMPLE = ROOT / "docs" / "examples" / "kernel-tests"
GUESTS = ROOT / "tests" / "guests"
BUGS = {"lost-wakeup": "halted", "lost-update": "suspended", "deadlock": "budget"}
HEAD = """
import pytest
import lapis

small = pytest.mark.lapis(memory="2M", limit=1_000_000)
"""
WHAT_WORKS = (
    HEAD
    + """
pytestmark = pytest.mark.lapis("ap-bringup", cpus=4, memory="2M")


def test_all_aps_reach_run(lapis_machine):
    lapis_machine.wait_for("running")
    assert all(ap.retired for ap in lapis_machine.aps)


def test_vector_0x31_is_delivered_once_a_cpu(lapis_machine):
    lapis_machine.run_until("waiting == [0]")
    assert lapis_machine.delivered(0x31) == {1: 1, 2: 1, 3: 1}
    assert len(lapis_machine.happened("deliver", 2, vector=0x31)) == 1
    assert lapis_machine.happened("deliver", since=lapis_machine.next_event) == []


@pytest.mark.lapis(answers=["mmio 0xd0000000 = 0x1234"])
def test_a_rule_answers(lapis_machine):
    lapis_machine.run_until(lambda machine: "0x1234" in machine.text)
    assert "neither in the IRR" in lapis_machine.irq_why(0x31, 1)
    assert "IF=0" in lapis_machine.why(1)


@pytest.mark.lapis(cpus=2, schedules=9)
def test_no_schedule_of_9_prints_a_wrong_count(lapis_schedules):
    done = lapis_schedules.always("waiting == [0]")
    assert (done.runs, done.cpus, done.holds) == (9, 2, True)
    lapis_schedules.never('"3 processors" in console')


@pytest.mark.lapis("ap-bringup", cpus=2)
class TestOfAClass:
    @pytest.mark.lapis(cpus=3, seed=5)
    def test_the_nearest_mark_counts(self, lapis_machine):
        assert (len(lapis_machine.vcpus), lapis_machine.machine.config.seed) == (3, 5)


def test_what_a_test_does_itself():
    with lapis.open(memory="2M") as session:
        assert session.run(10).reason == "budget"
"""
)
WHAT_FAILS = (
    HEAD
    + """
@pytest.mark.lapis("ap-bringup", cpus=2, memory="2M")
def test_it_never_comes(lapis_machine):
    lapis_machine.run_until('"hello" in console')


@pytest.mark.lapis("ap-bringup", cpus=3, memory="2M")
def test_one_never_starts(lapis_machine):
    lapis_machine.wait_for("running", 0, 2, limit=20_000)


@pytest.mark.lapis("ap-bringup", memory="2M", profile="illumos", seed=7)
def test_a_vector_waits(lapis_machine):
    lapis_machine.run()
    lapis_machine.do("ipi fixed 0x41 --to 1")
    assert lapis_machine.delivered(0x41)


@pytest.fixture
def booted(lapis_machine):
    lapis_machine.run_until("waiting == [1]", limit=100)


@pytest.mark.lapis(memory="2M")
def test_a_fixture_of_its_own_fails(booted):
    pass


@pytest.mark.lapis("evil-text.bin", cpus=1, memory="2M")
def test_what_a_guest_says_is_not_obeyed(lapis_machine):
    lapis_machine.run(200_000)
    assert lapis_machine.text == ""


@pytest.mark.lapis("race", memory="2M", schedules=500)
def test_the_machine_is_told_beside_the_schedule(lapis_machine, lapis_schedules):
    lapis_machine.run(10)
    lapis_schedules.never('stop == "halted"')


@pytest.mark.xfail(strict=True)
@pytest.mark.lapis(memory="2M")
def test_that_is_to_fail(lapis_machine):
    assert lapis_machine.delivered(0x31)
"""
)
WHAT_IS_WRONG = {
    "lapis(gest='race')": "no 'gest'; did you mean 'guest'?",
    "lapis('no-such-guest')": "'no-such-guest' is neither an embedded guest",
    "lapis(cpus='two')": "cpus='two' is no whole number",
    "lapis(profile='vax')": "profile 'vax'",
    "lapis(record='x.lapis')": "recordings go where --lapis-record says",
    "lapis('race', 'more')": "'more' needs one",
    "lapis(guest=7)": "guest=7 is no name of a file",
    "lapis(answers='mmio 0 = 1')": "is to be a list",
    "lapis(answers=['nonsense'])": "nonsense",
    "lapis(memory='lots')": "lots",
    "lapis(limit=0)": "a limit of 0 instructions",
}


@pytest.fixture(autouse=True)
def _alone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing of this run's options in a nested one."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    shutil.copy(GUESTS / "evil-text.bin", pytester.path)


def run(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(
        "-q", "--strict-markers", "-p", "no:cacheprovider", *words
    )


def test_importing_it_loads_nothing() -> None:
    code = "import pytest, sys; import lapis.pytest_plugin; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    ours = {name for name in done.stdout.split() if name.startswith("lapis")}
    assert ours == {"lapis", "lapis.pytest_plugin"}


def test_what_a_kernel_does_is_tested_in_a_few_lines(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(WHAT_WORKS)
    done = run(pytester, "--lapis", "--lapis-record", "kept")
    done.assert_outcomes(passed=6)
    assert not (pytester.path / "kept").exists()
    done.stdout.no_fnmatch_line("*Lapis*")


def test_without_the_option_they_are_skipped_and_others_run(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(WHAT_WORKS, test_other="def test_other(): pass")
    done = run(pytester, "-rs")
    done.assert_outcomes(passed=1, skipped=6)
    done.stdout.fnmatch_lines([f"SKIPPED * {pytest_plugin.REASON}"])


def test_without_the_plug_in_others_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_other(): pass")
    run(pytester, "-p", "no:lapis").assert_outcomes(passed=1)
    done = run(pytester, "-p", "no:lapis", "--lapis")
    done.stderr.fnmatch_lines(["*unrecognized arguments: --lapis*"])


def test_a_failure_is_told_with_its_why_and_replayed(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    pytester.makepyfile(test_fails=WHAT_FAILS)
    failed = run(pytester, "--lapis", "--lapis-record", "kept", "--junitxml", "out.xml")
    failed.assert_outcomes(failed=5, errors=1, xfailed=1)
    text = failed.stdout.str()
    assert (
        '"hello" in console never came about: exit after 28,838 instructions '
        "(read 4 bytes at 0xd0000000); vCPU 0 running; vCPU 1 halted"
    ) in text
    assert "state running of vCPU 2 never came about: budget after 20,000" in text
    assert "vCPU 1 does not run: it is halted at 0x101e1 (ap_done+0x1)" in text
    assert "vCPU 0 does not run: it waits for an answer to its mmio read" in text
    assert "vector 0x41 is in the IRR of vCPU 1 and waits" in text
    assert "exit: exit MMIO: read 4 bytes at 0xd0000000" in text
    assert text.count("recording: ") == 7
    # Nothing of a guest's reaches the terminal raw.
    assert "\x1b]" not in text
    assert r"\x1b]" in text
    files = sorted((pytester.path / "kept").iterdir())
    assert len(files) == 7
    capsys.readouterr()
    for file in files:
        assert f"lapis replay {file}" in text
        assert main(["replay", str(file), "--verify"]) == 0
        assert "equal; digest" in capsys.readouterr().out
    check_junit(pytester.path / "out.xml")


def check_junit(file: Path) -> None:
    tree = ET.parse(file)
    cases = {case.get("name"): case for case in tree.iter("testcase")}

    def properties(name: str) -> dict[str | None, str | None]:
        rows = cases[name].iter("property")
        return {row.get("name"): row.get("value") for row in rows}

    known = properties("test_a_vector_waits")
    assert list(known) == [
        "lapis_recording", "lapis_replay", "lapis_guest", "lapis_profile", "lapis_seed",
        "lapis_why",
    ]  # fmt: skip
    assert (known["lapis_profile"], known["lapis_seed"]) == ("illumos", "7")
    assert Path(str(known["lapis_recording"])).is_file()
    assert known["lapis_replay"] == f"lapis replay {known['lapis_recording']}"
    assert "vector 0x41 is in the IRR" in str(known["lapis_why"])
    assert properties("test_a_fixture_of_its_own_fails")["lapis_guest"] == "ap-bringup"
    assert properties("test_that_is_to_fail") == {}


def test_each_mistake_of_a_mark_is_an_error_of_its_test(
    pytester: pytest.Pytester,
) -> None:
    tests = [
        f"@pytest.mark.{mark}\ndef test_{n}(lapis_machine): pass\n"
        for n, mark in enumerate(WHAT_IS_WRONG)
    ]
    more = """
@pytest.mark.lapis("no-such-guest")
def test_schedules(lapis_schedules): pass

@pytest.mark.lapis("race", limit=0)
def test_of_none(lapis_schedules): pass

@pytest.mark.lapis("race", bound=99)
def test_of_a_bound(lapis_schedules): pass

def test_of_an_expression(lapis_machine):
    with pytest.raises(lapis.ExpressionError):
        lapis_machine.run_until("a ===")
    with pytest.raises(ValueError, match="no state 'run'"):
        lapis_machine.wait_for("run")
    with pytest.raises(ValueError, match="every=0"):
        lapis_machine.run_until("now", every=0)
    with pytest.raises(ValueError, match="no event 'delivery'"):
        lapis_machine.happened("delivery")
    with pytest.raises(ValueError, match="deliver has no 'vectr': vcpu, vector, ppr"):
        lapis_machine.happened("deliver", vectr=0x31)

@pytest.mark.lapis(cpus=1)
def test_of_no_aps(lapis_machine):
    with pytest.raises(ValueError, match="no APs"):
        lapis_machine.wait_for()
"""
    pytester.makepyfile("\n".join([HEAD, *tests, more]))
    done = run(pytester, "--lapis")
    done.assert_outcomes(errors=len(WHAT_IS_WRONG) + 3, passed=2)
    text = done.stdout.str()
    for sentence in WHAT_IS_WRONG.values():
        assert sentence in text
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    assert text.count("\nlapis: ") == len(WHAT_IS_WRONG) + 3
    assert "a bound of 99 preemptions: from 0" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lapis-schedules", "0"), "0 is none at all: at least 1"),
        (("--lapis-schedules", "many"), "'many' is no whole number"),
        (("--lapis-shrink", "-1"), "'-1' is no whole number"),
        (("--lapis", "--lapis-profile", "vax"), "--lapis-profile: *'vax'"),
    ],
)
def test_a_wrong_option_is_a_usage_error(
    pytester: pytest.Pytester, words: tuple[str, ...], said: str
) -> None:
    done = run(pytester, *words)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"*{said}*"])


def test_options_go_before_what_marks_say(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest
        @pytest.fixture
        def lapis_options():
            return {"guest": "ap-bringup", "memory": "2M", "cpus": 4}
        @pytest.mark.lapis(cpus=2, schedules=500, profile="sdm")
        def test_it(lapis_schedules, lapis_machine):
            assert repr(lapis_schedules) == "<Schedules ap-bringup schedules=3>"
            done = lapis_schedules.explore()
            assert (done.runs, done.cpus, done.profile) == (3, 2, "illumos")
            assert lapis_machine.machine.config.profile.name == "illumos"
        """)
    done = pytester.runpytest_inprocess(
        "--lapis", "--lapis-schedules", "3", "--lapis-profile", "illumos"
    )
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["lapis: profile illumos, schedules 3"])


def test_no_folder_for_recordings_is_told_and_nothing_else_lost(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("""
        import pytest
        def test_it(lapis_machine):
            assert lapis_machine.delivered(0x31)
        @pytest.mark.lapis("race", memory="2M", bound=2)
        def test_them(lapis_schedules):
            lapis_schedules.never('stop == "halted"')
        """)
    (pytester.path / "file").write_text("")
    done = run(pytester, "--lapis", "--lapis-record", "file/in")
    done.assert_outcomes(failed=2)
    text = done.stdout.str()
    assert text.count("there is no recording: folder") == 2
    assert text.count("cannot be made: Not a directory") == 2
    assert "recording: /" not in text
    assert "vCPU 1 does not run: no INIT has been sent to it" in text
    assert "schedule 25 of those with at most 2 preemptions: halted" in text
    assert "race, 2 vCPUs, profile sdm; " in text  # drawn from no seed
    assert "vCPU 1 does not run: it is halted at 0x803f" in text


# The example.


@pytest.fixture
def example(pytester: pytest.Pytester) -> pytest.Pytester:
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    return pytester


def test_the_example_passes(example: pytest.Pytester) -> None:
    run(example, "--lapis", "--lapis-schedules", "60").assert_outcomes(passed=5)


@pytest.mark.parametrize("bug", BUGS)
def test_in_the_example_each_planted_bug_is_found_and_its_recording_replays(
    example: pytest.Pytester, bug: str
) -> None:
    shutil.copy(GUESTS / f"smp-{bug}.bin", example.path / "kernel.bin")
    done = run(
        example, "--lapis", "--lapis-record", "kept", "--lapis-shrink", "60",
        "-k", "passes_in_every",
    )  # fmt: skip
    done.assert_outcomes(failed=1, deselected=4)
    (file,) = (example.path / "kept").iterdir()
    text = done.stdout.str()
    assert "the schedule was shrunk from " in text
    assert main(["replay", str(file), "--verify"]) == 0
    with lapis.replay(file) as again:
        again.goto("end")
        assert '"passed" in console' in text
        assert b"passed" not in again.console.get("com1", b"")
        ends = {"budget": "running"}.get(BUGS[bug], BUGS[bug])
        assert {vcpu.state for vcpu in again.vcpus} == {ends}
        for vcpu in again.vcpus:
            assert again.do(f"why vcpu {vcpu.id}")["text"] in text


def test_the_kernel_of_the_example_is_the_sample_kernel() -> None:
    for name, ours in (("kernel.asm", "smp.asm"), ("kernel.bin", "smp-repaired.bin")):
        assert (EXAMPLE / name).read_bytes() == (GUESTS / ours).read_bytes()


# Names.


def test_two_tests_never_share_a_name() -> None:
    ids = [
        "a.py::t[x/y]",
        "a.py::t[x-y]",
        "b/a.py::t[x-y]",
        "a.py::" + "t" * 300,
        "../x",
    ]
    names = [name_of(each) for each in ids]
    assert len(set(names)) == len(ids)
    for name in names:
        assert len(name) < 100
        assert "/" not in name
        assert not name.startswith(".")


def test_the_page_names_every_option_of_a_mark() -> None:
    table = PAGE.read_text().split("## The mark")[1].split("```")[0]
    names = set(re.findall(r"`([a-z_]+)`", table))
    assert names >= KNOWN
