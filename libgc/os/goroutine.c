/* The notes of object files; see goroutine.h. */
#include "os/goroutine.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>

#if defined(DLFO_STRUCT_HAS_EH_DBASE)

/* Since glibc 2.35; unlike dl_iterate_phdr it takes no lock. */
extern int _dl_find_object(void *address, struct dl_find_object *found) __attribute__((weak));

static bool is_go_note(const ElfW(Nhdr) * note) {
    return note->n_namesz == 4 && memcmp(note + 1, "Go\0", 4) == 0;
}

static bool has_go_note(uintptr_t start, size_t bytes) {
    uintptr_t at = start;
    while (at + sizeof(ElfW(Nhdr)) + 4 <= start + bytes) {
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
        if (is_go_note(note))
            return true;
        at += sizeof *note + ((note->n_namesz + 3) & ~3ul) + ((note->n_descsz + 3) & ~3ul);
    }
    return false;
}

/* What Go's own tools look for, and where: it is there also when the note was left out. */
static bool has_build_information(uintptr_t start, size_t bytes) {
    static const char magic[] = "\xff Go buildinf:";
    enum { STEP = 16, MOST_BYTES = 65536 };
    size_t most = bytes < MOST_BYTES ? bytes : MOST_BYTES;
    for (size_t at = -start % STEP; at + STEP <= most; at += STEP)
        if (memcmp((const void *)(start + at), magic, sizeof magic - 1) == 0)
            return true;
    return false;
}

static bool is_of_go(const ElfW(Phdr) * segment, uintptr_t base) {
    uintptr_t start = base + segment->p_vaddr;
    if (segment->p_type == PT_NOTE)
        return has_go_note(start, segment->p_memsz);
    return segment->p_type == PT_LOAD && (segment->p_flags & PF_W) &&
           has_build_information(start, segment->p_filesz);
}

/* The first segment holds the file's own header and its table of segments. */
bool goroutine_may_run(uintptr_t address) {
    struct dl_find_object found;
    if (_dl_find_object == NULL || _dl_find_object((void *)address, &found) != 0)
        return false;
    const ElfW(Ehdr) *file = found.dlfo_map_start;
    if (memcmp(file->e_ident, ELFMAG, SELFMAG) != 0)
        return false;
    const ElfW(Phdr) *segment = (const ElfW(Phdr) *)((uintptr_t)file + file->e_phoff);
    uintptr_t base = found.dlfo_link_map->l_addr;
    for (unsigned i = 0; i < file->e_phnum; i++)
        if (is_of_go(&segment[i], base))
            return true;
    return false;
}

#else
bool goroutine_may_run(uintptr_t address) {
    (void)address;
    return false;
}
#endif
