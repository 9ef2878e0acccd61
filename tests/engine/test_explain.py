"""Raw values in words: a sentence as users read it, fields as the SDM cuts them."""

import pytest

from lapis_engine.apic.icr import icr_text
from lapis_engine.errors import ConfigError
from lapis_engine.explain import EXPLAINERS, Field, explain


@pytest.mark.parametrize(
    ("icr", "text"),
    [
        (0xC4500, "INIT, physical, assert, edge, all excluding self"),
        (
            0xC4610,
            (
                "STARTUP vector 0x10 (start 0x10000), physical, assert, edge, "
                "all excluding self"
            ),
        ),
        (0x84500, "INIT, physical, assert, edge, all including self"),
        (0x44500, "INIT, physical, assert, edge, self"),
        (0xC8500, "INIT, physical, de-assert, level, all excluding self"),
        (0xC0500, "INIT, physical, de-assert, edge, all excluding self"),
        (0xC4400, "NMI, physical, assert, edge, all excluding self"),
        (
            0xC4608,
            (
                "STARTUP vector 0x08 (start 0x8000), physical, assert, edge, "
                "all excluding self"
            ),
        ),
        (
            0x000008FB,
            "FIXED vector 0xfb, logical, de-assert, edge, to logical destination 0x0",
        ),
        (
            0x0300_0000_0000_4131,
            "LOWEST PRIORITY vector 0x31, physical, assert, edge, to APIC id 0x3",
        ),
        (
            0xFF00_0000_0000_C831,
            "FIXED vector 0x31, logical, assert, level, to everyone (broadcast)",
        ),
        (0x0100_0000_0000_4200, "SMI, physical, assert, edge, to APIC id 0x1"),
        (
            0x0100_0000_0000_0300,
            "REMOTE READ, physical, de-assert, edge, to APIC id 0x1",
        ),
        (0x44700, "reserved mode 7, physical, assert, edge, self"),
    ],
)
def test_an_icr_in_words(icr: int, text: str) -> None:
    assert icr_text(icr) == text
    assert explain("icr", icr).text == text


@pytest.mark.parametrize(
    ("icr", "tail"),
    [
        (0x0000_00FF_0000_4031, "to APIC id 0xff"),
        (0xFFFF_FFFF_0000_4031, "to everyone (broadcast)"),
        (0x0001_0003_0000_4831, "to logical destination 0x10003"),
        (0x0000_0002_000C_4031, "all excluding self"),
    ],
)
def test_an_x2apic_icr_has_a_destination_of_32_bits(icr: int, tail: str) -> None:
    assert icr_text(icr, x2apic=True).endswith(f", {tail}")


def test_the_fields_of_an_icr() -> None:
    assert explain("icr", 0x1200_0000_000C_D6A5).fields == (
        Field("destination", "63:56", 0x12, ""),
        Field("shorthand", "19:18", 3, "all-but-self"),
        Field("trigger", "15", 1, "level"),
        Field("level", "14", 1, "assert"),
        Field("delivery status", "12", 1, ""),
        Field("destination mode", "11", 0, "physical"),
        Field("delivery mode", "10:8", 6, "STARTUP"),
        Field("vector", "7:0", 0xA5, ""),
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (0x1_0000, "fixed vector 0x00, edge, masked, timer one-shot"),
        (0x2_00EC, "fixed vector 0xec, edge, not masked, timer periodic"),
        (0x4_0031, "fixed vector 0x31, edge, not masked, timer TSC-deadline"),
        (0x0700, "ExtINT vector 0x00, edge, not masked, timer one-shot"),
        (0x1_8400, "NMI vector 0x00, level, masked, timer one-shot"),
        (0x0231, "SMI vector 0x31, edge, not masked, timer one-shot"),
        (0x0500, "INIT vector 0x00, edge, not masked, timer one-shot"),
    ],
)
def test_an_lvt_in_words(raw: int, text: str) -> None:
    assert explain("lvt", raw).text == text


