/* Programs that lose nothing, with the parts of libc that keep memory of their own. */
#include "corpus.h"

#include <fnmatch.h>
#include <fts.h>
#include <glob.h>
#include <grp.h>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <netdb.h>
#include <obstack.h>
#include <pthread.h>
#include <pwd.h>
#include <regex.h>
#include <search.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wordexp.h>

static void clean_nothing(void) {}

static void clean_freed(void) {
    void *blocks[1000];
    for (int i = 0; i < 1000; i++)
        blocks[i] = malloc(i);
    for (int i = 0; i < 1000; i++)
        free(blocks[i]);
}

static void clean_global(void) { corpus_kept[1] = malloc(100); }

static void clean_list(void) {
    void **list = NULL;
    for (int i = 0; i < 10000; i++) {
        void **node = malloc(16);
        *node = list;
        list = node;
    }
    corpus_kept[0] = list;
}

static void clean_print(void) { printf("%f %s\n", 1.5, "text"); }
static void clean_wide(void) { fwprintf(stderr, L"%ls\n", L"wide"); }

static void clean_locale(void) {
    setlocale(LC_ALL, "");
    setlocale(LC_ALL, "C.UTF-8");
    locale_t locale = newlocale(LC_ALL_MASK, "C", NULL);
    freelocale(locale);
    CORPUS_USE(nl_langinfo(CODESET));
}

static void clean_users(void) {
    CORPUS_USE(getpwnam("root"));
    CORPUS_USE(getgrnam("root"));
    endpwent();
    endgrent();
}

static void clean_host(void) {
    struct addrinfo *found = NULL;
    if (getaddrinfo("127.0.0.1", "80", NULL, &found) == 0)
        freeaddrinfo(found);
}

static void clean_pattern(void) {
    regex_t pattern;
    regcomp(&pattern, "(a|b)*c[d-f]+", REG_EXTENDED);
    regexec(&pattern, "abababcdef", 0, NULL, 0);
    regfree(&pattern);
}

static void clean_conversion(void) {
    char in[] = "text", out[16], *from = in, *to = out;
    size_t left = 4, room = 16;
    iconv_t conversion = iconv_open("UTF-16", "UTF-8");
    iconv(conversion, &from, &left, &to, &room);
    iconv_close(conversion);
}

static void clean_file(void) {
    FILE *file = tmpfile();
    fputs("text", file);
    rewind(file);
    getc(file);
    fclose(file);
}

static void clean_open_file(void) {
    FILE *file = fopen("/dev/null", "w");
    fputs("text", file);
}

static void clean_pipe(void) {
    char text[16];
    FILE *file = popen("echo text", "r");
    CORPUS_USE(fgets(text, sizeof text, file));
    pclose(file);
}

static void clean_glob(void) {
    glob_t found;
    if (glob("/e*", 0, NULL, &found) == 0)
        globfree(&found);
}

static void clean_words(void) {
    wordexp_t words;
    if (wordexp("one $HOME", &words, WRDE_NOCMD) == 0)
        wordfree(&words);
}

static int by_order(const void *one, const void *two) {
    return *(const int *)one - *(const int *)two;
}

static void clean_sort(void) {
    static int numbers[10000];
    for (int i = 0; i < 10000; i++)
        numbers[i] = i * 7919 % 10000;
    qsort(numbers, 10000, sizeof *numbers, by_order);
}

static int by_text(const void *one, const void *two) { return strcmp(one, two); }

static void clean_search_tree(void) {
    void *tree = NULL;
    for (int i = 0; i < 100; i++) {
        char *text = malloc(16);
        snprintf(text, 16, "%d", i);
        tsearch(text, &tree, by_text);
    }
    tdestroy(tree, free);
}

static void clean_kept_tree(void) {
    for (int i = 0; i < 100; i++) {
        char *text = malloc(16);
        snprintf(text, 16, "%d", i);
        tsearch(text, (void **)&corpus_kept[0], by_text);
    }
}

static void clean_hash(void) {
    hcreate(100);
    hsearch((ENTRY){"key", NULL}, ENTER);
    hdestroy();
}

#define obstack_chunk_alloc malloc
#define obstack_chunk_free free

static void clean_obstack(void) {
    struct obstack stack;
    obstack_init(&stack);
    for (int i = 0; i < 1000; i++)
        obstack_alloc(&stack, 100);
    obstack_free(&stack, NULL);
}

static void clean_environment(void) {
    setenv("ONE", "1", 1);
    setenv("ONE", "a longer value", 1);
    unsetenv("ONE");
    setenv("TWO", "2", 1);
}

