#!/usr/bin/env bash
# The work of the bash case. Each section prints one line that is a count or a checksum, the same on every
# machine: signals are handed over one at a time, so that none merges with the one before it.
set -uo pipefail
shopt -s extglob

checksum() { cksum | cut -d ' ' -f 1; }

# Uses the variables of the section that set the trap.
count_signal() {
    ((caught += 1))
    seen[caught]=$caught
}

# A child sends USR1 while the shell is busy with arrays and pipelines. The next comes only after the shell
# has told the child so over a pipe, outside the handler: bash forgets a signal that comes within it. Nor
# are there $( or $(( in either, as bash parses those when it meets them and a handler may upset that.
traps_in_busy_shell() {
    local caught=0 told=0 index key text='' child status=0 seen=()
    local -A table=()
    mkfifo acknowledge
    exec {acknowledge}<>acknowledge
    trap count_signal USR1
    (
        for _ in {1..150}; do
            kill -USR1 $$
            read -r -u "$acknowledge"
        done
    ) &
    child=$!
    for ((index = 0; told < 150 || index < 3000; index++)); do
        text="item $index ${text:0:200}"
        ((key = index % 300))
        table[$key]=$text
        if ((index % 500 == 0)); then
            printf '%s,' "${!table[@]}" | tr -d '[:lower:]' >keys
            read -r -d '' text <keys
        fi
        if ((told < caught)); then
            ((told += 1))
            echo >&"$acknowledge"
        fi
    done
    wait "$child" || status=$?
    exec {acknowledge}>&-
    trap - USR1
    echo "$status $caught ${#seen[@]} ${#table[@]} ${seen[150]}"
}

# The same signal while the shell does nothing but wait, which the handler must interrupt each time. The
# signals repeat, as one that comes before wait has begun would be missed; none comes when a child ends, as
# bash may then lose the child's status.
traps_in_waiting_shell() {
    local caught=0 interrupted=0 status sleeper sender seen=()
    trap count_signal USR1
    sleep 1000 &
    sleeper=$!
    while kill -USR1 $$; do sleep 0.01; done &
    sender=$!
    for _ in {1..15}; do
        status=0
        wait "$sleeper" || status=$?
        ((status > 128)) && interrupted=$((interrupted + 1))
    done
    trap '' USR1
    kill "$sender" "$sleeper"
    wait "$sender" "$sleeper" || status=$?
    trap - USR1
    echo "$interrupted $((caught >= 15)) $status"
}

exit_traps() {
    local status=0 output
    output=$(
        trap 'echo "leaving with $?"' EXIT
        (trap 'echo inner' EXIT; exit 4)
        exit 3
    ) || status=$?
    output+=" $status "
    output+=$(bash -c 'trap "echo terminated; exit 9" TERM; kill -TERM $$; echo unreachable') || status=$?
    output+=" $status "
    output+=$(bash -c 'set -e; trap "echo error" ERR; false; echo unreachable') || status=$?
    echo "${output//$'\n'/ } $status"
}

