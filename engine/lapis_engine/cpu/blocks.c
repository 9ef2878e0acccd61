/* The processor counted by blocks of translated code; what of it is not fast in Python.
 *
 * Stock Unicorn counts a run by a call before each instruction, which costs most of its
 * speed. Here one call is made a block, and the block itself tells how many
 * instructions it has: Unicorn calls a hook that is the only one of its kind straight
 * from the translated code, and QEMU keeps the record of a block (`TranslationBlock`)
 * right before that code. The record names where its code is and where the guest's is,
 * so that a wrong one is not taken for it.
 *
 * Where a run ends inside a block, QEMU is asked for a block of just the instructions
 * that are left (`cflags_next_tb`). Where it is broken off inside one, the block's own
 * table of instructions ("search data") tells how many of them are done.
 *
 * Nothing here is linked to Unicorn: addresses of its functions come from whoever has
 * loaded it. All places in its structures come from there, too, and are proved there.
 */
#include "blocks.h"

#include <stdlib.h>
#include <string.h>

#include "length.h"
#include "stores.h"

enum {
    LINE = 64,            /* code of a block begins on one (QEMU `icache_linesize`) */
    RECORD = 192,         /* `TranslationBlock`, rounded up to lines */
    MOST_LINES = 6,       /* of a block before its call has returned */
    COUNT_MASK = 0x7fff,  /* `CF_COUNT_MASK` */
    ANY_BLOCK = -1,       /* nothing is asked of the next block */
    OVERHEAD = 2,         /* what a block takes beside its instructions */
};
/* `cc_op`: how the status flags of the last operation are kept. */
enum { CC_DYNAMIC = 0, CC_EFLAGS = 1, CC_MUL = 2, CC_SUB = 14, CC_SUB_LAST = 17,
       CC_LAST = 45,
       CC_ADCX = 46 };
/* uc_hook_type and instructions of unicorn.h, which a build does not need. */
enum { HOOK_INTR = 1, HOOK_INSN = 2, HOOK_BLOCK = 8, HOOK_MEM_INVALID = 0x3f0,
       HOOK_EDGE = 1 << 15, INS_IN = 218, INS_OUT = 500 };

/* `uc_tb`. */
struct edge { uint64_t pc; uint16_t icount, size; };

static struct block *block_of(uintptr_t inside, uint64_t pc)
{
    uintptr_t code = inside & ~(uintptr_t)(LINE - 1);
    for (int i = 0; i < MOST_LINES; i++, code -= LINE) {
        struct block *block = (struct block *)(code - RECORD);
        if (block->code == (uint8_t *)code)
            return block->pc == pc ? block : NULL;
    }
    return NULL;
}

/* The number in its block of the instruction at `pc`; the block's count if it is the
 * one behind it, -1 if neither. */
static int number_of(const struct block *block, uint64_t pc, int64_t *cc_op)
{
    struct row row = first_row(block);
    for (int i = 0; i < block->icount; i++) {
        next_row(&row);
        if (row.pc == pc) {
            if (cc_op)
                *cc_op = row.cc_op;
            return i;
        }
    }
    return pc == block->pc + block->size ? block->icount : -1;
}

const uint8_t *opcode(struct counter *c, const struct block *block, uint64_t pc,
                      uint8_t code[LONGEST + 3])
{
    size_t room = PAGE - pc % PAGE;
    memset(code, 0, LONGEST + 3);
    if (c->at.vmem_read(c->uc, pc, PROT_EXEC, code, room < LONGEST ? room : LONGEST))
        return NULL;
    bool is_64 = block->flags & c->at.code64;
    for (int i = 0; i < LONGEST; i++) {
        switch (code[i]) {
        case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
        case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3:
            continue;
        }
        if (is_64 && (code[i] & 0xf0) == 0x40)
            continue;
        return code + i;
    }
    return NULL;
}

/* BT, BTS, BTR, BTC leave flags undefined, and QEMU's depend on what it knows of the
 * operation before: that is nothing if they begin a block, and so they do. */
static bool is_bit_test(const uint8_t *op)
{
    if (!op || op[0] != 0x0f)
        return false;
    if (op[1] == 0xba)
        return (op[2] >> 3 & 7) >= 4;
    return op[1] == 0xa3 || op[1] == 0xab || op[1] == 0xb3 || op[1] == 0xbb;
}

