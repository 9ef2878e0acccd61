/* How long an instruction is, for `blocks.c`: never said to be shorter than QEMU reads.
 *
 * SDM Vol. 2D "Opcode Map" and Vol. 2A "Instruction Format". What is rare is not known.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { UNKNOWN = 0 };
#define PREFIXES "\x26\x2e\x36\x3e\x64\x65\xf0\xf2\xf3"
/* What follows an opcode: bits that are added up. */
enum { MODRM = 1, IMM8 = 2, IMMZ = 4, IMM16 = 8, MOFFS = 16, RARE = 32 };

static bool is_among(uint8_t code, const char *list)
{
    return memchr(list, code, strlen(list)) != NULL;
}

static int after_one(uint8_t code)
{
    if (code < 0x40) {
        static const uint8_t kinds[] = { MODRM, MODRM, MODRM, MODRM, IMM8, IMMZ, 0, 0 };
        return kinds[code & 7];
    }
    switch (code >> 4) {
    case 0x7: return IMM8;
    case 0x8: return MODRM | (code == 0x81 ? IMMZ : code <= 0x83 ? IMM8 : 0);
    case 0xb: return code < 0xb8 ? IMM8 : IMMZ;
    }
    if (code >= 0xd8 && code <= 0xdf)
        return MODRM;
    if (code >= 0xa0 && code <= 0xa3)
        return MOFFS;
    if (is_among(code, "\x63\xd0\xd1\xd2\xd3\xf6\xf7\xfe\xff"))
        return MODRM;
    if (is_among(code, "\x6b\xc0\xc1\xc6"))
        return MODRM | IMM8;
    if (is_among(code, "\x69\xc7"))
        return MODRM | IMMZ;
    if (is_among(code, "\x6a\xa8\xcd\xd4\xd5\xe0\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xeb"))
        return IMM8;
    if (is_among(code, "\x68\xa9\xe8\xe9"))
        return IMMZ;
    if (is_among(code, "\xc2\xca"))
        return IMM16;
    return is_among(code, "\x62\x9a\xc4\xc5\xc8\xea") ? RARE : 0;
}

static int after_two(uint8_t code)
{
    switch (code >> 4) {
    case 0x3: return code < 0x38 ? 0 : RARE;
    case 0x8: return IMMZ;
    }
    if (code >= 0xc8 && code <= 0xcf)
        return 0;
    if (code == 0x0f || code == 0x78 || code == 0x79)
        return RARE;
    if (is_among(code, "\x05\x06\x07\x08\x09\x0b\x0e\x77\xa0\xa1\xa2\xa8\xa9\xaa"))
        return 0;
    bool has_byte = is_among(code, "\x70\x71\x72\x73\xa4\xac\xba\xc2\xc4\xc5\xc6");
    return MODRM | (has_byte ? IMM8 : 0);
}

/* Bytes of ModRM with what it asks for; UNKNOWN if they are not all there. */
static size_t modrm_size(const uint8_t *code, size_t size, int address)
{
    if (!size)
        return UNKNOWN;
    int mod = code[0] >> 6, rm = code[0] & 7;
    if (mod == 3)
        return 1;
    if (address == 16)
        return 1 + (mod == 0 ? 2 * (rm == 6) : mod);
    size_t sib = rm == 4;
    if (sib && size < 2)
        return UNKNOWN;
    int base = sib ? code[1] & 7 : rm;
    return 1 + sib + (mod == 0 ? 4 * (base == 5) : mod == 1 ? 1 : 4);
}

/* The bytes of the instruction that `code` begins with, of which `size` are there. */
static size_t length_of(const uint8_t *code, size_t size, int bits)
{
    int operand = bits == 16 ? 2 : 4, address = bits;
    bool is_wide = false;
    size_t i = 0;
    for (; i < size; i++) {
        if (code[i] == 0x66)
            operand = bits == 16 ? 4 : 2;
        else if (code[i] == 0x67)
            address = bits == 32 ? 16 : 32;
        else if (!is_among(code[i], PREFIXES))
            break;
    }
    if (i < size && bits == 64 && (code[i] & 0xf0) == 0x40) {
        is_wide = code[i++] & 8;
        if (i < size && ((code[i] & 0xf0) == 0x40 || is_among(code[i], "\x66\x67" PREFIXES)))
            return UNKNOWN;
    }
    if (i == size)
        return UNKNOWN;
    uint8_t op = code[i++];
    int after;
    if (op == 0x0f) {
        if (i == size)
            return UNKNOWN;
        op = code[i++];
        after = after_two(op);
    } else {
        after = after_one(op);
        if ((op & 0xfe) == 0xf6 && i < size && !(code[i] & 0x30))  /* TEST */
            after |= op & 1 ? IMMZ : IMM8;
        if (is_wide && op >= 0xb8 && op <= 0xbf)
            operand = 8;
    }
    /* Intel and AMD read 66 before a near branch in 64 bits in two ways. */
    if (after & RARE || (after == IMMZ && bits == 64 && operand == 2))
        return UNKNOWN;
    if (is_wide && operand == 2)
        operand = 4;
    if (after & MODRM) {
        size_t more = modrm_size(code + i, size - i, address);
        if (!more)
            return UNKNOWN;
        i += more;
    }
    i += (after & IMM8 ? 1 : 0) + (after & IMMZ ? operand : 0);
    i += (after & IMM16 ? 2 : 0) + (after & MOFFS ? address / 8 : 0);
    return i <= 15 ? i : UNKNOWN;
}
