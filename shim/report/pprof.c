/* A profile in pprof's format, profile.proto, compressed; see render.h. The format's field numbers
 * are those of github.com/google/pprof/proto/profile.proto.
 */
#include "report/render.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* A message that grows. */
struct message {
    unsigned char *bytes;
    size_t count, room;
};

static void put(struct message *message, const void *bytes, size_t count) {
    if (message->count + count > message->room) {
        message->room = 2 * (message->count + count);
        message->bytes = realloc(message->bytes, message->room);
        if (message->bytes == NULL)
            abort();
    }
    if (count > 0)
        memcpy(message->bytes + message->count, bytes, count);
    message->count += count;
}

static void put_number(struct message *message, uint64_t number) {
    unsigned char bytes[10];
    size_t count = 0;
    do {
        bytes[count] = (number & 0x7f) | (number > 0x7f ? 0x80 : 0);
        count++;
        number >>= 7;
    } while (number);
    put(message, bytes, count);
}

enum { WIRE_NUMBER = 0, WIRE_BYTES = 2 };

static void put_field(struct message *message, unsigned field, uint64_t number) {
    put_number(message, field << 3 | WIRE_NUMBER);
    put_number(message, number);
}

static void put_bytes(struct message *message, unsigned field, const void *bytes, size_t count) {
    put_number(message, field << 3 | WIRE_BYTES);
    put_number(message, count);
    put(message, bytes, count);
}

/* Puts a message into another one and ends it. */
static void put_message(struct message *message, unsigned field, struct message *part) {
    put_bytes(message, field, part->bytes, part->count);
    free(part->bytes);
    *part = (struct message){0};
}

/* Strings, functions and locations are numbered in the order in which they are first met. */
struct numbered {
    char *key;
    uint64_t number;
};

struct table {
    void *root;
    uint64_t count;
};

static int compare(const void *one, const void *two) {
    return strcmp(((const struct numbered *)one)->key, ((const struct numbered *)two)->key);
}

/* Sets *fresh when the key was not there. */
static uint64_t number_of(struct table *table, const char *key, uint64_t first, bool *fresh) {
    struct numbered *entry = malloc(sizeof *entry);
    if (entry == NULL || (entry->key = strdup(key)) == NULL)
        abort();
    struct numbered **found = tsearch(entry, &table->root, compare);
    *fresh = *found == entry;
    if (*fresh) {
        entry->number = first + table->count++;
    } else {
        free(entry->key);
        free(entry);
    }
    return (*found)->number;
}

struct profile {
    const struct check *check;
    struct message out;
    struct table strings, functions, locations;
};

enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING = 6,
    PROFILE_TIME = 9,
    PROFILE_DEFAULT_TYPE = 14
};

static uint64_t string(struct profile *profile, const char *text) {
    bool fresh;
    uint64_t number = number_of(&profile->strings, text, 0, &fresh);
    if (fresh)
        put_bytes(&profile->out, PROFILE_STRING, text, strlen(text));
    return number;
}

static uint64_t function(struct profile *profile, const struct symbol_frame *frame) {
    char key[4096];
    bool fresh;
    struct message message = {0};
    const char *name = frame->function ? frame->function : "",
               *file = frame->file ? frame->file : "";
    snprintf(key, sizeof key, "%s\n%s", name, file);
    uint64_t number = number_of(&profile->functions, key, 1, &fresh);
    if (!fresh)
        return number;
    put_field(&message, 1, number);
    put_field(&message, 2, string(profile, name));
    put_field(&message, 3, string(profile, name));
    put_field(&message, 4, string(profile, file));
    put_message(&profile->out, PROFILE_FUNCTION, &message);
    return number;
}

static uint64_t mapping_of(const struct profile *profile, const struct check_module *module) {
    return module ? (uint64_t)(module - profile->check->modules) + 1 : 0;
}

/* One place, with the inlined functions there. */
static uint64_t location(struct profile *profile, uint64_t pc, const struct symbol_place *place) {
    char key[32];
    bool fresh;
    struct message message = {0};
    snprintf(key, sizeof key, "%p", (const void *)place);
    uint64_t number = number_of(&profile->locations, key, 1, &fresh);
    if (!fresh)
        return number;
    put_field(&message, 1, number);
    put_field(&message, 2, mapping_of(profile, place->frames[0].module));
    put_field(&message, 3, pc);
    for (size_t i = 0; i < place->count && place->frames[i].function; i++) {
        struct message line = {0};
        put_field(&line, 1, function(profile, &place->frames[i]));
        put_field(&line, 2, place->frames[i].line);
        put_message(&message, 4, &line);
    }
    put_message(&profile->out, PROFILE_LOCATION, &message);
    return number;
}

