/* Instructions that are answered here, without an exit.
 *
 * What they get is in the table of answers (`answers.h`). Where the processor stops,
 * its state is exact: the registers are written, RIP goes on behind the instruction, and
 * the rest of its block, which was counted when it was entered, is given back.
 */
#include "blocks.h"

enum { OTHER, RDTSC, RDTSCP, RDMSR, WRMSR, CPUID, LOAD, STORE, IN_OUT };

static uint32_t *word_of(const struct counter *c, uint32_t place)
{
    return (uint32_t *)(c->at.state + place);
}

static uint32_t operation_of(const uint8_t *op)
{
    switch (op[0]) {
    case 0x8b: case 0xa1:
        return LOAD;
    case 0x89: case 0xa3:
        return STORE;
    case 0xc7:
        return op[1] >> 3 & 7 ? OTHER : STORE;
    case 0xe4: case 0xe5: case 0xe6: case 0xe7:
    case 0xec: case 0xed: case 0xee: case 0xef:
        return IN_OUT;
    case 0x0f:
        switch (op[1]) {
        case 0x01:
            return op[2] == 0xf9 ? RDTSCP : OTHER;
        case 0x30:
            return WRMSR;
        case 0x31:
            return RDTSC;
        case 0x32:
            return RDMSR;
        case 0xa2:
            return CPUID;
        }
    }
    return OTHER;
}

/* Work out what the instruction at `pc` of the block is. */
static struct decoded decode(struct counter *c, const struct block *block, uint64_t pc)
{
    struct decoded it = { block, pc, c->age, 0, 0, 0, OTHER };
    uint8_t code[LONGEST + 3];
    struct row row = first_row(block);
    for (; it.index < block->icount; it.index++) {
        next_row(&row);
        if (row.pc == pc)
            break;
    }
    if (it.index == block->icount)
        return it;
    if (it.index + 1 < block->icount)
        next_row(&row);
    else
        row.pc = block->pc + block->size;
    it.length = row.pc - pc;
    const uint8_t *op = opcode(c, block, pc, code);
    if (!op || it.length > LONGEST || op - code >= it.length)
        return it;
    it.operation = operation_of(op);
    bool is_direct = op[0] == 0xa1 || op[0] == 0xa3;
    bool has_rex = op > code && block->flags & c->at.code64 && (op[-1] & 0xf0) == 0x40;
    it.reg = is_direct ? RAX : (op[1] >> 3 & 7) | (has_rex ? op[-1] << 1 & 8 : 0);
    return it;
}

/* The instruction at RIP, if it may be answered: nothing else is to happen with it. */
static const struct decoded *decoded_here(struct counter *c)
{
    const struct block *block = c->block;
    if (!block || *word_of(c, c->at.eflags) & (TF | RF)
        || *word_of(c, c->at.hflags) & HF_INHIBIT_IRQ)
        return NULL;
    uint64_t pc = *eip_of(c) + block->cs_base;
    struct decoded *it = &c->decoded[pc % MOST_DECODED];
    if (it->block != block || it->pc != pc || it->age != c->age)
        *it = decode(c, block, pc);
    return it;
}

/* Instructions of this run before one in the present block. */
static uint64_t done_before(const struct counter *c, const struct decoded *it)
{
    uint64_t entered = c->budget - c->left;
    return c->answers.before + entered - (c->block->icount - it->index);
}

static uint64_t now_before(const struct counter *c, const struct decoded *it)
{
    return c->answers.now + c->answers.spent + done_before(c, it);
}

/* Let an access take time beside its instruction. False if something comes due in it:
 * then it is not for us. The run ends before anything comes due later. */
static bool pay(struct counter *c, const struct decoded *it, uint64_t cost, bool goes_on)
{
    struct answers *a = &c->answers;
    if (!cost || a->due == NEVER) {
        a->spent += cost;
        return true;
    }
    uint64_t after = now_before(c, it) + 1 + cost;
    /* The rest of the block, if it goes on, cannot be stopped any more. */
    int64_t rest = goes_on ? c->block->icount - it->index - 1 : 0;
    if (after >= a->due || (int64_t)(a->due - after) < rest)
        return false;
    a->spent += cost;
    int64_t most = (int64_t)(a->due - after);
    int64_t left = c->left + c->block->icount - it->index - 1;
    if (left > most) {
        c->budget -= left - most;
        c->left -= left - most;
    }
    return true;
}

/* The instruction is done: go on behind it. */
static void retire(struct counter *c, const struct decoded *it)
{
    uint32_t hflags = *word_of(c, c->at.hflags);
    uint64_t mask = hflags & c->at.code64 ? ~0ull : hflags & HF_CS32 ? 0xffffffff : 0xffff;
    *eip_of(c) = (*eip_of(c) + it->length) & mask;
    c->left += c->block->icount - it->index - 1;
    c->block = NULL;
    c->answers.count++;
    if (c->left <= 0)
        c->at.stop(c->uc);  /* behind an exit the next one is not fetched (`ahead`) */
}

static void put_pair(uint64_t *regs, uint64_t value)
{
    regs[RAX] = (uint32_t)value;
    regs[RDX] = value >> 32;
}

static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/* The processor's own register behind an answer, which holds an address; or NULL. */
static uint64_t *own_register(const struct counter *c, const struct answer *found)
{
    return found->place ? (uint64_t *)(c->at.state + found->place) : NULL;
}

