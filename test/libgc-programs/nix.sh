# An evaluation that allocates: attribute sets, lists, strings, calls. Boehm's collector asks for 384 MiB
# here at the start, unless it is told how much, as in nix-heap.
programs=(nix-instantiate)
command=(nix-instantiate --store dummy:// --eval --strict "$workloads/allocate.nix")
