/* libc's own malloc gives way to ours wherever a name is looked up in libc itself.
 *
 * A library that was loaded with RTLD_DEEPBIND, as all extensions of PHP are, finds malloc and free
 * in its own dependencies first, which means in libc; and so does who asks dlsym for libc's. Their
 * blocks would meet the other allocator's free. So the entries of libc's table of symbols lead to
 * ours. The table is only changed in memory, and only where it does not lie among machine code.
 * What is changed in memory counts as the program's data, but this is to be no root: its small
 * numbers side by side look like addresses whose lower half is zero.
 *
 * Called once, by the constructor, when what the shim needs of libc has been looked up.
 */
#include "libc_names.h"

#include "real.h"

#include "os/syscall.h"
#include "os/vm.h"
#include "roots/ranges.h"

#include <dlfcn.h>
#include <elf.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

extern void cfree(void *object);
extern __typeof__(malloc) __libc_malloc;
extern __typeof__(calloc) __libc_calloc;
extern __typeof__(realloc) __libc_realloc;
extern __typeof__(free) __libc_free;
extern __typeof__(memalign) __libc_memalign;
extern __typeof__(valloc) __libc_valloc;
extern __typeof__(pvalloc) __libc_pvalloc;
extern __typeof__(posix_memalign) __posix_memalign;

#define NAME(function)                                                                             \
    { #function, (uintptr_t)(function) }

static const struct {
    const char *name;
    uintptr_t ours;
} replaced[] = {
    NAME(malloc),          NAME(free),          NAME(calloc),         NAME(realloc),
    NAME(reallocarray),    NAME(cfree),         NAME(memalign),       NAME(aligned_alloc),
    NAME(posix_memalign),  NAME(valloc),        NAME(pvalloc),        NAME(malloc_usable_size),
    NAME(__libc_malloc),   NAME(__libc_calloc), NAME(__libc_realloc), NAME(__libc_free),
    NAME(__libc_memalign), NAME(__libc_valloc), NAME(__libc_pvalloc), NAME(__posix_memalign),
};

enum { NAMES = sizeof replaced / sizeof replaced[0] };

/* The tables that a search for a name goes through: the System V ABI, and for DT_GNU_HASH the
 * description in binutils. */
struct names {
    uintptr_t base;
    ElfW(Sym) * symbols;
    const char *strings;
    const uint32_t *hash;
};

/* The loader has made addresses of the entries. */
static bool find_tables(const struct link_map *map, struct names *names) {
    *names = (struct names){.base = map->l_addr};
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB)
            names->symbols = (ElfW(Sym) *)entry->d_un.d_ptr;
        else if (entry->d_tag == DT_STRTAB)
            names->strings = (const char *)entry->d_un.d_ptr;
        else if (entry->d_tag == DT_GNU_HASH)
            names->hash = (const uint32_t *)entry->d_un.d_ptr;
    }
    return names->symbols && names->strings && names->hash;
}

static uint32_t hash_of(const char *name) {
    uint32_t hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

/* Calls with every entry of the name, one for each of its versions. */
static void each_entry(const struct names *names, const char *name, uintptr_t ours,
                       void (*call)(const struct names *names, ElfW(Sym) * entry, uintptr_t ours)) {
    uint32_t buckets = names->hash[0], first = names->hash[1], words = names->hash[2];
    const uint32_t *bucket = names->hash + 4 + words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t *chain = bucket + buckets;
    uint32_t hash = hash_of(name), index = bucket[hash % buckets];
    if (index < first)
        return;
    for (;; index++) {
        uint32_t entry_hash = chain[index - first];
        if ((entry_hash | 1) == (hash | 1) &&
            strcmp(names->strings + names->symbols[index].st_name, name) == 0)
            call(names, &names->symbols[index], ours);
        if (entry_hash & 1)
            return;
    }
}

static uintptr_t lowest, highest; /* of the entries that are replaced */

static void note_bounds(const struct names *names, ElfW(Sym) * entry, uintptr_t ours) {
    uintptr_t start = (uintptr_t)entry, end = start + sizeof *entry;
    (void)names, (void)ours;
    lowest = lowest == 0 || start < lowest ? start : lowest;
    highest = end > highest ? end : highest;
}

static void replace(const struct names *names, ElfW(Sym) * entry, uintptr_t ours) {
    if (ELF64_ST_TYPE(entry->st_info) == STT_FUNC && entry->st_shndx != SHN_UNDEF)
        entry->st_value = ours - names->base;
}

static void each_name(const struct names *names,
                      void (*call)(const struct names *names, ElfW(Sym) * entry, uintptr_t ours)) {
    for (size_t i = 0; i < NAMES; i++)
        each_entry(names, replaced[i].name, replaced[i].ours, call);
}

/* Whether the entries lie in a part of the file that is mapped for reading alone. */
static bool are_plain_data(const void *file) {
    const ElfW(Ehdr) *header = file;
    const ElfW(Phdr) *part = (const ElfW(Phdr) *)((const char *)file + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++, part++) {
        uintptr_t start = (uintptr_t)file + part->p_vaddr;
        if (part->p_type == PT_LOAD && lowest >= start && highest <= start + part->p_memsz)
            return part->p_flags == PF_R;
    }
    return false;
}

void libc_names_replace(void) {
    Dl_info info;
    struct link_map *map;
    struct names names;
    if (dladdr1((void *)gnu_get_libc_version, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 ||
        !find_tables(map, &names))
        return;
    each_name(&names, note_bounds);
    if (lowest == 0 || !are_plain_data(info.dli_fbase))
        return;
    uintptr_t page = vm_page_bytes(), start = lowest & ~(page - 1);
    size_t bytes = ((highest + page - 1) & ~(page - 1)) - start;
    if (system_call(SYS_mprotect, start, bytes, PROT_READ | PROT_WRITE) != 0)
        return;
    each_name(&names, replace);
    system_call(SYS_mprotect, start, bytes, PROT_READ);
    roots_exclude(start, start + bytes);
}
