#!/bin/bash
# doc/protocols.md names every rank of locks, and every field that is declared volatile.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
page=$top/doc/protocols.md
failed=0 ranks=0 fields=0

complain() {
    echo "FAIL $1"
    failed=$((failed + 1))
}

while read -r rank; do
    ranks=$((ranks + 1))
    grep -q "^| $rank |" "$page" || complain "no row for the rank $rank"
done < <(sed -n 's/^    RANK_\([A-Z_]*\),.*/\1/p' "$top/libgc/os/ranks.h")

# Declarations: "volatile", a type, and names up to a semicolon; no parameters, and no locals that only point.
declared() {
    find "$top/libgc" "$top/shim" -name '*.[ch]' ! -path '*/report/*' -print0 |
        xargs -0 grep -oHE '^[^/*("]*\bvolatile [^;(]*;' |
        sed -E 's/\[[^]]*\]//g; s/ = [^,;]*//g; s/__attribute__.*//' | grep -vE '\*[a-z_]+ *;$|volatile char frames?\b' |
        sed -E 's/^([^:]*\/)?([a-z_]+\.[ch]):.*volatile (unsigned (char|short|long)|const void \*|enum [a-z]+|[a-zA-Z_0-9]+)/\2 /' | tr -d ';,*}'
}

while read -r file names; do
    for name in $names; do
        [[ $name =~ ^[a-z][a-z_0-9]*$ ]] || continue
        fields=$((fields + 1))
        base=${file%.[ch]}
        grep -E "^\|.*\b$base\.[ch]\b" "$page" | grep -q "\`$name\`" || complain "no row for $name of $file"
    done
done < <(declared)
echo "$ranks ranks, $fields fields, $failed missing"
[ "$ranks" -gt 20 ] && [ "$fields" -gt 100 ] && [ "$failed" = 0 ]