substitutions() {
    local index text='' nested
    for index in {1..150}; do
        text+=$(printf '%s ' "$index" "$(printf '%x' $((index * index)))" "$(tr a-e v-z <<<"$text")")
        text=${text//1/one}
        text=${text:0:4000}
    done
    # shellcheck disable=SC2018,SC2019 # plain letters
    nested=$(printf '%s' "a$(printf '%s' "b$(printf '%s' "c$(tr a-z b-za <<<cddo)")")")
    echo "$nested ${#text} $(checksum <<<"$text")"
}

arrays() {
    local index total=0 key
    local -a list=() copy=()
    local -A table=()
    for index in {1..12000}; do
        list+=("element $index")
        table[key$((index % 4000))]=$index
    done
    for ((index = 0; index < 12000; index += 3)); do
        unset "list[index]"
    done
    for key in "${!table[@]}"; do
        total=$((total + table[$key]))
    done
    copy=("${list[@]/element/item}")
    mapfile -t list < <(printf '%s\n' "${copy[@]}" | sort)
    echo "${#copy[@]} ${#table[@]} $total $(printf '%s\n' "${list[@]}" | checksum)"
}

here_documents() {
    local name=world index
    for index in {1..60}; do
        cat <<END
hello $name $index $((index * 7)) $(printf "inside %d" "$index")
END
        cat <<'END'
literal $name $(not run)
END
        cat <<<"string $index ${name^^}"
    done | checksum
}

# Two streams side by side, and a copy of each line through a second pipe.
process_substitution() {
    local left right count=0
    while read -r left && read -r right <&3; do
        [[ $left == "$right" ]] && count=$((count + 1))
    done < <(for ((i = 0; i < 4000; i++)); do echo $((i % 10)); done) \
        3< <(for ((i = 0; i < 4000; i++)); do echo $((i % 4)); done)
    diff <(printf '%s\n' c b a | sort) <(printf '%s\n' b a c | sort) && echo "$count same"
}

pipelines() {
    local index statuses
    for index in {1..40}; do
        echo "line $index" | sed 's/line/row/' | tr '[:lower:]' '[:upper:]' | { read -r text; echo "$text!"; }
    done | checksum
    true | (exit 5) | cat | (exit 6)
    statuses="${PIPESTATUS[*]}"
    # A reader that leaves early ends the writer by SIGPIPE, which is no crash.
    yes 2>/dev/null | head -n 1000 | checksum
    echo "$statuses"
}

jobs_one_by_one() {
    local index finished=0 sum=0 status child pending=()
    for index in {1..40}; do
        (
            local -A mine=()
            for ((i = 0; i < 200; i++)); do mine[$i]="$index $i"; done
            exit $((${#mine[@]} - 200 + index))
        ) &
        pending[$!]=$index
    done
    while ((${#pending[@]})); do
        status=0
        wait -n -p child "${!pending[@]}" || status=$?
        # wait -n may overlook jobs that ended before it was called; wait for one by its id does not.
        if [[ -z ${child:-} ]]; then
            status=0
            child=${!pending[*]}
            child=${child%% *}
            wait "$child" || status=$?
        fi
        ((status == pending[child])) && finished=$((finished + 1))
        sum=$((sum + status))
        unset "pending[child]"
    done
    echo "$finished $sum"
}

coprocess() {
    local index answer child input sum=0
    coproc DOUBLE { while read -r number; do echo $((number * 2)); done; }
    for index in {1..500}; do
        echo "$index" >&"${DOUBLE[1]}"
        read -r answer <&"${DOUBLE[0]}"
        sum=$((sum + answer))
    done
    child=$DOUBLE_PID input=${DOUBLE[1]}
    exec {input}>&-
    wait "$child"
    echo "$sum $?"
}

# Leaves the answer in number: a recursion through the variables of its callers.
fibonacci() {
    local first
    if (($1 < 2)); then
        number=$1
        return
    fi
    fibonacci $(($1 - 1))
    first=$number
    fibonacci $(($1 - 2))
    number=$((first + number))
}

language() {
    local word text='' number
    fibonacci 15
    declare -n reference=number
    for word in {a..e}{1..9}{x,y,z}; do
        case $word in
        a*x) text+=${word^^} ;;
        [bc]+([0-9])y) text+=${word%y} ;;
        *) [[ $word =~ ^([d-e])([0-9])z$ ]] && text+=${BASH_REMATCH[2]}${BASH_REMATCH[1]} ;;
        esac
    done
    printf -v word '%05d:%q' "$reference" "it's $((2 ** 40))"
    eval "text+=\${#text}$(printf '+%d' {1..50})"
    echo "$word $(checksum <<<"$text")"
}

for section in traps_in_busy_shell traps_in_waiting_shell exit_traps substitutions arrays here_documents \
    process_substitution pipelines jobs_one_by_one coprocess language; do
    printf '%s ' "$section"
    "$section"
done
