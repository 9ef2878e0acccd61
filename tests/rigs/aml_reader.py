"""A reader of the little AML that describes devices; what it does not know it refuses.

ACPI Specification 6.4 "AML Grammar Definition" and "Resource Data Types for ACPI".
"""

from typing import Any


class Aml:
    """Reads terms from `data` into nested dicts: names to values and devices."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        assert len(piece) == count, "the table ends within a term"
        self.at += count
        return piece

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def end_of_package(self) -> int:
        """The first byte behind a package whose PkgLength comes now."""
        first, lead = self.at, self.number(1)
        follow = lead >> 6
        if not follow:
            return first + lead
        assert not lead & 0x30, "reserved bits of a PkgLength"
        return first + (lead & 0xF | self.number(follow) << 4)

    def name(self) -> str:
        prefix = ""
        while self.data[self.at] in b"\\^":
            prefix += self.take(1).decode()
        count = 1
        match self.data[self.at]:
            case 0:
                self.at += 1
                return prefix
            case 0x2E:
                self.at, count = self.at + 1, 2
            case 0x2F:
                self.at, count = self.at + 2, self.data[self.at + 1]
            case _:
                pass
        segments = [self.take(4).decode() for _ in range(count)]
        for segment in segments:
            assert segment[0] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
            assert segment.replace("_", "A").isalnum()
            assert segment.upper() == segment
        return prefix + ".".join(segments)

    def value(self) -> Any:
        match self.number(1):
            case 0x00:
                return 0
            case 0x01:
                return 1
            case 0x0A:
                return self.number(1)
            case 0x0B:
                return self.number(2)
            case 0x0C:
                return self.number(4)
            case 0x0E:
                return self.number(8)
            case 0x11:
                end = self.end_of_package()
                size = self.value()
                content = self.take(end - self.at)
                assert size == len(content)
                return content
            case 0x12:
                end, count = self.end_of_package(), 0
                count = self.number(1)
                found = [self.value() for _ in range(count)]
                assert self.at == end
                return found
            case other:
                raise AssertionError(f"no value begins with {other:#04x}")

    def terms(self, end: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.at < end:
            opcode = self.number(1)
            if opcode == 0x5B:
                opcode = opcode << 8 | self.number(1)
            if opcode == 0x08:
                name = self.name()
                found[name] = self.value()
                continue
            assert opcode in (0x10, 0x5B82), f"unknown opcode {opcode:#x}"
            inside = self.end_of_package()
            name = self.name()
            assert name not in found
            found[name] = self.terms(inside)
        assert self.at == end
        return found


def read(data: bytes) -> dict[str, Any]:
    """The names of a definition block, whose header has been taken off."""
    return Aml(data).terms(len(data))


def hardware_id(value: int) -> str:
    """The text of a compressed EISA id."""
    number = int.from_bytes(value.to_bytes(4, "little"), "big")
    letters = "".join(chr((number >> shift & 31) + 64) for shift in (26, 21, 16))
    return f"{letters}{number & 0xFFFF:04X}"


def resources(data: bytes) -> list[tuple[str, int, int]]:
    """(kind, first, last) of each item of a resource template."""
    found: list[tuple[str, int, int]] = []
    at = 0
    while data[at] != 0x79:
        tag = data[at]
        size = int.from_bytes(data[at + 1 : at + 3], "little") + 3
        match tag:
            case 0x22:
                lines = int.from_bytes(data[at + 1 : at + 3], "little")
                found += [("irq", n, n) for n in range(16) if lines >> n & 1]
                size = 3
            case 0x47:
                assert data[at + 1] == 1, "it decodes 16 bits"
                low, high = (
                    int.from_bytes(data[at + n : at + n + 2], "little") for n in (2, 4)
                )
                assert low == high
                found.append(("io", low, low + data[at + 7] - 1))
                size = 8
            case 0x87 | 0x88:
                width = 4 if tag == 0x87 else 2
                assert size == 6 + 5 * width
                granularity, low, high, offset, length = (
                    int.from_bytes(data[n : n + width], "little")
                    for n in range(at + 6, at + size, width)
                )
                assert (granularity, offset) == (0, 0)
                assert length == high - low + 1
                assert data[at + 4] == 0b1100, "a producer with both ends fixed"
                found.append((("memory", "ports", "buses")[data[at + 3]], low, high))
            case _:
                raise AssertionError(f"unknown resource {tag:#04x}")
        at += size
    assert len(data) == at + 2, "the end tag is the end"
    return found
