"""Registers written from the screen, by keys in a burst, and taken back."""

from __future__ import annotations

import pytest
from rigs.screens import Driver, bringup, drive

from lapis_tui.blocks import registers
from lapis_tui.blocks.registers import Registers
from lapis_tui.panes.command import CommandInput


@pytest.mark.parametrize("size", [(80, 25), (120, 40), (200, 60)])
def test_e_writes_a_register_and_going_back_undoes_it(size: tuple[int, int]) -> None:
    async def play(driver: Driver) -> None:
        await driver.command("run 100")
        await driver.go("vcpus")
        assert driver.view.vcpu.mode != "long"
        await driver.pilot.press("e", "down", "enter")
        await driver.type("0x1234abcd")
        await driver.press("enter")
        assert driver.view.vcpu.regs["rbx"] == 0x1234_ABCD
        assert "1234abcd" in driver.text
        await driver.press("S")
        assert driver.view.vcpu.regs["rbx"] == 0
        await driver.press(*["down"] * 7, "enter")
        field = driver.app.main.query_one(CommandInput)
        assert field.value.startswith("set rip = 0x")
        await driver.type("1 << 40")
        await driver.press("enter")
        assert "beyond the limit of CS" in driver.text
        assert field.value == "set rip = 1 << 40"

    drive(bringup(), play, size)


def test_out_of_the_registers_the_keys_are_the_screens_again() -> None:
    async def play(driver: Driver) -> None:
        await driver.command("run 100")
        await driver.go("vcpus")
        before = driver.view.vcpu.retired
        await driver.press("left")  # an event back
        assert driver.view.vcpu.retired < before
        there = driver.view.vcpu.retired
        await driver.press("e", "right", "left")
        assert driver.view.vcpu.retired == there
        await driver.press("escape", "right")
        assert driver.view.vcpu.retired > there

    drive(bringup(), play, (120, 40))


@pytest.mark.parametrize("long", [False, True])
def test_the_cursor_comes_to_every_register_that_is_shown(*, long: bool) -> None:
    within = registers.grid(long=long)
    names = {name for row in within for name in row}
    values = {name: at for at, name in enumerate(sorted(names), 0x1000)}
    reached, wave = {"rax"}, ["rax"]
    while wave:
        name = wave.pop()
        for by in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            other = registers.moved(name, by, within)
            if other not in reached:
                reached.add(other)
                wave.append(other)
    assert reached == names
    for name in names:
        block = registers.render(Registers(values, values, name), long=long)
        (marked,) = [
            text for line in block for text, role in line.spans if role == "caret"
        ]
        assert int(marked, 16) == values[name], name
