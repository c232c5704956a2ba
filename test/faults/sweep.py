#!/usr/bin/env python3
"""Lets one system call of the collector's fail, over and over, under programs that know their output.

Each program runs once undisturbed, and the library counts its calls by name. Then, for each name, the
n-th call fails, or each from the n-th on, with each error that the kernel may give: all n where there are
few, else the first ones and a spread of the others that the seed chooses. The program's output must be
right and it must say nothing else, in time. Where memory itself is refused from some call on, the cases
that can tell may say so.

Usage: sweep.py --build DIRECTORY [--seconds N] [--seed N] [--jobs N] [--only PROGRAM] [--fault FAULT]
--seconds bounds the time by trying a part that the seed chooses; --fault tries just this one.
"""
import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ERRORS = {
    "mmap": ["ENOMEM", "EPERM", "EAGAIN"],
    "munmap": ["ENOMEM", "EPERM"],
    "mprotect": ["ENOMEM", "EPERM"],
    "madvise": ["ENOMEM", "EAGAIN", "EINVAL", "EPERM"],
    "mremap": ["ENOMEM", "EAGAIN", "EPERM"],
    "mincore": ["EAGAIN", "ENOMEM", "EPERM"],
    "ioctl": ["ENOMEM", "EPERM", "EINTR", "EAGAIN"],
    "userfaultfd": ["EPERM", "EMFILE", "ENOMEM"],
    "openat": ["EMFILE", "ENOMEM", "EPERM", "EINTR"],
    "read": ["EINTR", "EAGAIN", "ENOMEM", "EPERM"],
    "pread64": ["EINTR", "EAGAIN", "ENOMEM", "EPERM"],
    "pwrite64": ["EINTR", "EPERM"],
    "write": ["EINTR", "EAGAIN", "ENOSPC"],
    "getdents64": ["EINTR", "ENOMEM", "EPERM"],
    "readlinkat": ["ENOMEM", "EPERM"],
    "fstat": ["ENOMEM", "EPERM"],
    "fcntl": ["EMFILE", "EPERM"],
    "process_vm_readv": ["ENOMEM", "EPERM"],
    "clone": ["EAGAIN", "ENOMEM", "EPERM"],
    "futex": ["EINTR", "EAGAIN"],
    "nanosleep": ["EINTR"],
    "sigaltstack": ["ENOMEM", "EPERM"],
    "prlimit64": ["EPERM"],
    "rt_tgsigqueueinfo": ["EAGAIN", "EPERM", "ENOMEM"],
    "getcpu": ["EPERM"],
    "sched_getaffinity": ["EPERM"],
    "sched_setaffinity": ["EPERM"],
    "setpriority": ["EPERM", "EACCES"],
    "socket": ["EMFILE", "ENOMEM", "EPERM"],
    "bind": ["EPERM", "ENOMEM"],
    "listen": ["EPERM"],
    "accept4": ["EMFILE", "EINTR", "EAGAIN", "ENOMEM"],
    "ppoll": ["EINTR", "ENOMEM"],
    "sendto": ["EAGAIN", "EPERM"],
    "unlinkat": ["EPERM"],
    "renameat2": ["EPERM", "ENOMEM"],
}
MEMORY = ("mmap", "mprotect")
ALL_UP_TO, SPREAD = 10, 10
COLLECTING = "gc_every=64K:verify=1"
NO_MEMORY = 3

PYTHON = """
import threading, subprocess, ctypes
def work(n, out):
    held = {}
    for i in range(n):
        held[i % 97] = ['x' * (i % 300), (i, str(i)), {i: [i] * 5}]
    out.append(sum(len(v[0]) for v in held.values()))
out = []
threads = [threading.Thread(target=work, args=(4000, out)) for _ in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
print(out, subprocess.run(['/bin/echo', 'child'], capture_output=True).stdout)
"""
PERL = """
my %h; for my $i (1..20000) { $h{$i % 500} = [map { "x$_" x 3 } 1..5]; }
my $s = 0; $s += length(join '', @{$h{$_}}) for sort keys %h; print "$s\\n"; print `echo child`;
"""
LUA = """
local t = {} for i = 1, 60000 do t[i % 700] = {tostring(i), {i}} end
local s = 0 for _, v in pairs(t) do s = s + #v[1] + v[2][1] end print(s)
"""
SQL = """
create table t(a integer primary key, b text);
with recursive c(i) as (select 1 union all select i+1 from c where i < 4000)
  insert into t select i, hex(zeroblob(i % 60)) from c;
select count(*), sum(length(b)), max(a) from t where b like '%0%'; select b from t where a = 59;
"""
BASH = """
declare -A a; for ((i = 0; i < 6000; i++)); do a[$((i % 300))]="${a[$((i % 50))]:0:40}$i"; done
s=0; for k in "${!a[@]}"; do s=$((s + ${#a[$k]})); done; echo "$s $(echo child | cat)"
"""