static void clean_time(void) {
    time_t now = time(NULL);
    CORPUS_USE(localtime(&now));
    setenv("TZ", "Europe/Vienna", 1);
    tzset();
    CORPUS_USE(localtime(&now));
}

static void clean_log(void) {
    openlog("corpus", LOG_PID, LOG_USER);
    closelog();
}

static void clean_line(void) {
    char *text = NULL;
    size_t room = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    while (getline(&text, &room, file) > 0)
        continue;
    free(text);
    fclose(file);
}

static void clean_walk(void) {
    char path[] = "/etc/default", *const paths[] = {path, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL, NULL);
    while (fts_read(walk))
        continue;
    fts_close(walk);
}

static void *run_thread(void *argument) {
    free(malloc(100));
    return argument;
}

static void clean_threads(void) {
    pthread_t threads[20];
    for (int i = 0; i < 20; i++)
        pthread_create(&threads[i], NULL, run_thread, NULL);
    for (int i = 0; i < 20; i++)
        pthread_join(threads[i], NULL);
}

static void clean_spawn(void) {
    char name[] = "true", *const arguments[] = {name, NULL}, *const environment[] = {NULL};
    pid_t process;
    int status;
    if (posix_spawnp(&process, "true", NULL, NULL, arguments, environment) == 0)
        waitpid(process, &status, 0);
}

static void clean_memory_file(void) {
    char *text;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    for (int i = 0; i < 1000; i++)
        fputs("line\n", file);
    fclose(file);
    free(text);
}

static void clean_names(void) {
    char *path = realpath("/usr/bin", NULL), *here = getcwd(NULL, 0);
    CORPUS_USE(fnmatch("*.c", "a.c", 0));
    free(path);
    free(here);
}

static void clean_aligned(void) {
    for (size_t alignment = 16; alignment <= 1 << 16; alignment *= 2) {
        void *block = NULL;
        if (posix_memalign(&block, alignment, 100) == 0)
            free(block);
    }
}

static void clean_backwards(void) {
    void *blocks[500];
    for (int i = 0; i < 500; i++)
        blocks[i] = realloc(malloc(i), 3 * i + 1);
    while (blocks[0]) {
        for (int i = 499; i >= 0; i--)
            free(blocks[i]);
        blocks[0] = NULL;
    }
}

const struct leak_case clean_cases[] = {
    {"clean_nothing", 0, 0, clean_nothing, 0},
    {"clean_freed", 0, 0, clean_freed, 0},
    {"clean_global", 0, 0, clean_global, 0},
    {"clean_list", 0, 0, clean_list, 0},
    {"clean_print", 0, 0, clean_print, 0},
    {"clean_wide", 0, 0, clean_wide, 0},
    {"clean_locale", 0, 0, clean_locale, 0},
    {"clean_users", 0, 0, clean_users, 0},
    {"clean_host", 0, 0, clean_host, 0},
    {"clean_pattern", 0, 0, clean_pattern, 0},
    {"clean_conversion", 0, 0, clean_conversion, 0},
    {"clean_file", 0, 0, clean_file, 0},
    {"clean_open_file", 0, 0, clean_open_file, 0},
    {"clean_pipe", 0, 0, clean_pipe, 0},
    {"clean_glob", 0, 0, clean_glob, 0},
    {"clean_words", 0, 0, clean_words, 0},
    {"clean_sort", 0, 0, clean_sort, 0},
    {"clean_search_tree", 0, 0, clean_search_tree, 0},
    {"clean_kept_tree", 0, 0, clean_kept_tree, 0},
    {"clean_hash", 0, 0, clean_hash, 0},
    {"clean_obstack", 0, 0, clean_obstack, 0},
    {"clean_environment", 0, 0, clean_environment, 0},
    {"clean_time", 0, 0, clean_time, 0},
    {"clean_log", 0, 0, clean_log, 0},
    {"clean_line", 0, 0, clean_line, 0},
    {"clean_walk", 0, 0, clean_walk, 0},
    {"clean_threads", 0, 0, clean_threads, 0},
    {"clean_spawn", 0, 0, clean_spawn, 0},
    {"clean_memory_file", 0, 0, clean_memory_file, 0},
    {"clean_names", 0, 0, clean_names, 0},
    {"clean_aligned", 0, 0, clean_aligned, 0},
    {"clean_backwards", 0, 0, clean_backwards, 0},
    {NULL, 0, 0, NULL, 0},
};
