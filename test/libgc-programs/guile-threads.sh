# Compiled Guile: threads, futures, guardians, weak tables, ephemeral hash tables.
programs=(guile-3.0)
command=(guile-3.0 --no-auto-compile -c '(load-compiled "threads.go")')

prepare() {
    guile-3.0 --no-auto-compile -c \
        "((@ (scripts compile) compile) \"-o\" \"threads.go\" \"$workloads/threads.scm\")"
}