class Program:
    """What to run, and what it prints."""

    def __init__(self, name, command, options=COLLECTING, text=None, tells=False):
        self.name, self.command, self.options, self.text, self.tells = name, command, options, text, tells

    def knows_its_memory(self):
        return self.name in CASES


CASES = ["threads", "forks", "large", "mapped", "libraries", "waits"]


def programs(build):
    cases = os.path.join(build, "test/faults/cases")
    found = [Program(name, [cases, name]) for name in CASES]
    found += [
        Program("stop-the-world", [cases, "threads"], "gc_every=64K:verify=1:dirty=none:workers=0"),
        Program("quarantine", [cases, "mapped"], "gc_every=64K:verify=1:quarantine=on"),
        Program("leaks", [cases, "leaks"], "", tells=True),
    ]
    text = "".join(f"{(i * 7919) % 10007:06d} line\n" for i in range(10007))
    for name, command, typed in (
        ("sort", ["/usr/bin/sort", "--parallel=2", "-S", "1M"], text),
        ("python3", ["/usr/bin/python3", "-c", PYTHON], None),
        ("perl", ["/usr/bin/perl", "-e", PERL], None),
        ("lua", ["/usr/bin/lua5.4", "-e", LUA], None),
        ("sqlite3", ["/usr/bin/sqlite3", ":memory:"], SQL),
        ("bash", ["/bin/bash", "-c", BASH], None),
        ("xz", ["/usr/bin/xz", "-T2", "--block-size=20000", "-0", "-c"], text),
    ):
        if os.path.exists(command[0]):
            found.append(Program(name, command, COLLECTING, typed))
    return found


class Outcome:
    def __init__(self, status, output, errors):
        self.status, self.output, self.errors = status, output, errors


