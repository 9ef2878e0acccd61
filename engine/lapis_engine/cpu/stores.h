/* Stores to executable pages that have no code, let by as fast as any (`blocks.c`).
 *
 * QEMU looks at each store to a page that might be run, for it might be run already.
 * While it looks it asks which memory is at an address, by a pointer to a function, and
 * here that function is ours: where no code was translated from the page, the entry of
 * the TLB that it came by has the mark taken off ("TLB_NOTDIRTY"). Each translation
 * puts all marks on again, before its code runs (`on_edge`).
 */
enum { NOT_DIRTY = 1 << 10, MODES = 3, ENTRY_BITS = 6, PAGES = 1 << 20 };

/* `CPUTLBEntry` and `CPUTLBDescFast`. */
struct entry { uint64_t read, write, code, gpa, addend, unused[3]; };
struct tlb { uint64_t mask; struct entry *entries; };

static void *(*usual_find)(void *uc, uint64_t gpa);

/* The counter that runs in this thread. */
static __thread struct counter *running;

/* Of an entry only the usual place is looked at: that of an address which is, but for
 * bits beyond the TLB's, the guest-physical one. */
static void let_by(const struct tlb *tlb, uint64_t gpa)
{
    for (int mode = 0; mode < MODES; mode++) {
        uint64_t last = tlb[mode].mask >> ENTRY_BITS;
        struct entry *entry = tlb[mode].entries + (gpa / PAGE & last);
        if (entry->gpa == gpa && entry->write % PAGE == NOT_DIRTY)
            entry->write &= ~(uint64_t)NOT_DIRTY;
    }
}

static bool has_code(const struct counter *c, uint64_t gpa)
{
    uint64_t page = gpa / PAGE;
    return page >= PAGES || c->code[page / 8] >> page % 8 & 1;
}

static void *on_find(void *uc, uint64_t gpa)
{
    struct counter *c = running;
    if (c && c->uc == uc && !has_code(c, gpa))
        let_by(c->at.tlb, gpa & -(uint64_t)PAGE);
    return usual_find(uc, gpa);
}

/* Take note that code is translated from the page of `linear`. */
static void have_code(struct counter *c, uint64_t linear)
{
    uint64_t gpa = 0;
    if (c->at.vmem_translate(c->uc, linear, PROT_EXEC, &gpa))
        memset(c->code, 0xff, sizeof c->code);
    else if (gpa / PAGE < PAGES)
        c->code[gpa / PAGE / 8] |= 1 << gpa / PAGE % 8;
}
