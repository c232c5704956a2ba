# Neko's compiler, itself a Neko program, over a long source.
programs=(nekoc sha256sum)
command=(nekoc -o output/ long.neko)

prepare() {
    bash "$workloads/make-neko" 3000 >long.neko
}

result() {
    sha256sum output/long.n
}
