"""A plug-in of pytest: tests of kernels, which `pytest --lapis` runs.

It is there in every pytest of an environment that has Lapis, so importing it loads
nothing of Lapis: the fixtures do, when a test asks for one. `docs/pages/testing.md` is
for those who write such tests.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from lapis.kernel_tests.asked import Asked
    from lapis.kernel_tests.evidence import Evidence
    from lapis.kernel_tests.machine import KernelMachine
    from lapis.kernel_tests.schedules import Schedules

T = TypeVar("T")
FIXTURES = frozenset({"lapis_machine", "lapis_schedules"})
REASON = "a test of a kernel: --lapis runs it"
FOLDER = "lapis-failures"
SHRINK = 200
MARK = (
    "lapis(guest, *, cpus=2, memory='64M', profile='sdm', schedules=1000, limit=N, "
    "seed=N, ...): a test of a kernel, which --lapis runs; it takes the options of "
    "lapis.open and lapis.explore"
)
MACHINE = pytest.StashKey["tuple[KernelMachine, int]"]()
"""What a test was given, and the seed of it."""
SCHEDULES = pytest.StashKey["Schedules"]()
PLACE = pytest.StashKey[Path]()
"""Of its recordings, without what tells them apart."""


# Options.


def number(text: str) -> int:
    """Return an option that is a whole number from 0."""
    if not (text.isascii() and text.isdecimal()):
        raise ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def positive(text: str) -> int:
    """Return an option that is a whole number from 1."""
    if not number(text):
        raise ArgumentTypeError("0 is none at all: at least 1")
    return int(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("lapis", "tests of kernels (Lapis)")
    group.addoption(
        "--lapis", action="store_true", help="Run the tests of kernels; else skip them."
    )
    group.addoption(
        "--lapis-record",
        metavar="DIR",
        type=Path,
        help=f"Keep the recordings of failures there, and not in {FOLDER} of pytest's "
        "temporary folder.",
    )
    group.addoption(
        "--lapis-schedules",
        metavar="N",
        type=positive,
        help="Explore so many schedules, whatever the marks say.",
    )
    group.addoption(
        "--lapis-shrink",
        metavar="TRIES",
        type=number,
        default=SHRINK,
        help="Shrink a schedule that failed by so many tries; 0 leaves it as it is "
        f"(default: {SHRINK}).",
    )
    group.addoption(
        "--lapis-profile",
        metavar="NAME",
        help="Give the machines this profile, whatever the marks say.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", MARK)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse a profile that there is not, before any test is run."""
    profile = session.config.getoption("lapis_profile")
    if not (profile and session.config.getoption("lapis")):
        return
    from lapis.kernel_tests import asked  # noqa: PLC0415 - loads the engine

    wrong = asked.profile_error(profile)
    if wrong:
        raise pytest.UsageError(f"--lapis-profile: {wrong}")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is not as the marks say."""
    if not config.getoption("lapis"):
        return None
    said = {
        "profile": config.getoption("lapis_profile"),
        "schedules": config.getoption("lapis_schedules"),
        "recordings of failures": config.getoption("lapis_record"),
    }
    rows = [f"{name} {value}" for name, value in said.items() if value is not None]
    return f"lapis: {', '.join(rows) or 'as the marks say'}"


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Skip tests of kernels unless they are wanted."""
    if config.getoption("lapis"):
        return
    for item in items:
        fixtures = FIXTURES.intersection(getattr(item, "fixturenames", ()))
        if fixtures or item.get_closest_marker("lapis"):
            item.add_marker(pytest.mark.skip(reason=REASON))


# Fixtures.


@pytest.fixture
def lapis_options() -> dict[str, Any]:
    """Options of all machines that marks do not name; to be overridden."""
    return {}


