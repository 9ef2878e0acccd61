"""`lapis apic import`: an APIC of another machine, opened and questioned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

Captured = pytest.CaptureFixture[str]
REMARKS = 5
QEMU = (
    "dumping local APIC state for CPU 2 \n\n"
    "LVT0\t 0x00010700\nLVT1\t 0x00000400\nLVTPC\t 0x00010000\n"
    "LVTERR\t 0x000000fe\nLVTTHMR\t 0x00010000\nLVTT\t 0x000400ec\n"
    "Timer\t DCR=0x3 (divide by 16) initial_count = 0 current_count = 0\n"
    "SPIV\t 0x000001ff\nICR\t 0x000008fb\nICR2\t 0x04000000\nESR\t 0x00000000\n"
    "ISR\t 49 \nIRR\t 34 97 \n\n"
    "APR 0x00 TPR 0x10 DFR 0x0f LDR 0x04 PPR 0x30\n"
)


@pytest.fixture
def dump(tmp_path: Path) -> str:
    path = tmp_path / "lapic.txt"
    path.write_text(QEMU)
    return str(path)


def test_the_apic_its_remarks_and_what_keeps_the_pending(
    capsys: Captured, dump: str
) -> None:
    assert main(["apic", "import", dump]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == f"vCPU 2 has the APIC of {dump} (qemu)"
    notes = [line for line in lines if line.startswith("  note: ")]
    assert len(notes) == REMARKS
    assert "xAPIC mode is taken" in notes[0]
    assert "has only the APIC: what the vCPU itself does is not known" in notes[-1]
    assert "TPR 0x10  PPR 0x30  SVR 0x1ff" in out
    first, second = (line for line in lines if line.startswith("vector "))
    assert first.startswith("vector 0x61 is in the IRR of vCPU 2")
    assert second.startswith("vector 0x22 is in the IRR of vCPU 2")
    assert "0x22 is class 2; PPR is 0x30 because 0x31 is in service" in second
    assert err == ""


def test_the_same_as_data(capsys: Captured, dump: str) -> None:
    assert main(["apic", "import", dump, "--vcpu", "0", "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert view.keys() == {"vcpu", "file", "format", "remarks", "apic", "why"}
    assert (view["vcpu"], view["format"], view["apic"]["ppr"]) == (0, "qemu", 0x30)
    assert [answer["vector"] for answer in view["why"]] == [0x61, 0x22]
    assert view["why"][1]["verdict"] == "blocked"
    assert "class" in {reason["rule"] for reason in view["why"][1]["reasons"]}


def test_commands_question_the_apic_that_was_imported(
    capsys: Captured, dump: str
) -> None:
    lines = ("apic", "irq why 0x22", "why vcpu 2", "ipi dry-run raw 0x4000000000008FB")
    options = [word for line in lines for word in ("-c", line)]
    assert main(["apic", "import", dump, *options, "--json"]) == 0
    out, err = capsys.readouterr()
    apic, irq, vcpu, ipi = (json.loads(line)["result"] for line in out.splitlines())
    assert (apic["vcpu"], apic["irr"]) == (2, [0x22, 0x61])
    assert (irq["vcpu"], irq["where"]) == (2, "irr")
    assert vcpu["state"] == "never-started"
    # The last IPI that it sent was logical, to bit 2: to itself.
    assert ipi["targets"] == [2]
    assert err.count(f"lapis: {dump!r}: ") == REMARKS


def test_a_failed_command_is_the_status(capsys: Captured, dump: str) -> None:
    assert main(["apic", "import", dump, "-c", "irq why 0x100", "-c", "apic"]) == 1
    assert "vectors are 8 bits" in capsys.readouterr().err


def test_ours_opens_as_the_vcpu_and_the_profile_that_it_names(
    capsys: Captured, tmp_path: Path
) -> None:
    path = str(tmp_path / "x.json")
    lines = ("-c", "run 5000", "-c", "ipi nmi --to 3", "-c", f"apic export {path} 3")
    options = ("--cpus", "4", "--profile", "illumos")
    assert main(["exec", "ap-bringup", *options, *lines]) == 0
    capsys.readouterr()
    assert (
        main(["apic", "import", path, "-c", "profiles", "-c", "vcpus", "--json"]) == 0
    )
    out, err = capsys.readouterr()
    assert f"lapis: {path!r}" not in err
    assert len(json.loads(out.splitlines()[1])["result"]) == 4
    assert main(["apic", "import", path, "--profile", "sdm", "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert (view["vcpu"], view["format"], view["why"]) == (3, "lapis-apic", [])
    assert view["remarks"] == [
        "vlp_version 0x60014 became 0x1050014, that of vCPU 3 in profile sdm"
    ]
    assert main(["apic", "import", path]) == 0
    assert capsys.readouterr().out.endswith("nothing is pending in the IRR\n")


def test_the_pending_that_are_explained_unasked_are_limited(
    capsys: Captured, tmp_path: Path
) -> None:
    path = tmp_path / "many.txt"
    every = " ".join(str(vector) for vector in range(16, 256))
    path.write_text(QEMU.replace("34 97", every))
    assert main(["apic", "import", str(path), "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert len(view["apic"]["irr"]) == 240
    assert [answer["vector"] for answer in view["why"]] == list(range(255, 239, -1))


@pytest.mark.parametrize(
    ("text", "options", "why"),
    [
        ("nonsense", (), "is neither JSON of format lapis-apic"),
        (
            QEMU.replace("0x10 DFR", "0x100 DFR"),
            (),
            "line TPR has no number of 2 digits",
        ),
        (
            QEMU.replace("ISR\t 49", "ISR\t 9"),
            (),
            "line ISR: 9 is no vector, 16 to 255",
        ),
        (QEMU, ("--cpus", "2"), "there is no vCPU 2; they are 0 to 1"),
        (QEMU, ("--vcpu", "-1"), "-1"),
        (QEMU, ("--profile", "linux"), "there is no profile 'linux'"),
        (QEMU.replace("CPU 2", "CPU 99999"), (), "100000 vCPUs: profile sdm takes 1"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(
    capsys: Captured, tmp_path: Path, text: str, options: tuple[str, ...], why: str
) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(text)
    assert main(["apic", "import", str(path), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lapis: ")
    assert why in err
    assert err.count("\n") == 1
    assert main(["apic", "import", str(tmp_path / "none")]) == 2
