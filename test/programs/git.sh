#!/usr/bin/env bash
# Git: some hundred files and forty commits with branches and merges, a rebase, clones, an aggressive repack on
# two threads. The contents and dates are fixed, so the ids of the commits are too; the histories that the
# collected git prints must equal those of the native one.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
require git

export GIT_CONFIG_NOSYSTEM=1
cat >"$HOME/.gitconfig" <<'END'
[user]
    name = A Tester
    email = tester@example.org
[init]
    defaultBranch = main
[pack]
    threads = 2
[gc]
    auto = 0
    aggressiveWindow = 60
[advice]
    detachedHead = false
END

# write_files TURN: writes all files at the first turn, later a part of each of some of them.
write_files() {
    random_numbers 30000 "$((1000 + $1))" | awk -v turn="$1" '{
        file = sprintf("part%d/file%d.txt", NR % 12, NR % 300)
        if (turn == 0 || (NR % 300) % 15 == turn % 15 && NR < 8000)
            printf "%s line %d of turn %d: %d\n", file, NR, turn, $1 >>file
    }'
}

date=1700000000
# commit MESSAGE: commits everything, each commit one minute after the one before.
commit() {
    date=$((date + 60))
    export GIT_AUTHOR_DATE="$date +0000" GIT_COMMITTER_DATE="$date +0000"
    serve git add --all
    serve git commit --quiet --message "$1"
}

mkdir origin
cd origin
serve git init --quiet
mkdir part{0..11}
for turn in {0..37}; do
    write_files "$turn"
    commit "turn $turn"
    case $turn in
    10 | 20) serve git switch --quiet --create "side$turn" ;;
    14 | 24)
        serve git switch --quiet main
        echo "beside $turn" >"beside$turn"
        commit "beside $turn"
        serve git merge --quiet --message "merge $turn" "side$((turn - 4))"
        ;;
    esac
done
serve git switch --quiet --create topic main~3
echo topic >topic
commit topic
date=$((date + 60))
GIT_COMMITTER_DATE="$date +0000" serve git rebase --quiet main
serve git tag --annotate --message 'a tag' tagged
expect 'commit at the end' 8d58a1e2d67a69b3abc68d30126b7c11ef1f6971 "$(git rev-parse HEAD)"

serve git gc --quiet --aggressive --prune=now
serve git fsck --full --strict
serve git clone --quiet "file://$PWD" ../clone
cd ../clone
serve git fsck --full
expect 'commit cloned' "$(git -C ../origin rev-parse HEAD)" "$(git rev-parse HEAD)"
expect 'files changed' '' "$(git status --porcelain)"
expect 'objects in packs' "$(git -C ../origin count-objects -v | grep in-pack)" "$(git count-objects -v | grep in-pack)"

# same_answer ARGUMENT...: what git prints must be what the native git prints.
same_answer() {
    git "$@" >../native
    serve git "$@" >../served
    cmp ../native ../served
}
same_answer log --graph --stat
same_answer log --patch --find-renames --reverse part3
for file in part1/file1.txt part5/file5.txt part11/file299.txt; do
    same_answer blame -w -C "$file"
done
same_answer diff --patience HEAD~30 HEAD
same_answer grep --threads=2 --count 'turn [0-9]*7:'
same_answer archive --format=tar HEAD
