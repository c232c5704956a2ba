/* What the system and the user allow: control groups in trees of our own, and options with values
 * that make no sense. */
#include "suite.h"

#include "os/groups.h"
#include "os/limits.h"
#include "os/log.h"
#include "os/options.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree[64];

/* Writes a file of the tree, making its folders. */
static void put(const char *path, const char *text) {
    char full[1024];
    size_t length = snprintf(full, sizeof full, "%s/%s", tree, path);
    for (size_t i = strlen(tree) + 1; i < length; i++)
        if (full[i] == '/') {
            full[i] = 0;
            mkdir(full, 0777);
            full[i] = '/';
        }
    FILE *file = fopen(full, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void make_tree(const char *groups) {
    static char list[80];
    snprintf(tree, sizeof tree, "/tmp/tithe-limits-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tree));
    put("groups", groups);
    snprintf(list, sizeof list, "%s/groups", tree);
    groups_mount = tree;
    groups_of_process = list;
}

static void drop_tree(void) {
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", tree);
    ck_assert_int_eq(system(command), 0);
}

static struct groups_memory asked(void) {
    struct groups_memory memory;
    ck_assert(groups_ask(&memory));
    drop_tree();
    return memory;
}

START_TEST(version_2_counts_what_the_group_uses_but_for_files) {
    make_tree("0::/a/b\n");
    put("a/b/memory.max", "67108864\n");
    put("a/b/memory.high", "max\n");
    put("a/b/memory.current", "31457280\n");
    put("a/b/memory.stat", "anon 20971520\nfile 10485760\ninactive_file 1048576\n"
                           "active_file 9437184\nworkingset_refault_file 7\n");
    struct groups_memory memory = asked();
    ck_assert_uint_eq(memory.limit, 64 << 20);
    ck_assert_uint_eq(memory.left, 44 << 20);
}
END_TEST

START_TEST(the_first_limit_on_the_way_up_that_is_reached_counts) {
    make_tree("0::/a/b\n");
    put("a/b/memory.max", "67108864\n");
    put("a/b/memory.current", "1048576\n");
    put("a/memory.high", "104857600\n");
    put("a/memory.max", "max\n");
    put("a/memory.current", "99614720\n");
    put("memory.max", "max\n");
    struct groups_memory memory = asked();
    ck_assert_uint_eq(memory.limit, 64 << 20);
    ck_assert_uint_eq(memory.left, 5 << 20);
}
END_TEST

START_TEST(a_group_beyond_its_limit_has_nothing_left) {
    make_tree("0::/a\n");
    put("a/memory.high", "1048576\n");
    put("a/memory.current", "2097152\n");
    ck_assert_uint_eq(asked().left, 0);
}
END_TEST

START_TEST(version_1_is_found_among_its_controllers) {
    make_tree("9:name=systemd:/memory\n5:cpu,memory:/x\n3:hugetlb,memoryless:/y\n0::/\n");
    put("memory/x/memory.limit_in_bytes", "33554432\n");
    put("memory/x/memory.usage_in_bytes", "8388608\n");
    put("memory/x/memory.stat", "inactive_file 1\ntotal_inactive_file 2097152\n"
                                "total_active_file 2097152\n");
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("memory/y/memory.limit_in_bytes", "4096\n");
    struct groups_memory memory = asked();
    ck_assert_uint_eq(memory.limit, 32 << 20);
    ck_assert_uint_eq(memory.left, 28 << 20);
}
END_TEST

/* As in containers: the path is the host's, or is outside of the namespace, and what is mounted is
 * the container's own group. */
START_TEST(a_path_that_is_not_shown_leads_to_what_is_mounted) {
    static const char *const paths[] = {"0::/\n", "0::/docker/0123/init.scope\n", "0::/../other\n",
                                        "0::///\n"};
    for (int i = 0; i < 4; i++) {
        make_tree(paths[i]);
        put("memory.max", "16777216\n");
        put("memory.current", "4194304\n");
        struct groups_memory memory = asked();
        ck_assert_uint_eq(memory.limit, 16 << 20);
        ck_assert_uint_eq(memory.left, 12 << 20);
    }
}
END_TEST

START_TEST(long_paths_and_lists_are_read) {
    char path[400], groups[4096] = "", limit[500];
    memset(path, 'p', sizeof path);
    path[200] = '/';
    path[399] = 0;
    for (int i = 20; i > 12; i--)
        sprintf(groups + strlen(groups), "%d:name%d:/%s\n", i, i, path);
    sprintf(groups + strlen(groups), "12:memory:/%s\n", path);
    make_tree(groups);
    snprintf(limit, sizeof limit, "memory/%s/memory.limit_in_bytes", path);
    put(limit, "16777216\n");
    ck_assert_uint_eq(asked().limit, 16 << 20);
}
END_TEST

START_TEST(no_limit_is_none_and_no_list_asks_what_is_mounted) {
    make_tree("0::/a\n");
    put("a/memory.max", "max\n");
    put("a/memory.high", "max\n");
    put("a/memory.current", "1\n");
    struct groups_memory memory = asked();
    ck_assert_uint_eq(memory.limit, SIZE_MAX);
    ck_assert_uint_eq(memory.left, SIZE_MAX);
    make_tree("");
    groups_of_process = "/nonexistent";
    put("memory.max", "16777216\n");
    ck_assert_uint_eq(asked().limit, 16 << 20);
}
END_TEST

/* "No limit" would be a guess. */
START_TEST(without_a_descriptor_nothing_is_known) {
    struct groups_memory memory;
    struct rlimit few = {3, 1024}, many = {1024, 1024};
    make_tree("0::/a\n");
    put("a/memory.max", "16777216\n");
    for (int i = 3; i < 5; i++) {
        few.rlim_cur = i;
        setrlimit(RLIMIT_NOFILE, &few);
        while (open("/dev/null", O_RDONLY) >= 0 && i == 3)
            continue;
        bool known = groups_ask(&memory);
        setrlimit(RLIMIT_NOFILE, &many);
        ck_assert(!known || memory.limit == 16 << 20);
        ck_assert(!known || i > 3);
    }
    drop_tree();
}
END_TEST

START_TEST(a_limit_that_changes_is_seen_when_it_is_asked_for_again) {
    size_t left;
    make_tree("0::/a\n");
    put("a/memory.max", "max\n");
    put("a/memory.current", "1048576\n");
    ck_assert(limits_memory_left(&left) && left == SIZE_MAX && limits_memory() == SIZE_MAX);
    put("a/memory.max", "16777216\n");
    ck_assert(limits_memory_left(&left) && left == 15 << 20 && limits_memory() == 16 << 20);
    options.limit = 1 << 30;
    ck_assert(limits_memory_left(&left) && left < 1 << 30 && left > 900 << 20);
    ck_assert_uint_eq(limits_memory(), 1 << 30);
    drop_tree();
}
END_TEST

/* What is said about options, in a buffer. */
static const char *said_of(const char *text) {
    static char said[8192];
    char path[] = "/tmp/tithe-limits-XXXXXX";
    int fd = mkstemp(path);
    ck_assert(log_to_file(path));
    options_read(text);
    ssize_t length = read(fd, said, sizeof said - 1);
    said[length > 0 ? length : 0] = 0;
    unlink(path);
    close(fd);
    return said;
}

static const struct {
    const char *key, *values[3], *valid;
} wrong[] = {
    {"stats", {"maybe", "2", ""}, "1, on, yes, 0, off, no"},
    {"summary", {"x", "-1", "4294967296"}, "0 to 2147483647"},
    {"gc_every", {"x", "1T", "-1"}, "0 or more"},
    {"percent", {"0", "10001", "12x"}, "1 to 10000"},
    {"min_heap", {"x", "1.5M", "99999G"}, "0 to 65536G"},
    {"reserve", {"1K", "0", "99999G"}, "64M to 65536G"},
    {"stop_timeout", {"0", "3600001", "1s"}, "1 to 3600000"},
    {"signal", {"3", "65", "RTMIN"}, "0, or 34 to 64"},
    {"mask", {"x", "", "01"}, "1, on, yes, 0, off, no"},
    {"unaligned", {"x", "", "ON!"}, "1, on, yes, 0, off, no"},
    {"workers", {"65", "-1", "auto"}, "0 to 64"},
    {"limit", {"1K", "1048575", "x"}, "0, or 1M or more"},
    {"dirty", {"soft", "", "uffd none"}, "auto uffd none"},
    {"assist", {"on", "", "0"}, "switch signal off"},
    {"verify", {"x", "", "2"}, "1, on, yes, 0, off, no"},
    {"collect", {"x", "", "2"}, "1, on, yes, 0, off, no"},
    {"quarantine", {"1", "", "full"}, "off on fill"},
    {"depth", {"0", "65", "x"}, "1 to 64"},
    {"sample", {"x", "-1", "2048G"}, "0 to 1024G"},
    {"check_signal", {"65", "TERM", "-1"}, "0 to 64"},
    {"check_every", {"1.5", "x", "1025M"}, "0 to 1G"},
    {"check_collects", {"x", "", "2"}, "1, on, yes, 0, off, no"},
    {"chains", {"x", "", "2"}, "1, on, yes, 0, off, no"},
    {"fault", {"x", "open/0", ""}, "CALL/N/ERRNO"},
};

START_TEST(a_wrong_value_is_one_line_that_names_the_valid_ones) {
    const struct options before = options;
    char text[100];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "%s=%s", wrong[_i].key, wrong[_i].values[i]);
        const char *said = said_of(text), *newline = strchr(said, '\n');
        ck_assert_msg(strstr(said, text) && strstr(said, wrong[_i].valid), "%s: %s", text, said);
        ck_assert_msg(newline && newline[1] == 0, "%s: %s", text, said);
        ck_assert_msg(memcmp(&before, &options, sizeof options) == 0, "%s changed", text);
    }
    ck_assert_ptr_nonnull(strstr(said_of(wrong[_i].key), wrong[_i].valid));
}
END_TEST

START_TEST(wrong_texts_are_told_too) {
    char text[600] = "log=";
    memset(text + 4, 'x', 500);
    ck_assert_ptr_nonnull(strstr(said_of(text), "a path of at most 255 characters"));
    ck_assert_ptr_nonnull(strstr(said_of("leaks="), "a path of at most 255 characters"));
}
END_TEST

START_TEST(an_unknown_option_is_one_line_that_names_all) {
    char text[600] = "";
    memset(text, 'x', 500);
    for (int i = 0; i < 2; i++) {
        const char *said = said_of(i ? text : "nosuch=1"), *newline = strchr(said, '\n');
        ck_assert_msg(newline && newline[1] == 0, "%s", said);
        ck_assert_msg(strstr(said, "gc_every") && strstr(said, " log\n"), "%s", said);
    }
}
END_TEST

START_TEST(zero_means_by_itself_where_it_may) {
    ck_assert_str_eq(said_of("signal=0:limit=0:gc_every=0:limit=64M"), "");
    ck_assert_uint_eq(options.limit, 64 << 20);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        version_2_counts_what_the_group_uses_but_for_files,
        the_first_limit_on_the_way_up_that_is_reached_counts,
        a_group_beyond_its_limit_has_nothing_left,
        version_1_is_found_among_its_controllers,
        a_path_that_is_not_shown_leads_to_what_is_mounted,
        long_paths_and_lists_are_read,
        no_limit_is_none_and_no_list_asks_what_is_mounted,
        without_a_descriptor_nothing_is_known,
        a_limit_that_changes_is_seen_when_it_is_asked_for_again,
        wrong_texts_are_told_too,
        an_unknown_option_is_one_line_that_names_all,
        zero_means_by_itself_where_it_may,
    };
    const struct looped loops[] = {
        {a_wrong_value_is_one_line_that_names_the_valid_ones, sizeof wrong / sizeof *wrong},
    };
    return SUITE_RUN_LOOPS("limits", tests, loops, 20);
}
