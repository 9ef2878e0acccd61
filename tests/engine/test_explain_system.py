"""Flags, control registers and descriptors in words: the SDM's own numbers."""

from __future__ import annotations

import pytest

from lapis_engine.explain import explain


@pytest.mark.parametrize(
    ("what", "raw", "text"),
    [
        ("rflags", 0x2, "nothing is set"),
        ("rflags", 0x3246, "IOPL 3 IF ZF PF"),
        # SDM Vol. 3A "Processor State After Reset": CR0 is 60000010H.
        ("cr0", 0x6000_0010, "CD NW ET"),
        ("cr0", 0x8005_0033, "PG AM WP NE ET MP PE"),
        ("cr4", 0x30_06A0, "SMAP SMEP OSXMMEXCPT OSFXSR PGE PAE"),
        ("efer", 0xD01, "NXE LMA LME SCE"),
        ("efer", 0x2, "nothing is set, reserved bits 0x2 set"),
        # The flat segments of every boot loader.
        (
            "descriptor",
            0x00CF_9A00_0000_FFFF,
            "32-bit code, readable, base 0x0, limit 0xffffffff, DPL 0",
        ),
        (
            "descriptor",
            0x00CF_9200_0000_FFFF,
            "data, writable, base 0x0, limit 0xffffffff, DPL 0",
        ),
        (
            "descriptor",
            0x00AF_FB00_0000_FFFF,
            "64-bit code, readable, accessed, base 0x0, limit 0xffffffff, DPL 3",
        ),
        (
            "descriptor",
            0x1200_8934_5678_0067,
            "TSS, base 0x12345678, limit 0x67, DPL 0",
        ),
        (
            "descriptor",
            0x0001_8E02_0008_2345,
            "interrupt gate to 0x8:0x12345, DPL 0, IST 2",
        ),
        (
            "descriptor",
            0x0000_0F00_0010_0000,
            "trap gate to 0x10:0x0, DPL 0, not present",
        ),
        ("descriptor", 0, "reserved type 0, base 0x0, limit 0x0, DPL 0, not present"),
    ],
)
def test_what_the_manual_says(what: str, raw: int, text: str) -> None:
    assert explain(what, raw).text == text


def test_fields_have_the_manuals_names_and_places() -> None:
    fields = {field.name: field for field in explain("rflags", 0x3246).fields}
    assert (fields["IOPL"].bits, fields["IOPL"].value) == ("13:12", 3)
    assert fields["IF"].meaning == "interrupts are taken"
    assert fields["CF"].meaning == ""
