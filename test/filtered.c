/* filtered [--exec] FILTER COMMAND...: runs the command under a seccomp filter, as a child of a
 * process under the same one, or with --exec in its own place. FILTER is "docker", which permits
 * what the default profile of container engines does, or a list of system calls for which the
 * kernel kills. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NUMBERS = 1024, NAMESPACES = 0x7e020000, STATUS_REFUSED = 125 };

/* An allow list has what it knows; these are not on it, all else that has a name here is. */
static const char *const refused[] = {
    "userfaultfd",
    "process_madvise",
    "kcmp",
    "pidfd_getfd",
    "perf_event_open",
    "mbind",
    "set_mempolicy",
    "get_mempolicy",
    "move_pages",
    "migrate_pages",
    "setns",
    "unshare",
    "mount",
    "umount2",
    "pivot_root",
    "bpf",
    "keyctl",
    "add_key",
    "request_key",
    "open_by_handle_at",
    "reboot",
    "swapon",
    "swapoff",
    "init_module",
    "delete_module",
    "kexec_load",
    "acct",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "vhangup",
    "syslog",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
};

static void require(int result, const char *what) {
    if (result >= 0)
        return;
    fprintf(stderr, "filtered: %s: %s\n", what, strerror(-result));
    exit(STATUS_REFUSED);
}

static int is_refused(const char *name) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp(name, refused[i]) == 0)
            return 1;
    return 0;
}

static void permit(scmp_filter_ctx filter, int number, const char *name) {
    const struct scmp_arg_cmp plain = SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACES, 0);
    if (strcmp(name, "clone") == 0)
        require(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &plain), name);
    else if (strcmp(name, "clone3") == 0)
        require(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0), name);
    else if (!is_refused(name))
        require(seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0), name);
}

static scmp_filter_ctx container_filter(void) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    for (int number = 0; number < NUMBERS; number++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
        if (name)
            permit(filter, number, name);
        free(name);
    }
    return filter;
}

static scmp_filter_ctx killing_filter(char *names) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    for (char *name = strtok(names, ","); name; name = strtok(NULL, ","))
        require(
            seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, seccomp_syscall_resolve_name(name), 0),
            name);
    return filter;
}

static int status_of(pid_t child) {
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return STATUS_REFUSED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int count, char **arguments) {
    int replaces = count > 1 && strcmp(arguments[1], "--exec") == 0, at = 1 + replaces;
    if (count < at + 2)
        return STATUS_REFUSED;
    scmp_filter_ctx filter =
        strcmp(arguments[at], "docker") == 0 ? container_filter() : killing_filter(arguments[at]);
    require(seccomp_load(filter), "seccomp_load");
    pid_t child = replaces ? 0 : fork();
    if (child != 0)
        return status_of(child);
    execvp(arguments[at + 1], arguments + at + 1);
    perror(arguments[at + 1]);
    return STATUS_REFUSED;
}
