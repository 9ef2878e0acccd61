"""Tests of kernel.bin, which `pytest --lapis` runs."""

import pytest

pytestmark = pytest.mark.lapis("kernel.bin", cpus=2, memory="2M", limit=50_000)


def test_the_ap_is_started(lapis_machine):
    lapis_machine.wait_for("running")


def test_the_ap_is_woken_by_one_ipi(lapis_machine):
    lapis_machine.run_until('"passed" in console')
    assert lapis_machine.delivered(0x40) == {1: 1}


@pytest.mark.lapis(schedules=300)
def test_no_schedule_loses_a_wake_up(lapis_schedules):
    lapis_schedules.never('stop == "halted"')


@pytest.mark.lapis(schedules=300)
def test_it_passes_in_every_schedule(lapis_schedules):
    lapis_schedules.always('"passed" in console')


@pytest.mark.lapis(bound=1)
def test_it_passes_in_all_schedules_with_one_preemption(lapis_schedules):
    lapis_schedules.always('"passed" in console')
