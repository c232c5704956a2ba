# What "guild compile" does, for twenty modules that stand upon each other, in one process.
programs=(guile-3.0 sha256sum)
command=(guile-3.0 --no-auto-compile "$workloads/compile-modules.scm")

prepare() {
    bash "$workloads/make-modules" 20
}

result() {
    (cd output && sha256sum -- *.go)
}
