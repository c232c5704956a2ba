# A Crystal program: fibers, channels, finalizers, weak references, hashes, strings, big numbers.
programs=(crystal cc)
command=(./objects)

prepare() {
    CRYSTAL_CACHE_DIR=$PWD/cache crystal build -o objects "$workloads/objects.cr"
}
