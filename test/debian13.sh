#!/bin/bash
# On Debian 13 what was written on Debian 12 builds without a warning, and headers and libraries are those of
# its libgc, a later release: headers.sh, libgc_symbols.sh and libgc_abi.sh in a root of its own, which
# debootstrap makes and which goes again. Wants root, debootstrap and the network; minutes, so nightly.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
mirror=${DEBIAN_MIRROR-http://deb.debian.org/debian}
if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
    echo "skipped: not root, or debootstrap is not installed"
    [ "${TITHE_REQUIRE_PROGRAMS-}" ] && exit 1
    exit 77
fi
root=$(mktemp -d)
mounted=
end() {
    [ -z "$mounted" ] || umount "$root/proc"
    rm -rf --one-file-system "$root"
}
trap end EXIT

packages=$(tr '\n' , <"$here/packages.build")check,libgc-dev,abigail-tools,clang,python3
debootstrap --variant=minbase --include="$packages" trixie "$root" "$mirror" >"$root.log" 2>&1 || {
    tail -n 20 "$root.log"
    exit 1
}
rm -f "$root.log"
mkdir "$root/tithe"
(cd "$here" && git ls-files -z | tar -c --null -T -) | tar -x -C "$root/tithe"
mount -t proc proc "$root/proc" && mounted=1

# shellcheck disable=SC2016 # the other shell's
chroot "$root" bash -c '
    set -u
    cd /tithe && ./bootstrap || exit 1
    make -s -k -j"$(nproc)" -C build >build/make.log 2>&1
    built=$?
    grep -E "(error|warning):" build/make.log
    export TITHE_BUILD=/tithe/build
    failed=$built
    for name in libgc_symbols headers libgc_abi; do
        bash "test/$name.sh" || failed=1
    done
    exit $failed'
