"""The work of the python cases: what CPython programs do with memory, in sections that each print one line.

Every line is a count or a digest that does not depend on the machine, the hash seed or timing. The sections
keep their live data small, so that a collector which runs very often still finishes in reasonable time.
"""
import asyncio
import collections
import concurrent.futures
import functools
import gc
import hashlib
import itertools
import json
import os
import pickle
import queue
import re
import sqlite3
import subprocess
import sys
import threading
import weakref
import zlib


def digest(*parts):
    state = hashlib.sha256()
    for part in parts:
        state.update(repr(part).encode())
    return state.hexdigest()[:16]


def numbers(seed):
    """Park and Miller's generator; random's sequences may change between versions."""
    while True:
        seed = seed * 16807 % 2147483647
        yield seed


def threads():
    """Each thread builds and drops structures of its own and adds to one total under a lock."""
    lock = threading.Lock()
    totals = collections.Counter()
    results = queue.Queue()
    barrier = threading.Barrier(8)

    def work(index):
        barrier.wait()
        stream = numbers(index + 1)
        for turn in range(24):
            table = {next(stream): str(next(stream)) * (turn + 1) for _ in range(400)}
            ordered = sorted(table)
            blob = zlib.compress("".join(table[key] for key in ordered).encode())
            text = zlib.decompress(blob).decode()
            with lock:
                totals["length"] += len(text)
                totals["checks"] += zlib.crc32(text.encode())
        results.put((index, digest(ordered)))

    workers = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    # Threads that come and go, so that stacks and thread blocks are reused.
    for _ in range(25):
        brief = [threading.Thread(target=lambda: results.put(("brief", "x" * 1000))) for _ in range(4)]
        for worker in brief:
            worker.start()
        for worker in brief:
            worker.join()
    got = sorted((str(key), value) for key, value in (results.get() for _ in range(8 + 100)))
    return digest(got, sorted(totals.items()))


def children():
    """Captured output, many children at once, pools of processes and plain forks."""
    answers = []
    for index in range(30):
        done = subprocess.run(["/bin/echo", "child", str(index)], stdout=subprocess.PIPE, check=True)
        answers.append(done.stdout.decode())
    program = "import sys; data = sys.stdin.read(); print(len(data), sum(map(ord, data)))"
    running = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(10)
    ]
    for index, child in enumerate(running):
        output, _ = child.communicate(b"abc" * (20000 + index))
        assert child.returncode == 0, child.returncode
        answers.append(output.decode())
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        answers += pool.map(digest, range(200), chunksize=4)
    for index in range(20):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            os.write(writer, digest(sorted(str(key) for key in range(2000)), index).encode())
            os._exit(index)
        os.close(writer)
        with open(reader, "rb") as pipe:
            answers.append(pipe.read().decode())
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == index, status
    return digest(answers)


def json_round_trip():
    stream = numbers(7)

    def grow(depth):
        if depth == 0:
            return [next(stream), next(stream) / 1024, None, True, f"text \u00e9\u4e16 {next(stream)}"]
        return {f"key{index}": grow(depth - 1) for index in range(7)}

    tree = grow(4)
    text = json.dumps(tree, sort_keys=True)
    for _ in range(4):
        again = json.loads(text)
        assert again == tree
        text = json.dumps(again, sort_keys=True, indent=1)
    assert pickle.loads(pickle.dumps(tree)) == tree
    return digest(text)


def database():
    """SQL with Python functions called back from SQLite."""

    class Product:
        def __init__(self):
            self.value = 1

        def step(self, factor):
            self.value = self.value * factor % 1000003

        def finalize(self):
            return self.value

    with sqlite3.connect("python.db") as connection:
        connection.create_function("mirror", 1, lambda text: text[::-1], deterministic=True)
        connection.create_aggregate("product", 1, Product)
        connection.execute("create table item(id integer primary key, kind text, amount integer)")
        stream = numbers(11)
        rows = ((index, f"kind{next(stream) % 50}", next(stream) % 1000 + 1) for index in range(40000))
        connection.executemany("insert into item values(?, ?, ?)", rows)
        connection.execute("create index item_kind on item(kind, amount)")
        groups = connection.execute(
            "select mirror(kind), count(*), sum(amount), product(amount) from item group by kind order by kind"
        ).fetchall()
        check = connection.execute("pragma integrity_check").fetchone()
    connection.close()
    return digest(groups, check)


