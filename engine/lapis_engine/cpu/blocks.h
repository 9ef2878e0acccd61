/* What counting by blocks (`blocks.c`) and answering plain accesses (`plain.c`) share. */
#ifndef LAPIS_BLOCKS_H
#define LAPIS_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answers.h"

enum {
    PAGE = 4096,
    LONGEST = 15,         /* bytes of an instruction */
    MOST_HOOKS = 4,
    MOST_HOLES = 64,
    MOST_DECODED = 64,
};
/* uc_prot and uc_mem_type of unicorn.h, which a build does not need. */
enum { PROT_EXEC = 4 };
enum { MEM_READ_UNMAPPED = 19, MEM_WRITE_UNMAPPED = 20, MEM_WRITE_PROT = 22 };
enum { VINTR_EXIT = 0x164, RDTSC_EXIT = 0x16e, CPUID_EXIT = 0x172, HLT_EXIT = 0x178,
       MSR_EXIT = 0x17c };
/* QEMU `HF_*`, and bits of EFLAGS. */
enum { HF_CPL = 3, HF_INHIBIT_IRQ = 1 << 3, HF_CS32 = 1 << 4, HF_PE = 1 << 7,
       TF = 1 << 8, IOPL = 12, RF = 1 << 16, VM = 1 << 17 };
enum { RAX, RCX, RDX, RBX };

/* What ended a run: `blocks.Exit` has the same fields. */
enum { NOTHING, INTERRUPT, HOLE, PORT, BREAKPOINT };
struct tlb;
struct exit {
    uint32_t kind;
    uint32_t number;    /* INTERRUPT: that of Unicorn */
    uint64_t before;    /* retired before the instruction at RIP */
    uint64_t between;   /* entered in all: retired, if it came between two blocks */
    uint64_t gpa;       /* HOLE; PORT: the port */
    uint64_t value;     /* PORT: what OUT writes */
    uint64_t cr2;       /* INTERRUPT: what a #PF is about, if it is one */
    uint32_t size;
    uint32_t access;    /* HOLE: uc_mem_type; PORT: 1 for OUT */
    uint32_t early;     /* the status flags are in cc_src already */
    uint32_t status;    /* bit 0: the count is broken; bit 1: drop all translations;
                         * bit 2: there are notes */
};

/* QEMU `TranslationBlock` up to `orig_tb`, which is QEMU's for CF_NOCACHE only. */
struct block {
    uint64_t pc, cs_base;
    uint32_t flags;
    uint16_t size, icount;
    uint32_t cflags, dstate;
    uint8_t *code;
    size_t code_size;
    uintptr_t note;     /* 1 + 2 * (instructions to run by themselves), once looked at */
};

/* Addresses in the library, and places in its structures: `blocks.Places`. */
struct places {
    int (*start)(void *uc, uint64_t begin, uint64_t until, uint64_t time, size_t count);
    int (*stop)(void *uc);
    int (*hook_add)(void *uc, size_t *hook, int type, void *call, void *user,
                    uint64_t first, uint64_t last, ...);
    int (*hook_del)(void *uc, size_t hook);
    int (*save)(void *uc, void *context);
    int (*restore)(void *uc, void *context);
    int (*ctl)(void *uc, uint32_t control, ...);
    int (*vmem_read)(void *uc, uint64_t linear, uint32_t prot, void *to, size_t size);
    void (*loop_exit)(void *cpu);
    void (*reset_dirty)(void *cpu, uint64_t host, uint64_t size);
    int (*vmem_translate)(void *uc, uint64_t linear, uint32_t prot, uint64_t *gpa);
    void *(*find)(void *uc, uint64_t gpa);  /* which memory is there (`stores.h`) */
    void *(**finds)(void *uc, uint64_t gpa);  /* where QEMU has it, or NULL */
    const struct tlb *tlb;
    uint8_t *cpu;
    uint8_t *state;
    uint32_t *wanted;          /* CPUState.cflags_next_tb */
    uint32_t *request;         /* CPUState.interrupt_request */
    uint64_t *cr2;             /* where an intercepted #PF puts its address */
    uint16_t *leave;           /* icount_decr.high: not 0 leaves the translated code */
    uint32_t eip;              /* places in the state */
    uint32_t eflags, hflags, tsc_aux;
    uint32_t code64;           /* HF_CS64 */
    uint32_t most;             /* instructions that may stand translated */
    uint32_t flush_tlb;        /* a control word of uc_ctl */
};

/* An instruction of a block, as `plain.c` needs to know it. */
struct decoded {
    const struct block *block;
    uint64_t pc, age;
    uint32_t index, length, reg, operation;
};

struct counter {
    struct places at;
    void *uc;
    bool is_on;
    int64_t left, budget;
    struct block *block;       /* the one entered last */
    uint32_t asked;            /* instructions that were asked of the next block */
    bool (*restarted)(void);
    uint64_t translated;
    void *context;
    struct exit exit;
    bool is_full;              /* too much is translated: end before the next block */
    uint32_t broken;           /* a block that is not what we think: never */
    size_t hooks[MOST_HOOKS];
    size_t holes[MOST_HOLES];
    int n_holes;
    uint8_t code[(1 << 20) / 8];  /* a bit for each page that was translated from */
    uint64_t age;              /* of what is decoded: new with every translation */
    struct decoded decoded[MOST_DECODED];
    struct answers answers;
};

static inline uint64_t *eip_of(const struct counter *c)
{
    return (uint64_t *)(c->at.state + c->at.eip);
}

static inline int64_t delta(uint8_t **at)
{
    uint64_t value = 0;
    int shift = 0;
    uint8_t byte;
    do {
        byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (shift < 64 && byte & 0x40)
        value |= -(uint64_t)1 << shift;
    return (int64_t)value;
}

/* One row of a block's table: an instruction, and `cc_op` before it as far as the
 * translation knew. */
struct row { uint8_t *next; uint64_t pc; int64_t cc_op; };

static inline struct row first_row(const struct block *block)
{
    struct row row = { block->code + block->code_size, block->pc, 0 };
    return row;
}

static inline void next_row(struct row *row)
{
    row->pc += delta(&row->next);
    row->cc_op += delta(&row->next);
    delta(&row->next);
}

/* Read the instruction at `pc` of a block, as much as its page has, and return its
 * opcode, behind all prefixes; NULL if there is none. */
const uint8_t *opcode(struct counter *c, const struct block *block, uint64_t pc,
                      uint8_t code[LONGEST + 3]);

/* Answer the access that stops the processor here; false if it is not plain, and
 * somebody has to see it. */
bool plain_interrupt(struct counter *c, uint32_t number);
bool plain_hole(struct counter *c, uint32_t access, uint64_t gpa, uint64_t value);
bool plain_port(struct counter *c, uint32_t port, int size, uint64_t *value,
                bool is_write);

#endif
