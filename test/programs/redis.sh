#!/usr/bin/env bash
# redis-server with two I/O threads under redis-benchmark: values set and read back, a script, expiry, a
# background save, a restart from its dump with the same contents, and orderly exits. The clients are native.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
require redis-server redis-cli redis-benchmark

server='' port=''
trap 'cat server.log' EXIT

# start: starts the server on a free port and waits until it answers, as nobody but itself.
# Another process may have the port; then the server ends at once and the next port is tried.
start() {
    while true; do
        port=$((20000 + RANDOM % 12000))
        serve redis-server --port "$port" --bind 127.0.0.1 --dir "$PWD" --save '' --io-threads 2 \
            --lazyfree-lazy-user-del yes --enable-debug-command local >>server.log 2>&1 &
        server=$!
        while kill -0 "$server" 2>/dev/null; do
            [[ $(cli config get dir 2>/dev/null) != *"$PWD" ]] || return 0
            sleep 0.05
        done
        tail -n 3 server.log | grep -q 'Address already in use'
    done
}

cli() { redis-cli -p "$port" "$@"; }

# info FIELD: prints the field of the server's own report.
info() { cli info | tr -d '\r' | sed -n "s/^$1://p"; }

stop() {
    local status=0
    # The connection closes without an answer, which redis-cli may report as an error.
    cli shutdown "$1" >/dev/null 2>&1 || true
    wait "$server" || status=$?
    expect "the server's exit status" 0 "$status"
}

# values: prints a digest of everything in the database.
values() { cli debug digest; }

benchmark() { redis-benchmark -p "$port" --csv -P 4 -c 20 -r 3000 "$@" >benchmark; }

start
benchmark -n 20000 -d 60 -t set,lpush,hset
benchmark -n 2000 -d 400 -t get,incr,rpush,lpop,rpop,sadd,spop,zadd,zpopmin,lrange_100,mset
expect 'enough commands' 1 "$(($(info total_commands_processed) >= 3 * 20000 + 11 * 2000))"

for ((index = 0; index < 5000; index++)); do
    echo "SET value:$index text-$index-$((index * index))"
    echo "HSET hash:$((index % 100)) field$index $index"
    echo "ZADD scores $((index * 37 % 5000)) member$index"
    echo "XADD stream $((index + 1))-1 number $index"
    echo "SETRANGE long:$((index % 20)) $((index * 3)) piece"
done | cli --pipe | tail -n 1 >pipe
expect 'pipelined commands' 'errors: 0, replies: 25000' "$(<pipe)"

for index in 0 17 4999; do
    expect "value:$index" "text-$index-$((index * index))" "$(cli get "value:$index")"
    expect "hash:$((index % 100))" "$index" "$(cli hget "hash:$((index % 100))" "field$index")"
    expect "member$index" "$((index * 37 % 5000))" "$(cli zscore scores "member$index")"
done
expect 'stream' 5000 "$(cli xlen stream)"
expect 'range of scores' 'member0 member2973 member946' "$(cli zrange scores 0 2 | paste -s -d ' ')"
expect 'long' 15002 "$(cli strlen long:19)"
script='local sum = 0
for index = 0, 4999 do sum = sum + #redis.call("get", "value:" .. index) + #cjson.encode({index, tostring(index)}) end
return sum'
expect 'script' 147044 "$(cli eval "$script" 0)"
cli set brief gone px 20 >/dev/null
sleep 0.2
expect 'expired' '' "$(cli get brief)"
expect 'deleted' 50 "$(seq -f 'hash:%.0f' 50 99 | xargs redis-cli -p "$port" del)"

size=$(cli dbsize) digest=$(values)
[[ $digest =~ ^[0-9a-f]{40}$ ]] || expect 'digest' 'forty digits' "$digest"
expect 'background save' 'Background saving started' "$(cli bgsave)"
# Writes while the child saves must not get into its dump.
benchmark -n 2000 -t set,lpush
while [[ $(info rdb_bgsave_in_progress) == 1 ]]; do sleep 0.05; done
expect 'background save' ok "$(info rdb_last_bgsave_status)"
stop nosave

start
expect 'keys after the restart' "$size" "$(cli dbsize)"
expect 'values after the restart' "$digest" "$(values)"
cli flushall async >/dev/null
expect 'keys left' 0 "$(cli dbsize)"
cli set last word >/dev/null
stop save

start
expect 'the last word' word "$(cli get last)"
stop nosave
