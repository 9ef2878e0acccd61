/* The table of answers: see answers.h. */
#include "answers.h"

#include <stddef.h>

enum { NS = 1000000000 };

static size_t slot_of(uint32_t space, uint64_t address, bool is_write)
{
    uint64_t mixed = address * 2 + is_write + ((uint64_t)space << 40);
    mixed *= 0x9e3779b97f4a7c15;
    return mixed >> 32;
}

struct answer *answers_find(struct answers *a, const void *owner, uint32_t space,
                            uint64_t address, uint32_t size, bool is_write)
{
    size_t at = slot_of(space, address, is_write);
    for (int i = 0; i < PROBES; i++) {
        struct answer *it = &a->slots[(at + i) % SLOTS];
        if (it->epoch == a->epoch && it->space == space && it->address == address
            && it->size == size && it->is_write == is_write
            && (!it->owner || it->owner == owner))
            return it;
    }
    return NULL;
}

/* base + (mask of floor((now - origin) * numerator / denominator), or of less that)
 * shifted left. */
uint64_t answers_value(const struct answer *found, uint64_t now)
{
    if (!found->numerator)
        return found->base;
    __int128 product = (__int128)((int64_t)(now - found->origin)) * found->numerator;
    __int128 ticks = product / (__int128)found->denominator;
    if (product < 0 && ticks * (__int128)found->denominator != product)
        ticks--;
    uint64_t moved = found->falls ? -(uint64_t)ticks : (uint64_t)ticks;
    return found->base + ((moved & found->mask) << found->shift);
}

uint64_t answers_tsc(const struct answers *a, uint64_t now)
{
    return (uint64_t)((unsigned __int128)now * a->tsc_hz / NS) + a->tsc_offset;
}

/* How many of `budget` instructions, at least one, come before anything comes due. */
uint64_t answers_most(const struct answers *a, uint64_t budget)
{
    uint64_t now = a->now + a->spent + a->before;
    if (a->due == NEVER || a->due - now >= budget)
        return budget;
    return a->due > now ? a->due - now : 1;
}

/* Whether an access can be written down, and somebody takes it later. */
bool answers_has_room(const struct answers *a)
{
    return a->may_note && a->n_notes < MOST_NOTES;
}

void answers_note(struct answers *a, const struct note *note)
{
    a->notes[a->n_notes++] = *note;
}

/* A register was written: what it reads as is known, and of its neighbours nothing. */
void answers_written(struct answers *a, const struct answer *found, uint64_t value)
{
    struct answer *same = answers_find(a, found->owner, found->space, found->address,
                                       found->size, false);
    uint64_t epoch = same ? same->epoch : 0;
    answers_forget_reads(a, found->owner);
    if (same) {
        same->epoch = epoch;
        same->base = value & found->second;
    }
}

/* What Python calls. */

/* Forget what one vCPU reads, but ports, of which it writes nothing that is plain. */
void answers_forget_reads(struct answers *a, const void *owner)
{
    for (int i = 0; i < SLOTS; i++) {
        struct answer *it = &a->slots[i];
        if (it->owner == owner && !it->is_write && it->space != SPACE_PORT)
            it->epoch = 0;
    }
}

bool answers_has(struct answers *a, const struct answer *like)
{
    return answers_find(a, like->owner, like->space, like->address, like->size,
                        like->is_write);
}

/* Put an answer in, in the place of an older one if there is no room. */
void answers_put(struct answers *a, const struct answer *new)
{
    size_t at = slot_of(new->space, new->address, new->is_write) % SLOTS;
    for (int i = 0; i < PROBES; i++)
        if (a->slots[(at + i) % SLOTS].epoch != a->epoch) {
            at += i;
            break;
        }
    a->slots[at % SLOTS] = *new;
    a->slots[at % SLOTS].epoch = a->epoch;
}

uint64_t answers_layout(void)
{
    return sizeof(struct answer) | (uint64_t)sizeof(struct note) << 16
        | (uint64_t)offsetof(struct answers, slots) << 32;
}
