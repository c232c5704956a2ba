/* Learning and losing objects; see modules.h. dlclose is wrapped, because what it unloads must be
 * noticed before something else is loaded in its place. dlopen need not be, and should not: the
 * loader looks at who called it.
 */
#include "leak/modules.h"

#include "leak/record.h"
#include "leak/unwind.h"
#include "real.h"

#include "os/memory.h"
#include "os/syscall.h"
#include "os/vm.h"

#include <atomic_ops.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>

enum { MOST_MODULES = 4096, MOST_SEGMENTS = 32, NOTE_MOST = 512 };

static struct vm_region table;
volatile unsigned modules_now;
static volatile unsigned count; /* whoever holds busy; release */
static volatile AO_TS_t busy = AO_TS_INITIALIZER;

bool modules_start(void) {
    size_t bytes = MOST_MODULES * sizeof(struct module);
    return vm_region_make(&table, bytes);
}

size_t modules_count(void) { return AO_int_load_acquire(&count); }

static struct module *at(size_t number) { return (struct module *)table.start + number; }
const struct module *module_get(size_t number) { return at(number); }

/* The latest first: that is what is there now. */
const struct module *module_at(uintptr_t address) {
    for (size_t i = modules_count(); i-- > 0;)
        if (address - at(i)->start < at(i)->end - at(i)->start && at(i)->to == UINT32_MAX)
            return at(i);
    return NULL;
}

static size_t padded(size_t bytes) { return (bytes + 3) & ~(size_t)3; }

static void take_build_id(struct module *module, const unsigned char *notes, size_t bytes) {
    ElfW(Nhdr) note;
    for (size_t from = 0; from + sizeof note <= bytes;) {
        memcpy(&note, notes + from, sizeof note);
        size_t name = from + sizeof note, contents = name + padded(note.n_namesz);
        if (contents + note.n_descsz > bytes)
            return;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_descsz <= BUILD_ID_MOST &&
            memcmp(notes + name, "GNU", 4) == 0) {
            module->build_id_bytes = note.n_descsz;
            memcpy(module->build_id, notes + contents, note.n_descsz);
            return;
        }
        from = contents + padded(note.n_descsz);
    }
}

/* The first page of an object is its header, as linkers lay it out. */
static void read_notes(struct module *module) {
    ElfW(Ehdr) header;
    ElfW(Phdr) segments[MOST_SEGMENTS];
    unsigned char notes[NOTE_MOST];
    if (memory_read(&header, module->start, sizeof header) < sizeof header ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return;
    size_t read = memory_read(segments, module->start + header.e_phoff, sizeof segments);
    for (size_t i = 0; i < header.e_phnum && i < read / sizeof *segments; i++) {
        if (segments[i].p_type != PT_NOTE || module->build_id_bytes > 0)
            continue;
        size_t most = segments[i].p_filesz < NOTE_MOST ? segments[i].p_filesz : NOTE_MOST;
        take_build_id(module, notes, memory_read(notes, module->bias + segments[i].p_vaddr, most));
    }
}

static void read_path(struct module *module, const struct link_map *map) {
    struct link_map copy;
    module->path[0] = 0;
    if (memory_read(&copy, (uintptr_t)map, sizeof copy) == sizeof copy && copy.l_name) {
        module->bias = copy.l_addr;
        memory_read(module->path, (uintptr_t)copy.l_name, sizeof module->path - 1);
    }
    if (module->path[0] == 0) {
        long length = system_call(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", module->path,
                                  sizeof module->path - 1);
        module->path[length > 0 ? length : 0] = 0;
    }
}

/* One at a time; who comes meanwhile, a signal handler for instance, leaves it to the next. */
void modules_learn(uintptr_t address) {
    struct dl_find_object object;
    if (module_at(address) || table.reserved == 0 || _dl_find_object((void *)address, &object) != 0)
        return;
    if (AO_test_and_set_full(&busy) == AO_TS_SET)
        return;
    if (module_at(address) == NULL && count < MOST_MODULES) {
        struct module *module = at(count);
        *module = (struct module){.start = (uintptr_t)object.dlfo_map_start,
                                  .end = (uintptr_t)object.dlfo_map_end,
                                  .from = modules_now,
                                  .to = UINT32_MAX};
        read_path(module, object.dlfo_link_map);
        read_notes(module);
        AO_int_store_release(&count, count + 1);
    }
    AO_CLEAR(&busy);
}

static bool is_there(const struct module *module) {
    struct dl_find_object object;
    return _dl_find_object((void *)module->start, &object) == 0 &&
           (uintptr_t)object.dlfo_map_start == module->start &&
           (uintptr_t)object.dlfo_map_end == module->end;
}

void modules_notice_gone(void) {
    bool gone = false;
    if (AO_test_and_set_full(&busy) == AO_TS_SET)
        return;
    for (size_t i = 0; i < count; i++)
        if (at(i)->to == UINT32_MAX && !is_there(at(i))) {
            AO_int_store(&at(i)->to, modules_now + 1);
            gone = true;
        }
    if (gone) {
        AO_int_store_release(&modules_now, modules_now + 1);
        unwind_forget();
    }
    AO_CLEAR(&busy);
}

TITHE_EXPORT int dlclose(void *handle) {
    int result = REAL(dlclose)(handle);
    if (record_is_on())
        modules_notice_gone();
    return result;
}