class Sweep:
    def __init__(self, build, seed):
        self.build, self.seed = build, seed
        self.library = os.path.join(build, ".libs/libtithe.so")
        self.environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent",
                            "STORM_LIBRARY": os.path.join(build, "test/storms/.libs/library.so")}
        self.directory = tempfile.mkdtemp(prefix="tithe-faults.")
        self.lock = threading.Lock()
        self.tried = self.failed = 0

    def run(self, program, options, limit=150):
        """options is None for a run without the library."""
        environment = dict(self.environment, TMPDIR=self.directory)
        command = program.command
        if program.tells and options is not None:
            command = [os.path.join(self.build, "tithe"), "leaks", "--format=json"]
            for option in filter(None, options.split(":")):
                command += ["-o", option]
            command += program.command
        elif options is not None:
            environment.update(LD_PRELOAD=self.library, TITHE_OPTIONS=options)
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, start_new_session=True)
        typed = program.text.encode() if program.text else b""
        try:
            output, errors = process.communicate(typed, timeout=limit)
            return Outcome(process.returncode, output, errors.decode(errors="replace"))
        except subprocess.TimeoutExpired:
            stacks = self.stacks(process.pid)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return Outcome("hung", b"", stacks)

    @staticmethod
    def stacks(leader):
        """What a hung process was doing."""
        found = subprocess.run(["pgrep", "-g", str(leader)], capture_output=True, text=True).stdout.split()
        text = ""
        for pid in found if shutil.which("gdb") else []:
            text += subprocess.run(["gdb", "-p", pid, "-batch", "-ex", "thread apply all bt 12"],
                                   capture_output=True, text=True).stdout
        return "\n".join(line for line in text.splitlines() if re.match("#|Thread", line))

    def counts(self, program):
        """The most calls of each name that a process of the program's made."""
        log = os.path.join(self.directory, "counts." + program.name)
        outcome = self.run(program, ":".join(filter(None, (program.options, "fault=count:log=" + log))))
        most = {}
        with open(log) as lines:
            for name, count in re.findall(r" (\w+)=(\d+)", "".join(l for l in lines if "calls:" in l)):
                most[name] = max(most.get(name, 0), int(count))
        return outcome, most

    def spread(self, program, name, count):
        """Which calls fail: a few more than were counted, because runs differ."""
        if count <= ALL_UP_TO:
            return list(range(1, count + 2))
        chosen = random.Random(f"{self.seed} {program.name} {name}")
        rest = set()
        while len(rest) < min(SPREAD, count - ALL_UP_TO // 2):
            rest.add(round((ALL_UP_TO // 2) * (count / (ALL_UP_TO // 2)) ** chosen.random()) + 1)
        return list(range(1, ALL_UP_TO // 2 + 1)) + sorted(rest)

    def faults(self, program, counts):
        found = []
        for name, count in counts.items():
            numbers = self.spread(program, name, count)
            for error in ERRORS.get(name, []):
                found += [f"{name}/{n}/{error}" for n in numbers]
                if name not in MEMORY or program.knows_its_memory():
                    found += [f"{name}/{n}+/{error}" for n in numbers]
        return found

    def trouble(self, program, expected, fault, outcome):
        """Why the outcome is wrong, or None."""
        if outcome.status == "hung":
            return "hung\n" + outcome.errors
        if program.tells:
            return self.trouble_telling(expected, outcome)
        refused = fault.startswith(MEMORY) and "+" in fault
        if refused and outcome.status == NO_MEMORY and "no memory" in outcome.errors:
            return None
        if "tithe: " in outcome.errors or (outcome.errors and outcome.errors != expected.errors):
            return f"status {outcome.status}, said: {outcome.errors[-600:]}"
        if outcome.status != expected.status:
            return f"status {outcome.status}"
        return None if outcome.output == expected.output else "output differs: " + repr(outcome.output[:200])

    @staticmethod
    def trouble_telling(expected, outcome):
        """Leak hunting tells what is right, or that it could not know."""
        if outcome.output != expected.output:
            return f"status {outcome.status}, output differs: {outcome.output[:200]!r} {outcome.errors[-600:]}"
        if outcome.status == 125 and "there is no leak check" in outcome.errors:
            return None
        if outcome.status == 23 and '"leaked_blocks":200,"leaked_bytes":16400' in outcome.errors:
            return None
        return f"status {outcome.status}, told: {outcome.errors[:400]}"

    def attempt(self, program, expected, fault):
        options = ":".join(filter(None, (program.options, "fault=" + fault)))
        reason = self.trouble(program, expected, fault, self.run(program, options))
        with self.lock:
            self.tried += 1
            if reason:
                self.failed += 1
                print(f"FAIL {program.name} fault={fault}: {reason}", flush=True)


def work(sweep, attempts, end):
    while True:
        with sweep.lock:
            if not attempts or (end and time.monotonic() > end):
                return
            attempt = attempts.pop()
        sweep.attempt(*attempt)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only")
    parser.add_argument("--fault")
    parser.add_argument("--runs", type=int, default=1)
    return parser.parse_args()


def plan(sweep, given):
    attempts = []
    for program in programs(sweep.build):
        if given.only and program.name != given.only:
            continue
        expected = sweep.run(program, None)
        if expected.status != 0:
            sys.exit(f"{program.name} does not run by itself: {expected.status} {expected.errors}")
        undisturbed, counts = sweep.counts(program)
        reason = sweep.trouble(program, expected, "none", undisturbed)
        if reason:
            sys.exit(f"{program.name} does not run undisturbed: {reason}")
        faults = [given.fault] * given.runs if given.fault else sweep.faults(program, counts)
        attempts += [(program, expected, fault) for fault in faults]
    random.Random(sweep.seed).shuffle(attempts)
    return attempts


def main():
    given = arguments()
    begun = time.monotonic()
    sweep = Sweep(os.path.abspath(given.build), given.seed if given.seed else random.randrange(1, 1 << 31))
    end = begun + given.seconds if given.seconds else None
    try:
        attempts = plan(sweep, given)
        planned = len(attempts)
        print(f"seed {sweep.seed}: {planned} faults", flush=True)
        workers = [threading.Thread(target=work, args=(sweep, attempts, end)) for _ in range(given.jobs)]
        [worker.start() for worker in workers]
        [worker.join() for worker in workers]
    finally:
        shutil.rmtree(sweep.directory)
    print(f"{sweep.tried} of {planned} faults tried in {time.monotonic() - begun:.0f} s, {sweep.failed} failed; "
          f"seed {sweep.seed}")
    return sweep.failed != 0 or sweep.tried == 0


if __name__ == "__main__":
    sys.exit(main())
