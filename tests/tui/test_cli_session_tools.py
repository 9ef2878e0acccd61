"""`lapis session ...` and `lapis replay --compare` as users meet them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lapis_sessions.recording.format import chunks, reader
from lapis_tui.cli.main import main

Captured = pytest.CaptureFixture[str]
ACTS = ("-c", "run 5000000", "-c", "answer 0x1234", "-c", "nmi 1", "-c", "run 5000000")
FORK = ("-c", "goto 15000", "-c", "nmi 0", "-c", "run 100")
FORMS = ("perfetto", "asciicast", "script", "pytest", "vcd", "html", "sarif")


@pytest.fixture
def recording(tmp_path: Path, capsys: Captured) -> Callable[..., str]:
    def make(*lines: str, name: str = "a.lapis", profile: str = "sdm") -> str:
        path = str(tmp_path / name)
        machine = ("ap-bringup", "--cpus", "2", "--profile", profile)
        assert main(["exec", *machine, *(lines or ACTS), "--record", path]) == 0
        capsys.readouterr()
        return path

    return make


def said(capsys: Captured, status: int, *arguments: str) -> str:
    """Run the program, check its exit status, and return what it printed."""
    assert main(arguments) == status
    return capsys.readouterr().out


def refused(capsys: Captured, *arguments: str) -> str:
    """Check for exit status 2 and one sentence on standard error; return it."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("lapis: ")
    assert "Traceback" not in err
    return err


def test_diff_says_by_its_status_whether_two_recordings_differ(
    recording: Callable[..., str], capsys: Captured
) -> None:
    one = recording()
    other = recording(*[a.replace("0x1234", "0x99") for a in ACTS], name="b.lapis")
    assert "no event differs" in said(capsys, 0, "session", "diff", one, one)
    text = said(capsys, 1, "session", "diff", one, other)
    assert "act 2: answer number=0 value=0x1234" in text
    assert "act 2: answer number=0 value=0x99" in text
    view = json.loads(said(capsys, 1, "session", "diff", one, other, "--json"))
    assert view.keys() == {
        "a", "b", "equal", "header", "act", "event", "fields", "beginning", "digests",
    }  # fmt: skip
    assert view["equal"] is False
    assert view["act"]["b"]["args"]["value"] == 0x99
    assert view["event"]["a"]["kind"] == "answer"
    assert view["fields"] == [{"field": "vcpu0.rax", "a": "0x1234", "b": "0x99"}]


def test_recordings_of_nothing_are_equal_if_their_machines_are(
    recording: Callable[..., str], capsys: Captured
) -> None:
    one, two = recording("-c", "vcpus"), recording("-c", "vcpus", name="b.lapis")
    other = recording("-c", "vcpus", name="c.lapis", profile="freebsd")
    assert "no event differs" in said(capsys, 0, "session", "diff", one, two)
    text = said(capsys, 1, "session", "diff", one, other)
    assert "the machines differ:\n  profile " in text


def test_diff_takes_branches_by_name(
    recording: Callable[..., str], capsys: Captured
) -> None:
    one = recording(*ACTS, *FORK)
    by_name = said(capsys, 1, "session", "diff", one, f"{one}@branch-1", "--json")
    by_option = said(capsys, 1, "session", "diff", one, "--branch=branch-1", "--json")
    assert by_name == by_option
    view = json.loads(by_name)
    assert view["b"]["branch"] == "branch-1"
    assert view["act"]["b"]["verb"] == "inject_nmi"
    why = refused(capsys, "session", "diff", one, "--branch", "nope")
    assert "has no branch 'nope': main, branch-1" in why
    assert "diff compares A with B" in refused(capsys, "session", "diff", one)
    both = ("session", "diff", one, one, "--branch", "branch-1")
    assert "diff compares A with B" in refused(capsys, *both)


def test_replay_compares_two_profiles(
    recording: Callable[..., str], capsys: Captured
) -> None:
    one = recording(profile="illumos")
    words = ("replay", one, "--profile", "illumos-pre-13253", "--compare", "illumos")
    view = json.loads(said(capsys, 1, *words, "--json"))
    assert (view["a"]["profile"], view["b"]["profile"]) == words[3::2]
    assert view["event"]["a"]["targets"] == []
    assert view["event"]["b"]["targets"] == [1]
    switches = {row["field"]: (row["a"], row["b"]) for row in view["header"]}
    assert switches["switch init_clears_sipi"] == ("False", "True")
    assert said(capsys, 0, "replay", one, "--compare", "illumos")
    assert "kvm" in refused(capsys, "replay", one, "--compare", "kvm")


