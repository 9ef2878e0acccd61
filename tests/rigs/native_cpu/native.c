/* Runs short programs of a user on the processor of this host, and tells what each did.
 *
 * Standard input: POOL bytes of memory contents, then cases; standard output: a result
 * for each. A program starts with all its registers as the case has them and ends with
 * the first exception (HLT is one). It may reach its own pages only: whatever else is
 * near them is not mapped. The way in and the way out are the kernel's, by signal.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define POOL 65536
#define CODE 0x10000000UL
#define DATA 0x20000000UL
#define STACK 0x30000000UL
#define PAGE 4096
#define DATA_SIZE (2 * PAGE)

struct given {
    uint32_t size, content;
    uint8_t code[112];
    uint64_t gpr[16], rflags;
    uint8_t xmm[16][16];
};

struct result {
    uint64_t gpr[16], rip, rflags;
    uint8_t xmm[16][16];
    uint32_t mxcsr, vector;
    uint64_t error, cr2;
    uint32_t sum, none;
};

static const int ORDER[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                              REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                              REG_R12, REG_R13, REG_R14, REG_R15};
#define GUEST_FLAGS 0xCD5UL

static struct given given;
static struct result result;
static ucontext_t home;
static struct _libc_fpstate home_fpu;
static volatile int inside;

static void enter(ucontext_t *to)
{
    struct _libc_fpstate *fpu = to->uc_mcontext.fpregs;
    uint32_t magic;
    memcpy(&magic, (uint8_t *)fpu + 464, 4);
    if (magic == 0x46505853) /* XSAVE: say that SSE state is there to be loaded */
        ((uint64_t *)fpu)[64] |= 3;
    for (int i = 0; i < 16; i++)
        to->uc_mcontext.gregs[ORDER[i]] = (greg_t)given.gpr[i];
    memcpy(fpu->_xmm, given.xmm, 256);
    fpu->mxcsr = 0x1f80;
    to->uc_mcontext.gregs[REG_EFL] =
        (greg_t)((given.rflags & GUEST_FLAGS) | 0x202);
    to->uc_mcontext.gregs[REG_RIP] = CODE;
}

static void leave(ucontext_t *from)
{
    struct _libc_fpstate *fpu = from->uc_mcontext.fpregs;
    greg_t *regs = from->uc_mcontext.gregs;
    for (int i = 0; i < 16; i++)
        result.gpr[i] = (uint64_t)regs[ORDER[i]];
    result.rip = (uint64_t)regs[REG_RIP];
    result.rflags = (uint64_t)regs[REG_EFL];
    memcpy(result.xmm, fpu->_xmm, 256);
    result.mxcsr = fpu->mxcsr;
    result.vector = (uint32_t)regs[REG_TRAPNO];
    result.error = (uint64_t)regs[REG_ERR];
    result.cr2 = (uint64_t)regs[REG_CR2];
    memcpy(regs, home.uc_mcontext.gregs, sizeof(gregset_t));
    memcpy(fpu->_xmm, home_fpu._xmm, 256);
    fpu->mxcsr = home_fpu.mxcsr;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *here = context;
    (void)info;
    if (number == SIGUSR1) {
        memcpy(&home, here, sizeof home);
        memcpy(&home_fpu, here->uc_mcontext.fpregs, sizeof home_fpu);
        inside = 1;
        enter(here);
    } else if (inside) {
        inside = 0;
        leave(here);
    } else {
        _exit(3);
    }
}

static void listen_to(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(number, &action, NULL);
}

static uint32_t table[256];

static uint32_t sum(uint32_t crc, const uint8_t *at, size_t size)
{
    while (size--)
        crc = table[(crc ^ *at++) & 0xff] ^ crc >> 8;
    return crc;
}

static void *page(uintptr_t at, size_t size, int prot)
{
    void *got = mmap((void *)at, size, prot,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got != (void *)at)
        _exit(2);
    return got;
}

int main(void)
{
    static uint8_t pool[POOL];
    static uint8_t other_stack[1 << 16];
    stack_t aside = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
    uint8_t *code = page(CODE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    uint8_t *data = page(DATA, DATA_SIZE, PROT_READ | PROT_WRITE);
    uint8_t *stack = page(STACK, PAGE, PROT_READ | PROT_WRITE);

    alarm(300);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? 0xedb88320U ^ crc >> 1 : crc >> 1;
        table[i] = crc;
    }
    sigaltstack(&aside, NULL);
    for (const int *n = (const int[]){SIGUSR1, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP,
                                      0};
         *n; n++)
        listen_to(*n);
    if (fread(pool, POOL, 1, stdin) != 1)
        return 1;
    while (fread(&given, sizeof given, 1, stdin) == 1) {
        memset(code, 0xf4, PAGE);
        memcpy(code, given.code, given.size);
        memcpy(data, pool + given.content, DATA_SIZE);
        memcpy(stack, pool + given.content + DATA_SIZE, PAGE);
        raise(SIGUSR1);
        result.sum = ~sum(sum(~0U, data, DATA_SIZE), stack, PAGE);
        fwrite(&result, sizeof result, 1, stdout);
    }
    return fflush(stdout) != 0;
}
