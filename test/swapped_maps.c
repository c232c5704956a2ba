/* Maps that hold the only pointers to blocks change places while collections run: by whole page
 * tables, page by page, in small and in huge pages, through libc and by a bare instruction, of
 * which only the kernel knows. The maps before and after are the same ones to look at. A block that
 * is lost is found by its contents. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAP_BYTES = 4 << 20, HUGE_BYTES = 2 << 20, STEP = 8192, SWAPS = 150, TAG = 0x5afe0000 };

struct block {
    uint64_t tag, number, rest[6];
};

enum way { BY_LIBC, BY_SYSCALL, BY_INSTRUCTION };

static void *volatile sink;

static char *reserve(size_t offset) {
    char *start = mmap(NULL, MAP_BYTES + 2 * HUGE_BYTES, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        abort();
    return (char *)(((uintptr_t)start + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1)) + offset;
}

static void fill(char *map, bool huge, uint64_t number) {
    if (mmap(map, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1,
             0) != map)
        abort();
    madvise(map, MAP_BYTES, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    for (size_t at = 0; at < MAP_BYTES; at += STEP) {
        struct block *block = malloc(sizeof *block);
        block->tag = TAG;
        block->number = number + at / STEP;
        *(struct block **)(map + at) = block;
    }
}

static unsigned lost_in(const char *map, uint64_t number) {
    unsigned lost = 0;
    for (size_t at = 0; at < MAP_BYTES; at += STEP) {
        const struct block *block = *(struct block *const *)(map + at);
        lost += block->tag != TAG || block->number != number + at / STEP;
    }
    return lost;
}

static void move(char *from, char *to, enum way way) {
    const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    void *result = MAP_FAILED;
    if (way == BY_LIBC)
        result = mremap(from, MAP_BYTES, MAP_BYTES, flags, to);
    else if (way == BY_SYSCALL)
        result = (void *)syscall(SYS_mremap, from, MAP_BYTES, MAP_BYTES, flags, to);
    else {
#if defined __x86_64__
        register long options __asm__("r10") = flags;
        register char *target __asm__("r8") = to;
        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "0"(SYS_mremap), "D"(from), "S"((long)MAP_BYTES), "d"((long)MAP_BYTES),
                           "r"(options), "r"(target)
                         : "rcx", "r11", "memory");
#else
        result = mremap(from, MAP_BYTES, MAP_BYTES, flags, to);
#endif
    }
    if (result != to)
        abort();
}

static void make_garbage(unsigned count) {
    while (count--) {
        uint64_t *garbage = malloc(sizeof(struct block));
        memset(garbage, 0xee, sizeof(struct block));
        sink = garbage;
    }
    sink = NULL;
}

static unsigned swap(size_t offset, bool huge, enum way way) {
    char *first = reserve(0), *second = reserve(offset), *between = reserve(2 * offset);
    uint64_t numbers[2] = {100000, 200000};
    unsigned lost = 0;
    fill(first, huge, numbers[0]);
    fill(second, huge, numbers[1]);
    for (unsigned i = 0; i < SWAPS && !lost; i++) {
        make_garbage((unsigned)rand() % 3000);
        move(first, between, way);
        move(second, first, way);
        move(between, second, way);
        lost = lost_in(first, numbers[(i + 1) % 2]) + lost_in(second, numbers[i % 2]);
    }
    munmap(first, MAP_BYTES);
    munmap(second, MAP_BYTES);
    return lost;
}

int main(void) {
    static const char *const ways[] = {"libc", "syscall(2)", "an instruction"};
    unsigned all = 0;
    for (enum way way = BY_LIBC; way <= BY_INSTRUCTION; way++)
        for (int form = 0; form < 3; form++) {
            unsigned lost = swap(form == 1 ? 4096 : 0, form == 2, way);
            if (lost)
                printf("swapped by %s, form %d: %u blocks are lost\n", ways[way], form, lost);
            all += lost;
        }
    return all != 0;
}