def test_dump_prints_rows_for_people_and_for_programs(
    recording: Callable[..., str], capsys: Captured, tmp_path: Path
) -> None:
    one = recording()
    text = said(capsys, 0, "session", "dump", one)
    assert "      2  answer number=0 value=0x1234 -> instruction 28,839" in text
    lines = said(capsys, 0, "session", "dump", one, "--ndjson", "--events")
    rows = [json.loads(line) for line in lines.splitlines()]
    kinds = {row["type"] for row in rows}
    # How many hashes are on the way says the clock of the host.
    assert kinds - {"hash"} == {"header", "branch", "act", "event", "checkpoint"}
    out = str(tmp_path / "dump")
    said(capsys, 0, "session", "dump", one, "--ndjson", "--events", "-o", out)
    assert Path(out).read_text("utf-8") == lines


def test_cut_pack_and_annotate_make_recordings(
    recording: Callable[..., str], capsys: Captured, tmp_path: Path
) -> None:
    one, out, packed = recording(), str(tmp_path / "c"), str(tmp_path / "p")
    said(capsys, 0, "session", "cut", one, "0:15000", "-o", out)
    said(capsys, 0, "session", "annotate", out, "half way", "--at", "7000")
    said(capsys, 0, "session", "pack", out, "-o", packed)
    view = json.loads(said(capsys, 0, "session", "info", packed, "--json"))
    assert view["state"] == "whole"
    (branch,) = view["branches"]
    assert (branch["retired"], branch["notes"], branch["hashes"]) == (15000, 1, 1)
    assert said(capsys, 0, "session", "verify", packed)


def test_annotate_makes_a_copy_when_asked(
    recording: Callable[..., str], capsys: Captured, tmp_path: Path
) -> None:
    one, copy = recording(), str(tmp_path / "copy")
    before = Path(one).read_bytes()
    words = ("session", "annotate", one, "the device", "--at", "act1", "-o", copy)
    said(capsys, 0, *words, "--ask", "What comes next?", "--answer", "EOI")
    assert Path(one).read_bytes() == before
    (note,) = reader.read(copy).branches[0].notes
    assert (note.acts, note.retired) == (1, 28838)
    assert (note.text, note.ask) == ("the device", "What comes next?")
    assert "is there already; --force replaces it" in refused(capsys, *words)


def test_a_file_that_was_not_closed_is_not_written_over(
    recording: Callable[..., str], capsys: Captured, tmp_path: Path
) -> None:
    one = Path(recording())
    torn = tmp_path / "torn.lapis"
    torn.write_bytes(one.read_bytes()[:-3])
    words = ("session", "annotate", str(torn), "text", "--at", "5")
    assert "is not written anew" in refused(capsys, *words)
    assert torn.read_bytes() == one.read_bytes()[:-3]
    said(capsys, 0, *words, "-o", str(tmp_path / "copy"))
    assert reader.read(str(tmp_path / "copy")).complete


def test_chunks_that_are_not_known_are_not_lost_by_writing_over_them(
    recording: Callable[..., str], capsys: Captured, tmp_path: Path
) -> None:
    data = Path(recording()).read_bytes()
    at = data.index(b"HEAD") - 4
    head = int.from_bytes(data[at : at + 4], "little") + 4 + 4 + 1 + 8
    strange = data[: at + head] + chunks.encode("idea", b"x") + data[at + head :]
    path = tmp_path / "strange.lapis"
    path.write_bytes(strange)
    words = ("session", "annotate", str(path), "text", "--at", "5")
    assert refused(capsys, *words)
    assert path.read_bytes() == strange