def test_the_fields_of_an_lvt() -> None:
    assert explain("lvt", 0x3_F7A5).fields == (
        Field("timer mode", "18:17", 1, "periodic"),
        Field("mask", "16", 1, "masked"),
        Field("trigger", "15", 1, "level"),
        Field("remote IRR", "14", 1, ""),
        Field("polarity", "13", 1, ""),
        Field("delivery status", "12", 1, ""),
        Field("delivery mode", "10:8", 7, "ExtINT"),
        Field("vector", "7:0", 0xA5, ""),
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (0xFEE0_0900, "xAPIC, BSP, page at 0xfee00000"),
        (0xFEE0_0C00, "x2APIC, AP, page at 0xfee00000"),
        (0xFED0_0100, "disabled, BSP, page at 0xfed00000"),
        (0xFEE0_0400, "invalid, AP, page at 0xfee00000"),
    ],
)
def test_apicbase_in_words(raw: int, text: str) -> None:
    found = explain("apicbase", raw)
    assert found.text == text
    assert [(f.name, f.bits, f.value) for f in found.fields] == [
        ("base", "51:12", raw >> 12),
        ("EN", "11", raw >> 11 & 1),
        ("EXTD", "10", raw >> 10 & 1),
        ("BSP", "8", raw >> 8 & 1),
    ]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (0xFF, "disabled by software, spurious vector 0xff"),
        (0x1EF, "enabled, spurious vector 0xef"),
        (0x3EF, "enabled, spurious vector 0xef, focus checking off"),
        (0x11FF, "enabled, spurious vector 0xff, EOI broadcasts suppressed"),
        (0xDFF, "enabled, spurious vector 0xff, reserved bits 0xc00 set"),
    ],
)
def test_svr_in_words(raw: int, text: str) -> None:
    found = explain("svr", raw)
    assert found.text == text
    assert [(f.bits, f.value) for f in found.fields] == [
        ("12", raw >> 12 & 1), ("9", raw >> 9 & 1), ("8", raw >> 8 & 1),
        ("7:0", raw & 0xFF),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "raw", "text", "fields"),
    [
        # SDM "Task and Processor Priorities": the class is bits 7:4, CR8 is TPR[7:4].
        ("tpr", 0x55, "class 5: vectors up to 0x5f wait; CR8 reads 0x5",
         [("7:4", 5), ("3:0", 5)]),
        ("ppr", 0x50, "class 5: vectors from 0x60 are delivered",
         [("7:4", 5), ("3:0", 0)]),
        ("ppr", 0xF2, "class 15: no vector is delivered", [("7:4", 15), ("3:0", 2)]),
        # SDM "Logical Destination Mode".
        ("ldr", 0x0600_0000,
         "flat model: bits 1, 2; cluster model: cluster 0x0, member bits 1, 2",
         [("31:24", 6)]),
        ("ldr", 0x2100_0000,
         "flat model: bits 0, 5; cluster model: cluster 0x2, member bit 0",
         [("31:24", 0x21)]),
        # The x2APIC LDR of id 0x13 (SDM "Deriving Logical x2APIC ID").
        ("ldr", 0x0001_0008, "x2APIC: cluster 0x1, member bit 3",
         [("31:16", 1), ("15:0", 8)]),
        ("dfr", 0xFFFF_FFFF, "flat model of logical destinations",
         [("31:28", 15), ("27:0", 0xFFF_FFFF)]),
        ("dfr", 0x0FFF_FFFF, "cluster model of logical destinations",
         [("31:28", 0), ("27:0", 0xFFF_FFFF)]),
        ("dfr", 0x5FFF_FFFF, "reserved model of logical destinations",
         [("31:28", 5), ("27:0", 0xFFF_FFFF)]),
        # bhyve of today and before 13275; a processor with directed EOI.
        ("version", 0x0006_0014,
         "version 0x14, 7 LVT entries, EOI-broadcast suppression is not there",
         [("24", 0), ("23:16", 6), ("7:0", 0x14)]),
        ("version", 0x0105_0015,
         "version 0x15, 6 LVT entries, EOI-broadcast suppression can be had",
         [("24", 1), ("23:16", 5), ("7:0", 0x15)]),
        # Intel 82093AA; the second is the reset value of bhyve, bit 48 and all.
        ("rte", 0x0300_0000_0000_E931,
         ("LOWEST PRIORITY vector 0x31, level, active low, not masked, waits for an "
          "EOI (remote IRR), to logical destination 0x3"),
         [("63:56", 3), ("16", 0), ("15", 1), ("14", 1), ("13", 1), ("12", 0),
          ("11", 1), ("10:8", 1), ("7:0", 0x31)]),
        ("rte", 0x0001_0000_0001_0000,
         ("FIXED vector 0x00, edge, active high, masked, to APIC id 0x0, reserved bits "
          "0x1000000000000 set"),
         [("63:56", 0), ("16", 1), ("15", 0), ("14", 0), ("13", 0), ("12", 0),
          ("11", 0), ("10:8", 0), ("7:0", 0)]),
        # SDM "Message Address Register Format", "Message Data Register Format".
        ("msi-address", 0xFEE0_300C, "to logical destination 0x3, redirection hint 1",
         [("31:20", 0xFEE), ("19:12", 3), ("3", 1), ("2", 1)]),
        ("msi-address", 0xFEE1_2000, "to APIC id 0x12, redirection hint 0",
         [("31:20", 0xFEE), ("19:12", 0x12), ("3", 0), ("2", 0)]),
        ("msi-data", 0xC131, "LOWEST PRIORITY vector 0x31, level, assert",
         [("15", 1), ("14", 1), ("10:8", 1), ("7:0", 0x31)]),
        ("msi-data", 0x0400, "NMI, edge",
         [("15", 0), ("14", 0), ("10:8", 4), ("7:0", 0)]),
        # The states of INIT-SIPI-SIPI on an AP.
        ("run-state", 0x8003, "RUN|INIT|PEND_SIPI: running, can run now",
         [("15", 1), ("14", 0), ("1", 1), ("0", 1)]),
        ("run-state", 1, "INIT: wait-for-sipi, cannot run",
         [("15", 0), ("14", 0), ("1", 0), ("0", 1)]),
        ("run-state", 0xC000, "PEND_INIT|PEND_SIPI: wait-for-sipi, can run now",
         [("15", 1), ("14", 1), ("1", 0), ("0", 0)]),
        # bhyve `VM_INTINFO_*`.
        ("intinfo", 0x2_8000_0B0E,
         "hardware exception vector 0x0e (#PF), error code 0x2",
         [("63:32", 2), ("31", 1), ("11", 1), ("10:8", 3), ("7:0", 14)]),
        ("intinfo", 0x8000_0031, "hardware interrupt vector 0x31",
         [("63:32", 0), ("31", 1), ("11", 0), ("10:8", 0), ("7:0", 0x31)]),
        ("intinfo", 0x8000_0202, "NMI vector 0x02",
         [("63:32", 0), ("31", 1), ("11", 0), ("10:8", 2), ("7:0", 2)]),
    ],
)  # fmt: skip
def test_a_register_in_words_and_in_fields(
    what: str, raw: int, text: str, fields: list[tuple[str, int]]
) -> None:
    found = explain(what, raw)
    assert found.text == text
    assert [(f.bits, f.value) for f in found.fields] == fields