def generators():
    def walk(tree):
        if isinstance(tree, tuple):
            for branch in tree:
                yield from walk(branch)
        else:
            yield tree

    def build(depth):
        return depth if depth == 0 else (build(depth - 1), depth, build(depth - 1))

    pipeline = (value * value for value in walk(build(15)) if value % 3)
    pairs = itertools.pairwise(itertools.accumulate(pipeline))
    total = sum(left ^ right for left, right in pairs)
    # Suspended generators that are dropped half way: their frames hold the only references.
    dropped = 0
    for _ in range(3000):
        dropped += next(itertools.islice(walk(((1, 2), (3, 4))), 2, None))
    return digest(total, dropped)


def cycles():
    """Reference cycles: the weak references must tell exactly when they are gone."""

    class Node:
        def __init__(self, name):
            self.name, self.other, self.load = name, None, [name] * 8

    gc.collect()
    gone = []
    for turn in range(30):
        watchers = []
        for index in range(500):
            first, second = Node(index), Node(-index)
            first.other, second.other = second, first
            watchers.append(weakref.ref(first, lambda _: gone.append(turn)))
        del first, second
        gc.collect()
        assert all(watcher() is None for watcher in watchers)
    return digest(len(gone), sum(gone))


def dictionaries():
    stream = numbers(23)
    table, order = {}, collections.OrderedDict()
    for step in range(150000):
        key = next(stream) % 5000
        if key in table and step % 3 == 0:
            del table[key]
            order.pop(key, None)
        else:
            table[key] = (step, str(key))
            order[key] = step
            order.move_to_end(key)
    members = set(table) & set(range(0, 5000, 2))
    recent = collections.deque(order.items(), maxlen=500)
    return digest(sorted(table.items()), sorted(members), list(recent))


def expressions():
    stream = numbers(31)
    text = "\n".join(f"{next(stream)} user{next(stream) % 97}@host{next(stream) % 13}.example" for _ in range(9000))
    pattern = re.compile(r"^(?P<number>\d+) (?P<user>\w+)@(?P<host>[\w.]+)$", re.M)
    hosts = collections.Counter(match["host"] for match in pattern.finditer(text))
    swapped = pattern.sub(lambda match: f"{match['host']}:{match['user']}", text)
    compiled = [re.compile(f"user{index}@host({index % 13}|x+)[.]") for index in range(97)]
    found = [len(expression.findall(text)) for expression in compiled]
    return digest(sorted(hosts.items()), swapped, found, re.split(r"[@:\n]", swapped)[-50:])


def recursion_and_errors():
    @functools.lru_cache(maxsize=1000)
    def partitions(total, largest):
        if total == 0:
            return 1
        return sum(partitions(total - part, part) for part in range(1, min(total, largest) + 1))

    def fall(depth):
        if depth == 0:
            raise ValueError("bottom")
        try:
            fall(depth - 1)
        except Exception as error:
            raise RuntimeError(depth) from error

    causes = []
    for depth in range(100, 200, 10):
        try:
            fall(depth)
        except RuntimeError as error:
            while error:
                causes.append(str(error))
                error = error.__cause__
    return digest(partitions(70, 70), 3**4000 % 10**50, causes)


def conversations():
    """asyncio streams over the loopback: epoll, futures, tasks that come and go."""

    async def answer(reader, writer):
        while line := await reader.readline():
            writer.write(line[::-1].strip() + b"\n")
            await writer.drain()
        writer.close()

    async def ask(port, index):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        received = []
        for turn in range(15):
            writer.write(f"{index}-{turn}-{'z' * turn}\n".encode())
            received.append(await reader.readline())
        writer.close()
        await writer.wait_closed()
        return received

    async def talk():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            return await asyncio.gather(*(ask(port, index) for index in range(20)))

    return digest(asyncio.run(talk()))


for section in (threads, children, json_round_trip, database, generators, cycles, dictionaries, expressions,
                recursion_and_errors, conversations):
    print(section.__name__, section(), flush=True)