static bool may_write(const struct answer *found, uint64_t value)
{
    if (found->place)
        return is_canonical(value);
    bool is_out = found->numerator && value == found->numerator - 1;
    return found->times && value >= found->base && value <= found->origin && !is_out;
}

/* Find what an access gets and let it take its time; false if it is not plain. `value`
 * is what it writes, or becomes what it reads. */
static bool answer(struct counter *c, const struct decoded *it, struct answer *found,
                   uint64_t *value, bool goes_on)
{
    if (!found || now_before(c, it) >= found->until)
        return false;
    if (found->is_write && !may_write(found, *value))
        return false;
    if (found->is_noted && !answers_has_room(&c->answers))
        return false;
    uint64_t *own = own_register(c, found);
    if (!found->is_write)
        *value = own ? *own : answers_value(found, now_before(c, it));
    struct note note = { done_before(c, it), c->answers.spent, found->address, *value,
                         found->space, found->is_write };
    if (!pay(c, it, found->cost, goes_on))
        return false;
    if (found->is_noted)
        answers_note(&c->answers, &note);
    if (found->is_write && own)
        *own = *value;
    found->times -= found->is_write;
    return true;
}

static bool plain_msr(struct counter *c, const struct decoded *it, uint64_t *regs)
{
    bool is_write = it->operation == WRMSR;
    struct answer *found = answers_find(&c->answers, c->context, SPACE_MSR,
                                        (uint32_t)regs[RCX], 0, is_write);
    uint64_t value = (regs[RDX] & 0xffffffff) << 32 | (uint32_t)regs[RAX];
    if (!answer(c, it, found, &value, false))
        return false;
    if (!is_write)
        put_pair(regs, value);
    else if (!found->place)
        answers_written(&c->answers, found, value);
    return true;
}

static bool plain_cpuid(struct counter *c, const struct decoded *it, uint64_t *regs)
{
    uint64_t leaf = regs[RAX] << 32 | (uint32_t)regs[RCX];
    const struct answer *found =
        answers_find(&c->answers, c->context, SPACE_CPUID, leaf, 0, false);
    if (!found || !pay(c, it, found->cost, false))
        return false;
    regs[RAX] = (uint32_t)found->base, regs[RBX] = found->base >> 32;
    regs[RCX] = (uint32_t)found->second, regs[RDX] = found->second >> 32;
    return true;
}

static bool plain_tsc(struct counter *c, const struct decoded *it, uint64_t *regs)
{
    uint64_t now = now_before(c, it);
    if (!c->answers.tsc_hz || !pay(c, it, c->answers.tsc_cost, false))
        return false;
    put_pair(regs, answers_tsc(&c->answers, now));
    if (it->operation == RDTSCP)
        regs[RCX] = *word_of(c, c->at.tsc_aux);
    return true;
}

bool plain_interrupt(struct counter *c, uint32_t number)
{
    if (number != RDTSC_EXIT && number != CPUID_EXIT && number != MSR_EXIT)
        return false;
    const struct decoded *it = decoded_here(c);
    uint64_t *regs = (uint64_t *)c->at.state;
    bool is_done = false;
    switch (it ? it->operation : OTHER) {
    case RDTSC: case RDTSCP:
        is_done = plain_tsc(c, it, regs);
        break;
    case RDMSR: case WRMSR:
        is_done = plain_msr(c, it, regs);
        break;
    case CPUID:
        is_done = plain_cpuid(c, it, regs);
        break;
    }
    if (is_done)
        retire(c, it);
    return is_done;
}

/* A MOV of 32 bits between a register and a hole. */
bool plain_hole(struct counter *c, uint32_t access, uint64_t gpa, uint64_t value)
{
    bool is_write = access == MEM_WRITE_UNMAPPED;
    const struct decoded *it = decoded_here(c);
    if (!it || it->operation != (is_write ? STORE : LOAD))
        return false;
    struct answer *found =
        answers_find(&c->answers, c->context, SPACE_MMIO, gpa, 4, is_write);
    value = (uint32_t)value;
    if (!answer(c, it, found, &value, false))
        return false;
    if (!is_write)
        ((uint64_t *)c->at.state)[it->reg] = (uint32_t)value;
    else if (found->is_noted)  /* else it is dropped, and nothing comes of it */
        answers_written(&c->answers, found, value);
    retire(c, it);
    return true;
}

/* IN, or an OUT of which nothing comes; the processor itself finishes it, and fetches
 * the next one: not so the last one of a run. */
bool plain_port(struct counter *c, uint32_t port, int size, uint64_t *value,
                bool is_write)
{
    struct answer *found =
        answers_find(&c->answers, c->context, SPACE_PORT, port, size, is_write);
    if (!found)
        return false;
    uint32_t flags = *word_of(c, c->at.eflags), hflags = *word_of(c, c->at.hflags);
    if (hflags & HF_PE && (flags & VM || (hflags & HF_CPL) > (flags >> IOPL & 3)))
        return false;
    const struct decoded *it = decoded_here(c);
    bool is_last = it && c->left <= 0 && it->index + 1u == c->block->icount;
    if (!it || is_last || it->operation != IN_OUT || !answer(c, it, found, value, true))
        return false;
    c->answers.count++;
    return true;
}