@pytest.mark.parametrize(
    ("raw", "by"),
    [(0, 2), (1, 4), (2, 8), (3, 16), (8, 32), (9, 64), (0xA, 128), (0xB, 1)],
)
def test_the_divide_configuration_in_words(raw: int, by: int) -> None:
    assert explain("divide", raw).text == f"the timer counts at its clock / {by}"


@pytest.mark.parametrize(
    ("what", "raw", "reserved"),
    [
        ("icr", 0xC_6500, 0x2000), ("lvt", 0x831, 0x800),
        ("apicbase", 0xFEE0_0A00, 0x200), ("svr", 0x1FF, 0), ("esr", 0x1FF, 0x100),
        ("tpr", 0x155, 0x100),
        ("dfr", 0xFFFF_FFFF, 0), ("divide", 0xF, 4), ("rte", 0xFE_0031, 0xFE_0000),
        ("msi-data", 0x2031, 0x2000), ("run-state", 0x8007, 4),
    ],
)  # fmt: skip
def test_bits_that_belong_to_no_field_are_pointed_out(
    what: str, raw: int, reserved: int
) -> None:
    found = explain(what, raw)
    assert found.reserved == reserved
    assert (f"reserved bits {reserved:#x} set" in found.text) is bool(reserved)


@pytest.mark.parametrize(
    ("what", "raw", "illegal"),
    [
        ("icr", 0xC_400F, True), ("icr", 0xC_4010, False), ("icr", 0xC_4608, False),
        ("lvt", 0x0F, True), ("lvt", 0x10, False), ("lvt", 0x400, False),
        ("rte", 0x10F, True), ("msi-data", 0x0F, True), ("msi-data", 0x700, False),
    ],
)  # fmt: skip
def test_an_illegal_vector_is_pointed_out_where_the_vector_counts(
    what: str, raw: int, illegal: bool
) -> None:
    (vector,) = [f for f in explain(what, raw).fields if f.name == "vector"]
    assert vector.meaning == ("illegal: below 16" if illegal else "")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (0, "no error"),
        (0x20, "send illegal vector"),
        (0xC0, "illegal register address, receive illegal vector"),
        (
            0x1F,
            (
                "redirectable IPI, receive accept error, send accept error, "
                "receive checksum error, send checksum error"
            ),
        ),
    ],
)
def test_the_esr_in_words(raw: int, text: str) -> None:
    found = explain("esr", raw)
    assert found.text == text
    assert [f.bits for f in found.fields] == list("76543210")
    assert sum(f.value << int(f.bits) for f in found.fields) == raw


@pytest.mark.parametrize("what", EXPLAINERS)
def test_any_64_bit_value_can_be_explained(what: str) -> None:
    for raw in (0, (1 << 64) - 1):
        found = explain(what, raw)
        assert (found.what, found.raw) == (what, raw)
        assert found.text
    for bad in (-1, 1 << 64):
        with pytest.raises(ConfigError, match="is not a 64-bit value"):
            explain(what, bad)


def test_what_cannot_be_explained_is_said_with_what_can() -> None:
    with pytest.raises(ConfigError, match="icr, lvt, apicbase, svr, esr"):
        explain("nothing", 0)