/* Without the allocator's own frames: nobody asks what malloc has lost. */
static void add_places(struct profile *profile, struct message *places, struct group *group) {
    size_t frames = 0;
    group_name_frames(group, profile->check);
    for (size_t i = 0; group->stack && i < group->stack->count; i++) {
        uint64_t pc = group->stack->pcs[i];
        const struct symbol_place *place =
            symbols_code(profile->check, pc, group->stack->generation);
        frames += place->count;
        if (frames > group->first)
            put_number(places, location(profile, pc, place));
    }
    group_forget_frames(group);
}

static void add_sample(struct profile *profile, struct group *group) {
    struct message sample = {0}, places = {0}, values = {0};
    add_places(profile, &places, group);
    bool lost = group->kind == GROUP_LOST;
    size_t count = group_weighed(profile->check, group, group_blocks(group));
    size_t bytes = group_weighed(profile->check, group, group_bytes(group));
    put_number(&values, lost ? count : 0);
    put_number(&values, lost ? bytes : 0);
    put_number(&values, lost ? 0 : count);
    put_number(&values, lost ? 0 : bytes);
    put_message(&sample, 1, &places);
    put_message(&sample, 2, &values);
    put_message(&profile->out, PROFILE_SAMPLE, &sample);
}

static void add_types(struct profile *profile) {
    static const char *const types[][2] = {{"lost_objects", "count"},
                                           {"lost_space", "bytes"},
                                           {"inuse_objects", "count"},
                                           {"inuse_space", "bytes"}};
    for (size_t i = 0; i < 4; i++) {
        struct message type = {0};
        put_field(&type, 1, string(profile, types[i][0]));
        put_field(&type, 2, string(profile, types[i][1]));
        put_message(&profile->out, PROFILE_SAMPLE_TYPE, &type);
    }
}

static void add_mapping(struct profile *profile, const struct check_module *module) {
    struct message mapping = {0};
    put_field(&mapping, 1, mapping_of(profile, module));
    put_field(&mapping, 2, module->start);
    put_field(&mapping, 3, module->end);
    put_field(&mapping, 4, module->start - module->bias);
    put_field(&mapping, 5, string(profile, module->path));
    put_field(&mapping, 6, string(profile, module->build_id));
    put_field(&mapping, 7, 1);
    put_message(&profile->out, PROFILE_MAPPING, &mapping);
}

/* The first one is the program, for who reads the profile. */
static void add_mappings(struct profile *profile) {
    const struct check *check = profile->check;
    for (int of_program = 1; of_program >= 0; of_program--)
        for (size_t i = 0; i < check->module_count; i++)
            if ((strcmp(check->modules[i].path, check->program) == 0) == of_program)
                add_mapping(profile, &check->modules[i]);
}

static void write_compressed(const struct message *message, FILE *out) {
    fflush(out);
    gzFile file = gzdopen(dup(fileno(out)), "w");
    if (file == NULL || gzwrite(file, message->bytes, message->count) != (int)message->count)
        fputs("tithe: the profile cannot be written\n", stderr);
    if (file)
        gzclose(file);
}

static void free_entry(void *entry) {
    free(((struct numbered *)entry)->key);
    free(entry);
}

void render_pprof(const struct groups *groups, const struct report_options *options, FILE *out) {
    struct profile profile = {.check = groups->check};
    string(&profile, "");
    add_types(&profile);
    add_mappings(&profile);
    for (size_t i = 0; i < groups->count; i++)
        if (!groups->groups[i].suppressed_by && group_bytes(&groups->groups[i]) >= options->least)
            add_sample(&profile, &groups->groups[i]);
    put_field(&profile.out, PROFILE_DEFAULT_TYPE, string(&profile, "lost_space"));
    put_field(&profile.out, PROFILE_TIME, (uint64_t)groups->check->time * 1000000);
    write_compressed(&profile.out, out);
    tdestroy(profile.strings.root, free_entry);
    tdestroy(profile.functions.root, free_entry);
    tdestroy(profile.locations.root, free_entry);
    free(profile.out.bytes);
}