@pytest.fixture
def lapis_machine(
    request: pytest.FixtureRequest,
    lapis_options: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[KernelMachine]:
    """Return the machine that the mark describes, standing at reset."""
    wanted = _asked(request, lapis_options, tmp_path_factory)
    machine = _refusing(wanted.open)
    request.node.stash[MACHINE] = machine, wanted.seed or 0
    yield machine
    machine.close()
    machine.release()


@pytest.fixture
def lapis_schedules(
    request: pytest.FixtureRequest,
    lapis_options: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Schedules:
    """Return the schedules of the guest that the mark describes."""
    wanted = _asked(request, lapis_options, tmp_path_factory)
    from lapis.kernel_tests.schedules import Schedules  # noqa: PLC0415 - so this

    _refusing(wanted.check)
    found = request.node.stash[SCHEDULES] = Schedules(wanted)
    return found


def _refusing(do: Callable[[], T]) -> T:
    """Do something; what it cannot be is a sentence, and not a traceback of ours."""
    from lapis_engine.errors import LapisError  # noqa: PLC0415 - loads little
    from lapis_sessions.text.visible import visible  # noqa: PLC0415 - so this

    try:
        return do()
    except LapisError as error:
        why = visible(str(error))
    pytest.fail(f"lapis: {why}", pytrace=False)


def _asked(
    request: pytest.FixtureRequest,
    options: dict[str, Any],
    folders: pytest.TempPathFactory,
) -> Asked:
    """Return what a test asks for; note where its recordings go."""
    config = request.config
    if not config.getoption("lapis"):
        pytest.skip(REASON)
    from lapis.kernel_tests import asked, failing  # noqa: PLC0415 - loads the engine

    folder = config.getoption("lapis_record")
    if folder is None:
        folder = folders.getbasetemp() / FOLDER
    name = failing.name_of(request.node.nodeid)
    request.node.stash[PLACE] = Path(config.invocation_params.dir, folder, name)
    marks = [(mark.args, mark.kwargs) for mark in request.node.iter_markers("lapis")]
    over = {
        name: config.getoption(f"lapis_{name}") for name in ("profile", "schedules")
    }
    said = {name: value for name, value in over.items() if value is not None}
    beside = request.node.path.parent
    rows = [((), options), *reversed(marks), ((), said)]
    return _refusing(lambda: asked.asked(rows, beside))


# What is told of a failure.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the recording and what the machine had come to when a test failed."""
    report = yield
    if report.when != "teardown" and report.failed and call.excinfo is not None:
        _tell(item, report)
    return report


def _tell(item: pytest.Item, report: pytest.TestReport) -> None:
    try:
        found = _evidence(item)
    except Exception as error:  # noqa: BLE001 - what failed is the test, and told
        text = f"nothing is known of the machine: {error!r}"
        report.sections.append(("Lapis", text))
        return
    for each in found:
        report.sections.append((f"Lapis: {each.title}", each.text))
        item.user_properties.extend(each.properties)
        report.user_properties.extend(each.properties)


def _evidence(item: pytest.Item) -> list[Evidence]:
    """Record what the test was given, once, and return what is known of it."""
    machine, schedules = item.stash.get(MACHINE, None), item.stash.get(SCHEDULES, None)
    if machine is None and schedules is None:
        return []
    from lapis.kernel_tests import failing  # noqa: PLC0415 - loads the engine

    found, place = [], item.stash[PLACE]
    if schedules is not None:
        tries = item.config.getoption("lapis_shrink")
        found.append(failing.of_schedules(schedules, place, tries))
        place = place.with_name(f"{place.name}-machine")
    if machine is not None:
        found.append(failing.of_machine(machine[0], place, machine[1]))
    return [each for each in found if each is not None]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how what failed is replayed."""
    stats = terminalreporter.stats
    rows = [
        value
        for report in (*stats.get("failed", ()), *stats.get("error", ()))
        for name, value in getattr(report, "user_properties", ())
        if name == "lapis_replay"
    ]
    if rows:
        terminalreporter.section("Lapis: what failed is replayed by")
        for row in dict.fromkeys(rows):
            terminalreporter.write_line(row)
