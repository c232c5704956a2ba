# The Neko machine: arrays, lists, strings, objects, hash tables, exceptions, and threads.
programs=(neko nekoc)
command=(neko objects.n)

prepare() {
    cp "$workloads/objects.neko" . && nekoc objects.neko
}