@pytest.mark.parametrize("form", FORMS)
def test_export_writes_a_file_and_never_over_another(
    recording: Callable[..., str], capsys: Captured, tmp_path: Path, form: str
) -> None:
    one, out = recording(), tmp_path / "out"
    words = ("session", "export", one, form, "-o", str(out))
    assert f"{out}: " in said(capsys, 0, *words)
    first = out.read_bytes()
    assert "is there already; --force replaces it" in refused(capsys, *words)
    out.write_bytes(b"old")
    said(capsys, 0, *words, "--force")
    assert out.read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.lapis", "out"]


def test_an_exported_script_is_done_by_exec(
    recording: Callable[..., str], capsys: Captured, tmp_path: Path
) -> None:
    one = recording()
    out, again = str(tmp_path / "script"), str(tmp_path / "again.lapis")
    said(capsys, 0, "session", "export", one, "script", "-o", out)
    words = Path(out).read_text().splitlines()[1].split()
    assert words[:3] == ["#", "lapis", "exec"]
    machine = words[3 : words.index("--script")]
    said(capsys, 0, "exec", *machine, "--script", out, "--record", again)
    assert "no event differs" in said(capsys, 0, "session", "diff", one, again)


def test_of_several_branches_the_first_is_exported_and_that_is_said(
    recording: Callable[..., str], capsys: Captured, tmp_path: Path
) -> None:
    one = recording(*ACTS, *FORK)
    words = ("session", "export", one, "script", "-o", str(tmp_path / "script"))
    assert main(words) == 0
    assert f"2 branches and this is main; write {one}@branch-1" in (
        capsys.readouterr().err
    )
    of_branch = (*words[:2], f"{one}@branch-1", *words[3:], "--force")
    assert main(of_branch) == 0
    assert capsys.readouterr().err == ""
    assert (tmp_path / "script").read_text().splitlines()[4:] == [
        "run 15000", "nmi 0", "run 100",
    ]  # fmt: skip


def bad(tmp_path: Path) -> dict[str, Path]:
    """Return files that are no recordings."""
    files = {"empty": b"", "foreign": b"hello world, this is text", "cut": b"\x89LAP"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return {name: tmp_path / name for name in [*files, "absent"]}


@pytest.mark.parametrize("name", ["empty", "foreign", "cut", "absent"])
@pytest.mark.parametrize(
    "words",
    [
        ["session", "diff", "FILE", "FILE"],
        ["session", "dump", "FILE"],
        ["session", "cut", "FILE", "0:5", "-o", "OUT"],
        ["session", "pack", "FILE", "-o", "OUT"],
        ["session", "annotate", "FILE", "text", "--at", "1", "-o", "OUT"],
        *(["session", "export", "FILE", form, "-o", "OUT"] for form in FORMS),
        ["replay", "FILE", "--compare", "illumos"],
    ],
)
def test_what_is_no_recording_is_told_in_a_sentence(
    capsys: Captured, tmp_path: Path, words: list[str], name: str
) -> None:
    file, out = str(bad(tmp_path)[name]), str(tmp_path / "out")
    places = {"FILE": file, "OUT": out}
    why = refused(capsys, *[places.get(word, word) for word in words])
    assert repr(file) in why
    assert why.count("\n") == 1
    assert not Path(out).exists()


def test_bad_words_are_told_in_a_sentence(
    recording: Callable[..., str], capsys: Captured, tmp_path: Path
) -> None:
    one, out = recording(), str(tmp_path / "out")
    rows: list[tuple[list[Any], str]] = [
        (["session", "cut", one, "7", "-o", out], "'7' is no piece: write A:B"),
        (["session", "cut", one, "9:2", "-o", out], "ends before it begins"),
        (["session", "cut", one, "0:9"], "Missing option '-o'"),
        (
            ["session", "export", one, "svg", "-o", out],
            "there is no form 'svg': perfetto",
        ),
        (["session", "annotate", one, "", "--at", "1"], "needs a text"),
        (["session", "annotate", one, "x", "--at", "z"], "is not a number"),
        (["session", "annotate", one, "x"], "Missing option '--at'"),
        (["session", "pack", one, "-o", f"{out}/no/such"], "cannot be written"),
        (["session", "dump", f"{one}@main"], "No such file"),
        (["session", "wrong"], "No such command 'wrong'"),
    ]
    for words, why in rows:
        assert why in refused(capsys, *words)
    assert not Path(out).exists()
