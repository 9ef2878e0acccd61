"""A small client of GDB's remote serial protocol, for QEMU's stub.

Source: GDB manual "Remote Serial Protocol"; the registers are those of QEMU's
`i386-64bit.xml`.
"""

import socket
import struct
from dataclasses import dataclass

GPRS = (
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
    *(f"r{number}" for number in range(8, 16)),
)  # fmt: skip
LAYOUT = struct.Struct("<17Q7I")
"""General registers, RIP, EFLAGS, CS SS DS ES FS GS."""


@dataclass(frozen=True)
class Registers:
    gpr: tuple[int, ...]
    """In the order of `GPRS`."""
    rip: int
    eflags: int
    segments: tuple[int, ...]


class Stub:
    """A connection to a stub."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._file = self._socket.makefile("rb")

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, text: str) -> str:
        """Send a packet; return the one that comes back."""
        body = text.encode()
        self._socket.sendall(b"$%s#%02x" % (body, sum(body) & 0xFF))
        while (byte := self._file.read(1)) != b"$":
            assert byte, "the stub is gone"
        reply = bytearray()
        while (byte := self._file.read(1)) != b"#":
            assert byte, "the stub is gone"
            reply += byte
        assert int(self._file.read(2), 16) == sum(reply) & 0xFF
        self._socket.sendall(b"+")
        return reply.decode()

    def run_to(self, address: int) -> None:
        """Go on to an address, on whatever processor."""
        assert self.ask(f"Z1,{address:x},1") == "OK"
        reply = self.ask("c")
        assert reply.startswith("T05"), reply
        assert self.ask(f"z1,{address:x},1") == "OK"

    def step(self, number: int) -> Registers:
        """Step processor `number` alone; return its registers."""
        reply = self.ask(f"vCont;s:{number + 1:x}")
        assert reply.startswith("T05"), reply
        return self.registers(number)

    def registers(self, number: int) -> Registers:
        """Return the registers of a processor."""
        assert self.ask(f"Hg{number + 1:x}") == "OK"
        values = LAYOUT.unpack_from(bytes.fromhex(self.ask("g")))
        return Registers(values[:16], values[16], values[17], values[18:])