static uintptr_t note_of(struct counter *c, const struct block *block)
{
    uint8_t code[LONGEST + 3];
    struct row row = first_row(block);
    for (int i = 0; i < block->icount; i++) {
        next_row(&row);
        if (i && row.cc_op >= CC_MUL && row.cc_op <= CC_LAST
            && is_bit_test(opcode(c, block, row.pc, code)))
            return 1 + 2 * (uintptr_t)i;
    }
    return 1;
}

/* RCL and RCR of memory and some SETcc have QEMU work the flags out into cc_src before
 * their access fails, and put cc_op back without them. */
static bool flags_are_early(struct counter *c, uint64_t pc)
{
    uint8_t code[LONGEST + 3];
    int64_t cc_op = 0;
    int i = number_of(c->block, pc, &cc_op);
    if (i < 0 || i == c->block->icount || cc_op == CC_EFLAGS)
        return false;
    const uint8_t *op = opcode(c, c->block, pc, code);
    if (!op)
        return false;
    if ((op[0] & 0xfc) == 0xd0 || (op[0] & 0xfe) == 0xc0) {
        int which = op[1] >> 3 & 7;
        return op[1] < 0xc0 && (which == 2 || which == 3);
    }
    if (op[0] != 0x0f || (op[1] & 0xf0) != 0x90 || op[2] >= 0xc0)
        return false;
    switch (op[1] >> 1 & 7) {
    case 0:  /* O */
        return cc_op <= CC_ADCX;
    case 1:  /* B: the carry alone is worked out, and elsewhere */
        return false;
    case 2: case 4:  /* Z, S */
        return cc_op == CC_DYNAMIC;
    case 5:  /* P */
        return true;
    default:  /* BE, L, LE */
        return cc_op < CC_SUB || cc_op > CC_SUB_LAST;
    }
}

/* Which instructions may be marked (`marks`), asked of each that is translated. */
struct looker {
    int (*vmem_read)(void *uc, uint64_t linear, uint32_t prot, void *to, size_t size);
    void *uc;
    const uint64_t *eflags;
    const uint32_t *hflags;
    uint32_t code64, code32;
    uint32_t all;              /* ask of all of them */
    int (*ask)(const uint64_t *linear, const void *key, void *data);
    int32_t *operations;       /* that the block at hand has */
    uint32_t cpl, limited;     /* bits of hflags */
    uint8_t one[256];          /* opcodes of one byte that may be */
    uint8_t two[256];          /* those behind 0F */
    uint8_t two_0[256];        /* those behind 0F at CPL 0 alone */
    uint8_t one_16[256];       /* those of 16-bit code of which an operand may reach */
    uint8_t two_16[256];       /* beyond 64 KiB */
};

enum { BEHIND = 1 };
enum { FIRMWARE = 0xc0000, FIRMWARE_END = 0x100000 };  /* `strict` */
enum { LAST_ALONE = 38, ENOUGH = 1 << 20 };  /* `ahead` */

static int bits_of(const struct looker *l)
{
    return *l->hflags & l->code64 ? 64 : *l->hflags & l->code32 ? 32 : 16;
}

/* Whether the instruction behind the one at `linear` is, or may be, not of this page
 * alone. What crosses into the next one itself has begun: that is no more ahead. */
static bool next_may_cross(const struct looker *l, uint64_t linear)
{
    uint8_t code[LAST_ALONE];
    size_t room = PAGE - linear % PAGE;
    if (l->vmem_read(l->uc, linear, PROT_EXEC, code, room))
        return true;
    size_t size = length_of(code, room, bits_of(l));
    if (size == UNKNOWN || size == room)
        return true;
    if (size > room)
        return false;
    size_t next = length_of(code + size, room - size, bits_of(l));
    return next == UNKNOWN || next > room - size;
}

/* Whether the operand of the opcode at `op` of 16-bit code with limits is one that may
 * be marked: an offset, or what an address of 32 bits names. Firmware is exempt. */
static bool may_reach(const struct looker *l, uint64_t linear, const uint8_t *op,
                      const uint8_t *end, bool is_wide)
{
    if (!(*l->hflags & l->limited) || bits_of(l) != 16
        || (linear >= FIRMWARE && linear < FIRMWARE_END))
        return false;
    if (*op >= 0xa0 && *op <= 0xa3)
        return l->one_16[*op];
    const uint8_t *modrm = op + 1;
    if (*op == 0x0f) {
        if (modrm == end)
            return true;
        if (!l->two_16[*modrm++])
            return false;
    } else if (!l->one_16[*op]) {
        return false;
    }
    return is_wide || modrm == end || (*modrm & 0xc7) == 6;
}

