"""MSRs that are not the APIC's; the numbers are those of the SDM's text."""

import pytest
from rigs.machines import machine

from lapis_engine.cpu.breach import Breach
from lapis_engine.profiles.catalog import ILLUMOS, SDM
from lapis_engine.vmm import msr

TSC, TSC_ADJUST = 0x10, 0x3B
CLOCK = msr.Clock(now=5000, tsc=5000, tsc_hz=1_000_000_000)


@pytest.mark.parametrize(
    ("writes", "tsc", "adjust"),
    [
        ([], 5000, 0),
        ([(TSC_ADJUST, 7)], 5007, 7),
        ([(TSC_ADJUST, 7), (TSC_ADJUST, 7)], 5007, 7),
        ([(TSC, 6000)], 6000, 1000),
        ([(TSC, 0)], 0, 2**64 - 5000),
        ([(TSC_ADJUST, 2**64 - 1)], 4999, 2**64 - 1),
        ([(TSC_ADJUST, 100), (TSC, 5050)], 5050, 50),
        ([(TSC, 2**64 - 1)], 2**64 - 1, 2**64 - 5001),
    ],
)
def test_what_is_added_to_the_tsc_is_in_tsc_adjust(
    writes: list[tuple[int, int]], tsc: int, adjust: int
) -> None:
    """SDM Vol. 3B "IA32_TSC_ADJUST Register Support": each adds to the other."""
    vcpu = machine(b"\xf4").vcpus[0]
    for number, value in writes:
        assert msr.write(vcpu, number, value, CLOCK, SDM) == ()
    assert msr.read(vcpu, TSC, 5000, 5000, SDM) == tsc
    assert msr.read(vcpu, TSC_ADJUST, 5000, 5000, SDM) == adjust


def test_bhyve_has_no_tsc_adjust() -> None:
    vcpu = machine(b"\xf4").vcpus[0]
    assert msr.read(vcpu, TSC_ADJUST, 0, 0, ILLUMOS) is Breach.MSR_UNKNOWN
    assert msr.write(vcpu, TSC_ADJUST, 1, CLOCK, ILLUMOS) is Breach.MSR_UNKNOWN
    assert not msr.is_known(TSC_ADJUST, ILLUMOS)
    assert msr.is_known(TSC_ADJUST, SDM)
