# The same evaluation in a heap that starts with 8 MiB, and so has to be collected.
programs=(nix-instantiate)
command=(env GC_INITIAL_HEAP_SIZE=8388608
    nix-instantiate --store dummy:// --eval --strict "$workloads/allocate.nix")
