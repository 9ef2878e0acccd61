"""A bare processor: one core, some RAM, one vCPU in real mode."""

from lapis_engine.cpu.registers import CS, Registers, Segment
from lapis_engine.cpu.selfcheck import open_core
from lapis_engine.memory.physical import PhysicalMemory

CODE = 0x7000


class Rig:
    """A core with 1 MiB of RAM and one vCPU in real mode at 0:7000."""

    def __init__(self) -> None:
        self.core = open_core()
        self.memory = PhysicalMemory()
        self.core.map(self.memory.add(0, 1 << 20, "RAM"))
        self.memory.on_write = self.core.forget_code
        self.regs = self.vcpu()

    def vcpu(self) -> Registers:
        regs = self.core.new_registers()
        for index in range(6):
            regs.set_segment(index, Segment(0, 0, 0xFFFF, 0x9300))
        regs.set_segment(CS, Segment(0, 0, 0xFFFF, 0x9B00))
        regs.cr0, regs.rflags, regs.rip = 0x6000_0010, 2, CODE
        regs.gpr[4] = 0x5000
        return regs

    def code(self, text: str) -> None:
        self.memory.write(CODE, bytes.fromhex(text))

    def page_first_64k(self) -> None:
        """32-bit flat segments, pages 0 to 15 mapped to themselves, present and RW."""
        for index in range(6):
            self.regs.set_segment(index, Segment(8, 0, 0xFFFF_FFFF, 0xCF_9300))
        self.regs.set_segment(CS, Segment(8, 0, 0xFFFF_FFFF, 0xCF_9B00))
        table = b"".join((n << 12 | 3).to_bytes(4, "little") for n in range(16))
        self.memory.write(0x3000, table)
        self.memory.write(0x2000, (0x3003).to_bytes(4, "little"))
        self.regs.cr3, self.regs.cr0 = 0x2000, 0xE000_0011
