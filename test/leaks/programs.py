#!/usr/bin/env python3
"""Runs programs of Debian's under `tithe leaks` and under valgrind, and compares what they call lost.

Usage: programs.py --tithe COMMAND [--table FILE] [NAME...]
Tithe must report what valgrind calls definitely lost as lost directly, to the byte, which for most
programs is nothing; and what valgrind calls indirectly lost as held, but for differences that are
explained below. Exit status 1 where it is otherwise.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

LIMIT_SECONDS = 300

PYTHON = ("import json, re, collections\n"
          "d = {str(i): [i, str(i * 2)] for i in range(2000)}\n"
          "json.loads(json.dumps(d)); re.findall('[a-z]+', 'some text ' * 50)\n"
          "collections.Counter('abracadabra')")
PERL = "my %h; $h{$_ % 100} .= $_ for 1..20000; my @s = sort keys %h; print scalar(@s), qq(\\n);"
SQL = ("create table t(a, b); insert into t values(1, 'one'), (2, 'two'), (3, 'three');"
       "create index i on t(b); select count(*), max(b) from t where a > 1;")
LUA = "local t = {} for i = 1, 20000 do t[i % 100] = tostring(i) end print(#t)"
BASH = "a=(); for ((i = 0; i < 500; i++)); do a+=(\"$i\"); done; echo ${#a[@]} $(echo sub) | wc -c"
SOURCE = "#include <stdio.h>\nint main(void) { return printf(\"hello\\n\") < 0; }\n"

# A name, a command, and what is set in the environment. The working directory is empty but for what
# prepare() puts there.
PROGRAMS = [
    ("python3", ["/usr/bin/python3", "-c", PYTHON], {}),
    ("python3, PYTHONMALLOC=malloc", ["/usr/bin/python3", "-c", PYTHON], {"PYTHONMALLOC": "malloc"}),
    ("sqlite3", ["sqlite3", ":memory:", SQL], {}),
    ("git log", ["git", "-C", "repository", "log", "--stat"], {}),
    ("git status", ["git", "-C", "repository", "status"], {}),
    ("curl", ["curl", "-s", "-o", "/dev/null", "file:///etc/services"], {}),
    ("jq", ["jq", "-n", "[range(2000) | {a: ., b: tostring}] | group_by(.a % 7) | length"], {}),
    ("openssl", ["openssl", "dgst", "-sha256", "hello.c"], {}),
    ("openssl genrsa", ["openssl", "genrsa", "1024"], {}),
    ("vim", ["vim", "-u", "NONE", "-es", "-c", "%s/hello/goodbye/g", "-c", "wq! changed.c", "hello.c"],
     {"TERM": "dumb"}),
    ("bash", ["bash", "-c", BASH], {}),
    ("lua", ["lua5.4", "-e", LUA], {}),
    ("perl", ["perl", "-e", PERL], {}),
    ("gcc", ["gcc", "-O1", "hello.c", "-o", "hello"], {}),
    ("gcc -c", ["gcc", "-O1", "-c", "hello.c"], {}),
    ("cc1", ["/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "-quiet", "-O1", "hello.c", "-o", "hello.s"], {}),
    ("tar -c", ["tar", "-cf", "archive.tar", "hello.c", "repository"], {}),
    ("tar -x", ["tar", "-xf", "small.tar", "-C", "repository"], {}),
    ("sort", ["sort", "/etc/services"], {}),
    ("xz", ["xz", "-k", "-f", "hello.c"], {}),
    ("sed", ["sed", "-e", "s/a/b/g", "/etc/services"], {}),
    ("gawk or mawk", ["awk", "{ n[$2]++ } END { for (k in n) print k, n[k] }", "/etc/services"], {}),
]

# Where what is held differs.
EXPLAINED = {
    "perl": "one block of those that valgrind takes to be held by a lost one is also reachable, through "
            "pointers into the middle of blocks, from PL_user_def_props, and is not told by tithe",
}


def prepare(directory):
    with open(os.path.join(directory, "hello.c"), "w", encoding="ascii") as out:
        out.write(SOURCE)
    subprocess.run(["tar", "-cf", "small.tar", "hello.c"], cwd=directory, check=True)
    git = ["git", "-C", "repository", "-c", "user.name=A", "-c", "user.email=a@b.c"]
    for command in (["git", "init", "-q", "repository"], ["cp", "hello.c", "repository"],
                    git + ["add", "."], git + ["commit", "-q", "-m", "first"],
                    ["cp", "/etc/services", "repository"], git + ["add", "."],
                    git + ["commit", "-q", "-m", "second"]):
        subprocess.run(command, cwd=directory, check=True, stdin=subprocess.DEVNULL)


def run(command, directory, more):
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": directory, **more}
    return subprocess.run(command, cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, errors="replace", timeout=LIMIT_SECONDS, check=False)


def by_tithe(tithe, program, directory):
    """Status of the program; blocks and bytes lost directly, and held; and what was told."""
    _, command, environment = program
    output = os.path.join(directory, "tithe.json")
    result = run([tithe, "leaks", "--exitcode=0", "--format=json", "--output=" + output] + command,
                 directory, environment)
    try:
        with open(output, encoding="utf-8") as file:
            report = json.load(file)
    except (OSError, ValueError):
        return result.returncode, None, None, result.stderr
    lost = report["lost"]
    os.unlink(output)
    groups = ["%d B in %d: %s" % (one["direct"]["bytes"] + one["held"]["bytes"],
                                  one["direct"]["blocks"] + one["held"]["blocks"],
                                  " < ".join(frame.get("function", "??") for frame in one["frames"][:6]))
              for one in report["groups"] if one["kind"] == "lost"]
    return (result.returncode, (lost["direct_blocks"], lost["direct_bytes"]),
            (lost["held_blocks"], lost["held_bytes"]), "\n".join(groups))


def by_valgrind(program, directory):
    """Status; blocks and bytes definitely, indirectly and possibly lost. Libc's own tables, the
    environment among them, are not freed before the look."""
    _, command, environment = program
    log = os.path.join(directory, "valgrind.log")
    result = run(["valgrind", "--leak-check=full", "--run-libc-freeres=no", "--child-silent-after-fork=yes", "--log-file=" + log]
                 + command, directory, environment)
    with open(log, encoding="utf-8", errors="replace") as file:
        text = file.read()
    os.unlink(log)
    if "no leaks are possible" in text:
        return result.returncode, (0, 0), (0, 0), (0, 0)
    found = {kind: (int(blocks.replace(",", "")), int(size.replace(",", ""))) for kind, size, blocks in
             re.findall(r"(definitely|indirectly|possibly) lost: ([\d,]+) bytes in ([\d,]+)", text)}
    return (result.returncode, found.get("definitely"), found.get("indirectly"), found.get("possibly"))


def amount(found):
    if found is None:
        return "no answer"
    return f"{found[1]:,} B in {found[0]:,}" if found[0] else "nothing"


def compare(tithe, program, directory):
    """A row of the table, and whether it is as it must be."""
    name = program[0]
    status, direct, held, told = by_tithe(tithe, program, directory)
    valgrind_status, definite, indirect, possible = by_valgrind(program, directory)
    good = status == valgrind_status and direct is not None and direct == definite
    same = held == indirect
    if not good or not same:
        print(f"{name}: status {status}, direct {amount(direct)}, held {amount(held)}; valgrind: status "
              f"{valgrind_status}, {amount(definite)}, {amount(indirect)}")
        print(told)
    row = [name, amount(direct), amount(definite), amount(held), amount(indirect), amount(possible),
           "" if same else EXPLAINED.get(name, "not explained")]
    return row, good and (same or name in EXPLAINED)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tithe", required=True)
    parser.add_argument("--table")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        print("valgrind is not installed")
        return 77
    rows, wrong = [], 0
    for program in PROGRAMS:
        if (options.names and program[0] not in options.names) or not shutil.which(program[1][0]):
            continue
        with tempfile.TemporaryDirectory() as directory:
            prepare(directory)
            row, good = compare(os.path.abspath(options.tithe), program, directory)
        rows.append(row)
        wrong += not good
        print("ok" if good else "FAIL", " | ".join(row), flush=True)
    if options.table:
        with open(options.table, "w", encoding="utf-8") as out:
            out.write("# What programs of Debian's lose\nMade by `test/leaks/programs.py --table`: `tithe leaks` beside "
                      "valgrind. What valgrind calls possibly lost, because only pointers into its middle "
                      "lead to it, is reachable for tithe.\n\n| program | lost directly | definitely lost, by "
                      "valgrind | held | indirectly lost | possibly lost | |\n|---|---|---|---|---|---|---|\n")
            out.writelines("| " + " | ".join(row) + " |\n" for row in rows)
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