static bool may_be_marked(const struct looker *l, uint64_t linear)
{
    uint8_t code[LONGEST];
    size_t room = PAGE - linear % PAGE, size = room < LONGEST ? room : LONGEST;
    if (l->vmem_read(l->uc, linear, PROT_EXEC, code, size))
        return true;
    bool is_64 = *l->hflags & l->code64, is_wide = false;
    for (size_t i = 0; i < size; i++) {
        switch (code[i]) {
        case 0x67:
            is_wide = true;
            continue;
        case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
        case 0x66: case 0xf2: case 0xf3:
            continue;
        case 0xf0:
            return true;
        case 0x0f:
            if (i + 1 == size || l->two[code[i + 1]]
                || (l->two_0[code[i + 1]] && !(*l->hflags & l->cpl)))
                return true;
            return may_reach(l, linear, code + i, code + size, is_wide);
        }
        if (is_64 && (code[i] & 0xf0) == 0x40)
            continue;
        return l->one[code[i]] || may_reach(l, linear, code + i, code + size, is_wide);
    }
    return true;
}

/* Compares in the tree of addresses to stop at (GLib `GCompareDataFunc`). */
int blocks_look(const uint64_t *linear, const void *key, void *data)
{
    const struct looker *l = data;
    if (PAGE - *linear % PAGE < LAST_ALONE && next_may_cross(l, *linear))
        *l->operations = ENOUGH;
    if (!l->all && !(*l->eflags & (RF | TF)) && !may_be_marked(l, *linear))
        return BEHIND;
    return l->ask(linear, key, data);
}

static void give_up(struct counter *c)
{
    c->broken++;
    c->at.stop(c->uc);
}

/* An instruction that overwrote its own block is started anew, as a block of one that
 * nobody asked for: it is counted once. */
static bool take_back(struct counter *c, uint64_t pc)
{
    int i = c->block ? number_of(c->block, pc, NULL) : -1;
    if (i < 0)
        return false;
    c->left += c->block->icount - i;
    if (c->restarted)
        c->restarted();
    return true;
}

/* What is to be done about a block beside counting it; NULL is not one. Out of line,
 * for it would have `on_block` save registers each time. */
static __attribute__((noinline)) void enter(struct counter *c, struct block *block)
{
    if (!block) {
        give_up(c);
        return;
    }
    uint32_t limit = block->cflags & COUNT_MASK;
    if (limit) {
        if (c->asked) {
            if (c->asked != limit) {
                give_up(c);
                return;
            }
            c->asked = 0;
        } else if (limit != 1 || !take_back(c, block->pc)) {
            give_up(c);
            return;
        }
    }
    if (!block->note)
        block->note = note_of(c, block);
    int64_t left = c->left - block->icount;
    uint32_t alone = block->note >> 1;
    /* What was asked for gets its turn, or a start might come to nothing. */
    bool has_room = !c->is_full || limit;
    if (left >= 0 && !alone && has_room) {
        c->left = left;
        c->block = block;
        return;
    }
    c->block = NULL;
    if (c->left <= 0 || !has_room) {
        c->at.stop(c->uc);
        return;
    }
    c->asked = left < 0 ? (uint32_t)c->left : block->icount;
    if (alone && alone < c->asked)
        c->asked = alone;
    *c->at.wanted = c->asked;
    *c->at.leave = 0xffff;
}

static void on_block(void *uc, uint64_t pc, uint32_t size, void *user)
{
    struct counter *c = user;
    (void)uc, (void)size;
    if (!c->is_on)
        return;
    struct block *block = block_of((uintptr_t)__builtin_return_address(0), pc);
    /* Nearly always it was looked at, runs whole, and there is room for all of it. */
    if (__builtin_expect(block && block->note == 1 && !c->is_full
                         && !(block->cflags & COUNT_MASK)
                         && c->left >= block->icount, 1)) {
        c->left -= block->icount;
        c->block = block;
        return;
    }
    enter(c, block);
}

