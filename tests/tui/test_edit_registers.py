"""Registers written from the screen, by keys in a burst, and taken back."""

from __future__ import annotations

import pytest
from rigs.screens import Driver, bringup, drive

from lapis_tui.panes.command import CommandInput


@pytest.mark.parametrize("size", [(80, 25), (120, 40), (200, 60)])
def test_e_writes_a_register_and_going_back_undoes_it(size: tuple[int, int]) -> None:
    async def play(driver: Driver) -> None:
        await driver.command("run 100")
        await driver.go("vcpus")
        await driver.pilot.press("e")
        await driver.type("rbx = 0x1234abcd")
        await driver.press("enter")
        assert driver.view.vcpu.regs["rbx"] == 0x1234_ABCD
        assert "1234abcd" in driver.text
        await driver.press("S")
        assert driver.view.vcpu.regs["rbx"] == 0
        await driver.pilot.press("e")
        await driver.type("rip = 1 << 40")
        await driver.press("enter")
        assert "beyond the limit of CS" in driver.text
        assert driver.app.main.query_one(CommandInput).value == "set rip = 1 << 40"

    drive(bringup(), play, size)
