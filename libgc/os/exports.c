/* The loader's list and its objects' tables of names; see exports.h. */
#include "os/exports.h"

#include "os/memory.h"

#include <elf.h>
#include <link.h>
#include <string.h>

enum {
    MOST_OBJECTS = 65536, /* a list that is torn while it is read has an end, too */
    KNOWN_ROOM = 4096,
    KNOWN_MOST = KNOWN_ROOM / 4 * 3,
    MOST_ENTRIES = 128, /* of an object's dynamic section */
    NAME_ROOM = 64
};

/* The list of another namespace of dlmopen's, where the loader keeps one (glibc 2.35). */
struct list {
    struct r_debug base;
    struct list *next;
};

static uint32_t known[KNOWN_ROOM]; /* fingerprints of the objects that were looked at; 0 is none */
static unsigned known_count;

/* What the loader's tables of an object are made of. */
struct tables {
    uintptr_t hash, symbols, strings;
    uint32_t buckets, first, blooms, shift;
};

static bool read_at(void *to, uintptr_t from, size_t bytes) {
    return memory_read(to, from, bytes) == bytes;
}

/* Nobody takes a member of the list away, or changes it, while the world is stopped. */
static bool read_member(struct link_map *to, const struct link_map *from, bool stopped) {
    size_t bytes = offsetof(struct link_map, l_prev);
    if (!stopped)
        return read_at(to, (uintptr_t)from, bytes);
    memcpy(to, from, bytes);
    return true;
}

/* No address: what is written here is not to keep anything. */
static uint32_t fingerprint(const struct link_map *member, uintptr_t at) {
    uint64_t mixed = (at ^ member->l_addr ^ (uintptr_t)member->l_ld << 17) * 0x9e3779b97f4a7c15u;
    uint32_t upper = mixed >> 32;
    return upper ? upper : 1;
}

/* True for an object that was not there before. */
static bool is_new(uint32_t print) {
    unsigned place = print % KNOWN_ROOM;
    for (; known[place] != 0; place = (place + 1) % KNOWN_ROOM)
        if (known[place] == print)
            return false;
    return true;
}

static void remember(uint32_t print) {
    if (known_count == KNOWN_MOST) {
        memset(known, 0, sizeof known);
        known_count = 0;
    }
    unsigned place = print % KNOWN_ROOM;
    while (known[place] != 0)
        place = (place + 1) % KNOWN_ROOM;
    known[place] = print;
    known_count++;
}

/* The loader writes addresses over the file's offsets, on most machines. */
static uintptr_t address_of(const struct link_map *object, uintptr_t value) {
    return value < object->l_addr ? object->l_addr + value : value;
}

static bool find_tables(const struct link_map *object, const ElfW(Dyn) * entries, size_t count,
                        struct tables *tables) {
    uint32_t head[4];
    memset(tables, 0, sizeof *tables);
    for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
        uintptr_t value = entries[i].d_un.d_ptr;
        if (entries[i].d_tag == DT_GNU_HASH)
            tables->hash = address_of(object, value);
        else if (entries[i].d_tag == DT_SYMTAB)
            tables->symbols = address_of(object, value);
        else if (entries[i].d_tag == DT_STRTAB)
            tables->strings = address_of(object, value);
    }
    if (!tables->hash || !tables->symbols || !tables->strings ||
        !read_at(head, tables->hash, sizeof head) || head[0] == 0 || head[2] == 0)
        return false;
    tables->buckets = head[0];
    tables->first = head[1];
    tables->blooms = head[2];
    tables->shift = head[3] % 32;
    return true;
}

static uint32_t hash_of(const char *name) {
    uint32_t hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

/* A filter before the table: one look tells of most names that they are not there. */
static bool may_export(const struct tables *tables, uint32_t hash) {
    const unsigned bits = 8 * sizeof(ElfW(Addr));
    ElfW(Addr) word;
    uintptr_t at = tables->hash + 16 + hash / bits % tables->blooms * sizeof word;
    return read_at(&word, at, sizeof word) && word >> hash % bits & 1 &&
           word >> (hash >> tables->shift) % bits & 1;
}

static bool is_named(const struct tables *tables, uint32_t index, const char *name) {
    ElfW(Sym) symbol;
    char text[NAME_ROOM];
    size_t bytes = strlen(name) + 1;
    return bytes <= sizeof text &&
           read_at(&symbol, tables->symbols + index * sizeof symbol, sizeof symbol) &&
           symbol.st_shndx != SHN_UNDEF && read_at(text, tables->strings + symbol.st_name, bytes) &&
           memcmp(text, name, bytes) == 0;
}

/* A chain of names with the same place ends with a hash whose lowest bit is set. */
static bool does_export(const struct tables *tables, const char *name) {
    uint32_t hash = hash_of(name), index, seen = 0;
    uintptr_t buckets = tables->hash + 16 + tables->blooms * sizeof(ElfW(Addr));
    uintptr_t chains = buckets + (uintptr_t)tables->buckets * sizeof index;
    if (!may_export(tables, hash) ||
        !read_at(&index, buckets + hash % tables->buckets * sizeof index, sizeof index) ||
        index < tables->first)
        return false;
    for (; !(seen & 1); index++) {
        if (!read_at(&seen, chains + (uintptr_t)(index - tables->first) * sizeof seen, sizeof seen))
            return false;
        if ((seen | 1) == (hash | 1) && is_named(tables, index, name))
            return true;
    }
    return false;
}

/* False when it could not be read: it is on its way out, or it is to be looked at again. */
static bool look_at(const struct link_map *object, const char *const names[], unsigned count,
                    uint64_t *found) {
    ElfW(Dyn) entries[MOST_ENTRIES];
    struct tables tables;
    size_t read = memory_read(entries, (uintptr_t)object->l_ld, sizeof entries) / sizeof *entries;
    if (read > 0 && find_tables(object, entries, read, &tables))
        for (unsigned i = 0; i < count; i++)
            if (!(*found >> i & 1) && does_export(&tables, names[i]))
                *found |= (uint64_t)1 << i;
    return read > 0;
}

static void walk(const struct link_map *member, const char *const names[], unsigned count,
                 bool stopped, uint64_t *found) {
    struct link_map object;
    for (int i = 0; member && i < MOST_OBJECTS; i++, member = object.l_next) {
        if (!read_member(&object, member, stopped))
            return;
        uint32_t print = fingerprint(&object, (uintptr_t)member);
        if (!is_new(print))
            continue;
        if (look_at(&object, names, count, found))
            remember(print);
    }
}

void exports_find(const char *const names[], unsigned count, bool stopped, uint64_t *found) {
    const struct list *list = (const struct list *)&_r_debug;
    bool has_others = _r_debug.r_version > 1;
    for (; list; list = has_others ? list->next : NULL)
        walk(list->base.r_map, names, count, stopped, found);
}
