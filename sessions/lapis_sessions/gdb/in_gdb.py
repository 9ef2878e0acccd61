"""Runs inside gdb 13 or later: `source` it, before or after `target remote`.

gdb has one architecture for all threads and keeps it while it is connected. With this a
vCPU in 16-bit or 32-bit code is disassembled as such, in the syntax that gdb is set to,
whatever mode the others are in; 64-bit code stays gdb's own. And a command of `monitor`
is about the thread that is selected, and gdb reads registers anew after it.

Nothing of it touches what is connected to another server.
"""

from __future__ import annotations

import gdb
import gdb.disassembler

LONG = 64
"""Bits of code that gdb disassembles by itself."""
HOOKS = """
define hook-monitor
python lapis_before_monitor()
end
define hookpost-monitor
python lapis_after_monitor()
end
"""


def asked(packet: str) -> bytes:
    """Return the answer to a packet, empty where nobody answers it."""
    connection = gdb.selected_inferior().connection
    if not isinstance(connection, gdb.RemoteTargetConnection):
        return b""
    answer: bytes = connection.send_packet(packet)
    return answer


def thread() -> str | None:
    """Return the id of the selected thread as packets have it."""
    selected = gdb.selected_thread()
    return None if selected is None else f"{selected.ptid[1]:x}"


class LapisDisassembler(gdb.disassembler.Disassembler):  # type: ignore[misc]
    """Asks for an instruction in the mode of the selected vCPU."""

    def __init__(self) -> None:
        super().__init__("Lapis")

    def __call__(self, info: gdb.disassembler.DisassembleInfo) -> object:
        """Return the instruction, or None where gdb is to do it."""
        selected = thread()
        if selected is None:
            return None
        flavor = gdb.parameter("disassembly-flavor")
        answer = asked(f"qLapis.Instruction:{selected},{info.address:x},{flavor}")
        words = answer.decode("ascii", "replace").split(",")
        if len(words) != 3 or int(words[0], 16) == LONG:
            return None
        text = bytes.fromhex(words[2]).decode()
        return gdb.disassembler.DisassemblerResult(int(words[1], 16), text)


def lapis_before_monitor() -> None:
    """Say which thread is selected: gdb says it only when it needs it itself."""
    selected = thread()
    if selected is not None:
        asked(f"QLapis.Client:{selected}")


class Greeting:
    """Says to each server, before its first command, that this file is here."""

    def __init__(self) -> None:
        self._known = 0

    def __call__(self) -> None:
        """Greet whoever is connected now, unless it was greeted."""
        connection = gdb.selected_inferior().connection
        number = 0 if connection is None else connection.num
        if number != self._known:
            self._known = number
            lapis_before_monitor()


def lapis_after_monitor() -> None:
    """Have gdb read registers anew: the command may have moved the machine."""
    gdb.execute("maintenance flush register-cache", to_string=True)


if __name__ == "__main__":
    gdb.disassembler.register_disassembler(LapisDisassembler())
    gdb.execute(HOOKS)
    gdb.events.before_prompt.connect(Greeting())