static void on_edge(void *uc, struct edge *new, struct edge *before, void *user)
{
    struct counter *c = user;
    (void)uc, (void)before;
    c->age++;
    /* Or a store by another linear address, whose page is not executable, would go on
     * past the code that is new here: QEMU looks at the address of the code alone. */
    c->at.reset_dirty(c->at.cpu, 0, UINT64_MAX);
    have_code(c, new->pc);
    have_code(c, new->pc + new->size - (new->size > 0));
    if (!c->is_on)
        return;
    uint64_t had = c->translated;
    c->translated += new->icount + OVERHEAD;
    if (had && c->translated > c->at.most)  /* at least one gets its turn */
        c->is_full = 1;
}

/* Write down what is reported, and the state that the processor is in. */
static void report(struct counter *c, uint32_t kind, uint32_t number)
{
    struct exit *exit = &c->exit;
    exit->kind = kind;
    exit->number = number;
    exit->before = exit->between = c->budget - c->left;
    exit->early = 0;
    /* Before it is looked at what stands there: to read a page that is not in the TLB
     * has QEMU forget where in its code the fault was ("retaddr"). */
    c->at.save(c->uc, c->context);
    if (c->block) {
        uint64_t pc = *eip_of(c) + c->block->cs_base;
        int i = number_of(c->block, pc, NULL);
        /* What stops as HLT does is marked (`marks`): it was the last of its block,
         * which has none of its bytes, or was to begin one, of which nobody tells. */
        bool is_marked = kind == INTERRUPT && number == HLT_EXIT;
        if (i >= 0 && (!is_marked || pc == c->block->pc + c->block->size)) {
            exit->before -= c->block->icount - i;
            exit->early = flags_are_early(c, pc);
        }
    }
}

static void on_interrupt(void *uc, uint32_t number, void *user)
{
    struct counter *c = user;
    (void)uc;
    if (!c->is_on || (!c->exit.kind && plain_interrupt(c, number)))
        return;
    *c->at.request = 0;  /* or it would be reported without end */
    if (c->exit.kind) {
        c->at.stop(c->uc);
        return;
    }
    c->exit.cr2 = *c->at.cr2;  /* the end of a run may fault, too */
    report(c, INTERRUPT, number);
    if (number == VINTR_EXIT)
        c->left = 0;  /* the next instruction is fetched first (`ahead`) */
    else
        c->at.stop(c->uc);
}

static bool on_hole(void *uc, uint32_t access, uint64_t gpa, int size, int64_t value,
                    void *user)
{
    struct counter *c = user;
    (void)uc;
    if (!c->is_on || c->exit.kind)
        return false;
    bool is_plain = access == MEM_READ_UNMAPPED || access == MEM_WRITE_UNMAPPED;
    if (is_plain && size == 4 && plain_hole(c, access, gpa, value))
        c->at.loop_exit(c->at.cpu);
    c->exit.gpa = gpa;
    c->exit.size = size;
    c->exit.access = access;
    report(c, HOLE, 0);
    c->at.stop(c->uc);
    /* A write does not end its block by itself. Only C is between here and there. */
    if (access == MEM_WRITE_UNMAPPED || access == MEM_WRITE_PROT)
        c->at.loop_exit(c->at.cpu);
    return false;
}

static void on_port(struct counter *c, uint32_t port, int size, uint32_t value, int out)
{
    if (!c->is_on || c->exit.kind)
        return;
    c->exit.gpa = port & 0xffff;
    c->exit.size = size;
    c->exit.value = value;
    c->exit.access = out;
    report(c, PORT, 0);
    c->at.stop(c->uc);
    c->at.loop_exit(c->at.cpu);
}

static bool may_answer(const struct counter *c)
{
    return c->is_on && !c->exit.kind;
}

static uint32_t on_in(void *uc, uint32_t port, int size, void *user)
{
    uint64_t value = 0;
    (void)uc;
    if (may_answer(user) && plain_port(user, port & 0xffff, size, &value, false))
        return value;
    on_port(user, port, size, 0, 0);
    return 0;
}

static void on_out(void *uc, uint32_t port, int size, uint32_t value, void *user)
{
    uint64_t wide = value;
    (void)uc;
    if (may_answer(user) && plain_port(user, port & 0xffff, size, &wide, true))
        return;
    on_port(user, port, size, value, 1);
}

/* What Python calls. */

/* The sizes of what both sides know, for a library of another source. */
uint64_t blocks_layout(void)
{
    return sizeof(struct exit) | (uint64_t)sizeof(struct places) << 16
        | (uint64_t)sizeof(struct looker) << 32;
}

/* What is known of an instruction's length (`length.h`), for who tests it. */
size_t blocks_length(const uint8_t *code, size_t size, int bits)
{
    return length_of(code, size, bits);
}

