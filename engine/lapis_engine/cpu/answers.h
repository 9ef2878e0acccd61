/* What instructions get that leave the processor, as whoever serves them has told it.
 *
 * A register is plain if reading it changes nothing and its value is fixed, or linear
 * in time. Which ones are is not known here: an answer is put in from outside
 * (`cpu/answers.py`), and all of them are forgotten when anything else has happened.
 */
#ifndef LAPIS_ANSWERS_H
#define LAPIS_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

enum space { SPACE_PORT, SPACE_MMIO, SPACE_MSR, SPACE_CPUID };
enum { SLOTS = 256, PROBES = 4, MOST_NOTES = 64 };
#define NEVER UINT64_MAX

/* `answers.AnswerRecord`. */
struct answer {
    uint64_t epoch;
    const void *owner;      /* the context whose it is; NULL: anyone's */
    uint64_t address;       /* CPUID: leaf in bits 63:32, sub-leaf in 31:0 */
    uint32_t space, size;   /* bytes; 0 where the space knows none */
    uint32_t is_write;
    uint32_t is_noted;      /* whoever serves it is told of it, later */
    uint32_t falls;         /* it counts down */
    uint32_t shift;
    uint32_t times;         /* a write: how many are plain */
    uint32_t place;         /* in the state, of the processor's own register; or 0 */
    uint64_t base;          /* CPUID: EAX, and EBX above; a write: the least that is plain */
    uint64_t second;        /* CPUID: ECX, and EDX above; a write: what a read keeps of it */
    uint64_t origin;        /* a write: the most that is plain */
    uint64_t numerator, denominator, mask;  /* see `value_at`; numerator of a write: one
                             * more than a value that is not plain, or 0 */
    uint64_t until;         /* ns: not from here on */
    uint64_t cost;          /* ns that it takes beside its instruction */
};

/* What was answered and is still to be told: `answers.NoteRecord`. */
struct note {
    uint64_t before;        /* instructions of the run before it */
    uint64_t spent;         /* ns that accesses before it took */
    uint64_t address, value;
    uint32_t space, is_write;
};

struct answers {
    uint64_t epoch;
    uint64_t now;           /* ns, at the start of a run */
    uint64_t before;        /* instructions of the run before this start of it */
    uint64_t tsc_offset;
    uint64_t tsc_hz;        /* 0: RDTSC is not answered */
    uint64_t tsc_cost;      /* ns */
    uint64_t due;           /* ns of when something comes due, where accesses cost */
    uint64_t spent;         /* ns that accesses of the run took */
    uint64_t count;         /* how many were given: for who measures */
    uint32_t n_notes;
    uint32_t may_note;
    struct note notes[MOST_NOTES];
    struct answer slots[SLOTS];
};

struct answer *answers_find(struct answers *a, const void *owner, uint32_t space,
                            uint64_t address, uint32_t size, bool is_write);
uint64_t answers_value(const struct answer *found, uint64_t now);
uint64_t answers_tsc(const struct answers *a, uint64_t now);
uint64_t answers_most(const struct answers *a, uint64_t budget);
bool answers_has_room(const struct answers *a);
void answers_note(struct answers *a, const struct note *note);
void answers_forget_reads(struct answers *a, const void *owner);
void answers_written(struct answers *a, const struct answer *found, uint64_t value);

#endif