struct counter *blocks_open(void *uc, const struct places *at)
{
    struct counter *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->uc = uc;
    c->at = *at;
    if (at->finds) {
        usual_find = at->find;
        *at->finds = on_find;
    }
    c->answers.epoch = 1;
    /* It stays: a block calls straight only where it is the only hook of its kind. */
    size_t hook;
    if (at->hook_add(uc, &hook, HOOK_BLOCK, on_block, c, 1, 0)) {
        free(c);
        return NULL;
    }
    return c;
}

/* Have Unicorn tell of what stops a run. It takes one hook on ports and no more. */
int blocks_take_over(struct counter *c)
{
    int bad = 0;
    size_t *hook = c->hooks;
    bad |= c->at.hook_add(c->uc, hook++, HOOK_EDGE, on_edge, c, 1, 0);
    bad |= c->at.hook_add(c->uc, hook++, HOOK_INTR, on_interrupt, c, 1, 0);
    bad |= c->at.hook_add(c->uc, hook++, HOOK_INSN, on_in, c, 1, 0, INS_IN);
    bad |= c->at.hook_add(c->uc, hook++, HOOK_INSN, on_out, c, 1, 0, INS_OUT);
    return bad;
}

void blocks_let_go(struct counter *c)
{
    for (int i = 0; i < MOST_HOOKS; i++)
        c->at.hook_del(c->uc, c->hooks[i]);
}

/* Unicorn is closed already: nothing calls back any more. */
void blocks_close(struct counter *c)
{
    free(c);
}

/* Have holes told of that lie in `n` ranges, first and last address of each. A store
 * is fast only where no hook on memory is. */
int blocks_holes(struct counter *c, const uint64_t *ranges, int n)
{
    while (c->n_holes)
        c->at.hook_del(c->uc, c->holes[--c->n_holes]);
    for (int i = 0; i < n; i++)
        if (c->at.hook_add(c->uc, &c->holes[c->n_holes++], HOOK_MEM_INVALID, on_hole, c,
                           ranges[2 * i], ranges[2 * i + 1]))
            return 1;
    return 0;
}

/* Load a context, run at most `budget` instructions of it, and save it. Returns what
 * Unicorn says (uc_err); the exit is in `blocks_exit`. */
int blocks_run(struct counter *c, void *context, uint64_t budget, uint32_t request,
               bool flush)
{
    if (c->at.restore(c->uc, context))
        return -1;
    if (flush && c->at.ctl(c->uc, c->at.flush_tlb))
        return -1;
    memset(&c->exit, 0, sizeof c->exit);
    c->left = c->budget = answers_most(&c->answers, budget);
    c->block = NULL;
    c->asked = 0;
    c->context = context;
    c->is_on = true;
    struct counter *outer = running;
    running = c;
    *c->at.request = request;
    int error = c->at.start(c->uc, *eip_of(c), 0, 0, 0);
    *c->at.request = 0;
    *c->at.wanted = ANY_BLOCK;
    c->is_on = false;
    running = outer;
    c->exit.status = (c->broken != 0) | c->is_full << 1 | (c->answers.n_notes > 0) << 2;
    if (!c->exit.kind) {
        c->exit.between = c->budget - c->left;
        c->exit.before = c->exit.between;
        if (c->at.save(c->uc, context))
            return -1;
    }
    return error;
}

/* How many instructions of the present run are retired before the one at RIP: for a
 * hook on an instruction. */
uint64_t blocks_done(const struct counter *c)
{
    uint64_t done = c->budget - c->left;
    if (!c->block)
        return done;
    int i = number_of(c->block, *eip_of(c) + c->block->cs_base, NULL);
    return i < 0 ? done : done - (c->block->icount - i);
}

/* A hook on an instruction ends the run before it. */
void blocks_break(struct counter *c)
{
    if (c->exit.kind)
        return;
    report(c, BREAKPOINT, 0);
    c->at.stop(c->uc);
}

struct answers *blocks_answers(struct counter *c)
{
    return &c->answers;
}

const struct exit *blocks_exit(const struct counter *c)
{
    return &c->exit;
}

void blocks_on_restart(struct counter *c, bool (*call)(void))
{
    c->restarted = call;
}

/* All translations are dropped. */
void blocks_anew(struct counter *c)
{
    memset(c->code, 0, sizeof c->code);
    c->translated = 0;
    c->is_full = false;
    c->age++;
}
